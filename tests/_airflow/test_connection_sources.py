"""The ways to define a connection, each with Airflow's own command, variable or secrets backend, in a task.

A task in a process of its own reads a connection of each kind, and sends its key to the emulator. The key has
characters with a meaning in a URI, JSON and a shell, such as ``#`` and a quotation mark.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_twinsync.emulator import Emulator

KEY = "k:e/y@1#?&=%41 +\"'$é"
EXTRA = {"tolerance_s": 900, "allowed_result_hosts": "a.example, b.example", "verify": False}
SOURCES = (
    "variable_uri",
    "variable_json",
    "command_fields",
    "command_uri",
    "command_json",
    "backend_file",
)

DAG_FILE = """
import json, sys
from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_twinsync.hooks import TwinSyncHook

with DAG("sources", schedule=None) as dag:

    @task
    def read(conn_ids: list[str], answers: str) -> None:
        found = {}
        for conn_id in conn_ids:
            hook = TwinSyncHook(conn_id)
            works, message = hook.test_connection()
            found[conn_id] = {
                "works": works,
                "message": message,
                "url": hook.settings().url,
                "tolerance_s": hook.settings().tolerance_s,
                "verify": hook.settings().verify,
                "allowed_result_hosts": sorted(hook.settings().allowed_result_hosts),
            }
        with open(answers, "w") as file:
            json.dump(found, file)

    read(sys.argv[2:], sys.argv[1])

if __name__ == "__main__":
    sys.exit(str(dag.test().state) != "success")
"""


def run(*command: str, env: dict[str, str] | None = None) -> str:
    """Run a command to its end, and return its output."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with a key that needs escapes."""
    from airflow_provider_twinsync.emulator import Emulator

    with Emulator(key=KEY) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def answers(
    migrated: None, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """Define a connection in each way, and return the settings that a task reads."""
    folder = tmp_path_factory.mktemp("sources")
    fields = {
        "conn_type": "twinsync",
        "host": emulator.host,
        "port": emulator.port,
        "password": KEY,
        "extra": EXTRA,
    }
    by_json = json.dumps(fields)
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in EXTRA.items())
    by_uri = f"twinsync://:{quote(KEY, safe='')}@{emulator.host}:{emulator.port}/http?{query}"

    add = ("-m", "airflow", "connections", "add")
    run(*add, "command_uri", "--conn-uri", by_uri)
    run(*add, "command_json", "--conn-json", by_json)
    single = {"type": "twinsync", "host": emulator.host, "port": str(emulator.port), "password": KEY}
    options = [part for name, value in single.items() for part in (f"--conn-{name}", value)]
    run(*add, "command_fields", *options, "--conn-extra", json.dumps(EXTRA))

    (folder / "dags").mkdir()
    (folder / "dags" / "sources.py").write_text(DAG_FILE)
    (folder / "connections.json").write_text(json.dumps({"backend_file": fields}))
    env = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(
            {"connections_file_path": str(folder / "connections.json")}
        ),
        "AIRFLOW_CONN_VARIABLE_URI": by_uri,
        "AIRFLOW_CONN_VARIABLE_JSON": by_json,
    }
    printed = run(str(folder / "dags" / "sources.py"), str(folder / "answers.json"), *SOURCES, env=env)
    assert KEY not in printed
    answers: dict[str, dict[str, Any]] = json.loads((folder / "answers.json").read_text())
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_a_connection_may_come_from_there(
    source: str, answers: dict[str, dict[str, Any]], emulator: Emulator
) -> None:
    """The key and the extra arrive unchanged."""
    answer = answers[source]
    assert answer.pop("works"), answer
    assert answer.pop("message")
    assert answer == {
        "url": f"{emulator.url}/phototalking",
        "tolerance_s": 900.0,
        "verify": False,
        "allowed_result_hosts": sorted({"a.example", "b.example", emulator.host, "api.twinsync.xyz"}),
    }


def test_none_of_them_made_a_job(answers: dict[str, dict[str, Any]], emulator: Emulator) -> None:
    """Each sent one request, and nothing was paid."""
    assert [(entry.call, entry.form, entry.key) for entry in emulator.world.journal] == [
        ("submit", {}, "accepted")
    ] * len(SOURCES)
    assert emulator.world.tasks == {}
