"""The operator that makes one video of a text of any length."""

from __future__ import annotations

import errno
import fcntl
import json
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath, timeout
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.drive import Run, Store, attach, run_task
from support.submits import INPUTS, code_of, posts

from airflow_provider_twinsync.emulator.faults import AcceptThenReset, FailJob, ResultCode, Slow
from airflow_provider_twinsync.operators import TwinSyncVideoOperator

if TYPE_CHECKING:
    from pathlib import Path

IN_BOTH_MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "worker"])
#: Three jobs with the limit of ten words.
SCRIPT = " ".join(f"One two three four five six seven {number}." for number in ("eight", "nine", "ten"))


def video(destination: Any, **arguments: Any) -> TwinSyncVideoOperator:
    inputs = {**INPUTS, "task_id": "video", "poke_interval": 0}
    return TwinSyncVideoOperator(**{**inputs, "destination": str(destination), **arguments})


def make(operator: TwinSyncVideoOperator, **kwargs: Any) -> Run:
    return run_task(operator, task_id="video", **kwargs)


@pytest.fixture
def short_limit(connect):
    """An account whose jobs have at most ten words."""
    connect(text_limit_words=10)


@IN_BOTH_MODES
def test_a_short_text_is_one_job(emulator, tmp_path, deferrable):
    """One operator does all three steps."""
    emulator.world.waiting_s = 0.3
    run = make(video(tmp_path / "a.mp4", deferrable=deferrable))
    assert run.ended == "success", run.error
    assert bool(run.trigger) is deferrable
    [job] = emulator.world.tasks
    data = (tmp_path / "a.mp4").read_bytes()
    assert (run.result["path"], run.result["bytes"]) == (str(tmp_path / "a.mp4"), len(data))
    assert (run.result["parts"], run.result["twinsync_task_ids"]) == (1, [job])
    assert run.result["duration_s"] > 1
    assert run.xcoms["path"] == run.result["path"]
    assert run.xcoms["twinsync_link"].endswith(f"{job}.mp4")
    assert set(run.result) == {
        *("path", "bytes", "sha256", "duration_s", "parts", "fingerprint", "twinsync_task_ids"),
        *("poster", "captions", "checks", "text", "text_words", "pronouncer", "row_id", "task_url"),
    }


