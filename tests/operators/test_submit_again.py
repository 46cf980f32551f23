"""The submit record across tries: a retry and a clear pay once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.drive import Store, rings, run_task
from support.submits import INPUTS, WAITING, code_of, has_no_job, posts, submit

from airflow_provider_twinsync._records.task_state_store import STORE_KEY
from airflow_provider_twinsync.emulator.faults import (
    AcceptThenReset,
    FailJob,
    HttpError,
    ResultCode,
)


class TestTheTaskStateStore:
    """The submit record, in the store that Airflow 3.3 has for a task: a job is not paid twice."""

    def test_a_retry_reconnects_to_the_job(self, emulator, capsys):
        """The same inputs and a job that did not fail: the task returns the same id, and logs that."""
        store = Store()
        first, second = run_task(submit(), store=store), run_task(submit(), store=store)
        assert first.result == second.result
        assert posts(emulator) == 1
        assert "reconnects to it" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "again", [{"text": "再见"}, {"durable": False}], ids=["other text", "not durable"]
    )
    def test_other_inputs_or_no_record_make_another_job(self, emulator, again):
        """The new inputs are not those of the job; or the user wants no record."""
        store = Store()
        first, second = run_task(submit(), store=store), run_task(submit(**again), store=store)
        assert first.result != second.result
        assert posts(emulator) == 2

    def test_a_job_that_failed_is_submitted_again(self, emulator):
        """A wait for it would fail again."""
        store = Store()
        emulator.world.faults.add("submit", FailJob())
        first, second = run_task(submit(), store=store), run_task(submit(), store=store)
        assert first.result != second.result

    def test_a_retry_reconnects_to_a_job_without_a_status(self, emulator, capsys):
        """A poll that fails is no reason to pay."""
        store = Store()
        first = run_task(submit(), store=store)
        capsys.readouterr()
        emulator.world.faults.add("status", HttpError(status=500))
        assert run_task(submit(), store=store).result == first.result
        lines = [
            line for line in capsys.readouterr().out.splitlines() if f"TwinSync job {first.result}" in line
        ]
        # After a clear, a person needs this first, and the way to a new job.
        assert "durable=False" in lines[0]
        assert "HTTP 500" in lines[1]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "arguments", [{}, {**WAITING, "deferrable": False}, WAITING], ids=["two", "poke", "deferred"]
    )
    @pytest.mark.parametrize("age_s", [0, 1, 3600], ids=["waiting", "running", "finished"])
    def test_every_form_reconnects_to_a_job_in_any_state_but_failed(self, emulator, arguments, age_s):
        """The two tasks and the one task have the same record, deferred or not."""
        store = Store()
        emulator.world.waiting_s, emulator.world.duration_s = 0.5, 1
        first = run_task(submit(), store=store)
        emulator.world.advance(age_s)
        second = run_task(submit(**arguments), store=store)
        assert second.ended == "success"
        assert second.result == first.result
        assert posts(emulator) == 1

    def test_a_try_that_was_killed_in_its_submit_is_uncertain(self, emulator):
        """The intent is there before the POST; the next try does not submit again, and a clear does."""
        store = Store()

        class KilledError(BaseException):
            """Stands for a SIGKILL: nothing of the package runs after it."""

        class DyingStore(Store):
            def set(self, key: str, value: Any) -> None:
                if value["twinsync_task_id"] is not None:
                    raise KilledError
                super().set(key, value)

        run_task(submit(), store=DyingStore(store.rows))
        assert "told_at_max_tries" not in store.rows[STORE_KEY]
        second = run_task(submit(), store=store)
        assert second.ended == "AirflowFailException"
        assert re.match("TS313 .* at 20", str(second.error))
        assert posts(emulator) == 1
        assert run_task(submit(), store=store, clears=1).ended == "success"

    @pytest.mark.parametrize("reported_by", ["the try itself", "the next try"])
    def test_only_a_clear_submits_again_after_an_uncertain_submit(self, emulator, reported_by):
        """A retry follows a worker that dies after its report, before Airflow knows of the failure."""
        store = Store()
        if reported_by == "the try itself":
            emulator.world.faults.add("submit", AcceptThenReset())
        else:
            store.set(STORE_KEY, {"v": 1, "inputs": "other", "marked_at": "2026-11-23T12:00:00+00:00"})
        made = int(reported_by == "the try itself")
        for _ in range(3):
            run = run_task(submit(), store=store, clears=2)
            assert run.ended == "AirflowFailException"
            assert code_of(run.error) in ("TS309", "TS313")
            assert posts(emulator) == made
        assert run_task(submit(), store=store, clears=3).ended == "success"
        assert posts(emulator) == made + 1
        # Then there is a job, and the next try reconnects to it.
        assert run_task(submit(), store=store, clears=3).ended == "success"
        assert posts(emulator) == made + 1

    def test_an_uncertain_submit_after_a_clear_is_a_new_one(self, emulator):
        """A decision of a person counts once."""
        store = Store()
        emulator.world.faults.add("submit", AcceptThenReset(times=2))
        assert run_task(submit(), store=store).ended == "AirflowFailException"
        assert run_task(submit(), store=store, clears=1).ended == "AirflowFailException"
        assert run_task(submit(), store=store, clears=1).ended == "AirflowFailException"
        assert posts(emulator) == 2

    @pytest.mark.parametrize("fault", [AcceptThenReset(), None], ids=["no answer", "killed"])
    def test_a_user_may_choose_to_risk_it(self, emulator, fault, capsys):
        """With "retry" Airflow's next try submits again, and the message has no other advice."""
        store = Store()
        if fault:
            emulator.world.faults.add("submit", fault)
            first = run_task(submit(on_uncertain_submit="retry"), store=store)
            assert first.ended == "AirflowException"
            assert re.match("TS309 .*on_uncertain_submit", str(first.error))
            assert "not submitted again" not in str(first.error)
        else:
            store.set(STORE_KEY, {"v": 1, "inputs": "other", "marked_at": "2026-11-23T12:00:00+00:00"})
        assert run_task(submit(on_uncertain_submit="retry"), store=store).ended == "success"
        assert posts(emulator) == (2 if fault else 1)
        assert fault or re.search("TS313 .*on_uncertain_submit", capsys.readouterr().out)

    def test_a_store_that_fails_at_the_end_changes_nothing_about_it(self, emulator, caplog):
        """A refused job is not reported as uncertain, and an uncertain one is not retried."""

        class OneSetStore(Store):
            def set(self, key: str, value: Any) -> None:
                if self.rows:
                    raise RuntimeError("the API server is away")
                super().set(key, value)

            def delete(self, key: str) -> None:
                raise RuntimeError("the API server is away")

        emulator.world.faults.add("submit", ResultCode(code=201))
        emulator.world.faults.add("submit", AcceptThenReset())
        assert code_of(run_task(submit(), store=OneSetStore()).error) == "TS302"
        assert "TS322 " in caplog.text
        assert "(the API server is away)" in caplog.text
        store = OneSetStore()
        uncertain = run_task(submit(), store=store)
        assert uncertain.ended == "AirflowFailException"
        assert code_of(uncertain.error) == "TS309"
        assert "TS321 " in caplog.text
        # The report is not recorded, so even a clear reports it once more, and the next one submits.
        store = Store(store.rows)
        assert run_task(submit(), store=store, clears=1).ended == "AirflowFailException"
        assert run_task(submit(), store=store, clears=2).ended == "success"
        assert posts(emulator) == 3

    def test_an_alarm_during_the_intent_is_no_false_alarm(self, emulator):
        """Nothing was sent yet."""

        class RingingStore(Store):
            def set(self, key: str, value: Any) -> None:
                super().set(key, value)
                rings()

        store = RingingStore()
        assert run_task(submit(), store=store).ended == "AirflowTaskTimeout"
        assert has_no_job(store)

    @pytest.mark.parametrize(
        "fault", [ResultCode(code=201), ResultCode(code=203, times=4)], ids=["201", "203"]
    )
    def test_a_submit_that_made_no_job_is_not_uncertain(self, emulator, fault):
        """The next try submits."""
        store = Store()
        emulator.world.faults.add("submit", fault)
        assert run_task(submit(), store=store).ended != "success"
        assert run_task(submit(), store=store).ended == "success"

    def test_a_submit_that_made_no_job_keeps_the_record_of_an_earlier_one(self, emulator):
        """A person edits the text, makes a mistake, and undoes it: the first job is still there."""
        store = Store()
        first = run_task(submit(), store=store)
        assert run_task(submit(text="字" * 151), store=store).ended == "AirflowFailException"
        emulator.world.faults.add("submit", ResultCode(code=202))
        assert run_task(submit(text="Another."), store=store).ended == "AirflowFailException"
        assert run_task(submit(), store=store).result == first.result
        assert len(emulator.world.tasks) == 1

    def test_an_id_that_cannot_be_stored_is_not_lost(self, emulator, caplog):
        """The job is paid for: the task continues with it, and logs that no retry can reconnect."""

        class FullStore(Store):
            def set(self, key: str, value: Any) -> None:
                if value["twinsync_task_id"] is not None:
                    raise RuntimeError("the API server is away")
                super().set(key, value)

        run = run_task(submit(), store=FullStore())
        assert [run.result] == list(emulator.world.tasks)
        assert re.search(rf"TS323 .*{run.result}.*\(the API server", caplog.text)
        emulator.world.faults.add("submit", FailJob())
        emulator.world.faults.add("status", HttpError(status=500, times=None))
        run = run_task(submit(**WAITING, timeout=0.3), store=FullStore())
        assert "pays nothing" not in str(run.error)
        assert "Another try of this task would submit and pay again" in str(run.error)

    def test_a_store_that_fails_before_the_submit_pays_nothing(self, emulator):
        """The intent comes first."""

        class NoStore(Store):
            def set(self, key: str, value: Any) -> None:
                raise RuntimeError("the API server is away")

        assert run_task(submit(), store=NoStore()).ended == "RuntimeError"
        assert not emulator.world.journal

    def test_an_uncertain_try_is_reported_with_any_inputs_of_this_try(self, emulator):
        """A text that changes with every try must not hide a job that was perhaps paid."""
        store = Store({STORE_KEY: {"v": 1, "inputs": "other", "marked_at": "2026-11-23T12:00:00+00:00"}})
        run = run_task(submit(), store=store)
        assert run.ended == "AirflowFailException"
        assert code_of(run.error) == "TS313"
        assert "2026-11-23T12:00:00+00:00" in str(run.error)
        assert not emulator.world.journal

    def test_an_uncertain_try_is_reported_with_its_own_inputs(self, emulator):
        """The text that may have been paid is that of the earlier try, not of this one."""
        store = Store()
        emulator.world.faults.add("submit", AcceptThenReset())
        assert run_task(submit(), store=store).ended == "AirflowFailException"
        run = run_task(submit(text="再见", image_url="https://example.com/other.jpeg"), store=store)
        assert all(f"'{INPUTS[name]}'" in str(run.error) for name in ("text", "image_url"))
        assert "再见" not in str(run.error)

    def test_another_job_for_other_inputs_is_warned_of(self, emulator, capsys):
        """It may be a template that was not meant to change."""
        store = Store()
        first = run_task(submit(), store=store)
        run_task(submit(text="再见"), store=store)
        assert re.search(f"TS319 .*{first.result}", capsys.readouterr().out)

    def test_a_job_of_another_service_is_submitted_again(self, emulator, connect):
        """Tried on the emulator, then run on the real service, which does not know the id."""
        store = Store()
        run_task(submit(), store=store)
        connect(host="localhost")
        run_task(submit(), store=store)
        assert posts(emulator) == 2

    @pytest.mark.parametrize("entry", ["text", [], {"twinsync_task_id": None}, {"twinsync_task_id": 5}, {}])
    def test_an_entry_that_cannot_be_read_may_stand_for_a_job(self, emulator, entry):
        """Of a later version, or of a state backend that is gone."""
        store = Store({STORE_KEY: entry})
        run = run_task(submit(), store=store)
        assert run.ended == "AirflowFailException"
        assert code_of(run.error) == "TS314"
        assert not emulator.world.journal
        assert run_task(submit(), store=store, clears=1).ended == "success"

    def test_it_never_holds_the_key(self, emulator):
        """It is a row of the database."""
        store = Store()
        run_task(submit(), store=store)
        assert emulator.key not in str(store.rows)
