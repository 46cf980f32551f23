"""Template fields render to texts, and a task as a value is an error while the DAG is parsed."""

from __future__ import annotations

import importlib.util
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, TaskGroup, task
from support.airflow_runs import IS_AIRFLOW_2, python, rows, shown_links, xcoms
from support.drive import run_task

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

DAGS = Path(__file__).with_name("field_dags")
SUBMIT: dict[str, Any] = {"image_url": "https://example.com/a.jpg", "pronouncer": "en-US-JennyNeural"}


def load() -> Any:
    spec = importlib.util.spec_from_file_location("fields_dags", DAGS / "fields.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_dag(name: str, **conf: str) -> Any:
    dag = getattr(load(), name)
    dag.resolve_template_files()  # as Airflow does when it parses the file
    return dag.test(run_conf=conf).state


@pytest.fixture
def dags(migrated, connection, monkeypatch):
    """Run one of the DAGs of these tests, and return its state."""
    import json

    bundle = {
        "name": "fields",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    return run_dag


def test_a_dag_that_renders_natively_sends_texts(emulator, dags, tmp_path):
    """For example constants, templates, files and outputs of tasks; mapped or not."""
    assert dags("native", text="'2024'", folder=str(tmp_path)) == "success"
    forms = [entry.form for entry in emulator.world.journal if entry.call == "submit"]
    assert {form["image_url"] for form in forms} == {"https://example.com/portrait.txt"}
    wanted = ["'2024'", *load().TEXTS.values(), "News of twenty and four.", "[3, 4]", "2025"]
    assert sorted(form["text"] for form in forms) == sorted(wanted)
    fetched = xcoms("fields_native")["fetch", "path", -1]
    assert fetched == str(tmp_path / "2024")
    assert Path(fetched).read_bytes()[4:8] == b"ftyp"


@pytest.mark.slow
def test_a_text_file_that_is_missing_fails_before_anything_is_paid(emulator, dags):
    """The message names the file and the folders; no retry would find the file."""
    output = python("from test_text_fields import run_dag; print('ENDED', run_dag('missing'))")
    assert "ENDED failed" in output
    assert "TS122 text is 'none-of-that-name.txt'" in output
    assert f" in {DAGS}" in output
    state, tries = rows("select state, try_number from task_instance where dag_id = 'fields_missing'")[0]
    assert (state, tries) == ("failed", 1)
    assert not emulator.world.journal


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("bad.txt", b"\xff\xfe\xfa", r"\(UnicodeDecodeError\)"),
        ("../words/a.txt", None, "no such file"),
        ("/etc/a.txt", None, "no such file"),
        ("empty.txt", b"", ""),
    ],
)
def test_a_text_file_that_cannot_be_spoken(emulator, connection, tmp_path, name, content, problem):
    """No error of Jinja is raised, and nothing is paid."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with DAG("a", schedule=None, template_searchpath=[str(tmp_path)]):
        submit = TwinSyncSubmitOperator(task_id="submit", text=name, **SUBMIT)
    if problem:
        with pytest.raises(Exception, match=f"^TS122 text is '{name}'.*{problem}.*{tmp_path}") as caught:
            submit.render_template_fields({})
        assert type(caught.value).__name__ == "AirflowFailException"
    else:
        submit.render_template_fields({})
        run = run_task(submit)
        assert run.ended == "AirflowFailException"
        assert str(run.error).startswith("TS101 ")
    assert not emulator.world.journal


def test_a_path_is_no_template():
    """Airflow 3.1 calls its resolve(), and fails for a file that is not there yet."""
    for destination in (Path("none/of/that/name.mp4"), ObjectStoragePath("file:///none/2024.mp4")):
        with DAG("a", schedule=None, render_template_as_native_obj=True):
            fetch = TwinSyncDownloadOperator(task_id="f", result_url="1", destination=destination)
        fetch.render_template_fields({})
        assert fetch.destination == destination


def test_the_web_ui_shows_a_text_as_text():
    """Airflow 2 has the renderer; Airflow 3 shows the text of an unknown renderer unchanged."""
    assert TwinSyncSubmitOperator.template_fields_renderers == {"text": "doc"}
    if IS_AIRFLOW_2:
        from airflow.www.utils import get_attr_renderer

        assert "<b>" not in str(get_attr_renderer()["doc"]("<b>5 > 4</b>"))


# ------------------------------------------------------------------------------------ while a DAG is parsed


def test_a_task_instead_of_its_output_is_named(emulator):
    """Each of the fields, in each of the three."""
    with DAG("a", schedule=None):
        submit = TwinSyncSubmitOperator(task_id="submit", text="Hello.", **SUBMIT)
        several = TwinSyncSubmitOperator.partial(task_id="several", **SUBMIT).expand(text=["Hello."])
        for given in (submit, several):
            for number, (kind, arguments) in enumerate(
                [
                    (TwinSyncSensor, {"twinsync_task_id": given}),
                    (TwinSyncSubmitOperator, {**SUBMIT, "text": given}),
                    (TwinSyncDownloadOperator, {"result_url": given, "destination": "v.mp4"}),
                    (TwinSyncDownloadOperator, {"result_url": "1", "destination": given}),
                ]
            ):
                with pytest.raises(ValueError, match=rf"^TS117 \w+ is .*'{given.task_id}'.*\.output"):
                    kind(task_id=f"{given.task_id}-{number}", **arguments)


def test_the_function_of_a_task_is_named():
    """The parentheses are missing."""

    @task
    def text() -> str:
        return "Hello."

    with DAG("a", schedule=None), pytest.raises(ValueError, match=r"^TS118 text is "):
        TwinSyncSubmitOperator(task_id="submit", text=text, **SUBMIT)


def test_all_that_a_mapped_task_gives_is_named():
    """The message has the code of a map over it; within one mapped group each gets its own."""
    with DAG("a", schedule=None):
        several = TwinSyncSubmitOperator.partial(task_id="several", **SUBMIT).expand(text=["Hello."])
        advice = r"^TS119 .*TwinSyncSensor\.partial\(\.\.\.\)\.expand\(twinsync_task_id="
        with pytest.raises(ValueError, match=advice):
            TwinSyncSensor(task_id="wait", twinsync_task_id=several.output)
        TwinSyncSensor.partial(task_id="waits").expand(twinsync_task_id=several.output)

        from airflow.providers.common.compat.sdk import task_group

        @task_group
        def one(text: str) -> Any:
            submit = TwinSyncSubmitOperator(task_id="submit", text=text, **SUBMIT)
            return TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output).output

        found = one.expand(text=["Hello."])
        with pytest.raises(ValueError, match=r"^TS119 result_url is .*'one\.wait'"):
            TwinSyncDownloadOperator(task_id="fetch", result_url=found, destination="v.mp4")


@pytest.mark.parametrize("value", [["1", "2"], ("1",), []], ids=repr)
def test_a_list_is_named_when_the_task_runs(emulator, connection, value):
    """It may come from any task."""
    for operator in (
        TwinSyncSensor(task_id="wait", twinsync_task_id=value),
        TwinSyncSubmitOperator(task_id="submit", text=value, **SUBMIT),
        TwinSyncDownloadOperator(task_id="fetch", result_url=value, destination="v.mp4"),
    ):
        run = run_task(operator)
        assert run.ended == "AirflowFailException"
        assert re.match(
            rf"TS120 \w+ is a list, {re.escape(repr(value))}.*{type(operator).__name__}", str(run.error)
        )
    assert not emulator.world.journal


def test_an_address_that_a_skipped_wait_did_not_give(emulator, connection):
    """The message has the cause and the remedy."""
    run = run_task(TwinSyncDownloadOperator(task_id="fetch", result_url=None, destination="v.mp4"))
    assert run.ended == "AirflowFailException"
    assert re.search("soft_fail.*trigger_rule.*all_success", str(run.error))


@pytest.mark.parametrize(
    "arguments",
    [
        {"deferrable": False},
        {"timeout": 60},
        {"timeout": timedelta(hours=1), "poke_interval": 5},
        {"exponential_backoff": True},
        {"max_wait": 60},
    ],
    ids=str,
)
def test_an_argument_of_a_wait_without_one_is_an_error(arguments):
    """It would have no effect; with wait_for_completion it has one."""
    with pytest.raises(ValueError, match="wait_for_completion=True") as caught:
        TwinSyncSubmitOperator(task_id="submit", text="Hello.", **SUBMIT, **arguments)
    assert all(name in str(caught.value) for name in arguments)
    TwinSyncSubmitOperator(task_id="submit", text="Hello.", wait_for_completion=True, **SUBMIT, **arguments)


@pytest.mark.parametrize("where", ["DAG", "group", "task"])
def test_one_line_makes_a_dag_wait_in_workers(where):
    """`default_args` apply to all tasks, also to those that do not wait."""
    usual = {"deferrable": False, "timeout": 600, "max_wait": timedelta(seconds=9)}
    at = {where: {"default_args": usual}}
    of_task = at.get("task", {})
    with DAG("a", schedule=None, **at.get("DAG", {})), TaskGroup("g", **at.get("group", {})):
        submit = TwinSyncSubmitOperator(task_id="submit", text="Hello.", **SUBMIT, **of_task)
        both = TwinSyncSubmitOperator(
            task_id="both", text="Hello.", wait_for_completion=True, **SUBMIT, **of_task
        )
        wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, **of_task)
        TwinSyncDownloadOperator(task_id="fetch", result_url=wait.output, destination="v.mp4", **of_task)
        with pytest.raises(ValueError, match=r"poke_interval.*wait_for_completion=True"):
            TwinSyncSubmitOperator(task_id="other", text="Hello.", poke_interval=7, **SUBMIT, **of_task)
    assert (both.deferrable, both.timeout, both.max_wait) == (False, 600, timedelta(seconds=9))
    assert (wait.deferrable, wait.timeout, wait.max_wait) == (False, 600, timedelta(seconds=9))


@pytest.mark.parametrize("default", ["True", "False"])
def test_a_wait_is_deferred_whatever_airflow_s_own_default_is(monkeypatch, default):
    """`[operators] default_deferrable`, which is false by default."""
    from airflow.providers.common.compat.sdk import conf

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", default)
    assert conf.getboolean("operators", "default_deferrable") is (default == "True")
    assert TwinSyncSensor(task_id="wait", twinsync_task_id="1").deferrable is True
    submit = TwinSyncSubmitOperator(task_id="s", text="Hello.", wait_for_completion=True, **SUBMIT)
    assert submit.deferrable is True


# -------------------------------------------------------------------------------------------------- the links


@pytest.mark.slow
def test_the_link_of_a_submit_leads_to_its_video(emulator, dags):
    """As soon as a wait has seen it, mapped or not; a task without a job has none, and no error line."""
    output = python("from test_text_fields import run_dag; print('ENDED', run_dag('links'))")
    assert "ENDED failed" in output
    assert "XCom not found" not in output
    found = shown_links("fields_links")
    videos = {form.text: f"{emulator.url}/example/{job}.mp4" for job, form in emulator.world.tasks.items()}
    assert found["submit", -1] == found["wait", -1] == videos["One."]
    assert [found["submits", index] for index in (0, 1)] == [videos["Two."], videos["Three."]]
    assert not found.get(("refused", -1))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "",
        "http://",
        "http://a b/",
        f"http://a/{'x' * 9000}",
        None,
        5,
    ],
)
def test_a_link_is_an_address_of_http_and_not_too_long(url):
    """A browser would run another one; none is stored, and none is shown."""

    class Instance:
        def xcom_push(self, key: str, value: Any) -> None:
            raise AssertionError(f"{key} is {value}")

    sensor = TwinSyncSensor(task_id="wait", twinsync_task_id="1")
    sensor.push_link({"ti": Instance()}, url)
    assert sensor.is_linked is False
    assert sensor.operator_extra_links[0].get_link(sensor, ti_key=None) == ""


def test_advice_is_a_sentence_of_its_own():
    """Also behind text of the service without a full stop."""
    from airflow_provider_twinsync.exceptions import StatusError, UncertainSubmitError, airflow_errors

    with pytest.raises(Exception, match=r"HTTP 500 \{\}\. Ask again\.$"), airflow_errors(advice="Ask again."):
        raise StatusError("HTTP 500 {}")
    assert str(UncertainSubmitError("Unknown: no", "Look.")) == "Unknown: no. Look."