@IN_BOTH_MODES
def test_a_long_text_is_one_video(emulator, short_limit, tmp_path, deferrable):
    """The task waits for all parts in one deferral."""
    emulator.world.waiting_s = 0.3
    run = make(video(tmp_path / "a.mp4", text=SCRIPT, deferrable=deferrable))
    assert run.ended == "success", run.error
    assert bool(run.trigger) is deferrable
    assert run.result["parts"] == len(run.result["twinsync_task_ids"]) == 3
    assert len(emulator.world.tasks) == 3
    assert is_playable(tmp_path / "a.mp4", run.result["duration_s"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def is_playable(path: Path, duration_s: float) -> bool:
    """Decode all of a video, and return whether its pictures and its sound last for `duration_s`."""
    import av

    with av.open(str(path)) as container:
        ends = dict.fromkeys(("video", "audio"), 0.0)
        for frame in container.decode():
            kind = "audio" if isinstance(frame, av.AudioFrame) else "video"
            ends[kind] = max(ends[kind], frame.time)
    return all(abs(end_s - duration_s) < 0.3 for end_s in ends.values())


def texts(emulator) -> list[str]:
    """Return the text of each job."""
    return [job.text for job in emulator.world.tasks.values()]


EQUAL = "One two three four five six seven eight. " * 2


@IN_BOTH_MODES
def test_equal_parts_fail_once(emulator, short_limit, tmp_path, deferrable):
    """The only job failed, and no other job exists: a retry submits again."""
    emulator.world.waiting_s = 0.3
    emulator.world.faults.add("submit", FailJob(times=1))
    run = make(video(tmp_path / "a.mp4", text=EQUAL, retries=2, deferrable=deferrable))
    assert len(emulator.world.tasks) == 1
    assert (run.ended, code_of(run.error)) == ("AirflowException", "TS401")


@pytest.mark.parametrize("found", [None, "text", 7, [], ["text"], [{"twinsync_task_id": "7"}]], ids=repr)
def test_other_inputs_after_the_wait_lose_no_video(emulator, short_limit, tmp_path, monkeypatch, found):
    """A backend of XComs may return anything; the event has the videos."""
    emulator.world.waiting_s = 0.3
    monkeypatch.setattr(Run, "xcom_pull", lambda *_, **__: found)
    run = make(video(tmp_path / "a.mp4", text=SCRIPT))
    assert run.ended == "success", run.error
    assert run.result["parts"] == 3


def test_a_temporary_folder_without_locks(emulator, short_limit, tmp_path, monkeypatch):
    """Some network file systems have no locks."""

    def flock(*_: Any) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with timeout(60):
        run = make(video(tmp_path / "a.mp4", text=SCRIPT, deferrable=False))
    assert run.ended == "success", run.error
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_equal_parts_are_one_job(emulator, short_limit, tmp_path):
    """The service would make the same video twice."""
    part = "One two three four five six seven eight. "
    run = make(video(tmp_path / "a.mp4", text=part * 3, deferrable=False))
    assert run.ended == "success", run.error
    assert len(set(run.result["twinsync_task_ids"])) == len(set(texts(emulator))) < run.result["parts"] == 3


class TestRetries:
    """A retry pays only for parts that failed."""

    @pytest.mark.parametrize("recorded", ["store", "ledger"])
    @IN_BOTH_MODES
    def test_a_part_that_fails_is_paid_for_alone(self, emulator, short_limit, tmp_path, recorded, deferrable):
        """The retry waits for the jobs of the other parts again."""
        emulator.world.faults.add("submit", FailJob(times=1))
        ledger = {"ledger": str(tmp_path / "ledger")} if recorded == "ledger" else {}
        operator = video(tmp_path / "a.mp4", text=SCRIPT, retries=2, deferrable=deferrable, **ledger)
        store = Store() if recorded == "store" else None
        first = make(operator, store=store)
        assert (first.ended, code_of(first.error)) == ("AirflowException", "TS401")
        second = make(operator, store=store, try_number=2)
        assert second.ended == "success", second.error
        failed, *rest = texts(emulator)
        assert sorted(texts(emulator)) == sorted([failed, failed, *rest[:2]])

    def test_without_a_record_no_retry_pays_again(self, emulator, short_limit, tmp_path):
        """The error names the paid jobs."""
        emulator.world.faults.add("submit", FailJob(times=1))
        run = make(video(tmp_path / "a.mp4", text=SCRIPT, retries=2))
        assert run.ended == "AirflowFailException"
        _failed, *others = emulator.world.tasks
        assert all(job in str(run.error) for job in others)

    def test_a_single_part_that_failed_is_paid_for_again(self, emulator, tmp_path):
        """Without a record a retry is allowed, as no other job exists."""
        emulator.world.faults.add("submit", FailJob(times=1))
        run = make(video(tmp_path / "a.mp4", retries=2))
        assert (run.ended, code_of(run.error)) == ("AirflowException", "TS401")

    def test_a_refused_part_keeps_the_others(self, emulator, short_limit, tmp_path):
        """The service is busy: the first try makes no job, and the second one all three."""
        emulator.world.faults.add("submit", ResultCode(code=203, times=None))
        operator = video(tmp_path / "a.mp4", text=SCRIPT, retries=2)
        store = Store()
        assert make(operator, store=store).ended == "AirflowException"
        assert not emulator.world.tasks
        emulator.world.faults.clear()
        assert make(operator, store=store, try_number=2).ended == "success"
        assert len(emulator.world.tasks) == 3

    def test_an_uncertain_part_ends_the_task(self, emulator, short_limit, tmp_path):
        """After a clear the task submits the uncertain part again, and the parts after it."""
        operator = video(tmp_path / "a.mp4", text=SCRIPT, retries=2)
        store = Store()
        emulator.world.faults.add("submit", AcceptThenReset())
        first = make(operator, store=store)
        assert (first.ended, code_of(first.error)) == ("AirflowFailException", "TS309")
        assert len(emulator.world.tasks) == 1
        assert make(operator, store=store, clears=1, try_number=2).ended == "success"
        assert len(emulator.world.tasks) == 1 + 3

    def test_the_risk_is_of_the_uncertain_part_alone(self, emulator, short_limit, tmp_path):
        """`on_uncertain_submit="retry"` allows no second payment for a part with a known, unrecorded job."""
        emulator.world.faults.add("submit", Slow(delay_s=0, times=2))
        emulator.world.faults.add("submit", AcceptThenReset())
        run = make(video(tmp_path / "a.mp4", text=SCRIPT, retries=2, on_uncertain_submit="retry"))
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS309")
        known = list(emulator.world.tasks)[:2]
        assert all(job in str(run.error) for job in known)


def test_an_error_of_a_part_names_it(emulator, short_limit, tmp_path):
    """After its code; a text of one part has no number."""
    emulator.world.faults.add("submit", ResultCode(code=202, times=None))
    long, short = make(video(tmp_path / "a.mp4", text=SCRIPT)), make(video(tmp_path / "b.mp4", text="Hi."))
    assert str(long.error).startswith("TS303 Part 1 of 3: TwinSync refused")
    assert str(short.error).startswith("TS303 TwinSync refused")


def test_a_warning_comes_once_for_all_parts(emulator, short_limit, tmp_path, capsys):
    """The voice is the same in each part."""
    assert make(video(tmp_path / "a.mp4", text=SCRIPT, pronouncer="en-US-NovelNeural")).ended == "success"
    assert capsys.readouterr().out.count("TS142 ") == 1


class TestBeforeAnythingIsPaid:
    """Each error comes before the first submit."""

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"text": "?! …"}, "TS101"),
            ({"text": ["a", "b"]}, "TS120"),
            ({"pronouncer": "nobody"}, "TS112"),
            ({"image_url": "anna"}, "TS111"),
            ({"destination": ""}, "TS124"),
            ({"destination": "/dev/null/a.mp4"}, "TS522"),
            ({"destination": "unknown://videos/a.mp4"}, "TS522"),
            ({"reuse": "runs"}, "TS133"),
        ],
    )
    def test_a_wrong_argument(self, emulator, tmp_path, arguments, code):
        """The arguments come from templates, so the DAG file was parsed without a check of them."""
        operator = video(tmp_path / "a.mp4")
        for name, value in arguments.items():
            setattr(operator, name, value)
        run = make(operator)
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", code)
        assert posts(emulator) == 0

    def test_a_wrong_last_part(self, emulator, short_limit, tmp_path):
        """The task pays for no part if one part is wrong."""
        operator = video(tmp_path / "a.mp4")
        operator.text = f"{SCRIPT} {{{{ never_rendered }}}}"
        run = make(operator)
        assert run.ended == "AirflowFailException"
        assert posts(emulator) == 0


