"""An outage: its polls, and its tolerance to the second."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync._wait.outage import Outage


def outage_since(since_s: float, *polls_s: float) -> Outage:
    """Return an outage that another process began, with further polls."""
    outage = Outage()
    outage.begin(since_s)
    for elapsed_s in polls_s:
        outage.record(elapsed_s)
    return outage


def test_an_outage_counts_from_its_first_poll() -> None:
    """A status ends it; one that another process began goes on."""
    outage = outage_since(10.0, 20.0)
    assert (outage.polls, outage.since_s) == (2, 10.0)
    outage.end()
    assert outage.polls == 0
    for elapsed_s in (30.0, 40.0):
        outage.record(elapsed_s)
    assert (outage.polls, outage.since_s) == (2, 30.0)


@pytest.mark.parametrize(
    ("outage", "tolerance_s", "left_s"),
    [
        (Outage(), 300.0, None),
        (outage_since(10.0), None, None),
        (outage_since(10.0), 300.0, 250.0),
        (outage_since(10.0), 20.0, -30.0),
    ],
)
def test_an_outage_has_a_time_left(outage: Outage, tolerance_s: float | None, left_s: float | None) -> None:
    """At 60 s; without an outage or a tolerance there is none."""
    assert outage.left_s(tolerance_s, 60.0) == left_s


@pytest.mark.parametrize(
    ("tolerance_s", "elapsed_s", "may_be_last"),
    [
        *[(300.0, 269.9, False), (300.0, 270.0, True), (300.0, 400.0, True)],
        *[(100.0, 89.9, False), (100.0, 90.0, True)],
        *[(1000.0, 969.9, False), (1000.0, 970.0, True)],
        (None, 1e9, False),
    ],
)
def test_the_last_poll_begins_near_the_end(
    tolerance_s: float | None, elapsed_s: float, may_be_last: bool
) -> None:
    """Within a tenth of the tolerance, and within 30 s."""
    assert outage_since(0.0).may_be_last(tolerance_s, elapsed_s) is may_be_last
    assert Outage().may_be_last(tolerance_s, elapsed_s) is False


@pytest.mark.parametrize(
    ("tolerance_s", "elapsed_s", "took_s", "is_over"),
    [
        *[(300.0, 299.9, 0.0, False), (300.0, 300.0, 0.0, True)],
        *[(300.0, 280.0, 19.9, False), (300.0, 280.0, 20.0, True)],
        (300.0, 269.0, 40.0, False),  # it began too early to be the last one
        (None, 1e9, 1e9, False),
    ],
)
def test_the_last_poll_is_under_way_at_the_end(
    tolerance_s: float | None, elapsed_s: float, took_s: float, is_over: bool
) -> None:
    """Or begins then; one poll alone is never the last."""
    assert outage_since(0.0, 10.0).is_over(tolerance_s, elapsed_s, took_s) is is_over
    assert outage_since(0.0).is_over(tolerance_s, elapsed_s, took_s) is False
