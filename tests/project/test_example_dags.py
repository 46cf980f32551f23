"""The example DAGs, run by `dag.test()`: real operators, a real database, triggers inline."""

from __future__ import annotations

import hashlib
import re

import pytest
import requests
from airflow.providers.common.compat.sdk import DAG
from support.buckets import BUCKET, photo_bucket
from support.dags import load, module
from support.drive import activate
from support.environment import AIRFLOW_VERSION, CHECKOUT, EXAMPLES, IMPORT_FOR_AIRFLOW_2
from support.example_runs import is_whole, links, xcoms

from airflow_provider_twinsync.emulator.faults import ResultCode

pytestmark = pytest.mark.usefixtures("short_jobs")

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
#: The Airflow from which on there is what an example shows. That one runs in test_without_worker.py.
NEEDS = {"approve": (3, 3)}  # `response_timeout` of the standard provider


@pytest.mark.slow
def test_the_example_of_three_steps_makes_a_video(emulator, tmp_path):
    """Submit, wait deferred, fetch: one POST, and what the XComs say lies on the disk."""
    run = load("three_steps").test(run_conf={"destination": str(tmp_path / "out" / "video.mp4")})
    assert run.state == "success"
    (job,) = emulator.world.tasks
    assert xcoms(run, "submit") == [job]
    assert xcoms(run, "wait") == [f"{emulator.url}/example/{job}.mp4"]
    (fetched,) = xcoms(run, "fetch")
    assert fetched["path"] == str(tmp_path / "out" / "video.mp4")
    assert is_whole(fetched)
    assert [entry.call for entry in emulator.world.journal].count("submit") == 1
    assert emulator.world.tasks[job].text == "你好，我是会说话的照片数字人"


@pytest.mark.slow
def test_the_links_of_all_three_tasks_lead_to_the_job(emulator, tmp_path):
    """To its status after the submit, and then to the video."""
    run = load("three_steps").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    (job,) = emulator.world.tasks
    address = f"{emulator.url}/example/{job}.mp4"
    assert links(run, "submit") == [address]
    assert links(run, "wait") == [address]
    assert links(run, "fetch") == [address]


@pytest.mark.slow
def test_the_one_task_example_makes_a_video(emulator, tmp_path):
    """The id is the return value, and the address an XCom beside it."""
    run = load("one_task").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    (job,) = emulator.world.tasks
    assert xcoms(run, "make") == [job]
    assert xcoms(run, "make", "result_url") == [f"{emulator.url}/example/{job}.mp4"]
    assert is_whole(*xcoms(run, "fetch"))


@pytest.mark.slow
def test_the_mapped_example_makes_a_video_for_each_text(emulator, tmp_path):
    """Mapped over a list: as many jobs, and as many different files."""
    texts = {"a": "一", "b": "Two.", "c": "Drei.", "d": "Quatre."}
    run = load("many_photos").test(run_conf={"texts": texts, "folder": str(tmp_path)})
    assert run.state == "success"
    assert {task.text for task in emulator.world.tasks.values()} == set(texts.values())
    fetched = xcoms(run, "video.fetch")
    assert [one["path"] for one in fetched] == [f"{tmp_path}/{run.run_id}-{name}.mp4" for name in texts]
    assert len({one["sha256"] for one in fetched}) == 4
    assert all(map(is_whole, fetched))


@pytest.mark.slow
def test_the_photo_from_a_bucket_is_signed_for_the_service(emulator, tmp_path, moto_port):
    """By S3's own signature, which only the bucket's owner can make; the emulator opens the photo by it."""
    photo = (CHECKOUT / "example_dags" / "portrait.jpg").read_bytes()
    with photo_bucket(moto_port, "photo_example") as bucket:
        bucket.put_object(Bucket=BUCKET, Key="anna.jpg", Body=photo)
        conf = {"photo": f"s3://photo_example@{BUCKET}/anna.jpg", "destination": str(tmp_path / "video.mp4")}
        run = load("stored_photo").test(run_conf=conf)
        assert run.state == "success"
        [job] = emulator.world.tasks.values()
        assert job.image_url.startswith(f"http://127.0.0.1:{moto_port}/{BUCKET}/anna.jpg?X-Amz-")
        assert requests.get(job.image_url, timeout=10).content == photo
    [inputs] = xcoms(run, "submit", "twinsync_inputs")
    assert inputs["photo"] == conf["photo"]
    assert is_whole(*xcoms(run, "fetch"))


@pytest.mark.slow
def test_the_next_task_opens_the_video(emulator, tmp_path, capfd):
    """By the path that the download pushes; a command has the same path in a template."""
    video = tmp_path / "video.mp4"
    run = load("next_task").test(run_conf={"destination": str(video)})
    assert run.state == "success"
    assert xcoms(run, "first_bytes") == ["ftypisom"]
    [printed] = xcoms(run, "print_length")
    assert re.fullmatch(rf"{video}: \d+\.\d+ s", printed)


@pytest.mark.parametrize("name", NAMES)
def test_every_example_has_the_imports_of_both_airflows(name):
    """What a reader copies works on Airflow 3, and on Airflow 2 with what the comment says."""
    lines = (CHECKOUT / "example_dags" / f"{name}.py").read_text(encoding="utf-8").splitlines()
    imports = [line for line in lines if re.match(" *from airflow(\\.| )(?!providers.standard)", line)]
    assert imports
    if name in NEEDS:  # a later Airflow 3
        assert not any("Airflow 2" in line for line in imports)
    else:
        assert [line for line in imports if not re.match(IMPORT_FOR_AIRFLOW_2, line)] == []


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("name", [name for name in NAMES if NEEDS.get(name, (0,)) <= AIRFLOW_VERSION])
def test_every_example_says_what_it_shows(name):
    """On the page of each of its DAGs."""
    example = module(name)
    dags = [value for value in vars(example).values() if isinstance(value, DAG)]
    assert dags
    assert {dag.doc_md for dag in dags} == {example.__doc__}


@pytest.mark.slow
def test_a_person_can_follow_a_video_in_the_logs(emulator, tmp_path, capfd):
    """One line at each change, from the submit to the file: the job, the time, and what comes next."""
    emulator.world.waiting_s, emulator.world.duration_s = 0.0, 0.0
    for code in (101, 102):  # at the first two looks, whenever they come
        emulator.world.faults.add("status", ResultCode(code=code))
    run = load("three_steps").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    [job] = emulator.world.tasks
    (fetched,) = xcoms(run, "fetch")
    printed = "\n".join(capfd.readouterr())
    lines = re.findall(rf"\S.*?(TwinSync job {job} .*?)(?= \[airflow|$)", printed, re.MULTILINE)
    address = f"{emulator.url}/example/{job}.mp4"
    seconds = r"[\d.]+ s"
    wanted = [
        rf"is submitted \({seconds}\); a TwinSyncSensor can wait for its video\.",
        rf"is waiting \({seconds}\); next poll in {seconds}, timeout in 60 min\.",
        rf"is running \({seconds}\); next poll in {seconds}, timeout in 60 min\.",
        rf"is finished after {seconds}; its video is at {address}",
        rf"from {address} to {tmp_path}/video.mp4\.",
        rf"is at {tmp_path}/video.mp4 \({fetched['bytes']:,} bytes, {seconds}\)\.",
    ]
    # Airflow 2 prints a task's line twice.
    told = list(dict.fromkeys(line.removeprefix(f"TwinSync job {job} ") for line in lines))
    assert len(told) == len(wanted), lines
    for line, pattern in zip(told, wanted, strict=True):
        assert re.fullmatch(pattern, line), line
