"""The links of tasks in every state."""

from __future__ import annotations

import re
import threading
import time

import pytest
from support.airflow_runs import IS_AIRFLOW_2, python, shown_links
from support.lineage import PHOTO, SIGNATURE, SIGNED, submit

SINCE_3 = pytest.mark.skipif(IS_AIRFLOW_2, reason="the web server of Airflow 2 asks the link itself")


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
        from support.lineage import run_dag
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
