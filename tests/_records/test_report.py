"""The report of an uncertain submit, in the log and in the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.drive import Store, run_task
from support.submits import INPUTS, submit

from airflow_provider_twinsync.emulator.faults import AcceptThenReset

if TYPE_CHECKING:
    from collections.abc import Callable


class Watched(Store):
    """A store that keeps the log of the moment at which a report is recorded."""

    def __init__(self, logged: Callable[[], str]) -> None:
        super().__init__()
        self._logged = logged
        self.seen: list[str] = []

    def set(self, key: str, value: Any) -> None:
        if "told_at_max_tries" in value:
            self.seen.append(self._logged())
        super().set(key, value)


def test_an_uncertain_submit_is_in_the_log_before_it_is_recorded(emulator, connection, logged):
    """The worker may die right after the record; a clear then submits again, so a person has to know."""
    store = Watched(logged)
    emulator.world.faults.add("submit", AcceptThenReset())
    for number in (1, 2):
        run_task(submit(), store=store, try_number=number)
    for seen, code in zip(store.seen, ("TS309", "TS313"), strict=True):
        assert [part for part in (code, INPUTS["text"], INPUTS["image_url"]) if part not in seen] == []
