"""Where a video comes from: the events of assets, OpenLineage, and the links of tasks in every state."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import threading
import time
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias
from fsspec.implementations.memory import MemoryFileSystem
from support.airflow_runs import IS_AIRFLOW_2, python, shown_links, xcoms
from support.drive import activate, attach, run_task

from airflow_provider_twinsync._airflow.lineage import openlineage
from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator

DAGS = Path(__file__).with_name("lineage_dags")
PHOTO = "https://example.com/photos/portrait.jpeg"
VOICE = "en-US-JennyNeural"
SINCE_3 = pytest.mark.skipif(IS_AIRFLOW_2, reason="the web server of Airflow 2 asks the link itself")
VIDEO = Asset("video")
SIGNATURE = "5ec4e7"
SIGNED = f"{PHOTO}?X-Amz-Signature={SIGNATURE}"
VIDEO_KEYS = {"path", "bytes", "sha256", "content_type", "duration_s", "twinsync_task_id", "fingerprint"}


@pytest.fixture
def dags(migrated, connection, emulator, monkeypatch, tmp_path):
    """Run one of the DAGs of these tests, and return its state."""
    bundle = {
        "name": "lineage",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    return lambda name: run_dag(name, url=emulator.url, folder=str(tmp_path))


def run_dag(name: str, **conf: str) -> str:
    spec = importlib.util.spec_from_file_location("lineage", DAGS / "lineage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    activate(module.VIDEO)
    return getattr(module, name).test(run_conf=conf).state


def download(**arguments):
    return TwinSyncDownloadOperator(**{"task_id": "fetch", **arguments})


def submit(**arguments):
    given = {"task_id": "submit", "text": "Hello", "image_url": SIGNED, "pronouncer": VOICE}
    return TwinSyncSubmitOperator(**{**given, **arguments})


def named(emulator, text: str) -> str:
    """The fingerprint of the inputs that these tests submit."""
    return fingerprint(f"{emulator.url}/phototalking", text, SIGNED, VOICE)


# ------------------------------------------------------------------------------------------ events of assets


@pytest.fixture
def outlet_events(monkeypatch):
    """Airflow's own, in the context of each task that is driven."""
    if IS_AIRFLOW_2:
        from airflow.utils.context import OutletEventAccessors
    else:
        from airflow.sdk.execution_time.context import OutletEventAccessors
    return OutletEventAccessors()


def test_the_event_describes_the_video(emulator, connection, outlet_events, tmp_path):
    """Path, bytes, checksum and job, for each asset; the extra of others stays."""
    job = emulator.world.accept(text="Hello", image_url=PHOTO, pronouncer=VOICE).id
    assets = [Asset("video"), Asset("another")]
    outlet_events[assets[0]].extra["mine"] = 1
    address = f"{emulator.url}/example/{job}.mp4"
    operator = download(
        result_url=address,
        twinsync_task_id=job,
        destination=tmp_path / "v.mp4",
        outlets=[*assets, AssetAlias("alias")],
    )
    operator.outlets.append(object())  # which Airflow passes over
    run = run_task(operator, context={"outlet_events": outlet_events})
    video = (tmp_path / "v.mp4").read_bytes()
    extra = {
        "path": str(tmp_path / "v.mp4"),
        "bytes": len(video),
        "sha256": hashlib.sha256(video).hexdigest(),
        "content_type": "video/mp4",
        "duration_s": 1.0,
        "twinsync_task_id": job,
        "fingerprint": None,  # no submit of this run made the job
    }
    assert run.ended == "success", run.error
    assert outlet_events[assets[0]].extra == {"mine": 1, **extra}
    assert outlet_events[assets[1]].extra == extra


def test_an_event_that_cannot_describe_the_video_ends_no_task(emulator, connection, tmp_path, caplog):
    """The video is worth more; a download without a job has no inputs."""

    class Events:
        def __getitem__(self, outlet: object) -> None:
            raise RuntimeError("no event")

    job = emulator.world.accept(text="Hello", image_url=PHOTO, pronouncer=VOICE).id
    address = f"{emulator.url}/example/{job}.mp4"
    operator = download(result_url=address, destination=tmp_path / "v.mp4", outlets=[VIDEO])
    assert run_task(operator, context={"outlet_events": Events()}).ended == "success"
    assert re.search(r"TS604 .*: no event", caplog.text)
    assert "TS603" not in caplog.text


@pytest.mark.slow
def test_a_download_that_fails_has_no_event(emulator, connection, outlet_events, tmp_path):
    """Airflow makes no event for it either."""
    operator = download(result_url="http://127.0.0.1:9/x", destination=tmp_path / "v.mp4", outlets=[VIDEO])
    run = run_task(operator, context={"outlet_events": outlet_events})
    assert run.ended != "success"
    assert dict(outlet_events) == {}


