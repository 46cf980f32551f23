"""The times of the places of a text: bounded work for any text."""

from __future__ import annotations

import time

import pytest

from airflow_provider_twinsync._content.captions.timing import Boundary, Clock, Pause


@pytest.mark.parametrize("is_sentence", [True, False])
def test_a_text_of_a_thousand_clauses_takes_seconds(is_sentence):
    """A word and a comma each, with a pause after each, took minutes."""
    count, word_s, pause_s = 1_000, 0.25, 0.15
    step_s = word_s + pause_s
    boundaries = [Boundary(number * 0.3, is_sentence) for number in range(1, count)]
    pauses = [Pause(number * step_s - pause_s, number * step_s) for number in range(1, count)]
    started = time.process_time()
    clock = Clock(boundaries, count * 0.3, pauses, 0.0, count * step_s)
    assert time.process_time() - started < 15
    starts = [clock.start_s(boundary.weight_s) for boundary in boundaries]
    assert starts == sorted(starts)
    assert max(abs(start - number * step_s) for number, start in enumerate(starts, 1)) < 1
