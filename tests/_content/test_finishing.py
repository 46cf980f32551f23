"""The options of a finished video, and the files beside it."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync._content.finished.options import Finishing
from airflow_provider_twinsync.exceptions import UsageError


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (None, ()),
        ((), ()),
        ("", ()),
        ("srt", ("srt",)),
        ("srt,vtt", ("srt", "vtt")),
        (["vtt", "srt", "vtt"], ("vtt", "srt")),
        (("mov_text",), ("mov_text",)),
    ],
)
def test_kinds_of_captions(value, kinds):
    assert Finishing.of(captions=value).captions == kinds


@pytest.mark.parametrize("value", ["ass", ["srt", None], {"srt": 1}, 5, True, "srt;ass"])
def test_other_kinds_are_refused(value):
    with pytest.raises(UsageError) as raised:
        Finishing.of(captions=value)
    assert raised.value.code == "TS191"