@pytest.mark.slow
def test_each_of_many_videos_has_the_fingerprint_of_its_own_inputs(emulator, dags):
    """Mapped like the submit, in another order, or not mapped: it is the job's id that counts."""
    assert dags("many") == "success"
    left = xcoms("lineage_many")
    told = [value for (_, key, _), value in left.items() if key == "told"]
    made = {job.id: named(emulator, job.text) for job in emulator.world.tasks.values()}
    assert len(made) == 4
    assert len(told) == 5
    assert {one["twinsync_task_id"]: one["fingerprint"] for one in told} == made | {"a-job-of-nobody": None}
    assert {set(one) == VIDEO_KEYS for one in told} == {True}
    inputs = [value for (_, key, _), value in left.items() if key == "twinsync_inputs"]
    assert len(inputs) == 4
    assert SIGNATURE not in str(inputs)


# ------------------------------------------------------------------------------------------------ OpenLineage


def datasets(found) -> list[tuple[str, str]]:
    return [(dataset.namespace, dataset.name) for dataset in found]


@pytest.mark.parametrize(
    ("address", "namespace", "name"),
    [
        (PHOTO, "https://example.com", "/photos/portrait.jpeg"),
        (SIGNED, "https://example.com", "/photos/portrait.jpeg"),
        (f" {SIGNED} ", "https://example.com", "/photos/portrait.jpeg"),
        ("http://user:secret@example.com:8080", "http://example.com:8080", "/"),
    ],
)
def test_the_input_of_a_submit_is_the_photo(emulator, connection, address, namespace, name):
    """Without secrets; before the submit and after it, and then with the job."""
    pytest.importorskip("airflow.providers.openlineage")
    operator = submit(image_url=address)
    started = operator.get_openlineage_facets_on_start()
    assert (datasets(started.inputs), started.outputs, started.run_facets) == ([(namespace, name)], [], {})
    run_task(operator)
    ended = operator.get_openlineage_facets_on_complete(None)
    assert (datasets(ended.inputs), ended.outputs) == ([(namespace, name)], [])
    assert [ended.run_facets["externalQuery"].externalQueryId] == list(emulator.world.tasks)


@pytest.mark.parametrize("image_url", [None, "", "{{ nothing }}", "ftp://example.com/a.jpg", "http://[", 7])
def test_what_is_no_photo_is_no_input(image_url):
    """The event of a failed task has no photo."""
    pytest.importorskip("airflow.providers.openlineage")
    operator = submit(image_url="{{ params.photo }}")
    operator.image_url = image_url  # as Airflow renders it
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert (lineage.inputs, lineage.outputs, lineage.run_facets) == ([], [], {})


@pytest.mark.parametrize(
    ("destination", "namespace", "name"),
    [
        ("{tmp_path}/v.mp4", "file", "{tmp_path}/v.mp4"),
        ("file://{tmp_path}/v.mp4", "file", "{tmp_path}/v.mp4"),
        ("memory://videos/a/v.mp4", "memory://videos", "a/v.mp4"),
    ],
)
def test_the_output_of_a_download_is_the_video(emulator, connection, folders, destination, namespace, name):
    """By OpenLineage's names, with its size; the input is, for example, the address at the service."""
    pytest.importorskip("airflow.providers.openlineage")
    attach("memory", fs=MemoryFileSystem())
    job = emulator.world.accept(text="Hello", image_url=PHOTO, pronouncer=VOICE).id
    operator = download(
        result_url=f"{emulator.url}/example/{job}.mp4?Signature=5ec4e7",
        destination=destination.format(tmp_path=folders),
        twinsync_task_id=job,
    )
    run = run_task(operator)
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert datasets(lineage.outputs) == [(namespace, name.format(tmp_path=folders))]
    assert lineage.outputs[0].outputFacets["outputStatistics"].size == run.result["bytes"]
    assert datasets(lineage.inputs) == [(emulator.url, f"/example/{job}.mp4")]
    assert lineage.run_facets["externalQuery"].externalQueryId == job


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        ("s3://videos/2026/v.mp4", "s3://videos", "2026/v.mp4"),
        ("s3://aws_default@videos/2026/v.mp4", "s3://videos", "2026/v.mp4"),
        ("gs://videos/what?#@.mp4", "gs://videos", "what?#@.mp4"),
    ],
)
def test_the_output_in_a_store_is_named_by_bucket_and_key(path, namespace, name):
    """As the operators of Airflow's own providers name it, for any connection."""
    pytest.importorskip("airflow.providers.openlineage")
    fetched = {"path": path, "bytes": 1, "sha256": "", "content_type": ""}
    assert datasets(openlineage(None, fetched, None).outputs) == [(namespace, name)]


def test_a_download_that_failed_has_no_output(emulator, connection, tmp_path):
    pytest.importorskip("airflow.providers.openlineage")
    operator = download(result_url=f"{emulator.url}/example/none.mp4", destination=tmp_path / "v.mp4")
    assert run_task(operator).ended != "success"
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert (datasets(lineage.inputs), lineage.outputs) == ([(emulator.url, "/example/none.mp4")], [])


