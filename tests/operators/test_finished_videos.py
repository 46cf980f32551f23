"""The check, the captions and the poster of the operators that store a video."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import av
import pysubs2
import pytest
from support.buckets import BUCKET, keys, photo_bucket
from support.drive import Run, Store, run_task
from support.submits import INPUTS, code_of, posts

from airflow_provider_twinsync.emulator.faults import SilentVideo
from airflow_provider_twinsync.operators import (
    TwinSyncDownloadOperator,
    TwinSyncSubmitOperator,
    TwinSyncVideoOperator,
    VideoCheck,
)

if TYPE_CHECKING:
    from pathlib import Path

ALL: dict[str, Any] = {"captions": ("srt", "vtt", "mov_text"), "poster": True, "check": True}
#: Three jobs with the limit of ten words.
SCRIPT = " ".join(f"One two three four five six seven {number}." for number in ("eight", "nine", "ten"))
IN_BOTH_MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "worker"])


def make(folder: Path, store: Store | None = None, clears: int = 0, **arguments: Any) -> Run:
    given = {**INPUTS, "task_id": "video", "poke_interval": 0, "destination": str(folder / "a.mp4")}
    return run_task(
        TwinSyncVideoOperator(**{**given, **arguments}), task_id="video", store=store, clears=clears
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


@IN_BOTH_MODES
def test_a_video_with_all_that_belongs_to_it(emulator, connect, tmp_path, deferrable):
    """The text is known after the deferral, too."""
    connect(text_limit_words=10)
    emulator.world.waiting_s = 0.3
    run = make(tmp_path, text=SCRIPT, deferrable=deferrable, row_id="news", **ALL)
    assert run.ended == "success", run.error
    assert names(tmp_path) == {"a.mp4", "a.srt", "a.vtt", "a.jpg"}
    result = run.result
    assert result["poster"] == str(tmp_path / "a.jpg")
    assert result["captions"] == {
        "srt": str(tmp_path / "a.srt"),
        "vtt": str(tmp_path / "a.vtt"),
        "mov_text": str(tmp_path / "a.mp4"),
    }
    assert result["checks"]["length_s"] == pytest.approx(result["duration_s"], abs=0.3)
    assert result["checks"]["longest_silent_s"] < 1
    assert (result["text"], result["text_words"], result["row_id"]) == (SCRIPT, 24, "news")
    lines = pysubs2.load(str(tmp_path / "a.srt"))
    assert " ".join(line.plaintext for line in lines).split() == SCRIPT.split()
    with av.open(str(tmp_path / "a.mp4")) as container:
        kinds = [stream.type for stream in container.streams]
        assert kinds == ["video", "audio", "subtitle"]
        assert container.duration / 1e6 == pytest.approx(result["duration_s"], abs=0.1)
    with av.open(str(tmp_path / "a.jpg")) as poster:
        assert next(poster.decode(video=0)).width == 512


def test_a_bad_video_never_appears(emulator, tmp_path):
    """No retry pays; the result of the check is an XCom; a clear makes another job."""
    emulator.world.faults.add("submit", SilentVideo())
    store = Store()
    run = make(tmp_path, store, retries=2, row_id="7", **ALL)
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS530")
    assert names(tmp_path) == set()
    rejected = run.xcoms["rejected"]
    assert (rejected["row_id"], rejected["path"]) == ("7", None)
    assert rejected["checks"]["longest_silent_s"] > 2
    cleared = make(tmp_path, store, 1, **ALL)
    assert cleared.ended == "success", cleared.error
    assert posts(emulator) == 2


def test_a_bad_video_is_kept(emulator, tmp_path):
    """Beside the destination, under another name."""
    emulator.world.faults.add("submit", SilentVideo())
    run = make(tmp_path, check=VideoCheck(keep_rejected=True))
    assert code_of(run.error) == "TS530"
    assert names(tmp_path) == {"a.rejected.mp4"}
    assert run.xcoms["rejected"]["path"] == str(tmp_path / "a.rejected.mp4")


@pytest.mark.parametrize("in_ledger", [True, False], ids=["ledger", "state store"])
def test_a_clear_pays_for_the_bad_part_alone(emulator, connect, tmp_path, in_ledger):
    """Each part is checked by itself, and its job is marked."""
    connect(text_limit_words=10)
    emulator.world.faults.add("submit", SilentVideo())
    store = Store()
    records = {"ledger": str(tmp_path / "ledger")} if in_ledger else {}
    run = make(tmp_path, store, text=SCRIPT, check=True, **records)
    assert code_of(run.error) == "TS530"
    assert run.xcoms["rejected"]["parts"] == [1]
    retried = make(tmp_path, store, text=SCRIPT, check=True, **records)
    assert (code_of(retried.error), posts(emulator)) == ("TS533", 3)
    cleared = make(tmp_path, store, 1, text=SCRIPT, check=True, **records)
    assert cleared.ended == "success", cleared.error
    assert posts(emulator) == 4


def test_another_night_pays_for_the_bad_video_again(emulator, tmp_path):
    """A job that is marked bad counts as one that failed."""
    emulator.world.faults.add("submit", SilentVideo())
    night = {"ledger": str(tmp_path / "ledger"), "reuse": "runs", "check": True}
    assert code_of(make(tmp_path, **night).error) == "TS530"
    for _ in range(2):
        again = make(tmp_path, clears=1, **night)
        assert (again.ended, posts(emulator)) == ("success", 2)


def test_other_options_finish_the_same_job_again(emulator, tmp_path):
    """They cost nothing; neither does a file that is gone."""
    night = {"ledger": str(tmp_path / "ledger"), "reuse": "runs"}

    def fetched() -> int:
        return sum(entry.call == "result" for entry in emulator.world.journal)

    assert make(tmp_path, **night).ended == "success"
    assert fetched() == 1
    assert make(tmp_path, **night, poster=True).ended == "success"
    assert (fetched(), names(tmp_path)) == (2, {"a.mp4", "a.jpg"})
    again = make(tmp_path, **night, poster=True)
    assert (fetched(), again.result["poster"]) == (2, str(tmp_path / "a.jpg"))
    (tmp_path / "a.jpg").unlink()
    assert make(tmp_path, **night, poster=True).ended == "success"
    assert (fetched(), names(tmp_path)) == (3, {"a.mp4", "a.jpg"})
    assert posts(emulator) == 1


def test_a_download_is_finished_too(emulator, tmp_path):
    """The text comes as an argument."""
    submit = run_task(TwinSyncSubmitOperator(**{**INPUTS, "task_id": "submit"}))
    [job] = emulator.world.tasks
    emulator.world.advance(60)
    fetch = TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=f"{emulator.url}/example/{submit.result}.mp4",
        twinsync_task_id=job,
        destination=str(tmp_path / "b.mp4"),
        text=INPUTS["text"],
        pronouncer=INPUTS["pronouncer"],
        **ALL,
    )
    run = run_task(fetch, task_id="fetch")
    assert run.ended == "success", run.error
    assert names(tmp_path) == {"b.mp4", "b.srt", "b.vtt", "b.jpg"}
    assert run.result["captions"]["srt"] == str(tmp_path / "b.srt")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"captions": ("ass",)}, "TS191"),
        ({"captions": "srt,ass"}, "TS191"),
        ({"check": 3}, "TS194"),
        ({"poster": "yes"}, "TS194"),
    ],
    ids=repr,
)
def test_a_wrong_option_is_an_error_of_the_dag_file(tmp_path, arguments, code):
    """Nothing runs."""
    with pytest.raises(ValueError, match=code):
        TwinSyncVideoOperator(task_id="video", **INPUTS, destination=str(tmp_path / "a.mp4"), **arguments)


def test_captions_need_a_text(tmp_path):
    """A download does not know it."""
    with pytest.raises(ValueError, match="TS195"):
        TwinSyncDownloadOperator(
            task_id="fetch", result_url="http://127.0.0.1/a.mp4", destination="/tmp/a.mp4", captions=("srt",)
        )


@pytest.mark.parametrize(
    ("missing", "options"),
    [("av", {"check": True}), ("av", {"poster": True}), ("pysubs2", {"captions": ["srt"]})],
    ids=repr,
)
def test_a_missing_library_costs_nothing(emulator, tmp_path, monkeypatch, missing, options):
    """The task fails before it pays."""
    monkeypatch.setitem(sys.modules, missing, None)
    run = make(tmp_path, **options)
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS140")
    assert posts(emulator) == 0


@pytest.mark.slow
def test_the_files_beside_a_video_in_s3(emulator, moto_port):
    """Each has the type of its suffix, so that a browser shows it."""
    pytest.importorskip("s3fs", reason="the tests of S3 need the provider for it")
    pytest.importorskip("moto", reason="the tests of S3 need an S3 on loopback")
    with photo_bucket(moto_port, "s3_of_finished_videos") as client:
        address = f"s3://s3_of_finished_videos@{BUCKET}/2026"
        run = run_task(
            TwinSyncVideoOperator(
                task_id="video", **INPUTS, destination=f"{address}/a.mp4", deferrable=False, **ALL
            ),
            task_id="video",
        )
        assert run.ended == "success", run.error
        assert run.result["captions"]["vtt"] == f"{address}/a.vtt"
        types = {key: client.head_object(Bucket=BUCKET, Key=key)["ContentType"] for key in keys(client)}
    assert types.pop("2026/a.srt")  # unknown to most systems
    assert types == {"2026/a.mp4": "video/mp4", "2026/a.vtt": "text/vtt", "2026/a.jpg": "image/jpeg"}
