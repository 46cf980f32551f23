"""The example DAGs, run by `dag.test()`: real operators, a real database, triggers inline."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from operator import attrgetter
from pathlib import Path

import airflow
import pytest
from airflow.providers.common.compat.sdk import DAG
from conftest import AIRFLOW_VERSION
from drive import activate

from airflow_provider_twinsync.emulator.faults import FailJob, ResultCode
from airflow_provider_twinsync.links import TwinSyncVideoLink

EXAMPLES = Path(__file__).resolve().parents[1] / "example_dags"


def module(name: str):
    """Import an example as Airflow does: from its file."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(name: str):
    return module(name).dag


@pytest.fixture(autouse=True)
def _world(migrated, connection, emulator, monkeypatch):
    """An emulator with short jobs, and no quicker photo than the placeholder."""
    emulator.world.waiting_s, emulator.world.duration_s = 0.5, 0.5


def xcoms(run, task_id: str, key: str = "return_value") -> list:
    """The values that the instances of a task pushed, by map index."""
    from airflow.utils.session import create_session

    try:
        from airflow.models.xcom import XComModel

        value_of = XComModel.deserialize_value
    except ImportError:  # Airflow 2, whose rows come deserialised
        from airflow.models.xcom import XCom as XComModel

        value_of = attrgetter("value")
    with create_session() as session:
        query = session.query(XComModel).filter_by(run_id=run.run_id, task_id=task_id, key=key)
        return [value_of(row) for row in query.order_by(XComModel.map_index)]


def links(run, task_id: str) -> list[str]:
    """Where a task's link leads. Airflow 3 keeps it as an XCom of its own, made when the task ends."""
    if airflow.__version__.startswith("2."):
        ti = run.get_task_instance(task_id)
        return [run.dag.get_task(task_id).get_extra_links(ti, TwinSyncVideoLink.name)]
    return xcoms(run, task_id, "_link_TwinSyncVideoLink")


def is_whole(fetched: dict) -> bool:
    """Whether the file is what the task says it is."""
    video = Path(fetched["path"]).read_bytes()
    return (len(video), hashlib.sha256(video).hexdigest()) == (fetched["bytes"], fetched["sha256"])


def test_the_main_example_makes_a_video(emulator, tmp_path):
    """Submit, wait deferred, fetch: one POST, and what the XComs say lies on the disk."""
    run = load("talking_photo").test(run_conf={"destination": str(tmp_path / "out" / "video.mp4")})
    assert run.state == "success"
    (job,) = emulator.world.tasks
    assert xcoms(run, "submit") == [job]
    assert xcoms(run, "wait") == [f"{emulator.url}/example/{job}.mp4"]
    (fetched,) = xcoms(run, "fetch")
    assert fetched["path"] == str(tmp_path / "out" / "video.mp4")
    assert is_whole(fetched)
    assert [entry.call for entry in emulator.world.journal].count("submit") == 1
    assert emulator.world.tasks[job].text == "你好，我是会说话的照片数字人"


def test_the_links_of_all_three_tasks_lead_to_the_job(emulator, tmp_path):
    """To its status after the submit, and then to the video."""
    run = load("talking_photo").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    (job,) = emulator.world.tasks
    address = f"{emulator.url}/example/{job}.mp4"
    assert links(run, "submit") == [f"{emulator.url}/phototalking?taskID={job}"]
    assert links(run, "wait") == [address]
    assert links(run, "fetch") == [address]


def test_a_job_that_fails_fails_the_wait_and_makes_no_file(emulator, tmp_path):
    """Downstream of a video that is not there, nothing runs."""
    emulator.world.faults.add("submit", FailJob())
    run = load("talking_photo").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "failed"
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {"submit": "success", "wait": "failed", "fetch": "upstream_failed"}
    assert list(tmp_path.iterdir()) == []


def test_the_one_task_example_makes_a_video(emulator, tmp_path):
    """The id is the return value, and the address an XCom beside it."""
    run = load("one_task").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    (job,) = emulator.world.tasks
    assert xcoms(run, "make") == [job]
    assert xcoms(run, "make", "result_url") == [f"{emulator.url}/example/{job}.mp4"]
    assert is_whole(*xcoms(run, "fetch"))


def test_the_mapped_example_makes_a_video_for_each_text(emulator, tmp_path):
    """Mapped over a list: as many jobs, and as many different files."""
    texts = ["一", "Two.", "Drei.", "Quatre."]
    run = load("many_photos").test(run_conf={"texts": texts, "folder": str(tmp_path)})
    assert run.state == "success"
    assert sorted(task.text for task in emulator.world.tasks.values()) == sorted(texts)
    fetched = xcoms(run, "video.fetch")
    assert len(fetched) == len({one["sha256"] for one in fetched}) == len(list(tmp_path.iterdir())) == 4
    assert all(map(is_whole, fetched))


