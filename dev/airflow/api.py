"""The few calls of Airflow's REST API (v2, and v1 of Airflow 2) that the demo and the tests need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 60.0


class AirflowApiError(Exception):
    """Airflow refused a request; the message is its reason."""


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of a run, as it is now."""

    task_id: str
    map_index: int
    try_number: int
    state: str | None  # None before the scheduler has looked at it
    triggerer: str | None = None  # the host name of the triggerer that waits for it

    @property
    def name(self) -> str:
        """The task's id, with the index if it is mapped."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @property
    def group(self) -> str:
        """The task group that it is in, if it is in one."""
        return self.task_id.rpartition(".")[0]


class AirflowApi:
    """A client that logs in once.

    :param url: where the API server is, such as ``http://127.0.0.1:8080``.
    """

    root = "/api/v2"
    health = f"{root}/monitor/health"
    components: tuple[str, ...] = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    new_run: Mapping[str, Any] = {"logical_date": None}
    page: Mapping[str, Any] = {"limit": 100, "order_by": "id"}  # more than 100 Airflow does not give at once

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, and no .netrc, between us and loopback

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def unhealthy(self) -> list[str]:
        """The components that are not up, or all if nothing answers."""
        try:
            health = self._call("GET", self.health)
        except AirflowApiError:
            health = {}
        return [name for name in self.components if (health.get(name) or {}).get("status") != "healthy"]

    def log_in(self) -> None:
        """Get a token for all that follows."""
        token = self._call("POST", "/auth/token", json=self._login)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def warm_up(self) -> None:
        """Make the API server build its versioned task API, or the first task would wait for it."""
        self._send("GET", f"{self.url}/execution/health")

    def dag_exists(self, dag_id: str) -> bool:
        """Return whether the DAG processor has seen a DAG."""
        return self._send("GET", self._address("dags", dag_id)).status_code == 200

    def import_errors(self) -> str:
        """Return the errors of DAG files as one text, empty without errors."""
        errors = self._call("GET", f"{self.root}/importErrors")["import_errors"]
        return "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs start."""
        self._call("PATCH", self._address("dags", dag_id), json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and give its id."""
        run = self._call(
            "POST", self._address("dags", dag_id, "dagRuns"), json={**self.new_run, "conf": conf}
        )
        return str(run["dag_run_id"])

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Have a task run again, and no other."""
        options = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self._call("POST", self._address("dags", dag_id, "clearTaskInstances"), json=options)

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Choose an option for a task that waits for a person."""
        path = self._address("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "-1", "hitlDetails")
        self._call("PATCH", path, json={"chosen_options": [option]})

    def question(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the text of a question to a person, which is Markdown."""
        path = self._address("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "-1", "hitlDetails")
        return str(self._call("GET", path)["body"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Where a run is: queued, running, success or failed."""
        return str(self._call("GET", self._address("dags", dag_id, "dagRuns", run_id))["state"])

    def task_states(self, dag_id: str, run_id: str = "~") -> list[TaskInstance]:
        """The tasks of a run, or of all runs, as they are now."""
        path = self._address("dags", dag_id, "dagRuns", run_id, "taskInstances")
        rows: list[dict[str, Any]] = []
        while True:
            params = {**self.page, "offset": len(rows)}
            page = self._call("GET", path, params=params)["task_instances"]
            rows += page
            if len(page) < self.page["limit"]:
                break
        return [
            TaskInstance(
                row["task_id"],
                row["map_index"],
                row["try_number"],
                row["state"],
                (row["triggerer_job"] or {}).get("hostname"),
            )
            for row in rows
        ]

    def add_connection(self, fields: dict[str, Any]) -> None:
        """Make a connection."""
        self._call("POST", f"{self.root}/connections", json=fields)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task has left."""
        path = self._address("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "xcomEntries", key)
        return self._call("GET", path, params={"deserialize": "true"})["value"]

    def logs(self, dag_id: str, run_id: str, task: TaskInstance) -> str:
        """The log of a task's latest try, as lines for a person."""
        path = self._address(
            "dags", dag_id, "dagRuns", run_id, "taskInstances", task.task_id, "logs", str(task.try_number)
        )
        params = {"full_content": "true", "map_index": task.map_index}
        entries = self._call("GET", path, params=params, headers={"Accept": "application/json"})["content"]
        return "\n".join(filter(None, map(_log_line, entries)))

    def _address(self, *parts: str) -> str:
        return f"{self.url}{self.root}/" + "/".join(quote(part, safe="") for part in parts)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        url = path if path.startswith("http") else self.url + path
        response = self._send(method, url, **options)
        if not response.ok:
            try:
                reason = response.json()["detail"]
            except (ValueError, KeyError, TypeError):
                reason = response.text[:500]
            raise AirflowApiError(f"Airflow answers {response.status_code} to {method} {url}: {reason}")
        return response.json()

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, url, timeout=TIMEOUT_S, **options)
        except requests.RequestException as e:
            raise AirflowApiError(f"Airflow does not answer {method} {url}: {e}") from e


class Airflow2Api(AirflowApi):
    """The client of Airflow 2, whose API takes the password with each request."""

    root = "/api/v1"
    health = f"{root}/health"
    components = ("metadatabase", "scheduler", "triggerer")
    new_run: Mapping[str, Any] = {}
    #: It sorts by nothing that is unique, so one page has to hold all.
    page: Mapping[str, Any] = {"limit": 10_000}

    def log_in(self) -> None:
        """Use the password from now on."""
        self._session.auth = (self._login["username"], self._login["password"])

    def warm_up(self) -> None:
        """Do nothing: tasks use the database."""


def _log_line(entry: dict[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    if not entry.get("timestamp"):  # where the log was read from
        return ""
    event = str(entry.get("event", ""))
    if event.startswith("::"):  # group marks for the web UI
        return ""
    line = f"{str(entry['timestamp'])[11:19]} {entry.get('level', 'info'):7} {event}"
    for error in entry.get("error_detail") or []:
        line += f"\n{'':17}{error.get('exc_type')}: {error.get('exc_value')}"
        for frame in (error.get("frames") or [])[-1:]:
            if frame.get("name") == "airflow_errors":  # every error of the provider comes from there
                continue
            line += f"\n{'':17}  at {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
    return line
