"""Where a video comes from, by OpenLineage."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import DAG
from fsspec.implementations.memory import MemoryFileSystem
from support.airflow_runs import python
from support.drive import attach, run_task
from support.lineage import PHOTO, SIGNATURE, SIGNED, VOICE, download, submit, video

from airflow_provider_twinsync._airflow.lineage import openlineage


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


@pytest.mark.parametrize(
    ("image_url", "namespace", "name"),
    [
        ("s3://aws_default@photos/team/anna.jpg", "s3://photos", "team/anna.jpg"),
        ("/data/anna.jpg", "file", "/data/anna.jpg"),
        ("file:///data/anna.jpg", "file", "/data/anna.jpg"),
    ],
)
def test_a_stored_photo_is_an_input_by_its_place(image_url, namespace, name):
    """And not by the address that the service opens, which is a secret."""
    pytest.importorskip("airflow.providers.openlineage")
    started = submit(image_url=image_url).get_openlineage_facets_on_start()
    assert datasets(started.inputs) == [(namespace, name)]


@pytest.mark.parametrize("image_url", [None, "", "{{ nothing }}", "photos/a.jpg", "http://[", 7])
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


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "worker"])
def test_the_whole_video_has_photo_job_and_text(emulator, connection, tmp_path, deferrable):
    """The length of the text and the voice are its documentation."""
    pytest.importorskip("airflow.providers.openlineage")
    emulator.world.waiting_s = 0.3
    operator = video(destination=str(tmp_path / "v.mp4"), deferrable=deferrable)
    run = run_task(operator, task_id="video")
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert datasets(lineage.inputs) == [("https://example.com", "/photos/portrait.jpeg")]
    assert datasets(lineage.outputs) == [("file", str(tmp_path / "v.mp4"))]
    [output] = lineage.outputs
    assert output.outputFacets["outputStatistics"].size == run.result["bytes"]
    assert output.facets["documentation"].description == f"1 words, spoken by {VOICE}"
    assert lineage.run_facets["externalQuery"].externalQueryId == run.result["twinsync_task_ids"][0]


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
        from support.lineage import run_dag
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
        from support.drive import run_task
        from support.lineage import download, submit

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