def test_a_second_night_fetches_nothing(emulator, short_limit, tmp_path):
    """The ledger knows the stored video, and it is unchanged."""
    operator = video(tmp_path / "a.mp4", text=SCRIPT, ledger=str(tmp_path / "ledger"), reuse="runs")
    first, second = make(operator, run_id="monday"), make(operator, run_id="tuesday")
    assert first.ended == second.ended == "success", second.error
    assert first.result == second.result
    assert posts(emulator) == 3
    assert sum(entry.call == "result" for entry in emulator.world.journal) == 3


def test_a_shorter_text_is_not_taken_for_the_stored_video(emulator, short_limit, tmp_path):
    """Its only part is the first one of the stored video."""
    night = {"ledger": str(tmp_path / "ledger"), "reuse": "runs"}
    long = make(video(tmp_path / "a.mp4", text=SCRIPT, **night), run_id="monday")
    first_part = texts(emulator)[0]
    short = make(video(tmp_path / "a.mp4", text=first_part, **night), run_id="tuesday")
    assert long.ended == short.ended == "success", short.error
    assert posts(emulator) == 3
    assert short.result["sha256"] != long.result["sha256"]
    assert short.result["duration_s"] < long.result["duration_s"] / 2


def test_the_task_ends_with_the_arguments_that_it_began_with(emulator, tmp_path):
    """A template may have another value after the wait."""
    emulator.world.waiting_s = 0.3
    operator = video(tmp_path / "a.mp4")
    resume = operator.resume_execution

    def render_again(*arguments: Any) -> Any:
        operator.destination, operator.text = str(tmp_path / "b.mp4"), "Another text."
        return resume(*arguments)

    operator.resume_execution = render_again
    run = make(operator)
    assert json.loads(json.dumps(run.result))["path"] == str(tmp_path / "a.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("videos", [slice(1), slice(None, None, -1)], ids=["the first", "backwards"])
def test_an_event_of_other_videos_makes_no_video(emulator, short_limit, tmp_path, videos):
    """A half video, or one in a wrong order, is worse than none: a retry waits for the jobs again."""
    emulator.world.waiting_s = 0.3
    operator = video(tmp_path / "a.mp4", text=SCRIPT, retries=2)
    resume = operator.resume_execution

    def resume_with_less(method: str, arguments: dict[str, Any], context: Any) -> Any:
        ends = arguments["event"]["ends"][videos]
        return resume(method, {**arguments, "event": {"ends": ends}}, context)

    operator.resume_execution = resume_with_less
    run = make(operator, store=Store())
    assert (run.ended, code_of(run.error)) == ("AirflowException", "TS407")
    assert not list(tmp_path.iterdir())


def test_the_options_of_a_store_outlive_the_wait(emulator):
    """The text of an `ObjectStoragePath` lacks them, and would name another store."""
    emulator.world.waiting_s = 0.3
    attach("memory", fs=MemoryFileSystem())
    destination = ObjectStoragePath("memory://videos/a.mp4", storage_options={"endpoint_url": "https://h"})
    operator = video("unused")
    operator.destination = destination
    run = make(operator)
    assert run.ended == "success", run.error
    assert operator.destination is destination