def test_openlineage_gets_no_template():
    """A task that failed before its arguments were rendered knows no job."""
    pytest.importorskip("airflow.providers.openlineage")
    with DAG("any", schedule=None):
        made = submit().output
        operator = download(result_url="http://127.0.0.1:9/x", twinsync_task_id=made, destination="v.mp4")
    assert operator.get_openlineage_facets_on_complete(None).run_facets == {}


@pytest.mark.slow
def test_the_events_of_openlineage(emulator, dags, tmp_path):
    """A DAG run with the real listener: from the photo to the video, and no key and no signature in it."""
    pytest.importorskip("airflow.providers.openlineage")
    emulator.world.waiting_s, emulator.world.duration_s = 0.2, 0.2
    told = tmp_path / "lineage_told.json"
    code = f"""
        from test_lineage import run_dag
        assert run_dag("told", folder={str(tmp_path)!r}) == "success"
    """
    transport = {"type": "file", "log_file_path": str(told), "append": True}
    python(code, AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(transport))
    text = told.read_text()
    ended = {
        event["job"]["name"]: event
        for event in map(json.loads, text.splitlines())
        if event["eventType"] == "COMPLETE"
    }
    assert set(ended) >= {"lineage_told.submit", "lineage_told.wait", "lineage_told.fetch"}

    def names(task_id: str, side: str) -> list[tuple[str, str]]:
        return [(one["namespace"], one["name"]) for one in ended[f"lineage_told.{task_id}"].get(side, [])]

    photo = ("https://example.com", "/photos/portrait.jpeg")
    assert (names("submit", "inputs"), names("submit", "outputs")) == ([photo], [])
    assert (names("fetch", "inputs"), names("fetch", "outputs")) == ([photo], [("file", f"{tmp_path}/v.mp4")])
    [job] = emulator.world.tasks
    for task_id in ("submit", "fetch"):
        assert ended[f"lineage_told.{task_id}"]["run"]["facets"]["externalQuery"]["externalQueryId"] == job
    [video] = ended["lineage_told.fetch"]["outputs"]
    assert video["outputFacets"]["outputStatistics"]["size"] == (tmp_path / "v.mp4").stat().st_size
    assert emulator.key not in text
    assert SIGNATURE not in text


def test_without_openlineage_everything_works(emulator, connection, tmp_path):
    """In an interpreter that cannot import it."""
    job = emulator.world.accept(text="Hello", image_url=PHOTO, pronouncer=VOICE).id
    code = f"""
        import sys
        from test_lineage import *

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "openlineage" or name.startswith("airflow.providers.openlineage"):
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, Missing())
        made = run_task(submit())
        fetched = run_task(download(
            result_url="{emulator.url}/example/{job}.mp4", destination={str(tmp_path / "v.mp4")!r}
        ))
        print("ENDED", made.ended, fetched.ended, "openlineage" in sys.modules)
    """
    assert "ENDED success success False" in python(code)


# ------------------------------------------------------------------------------------------------------ links


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["", pytest.param("support.xcom_elsewhere.Elsewhere", marks=SINCE_3)])
def test_a_task_that_runs_has_its_link(emulator, dags, backend):
    """One that waits in the worker shows the job's status while it waits, and then the video.

    Also where other XComs are kept elsewhere: the web server reads the link from the database.
    """
    emulator.world.waiting_s = 3600.0
    seen = []

    def poll() -> None:
        while not any(entry.call == "status" for entry in emulator.world.journal):
            time.sleep(0.05)
        seen.append(shown_links("lineage_runs"))
        emulator.world.advance(7200)

    looking = threading.Thread(target=poll, daemon=True)
    looking.start()
    code = """
        from test_lineage import run_dag
        assert run_dag("runs") == "success"
    """
    python(code, **({"AIRFLOW__CORE__XCOM_BACKEND": backend} if backend else {}))
    looking.join()
    [job] = emulator.world.tasks
    status = f"{emulator.url}/phototalking?taskID={job}"
    assert seen == [{("submit", -1): status, ("wait", -1): status}]
    assert shown_links("lineage_runs")["wait", -1] == f"{emulator.url}/example/{job}.mp4"


def test_a_link_that_cannot_be_stored_is_logged_without_its_signature(caplog):
    """And ends no task."""

    class Broken:
        def xcom_push(self, key: str, value: object) -> None:
            raise OSError("the database is away")

    submit().push_link({"ti": Broken()}, SIGNED)
    assert re.search(rf"TS601 .* twinsync_link .*\({re.escape(PHOTO)}\): the database is away", caplog.text)
    assert SIGNATURE not in caplog.text


def test_tasks_that_fail_and_mapped_ones_have_their_links(emulator, dags):
    """A download that fails too; one without an address has none, and no task fails for that."""
    assert dags("fails") == "failed"
    links = shown_links("lineage_fails")
    assert [links.get(("fetch", index), "") for index in range(3)] == [
        f"{emulator.url}/example/none.mp4",
        "",
        "",
    ]
