"""The arguments of the submit operator, as constants, templates and outputs of other tasks."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import DAG
from support.drive import Store, run_task
from support.submits import INPUTS, code_of, submit

from airflow_provider_twinsync.emulator.faults import (
    AcceptThenReset,
)
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("text", ""),
        ("text", "None"),
        ("text", "{% if x %}Hello"),
        ("text", "字" * 151),
        ("text", None),
        ("image_url", "portrait.jpeg"),
        ("image_url", "ftp://example.com/a.jpg"),
        ("image_url", "null"),
        ("pronouncer", "Xiaohan"),
    ],
)
def test_bad_input_sends_nothing(emulator, argument, value):
    """A template rendered to the value. The message names the argument; there is no retry."""
    operator = submit(**{argument: "{{ params.given }}"})
    setattr(operator, argument, value)
    run = run_task(operator)
    assert run.ended == "AirflowFailException"
    assert argument in str(run.error) or str(value) in str(run.error)
    assert not emulator.world.journal


def test_a_connection_that_is_not_found_leaves_the_retries_and_no_record(emulator):
    """Airflow 3 reports 'not found' also while its database is away; nothing was sent."""
    store = Store()
    run = run_task(submit(twinsync_conn_id="nowhere"), store=store)
    assert run.ended == "AirflowException"
    assert "airflow connections add nowhere" in str(run.error)
    assert store.rows == {}
    assert not emulator.world.journal


def test_every_argument_a_dag_author_would_template_is_a_template_field():
    """Texts and photos come from elsewhere."""
    assert set(TwinSyncSubmitOperator.template_fields) == {*INPUTS, "twinsync_conn_id", "ledger"}
    assert set(TwinSyncDownloadOperator.template_fields) == {
        "result_url",
        "destination",
        "twinsync_task_id",
        "twinsync_conn_id",
        "text",
        "pronouncer",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"on_uncertain_submit": "perhaps"},
        {"timeout": -1},
        {"poke_interval": "5"},
        {"max_wait": True},
        {"text": "None"},
        {"text": " ?! "},
        {"image_url": "photos/anna.jpg"},
        {"image_url": ""},
        {"pronouncer": "Xiaohan"},
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_meant_is_an_error_of_the_dag_file(arguments):
    """It shows when the DAG is parsed, before anything runs."""
    (name,) = arguments
    with pytest.raises(ValueError, match=f"(?i){name} is") as caught:
        submit(**arguments)
    assert name != "on_uncertain_submit" or code_of(caught.value) == "TS114"


def test_constants_from_default_args_are_checked_when_the_dag_is_parsed():
    """Where several tasks take one voice from."""
    with DAG("parsed", schedule=None, default_args={"pronouncer": "Xiaohan"}):
        with pytest.raises(ValueError, match="pronouncer is 'Xiaohan'"):
            TwinSyncSubmitOperator(task_id="submit", text="Hello", image_url=INPUTS["image_url"])
        TwinSyncSubmitOperator(task_id="other", **INPUTS)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text": "{{ params.text }}", "image_url": "{{ params.photo }}", "pronouncer": "{{ params.voice }}"},
        {"text": "news.txt"},
        {"text": "word " * 1_000},
        {"pronouncer": "en-US-NewerShape"},
    ],
    ids=str,
)
def test_a_value_that_may_be_valid_when_the_task_runs_is_parsed_without_a_warning(arguments, caplog, capsys):
    """A DAG file is parsed every few seconds: the warnings come when the task runs."""
    submit(**arguments)
    assert caplog.messages == []
    assert capsys.readouterr().out == ""


def test_outputs_of_tasks_are_checked_when_the_task_runs():
    """They are no constants."""
    with DAG("parsed", schedule=None):
        made = submit()
        TwinSyncSubmitOperator(
            task_id="other", text=made.output, image_url=made.output, pronouncer=made.output
        )


def test_a_mapped_task_is_checked_when_it_runs_and_not_retried(emulator):
    """Its values are there when Airflow makes a task of each: an error then would leave the retries."""
    with DAG("parsed", schedule=None):
        mapped = TwinSyncSubmitOperator.partial(
            task_id="submit", text="Hello", pronouncer=INPUTS["pronouncer"]
        ).expand(image_url=[INPUTS["image_url"], "None"])
    arguments = {"text": "Hello", "pronouncer": INPUTS["pronouncer"], "image_url": "None"}
    operator = mapped.operator_class(task_id="submit", **arguments, _airflow_from_mapped=True)
    run = run_task(operator)
    assert run.ended == "AirflowFailException"
    assert "image_url is 'None'" in str(run.error)
    assert not emulator.world.journal


def test_a_signature_is_in_no_message_and_no_record_of_an_uncertain_submit(emulator, capsys, caplog):
    """The photo is shown without it: in the error, the log, the XComs and the task's state store."""
    emulator.world.faults.add("submit", AcceptThenReset())
    store = Store()
    signed = "https://user:s3cret@example.com/portrait.jpeg?X-Amz-Signature=s3cret"
    run = run_task(submit(image_url=signed), store=store)
    assert run.ended == "AirflowFailException"
    assert emulator.world.journal[0].form["image_url"] == signed
    again = run_task(submit(image_url=signed), store=store)
    shown = str(run.error) + str(again.error) + json.dumps(store.rows)
    assert shown.count("https://example.com/portrait.jpeg") == 3
    shown += repr(run.xcoms) + repr(again.xcoms) + "".join(capsys.readouterr()) + caplog.text
    assert "s3cret" not in shown