def test_one_text_of_many_that_fails_holds_up_no_other(emulator, tmp_path):
    """Each text goes its own way, to the end."""
    emulator.world.faults.add("submit", FailJob())
    run = load("many_photos").test(run_conf={"texts": ["One.", "Two.", "Three."], "folder": str(tmp_path)})
    assert run.state == "failed"
    states = sorted(ti.state for ti in run.get_task_instances() if ti.task_id == "video.fetch")
    assert states == ["success", "success", "upstream_failed"]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_example_without_workers_makes_its_videos(emulator, tmp_path):
    """One wait and two mapped ones; that no worker runs for them is in test_without_worker.py."""
    run = load("without_worker").test(run_conf={"texts": ["One.", "Two."], "folder": str(tmp_path)})
    assert run.state == "success"
    addresses = {f"{emulator.url}/example/{job}.mp4" for job in emulator.world.tasks}
    assert {*xcoms(run, "wait"), *xcoms(run, "wait_each")} == addresses
    assert len(addresses) == 3
    assert is_whole(*xcoms(run, "fetch"))


def test_the_example_of_own_tasks_makes_a_video(emulator, tmp_path):
    """Submitted and fetched by the hook."""
    video = tmp_path / "video.mp4"
    run = load("own_tasks").test(run_conf={"destination": str(video)})
    assert run.state == "success"
    assert xcoms(run, "fetch") == [hashlib.sha256(video.read_bytes()).hexdigest()]
    assert xcoms(run, "report") == ["succeeded"]


def test_the_example_of_own_tasks_takes_the_other_photo(emulator, tmp_path):
    """Of a photo that the service cannot use, no job is made."""
    emulator.world.faults.add("submit", ResultCode(code=202))
    photos = ["https://example.com/broken.jpg", "https://example.com/spare.jpg"]
    run = load("own_tasks").test(run_conf={"photos": photos, "destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    assert [job.image_url for job in emulator.world.tasks.values()] == photos[1:]


def test_the_example_of_alerts_goes_on_without_a_video(emulator, tmp_path, logged):
    """The callback hears of the task that failed, in the task's words; the others were not run."""
    emulator.world.faults.add("submit", FailJob())
    run = load("alerts").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {
        "submit": "success",
        "wait": "failed",
        "fetch": "upstream_failed",
        "go_on_without_it": "success",
    }
    (job,) = emulator.world.tasks
    told = [line for line in logged().splitlines() if "No video: wait failed. " in line]
    assert told
    # Of Airflow 3.0 to 3.2, `dag.test()` gives a callback no exception; a worker does.
    if not (3, 0) <= AIRFLOW_VERSION < (3, 3):
        assert all(f"wait failed. TwinSync job {job} failed (code 104)" in line for line in told)


def test_the_example_of_alerts_is_quiet_when_there_is_a_video(emulator, tmp_path, logged):
    """Nothing to tell, and nothing to do without one."""
    run = load("alerts").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states.pop("go_on_without_it") == "skipped"
    assert set(states.values()) == {"success"}
    assert "No video: " not in logged()


def test_the_example_with_an_asset_makes_a_video(emulator, tmp_path):
    """The scheduling itself needs a scheduler: `test_without_worker.py` has one."""
    example = module("publish_when_ready")
    activate(example.VIDEO)
    run = example.dag.test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    assert is_whole(*xcoms(run, "fetch"))


def test_the_dag_that_waits_for_the_asset_can_be_started_by_hand(emulator):
    """Then there is no video that it is about."""
    run = module("publish_when_ready").publish_dag.test()
    assert run.state == "success"
    assert xcoms(run, "publish") == [[]]


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_every_example_says_what_it_shows(name):
    """On the page of each of its DAGs."""
    example = module(name)
    dags = [value for value in vars(example).values() if isinstance(value, DAG)]
    assert dags
    assert {dag.doc_md for dag in dags} == {example.__doc__}


def test_a_person_can_follow_a_video_in_the_logs(emulator, tmp_path, capfd):
    """One line at each change, from the submit to the file: the job, the time, and what comes next."""
    emulator.world.waiting_s, emulator.world.duration_s = 0.0, 0.0
    for code in (101, 102):  # at the first two looks, whenever they come
        emulator.world.faults.add("status", ResultCode(code=code))
    run = load("talking_photo").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    [job] = emulator.world.tasks
    (fetched,) = xcoms(run, "fetch")
    printed = "\n".join(capfd.readouterr())
    lines = re.findall(rf"\S.*?(TwinSync job {job} .*?)(?= \[airflow|$)", printed, re.MULTILINE)
    address = f"{emulator.url}/example/{job}.mp4"
    seconds = r"[\d.]+ s"
    wanted = [
        rf"is submitted \({seconds}\); a TwinSyncSensor can wait for its video\.",
        rf"is waiting \({seconds}\); next look in {seconds}, timeout in 60 min\.",
        rf"is running \({seconds}\); next look in {seconds}, timeout in 60 min\.",
        rf"is finished after {seconds}; its video is at {address}",
        rf"from {address} to {tmp_path}/video.mp4\.",
        rf"lies at {tmp_path}/video.mp4 \({fetched['bytes']:,} bytes, {seconds}\)\.",
    ]
    # Airflow 2 prints a task's line twice.
    told = list(dict.fromkeys(line.removeprefix(f"TwinSync job {job} ") for line in lines))
    assert len(told) == len(wanted), lines
    for line, pattern in zip(told, wanted, strict=True):
        assert re.fullmatch(pattern, line), line
