"""`TwinSyncVideoOperator` and `@task.twinsync` in real runs of DAGs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.dags import module

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow
DAGS = Path(__file__).with_name("video_dags")


@pytest.fixture
def run(migrated, connection, monkeypatch, tmp_path) -> Callable[..., str]:
    """Run one of the DAGs of these tests, and return its state."""
    bundle = {
        "name": "videos",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))

    def run(name: str, **conf: Any) -> str:
        dag = getattr(module("videos", DAGS), name)
        return str(dag.test(run_conf={"folder": str(tmp_path), **conf}).state)

    return run


def jobs(emulator) -> list[tuple[str, str]]:
    return sorted((job.text, job.pronouncer) for job in emulator.world.tasks.values())


def test_the_function_returns_the_text(emulator, run, tmp_path):
    """The function gets arguments from Airflow's context. A deferred task calls it once, too."""
    emulator.world.waiting_s = 0.3
    assert run("news") == "success"
    assert [text for text, _ in jobs(emulator)] == [
        "Good morning from deferred.",
        "Good morning from worker.",
    ]
    assert (tmp_path / "calls").read_text() == "xx"
    assert all((tmp_path / f"{mode}.mp4").stat().st_size > 1_000 for mode in ("deferred", "worker"))


def test_the_function_returns_arguments(emulator, run, tmp_path):
    """A mapped function makes a video for each value."""
    assert run("greetings") == "success"
    assert jobs(emulator) == sorted(module("videos", DAGS).VOICES.items())
    assert {path.name for path in tmp_path.iterdir()} == {"0.mp4", "1.mp4"}


def test_a_function_gets_native_values(emulator, run, tmp_path):
    """In a DAG that renders natively, the fields of the video are texts all the same."""
    assert run("native") == "success"
    assert [text for text, _ in jobs(emulator)] == ["3 apples"]
    assert [path.name for path in tmp_path.iterdir()] == ["2026"]


@pytest.mark.parametrize(
    "returned", [None, 7, ["Hello."], {"txt": "Hello."}, {"text": "Hello.", "timeout": 5}], ids=repr
)
def test_another_value_pays_nothing(emulator, run, returned):
    """The task fails before it submits."""
    assert run("wrong", returned=returned) == "failed"
    assert not emulator.world.journal


def test_the_length_of_a_row_fits_its_words(emulator, run, tmp_path):
    """`dag.test()` drops the arguments of a deferral, and a mapped task resumes as another object."""
    emulator.world.waiting_s = 0.3
    assert run("checked") == "success"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_rows_of_arguments(emulator, run, tmp_path):
    """`expand_kwargs` makes a video for each row."""
    assert run("rows") == "success"
    assert jobs(emulator) == sorted(module("videos", DAGS).VOICES.items())
    assert len(list(tmp_path.iterdir())) == 2


def test_a_mapped_task_with_one_destination_pays_once(emulator, run):
    """The second video would replace the first one."""
    assert run("same") == "failed"
    assert len(emulator.world.tasks) == 1


def test_two_tasks_with_one_destination_pay_nothing(emulator, run):
    """Each would replace the video of the other."""
    assert run("two") == "failed"
    assert not emulator.world.journal


def test_two_tasks_behind_a_branch_may_have_one_destination(emulator, run, tmp_path):
    """The branch runs only one of them."""
    assert run("branch") == "success"
    assert [text for text, _ in jobs(emulator)] == ["short"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_destination_of_chance_is_that_of_one_row(emulator, run, tmp_path):
    """Each row renders the template to another value."""
    assert run("uuid") == "success"
    assert len(list(tmp_path.iterdir())) == 2
