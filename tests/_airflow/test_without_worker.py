"""Waits without a worker, on a real Airflow: one run of one DAG, and the end of each of its sensors.

At its end the same Airflow runs two examples: a video whose asset starts another DAG, and one that a person
approves.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import airflow
import pytest
from support.without_worker import WITHOUT_WORKER, Result, run_waits

pytestmark = [
    pytest.mark.whole_airflow,
    pytest.mark.skipif(
        tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 3), reason="only Airflow 3.3 and later can"
    ),
]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """All of it is run once."""
    return run_waits(tmp_path_factory.mktemp("without-worker"))


@pytest.mark.parametrize("name", sorted(WITHOUT_WORKER))
def test_a_wait_that_starts_and_ends_in_the_triggerer_has_no_worker(result: Result, name: str) -> None:
    """No process and no host; plain, from a template, in a mapped task group, and mapped itself."""
    seen = result[name]
    assert (seen.state, seen.tries) == ("success", 1)
    assert (seen.pid, seen.hostname) == (None, "")
    assert "TS411" not in seen.log


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("plain", "plain"),
        ("on_worker", "plain"),
        ("start", "plain"),
        ("end", "plain"),
        ("needs_worker", "plain"),
        ("callback", "plain"),
        ("outlets", "plain"),
        ("late_outlets", "plain"),
        ("retried", "retried"),
        ("mapped[0]", "0"),
        ("mapped[1]", "1"),
        ("mapped_without[0]", "0"),
        ("mapped_without[1]", "1"),
        ("one.wait[0]", "0"),
        ("one.wait[1]", "1"),
    ],
)
def test_the_next_task_gets_the_address_of_the_video(result: Result, name: str, job: str) -> None:
    """A text, encoded once; a worker stores the same, for the link too."""
    task, _, index = name.rstrip("]").partition("[")
    assert result.read[task][int(index or 0)] == ["str", result.video(job)]
    stored = json.dumps(result.video(job))
    assert result[name].xcoms == dict.fromkeys(result["on_worker"].xcoms, stored)
    assert set(result["on_worker"].xcoms) == {"return_value", "twinsync_link", "_link_TwinSyncVideoLink"}


def test_without_do_xcom_push_there_is_no_result(result: Result) -> None:
    assert result.read["no_xcom"] == [["NoneType", None]]
    assert set(result["no_xcom"].xcoms) == {"twinsync_link", "_link_TwinSyncVideoLink"}


def test_what_starts_on_a_worker_can_end_in_the_triggerer(result: Result) -> None:
    """One worker, for the first look."""
    for name in ("end", "needs_worker", "mapped_without[0]"):
        assert result[name].pid, name
        assert result[name].next_method == "execute_complete", name
    assert result["on_worker"].next_method is None


def test_a_retry_has_no_worker_either(result: Result) -> None:
    """A worker failed the first try, as the status was lost; Airflow keeps its process in the database."""
    seen = result["retried"]
    assert (seen.state, seen.tries) == ("success", 2)
    assert seen.pid == result.first_tries["retried"]
    assert seen.next_method == "execute_complete"


#: The end of each wait without a video: the state, the exception or a word in its log, and the code.
ENDS = {
    "failed": ("failed", "AirflowFailException", "TS401"),
    "missing": ("failed", "AirflowFailException", "twinsync_task_id"),
    "timed_out": ("failed", "AirflowSensorTimeout", "TS405"),
    "execution_timed_out": ("failed", "AirflowTaskTimeout", "TS405"),
    "soft_failed": ("skipped", "Skipping task", "TS405"),
}


@pytest.mark.parametrize(("name", "state", "word", "message"), [(name, *end) for name, end in ENDS.items()])
def test_what_has_no_video_ends_on_a_worker_as_ever(
    result: Result, name: str, state: str, word: str, message: str
) -> None:
    """The same exceptions with the same messages; none of them is retried, though each might be."""
    seen = result[name]
    assert (seen.state, seen.tries) == (state, 1)
    assert seen.pid
    assert word in seen.log
    assert message in seen.log
    assert "return_value" not in seen.xcoms
    # A wait that has begun has its link, if there is a job.
    assert ("twinsync_link" in seen.xcoms) is (name != "missing")


def test_a_connection_that_does_not_exist_ends_a_wait_at_once_and_may_be_retried(result: Result) -> None:
    """Not after the tolerance of an outage: no worker has read it, and Airflow's database answers."""
    seen = result["no_connection"]
    assert (seen.state, seen.tries) == ("failed", 2)
    assert "'no_such'" in seen.log
    assert "twinsync_link" not in seen.xcoms
    assert seen.seconds < 60


NEED_WORKER = {
    "callback": "TS411 end_from_trigger=True .*on_success_callback",
    "outlets": "TS411 end_from_trigger=True .*outlets",
    "late_outlets": "TS411 end_from_trigger=True .*outlets",
    "needs_worker": "TS411 start_from_trigger=True .*twinsync_task_id",
    "mapped_without[0]": "TS411 start_from_trigger=True .*mapped",
}


@pytest.mark.parametrize(("name", "note"), NEED_WORKER.items())
def test_what_needs_a_worker_has_one_and_the_log_says_why(result: Result, name: str, note: str) -> None:
    seen = result[name]
    assert (seen.state, seen.tries) == ("success", 1)
    assert seen.pid
    assert seen.log.count("TS411") == 1
    assert re.search(rf"warning +{note}", seen.log), seen.log


def test_what_only_a_worker_does_is_done(result: Result) -> None:
    """The callback is called, and the assets have their events."""
    assert result.called_back == "callback"
    assert result.asset_events == {"outlets", "late_outlets"}


def test_a_task_that_is_cleared_forgets_its_result(result: Result) -> None:
    """The job fails this time: no video of an earlier run is there for the next task."""
    assert (result.cleared.state, result.cleared.tries) == ("failed", 2)
    assert "return_value" not in result.cleared.xcoms
    assert result.jobs["plain"] in result.cleared.xcoms["twinsync_link"]
    assert "/example/" not in result.cleared.xcoms["twinsync_link"]


def test_a_video_starts_the_dag_that_waits_for_it_and_says_which_it_is(result: Result) -> None:
    """The scheduler runs the example; the event has the download's result, the job, and a fingerprint."""
    [event] = result.published
    fingerprint = event.pop("fingerprint")
    assert re.fullmatch("[0-9a-f]{32}", fingerprint)
    assert event == {**result.fetched, "twinsync_task_id": result.published_job}
    assert Path(event["path"]).stat().st_size == event["bytes"]


def test_a_person_approves_a_video_or_rejects_it(result: Result) -> None:
    """The example: the task after the approval has the video, or is skipped."""
    fetched = dict.fromkeys(["video", "approve"], "success")
    assert result.answered == {
        "Approve": {**fetched, "publish": "success"},
        "Reject": {**fetched, "publish": "skipped"},
    }
    assert Path(result.approved).name == "Approve.mp4"
    assert Path(result.approved).stat().st_size


def test_the_question_has_the_poster_the_text_and_the_check(result: Result) -> None:
    """The page of the question renders this as Markdown."""
    lines = result.question.splitlines()
    web = "http://localhost:8000/Reject"
    assert f"[![Poster]({web}.jpg)]({web}.mp4)" in lines
    assert "> Good evening! Here is the news." in lines
    numbers = dict(line.removeprefix("- ").split(": ") for line in lines if line.startswith("- "))
    assert float(numbers["length_s"]) == pytest.approx(2.4, abs=1.5)
    assert float(numbers["longest_black_s"]) == 0
