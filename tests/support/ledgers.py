"""A record of a ledger, its changes, and the states in a list."""

from __future__ import annotations

NAME = "0" * 32 + "-12345678"
OTHER = "0" * 31 + "1-12345678-0123456789ab"
JOB = "20230423_11_23_05_10279"
RECORD = {
    "v": 1,
    "inputs": NAME[:32],
    "shown": "the text 'Hello' and the photo 'https://example.com/anna.jpg'",
    "marked_at": "2026-11-28T12:00:00+00:00",
    "twinsync_task_id": JOB,
    "owner": {"dag_id": "news", "task_id": "submit", "run_id": "r1", "map_index": -1, "try_number": 1},
}
#: The change that makes it an intent.
INTENT = {"twinsync_task_id": None}
REPORT = {"inputs": NAME[:32], "told_at_max_tries": 1}


def states(listed: str) -> list[str]:
    """Return the states in a list; two spaces are between the columns."""
    return [line.partition("  ")[0] for line in listed.splitlines()[1:]]
