"""The exchanges that chaos sees through its relays, such as a POST to TwinSync, and its kills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from airflow_provider_twinsync._api.submit import fingerprint
from dev.chaos.ledger_watch import Worker
from dev.chaos.plan import VOICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.chaos.ledger_watch import LedgerWatch
    from dev.chaos.plan import Plan
    from dev.chaos.relay import Exchange
    from dev.demo import Clock

STORE_PATH = "/execution/store/ti/"


@dataclass
class Seen:
    """The exchanges and the kills of a run; the relays call it from their own threads.

    :param ledger: the watch over the ledger; None if the records are in Airflow's store.
    :param jobs: the video that each job is for.
    :param asked_at: when each job's status was asked for.
    """

    plan: Plan
    clock: Clock
    ledger: LedgerWatch | None
    jobs: dict[str, int] = field(default_factory=dict)
    asked_at: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    kills: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    taken_over_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _killed_at: dict[int, float] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left = dict(self.plan.kills)
        self._by_address = {video.image_url: video.number for video in self.plan.videos}

    def know(self, url: str) -> None:
        """Store the address of the submits: the records of tasks have a fingerprint of it."""
        self._by_inputs = {
            fingerprint(url, video.text, video.image_url, VOICE): video.number for video in self.plan.videos
        }
        self._inputs = {number: inputs for inputs, number in self._by_inputs.items()}

    def before_twinsync(self, exchange: Exchange) -> bool:
        """Check a request that TwinSync has not got yet; True keeps it back.

        A ledger is a folder, without a relay. But its intent is stored before a submit comes here.
        """
        if self.ledger is None or exchange.method != "POST":
            return False
        return self._kill(self._submitted(exchange), "mark", exchange)

    def _submitted(self, exchange: Exchange) -> int:
        """Return the video of a submit."""
        return self._by_address[parse_qs(exchange.body.decode())["image_url"][0]]

    def by_twinsync(self, exchange: Exchange) -> bool:
        """Record an exchange with TwinSync; True keeps the answer back."""
        if exchange.method == "POST":
            number = self._submitted(exchange)
            made = _json(exchange.answer).get("task_id")
            if made:
                self.jobs[made] = number
            if made and self._kill(number, "post", exchange):
                if self.ledger and (number, "told") in self._left:
                    self._in_thread(self._kill_at_report, self.ledger, number)
                return True
            client = exchange.client() if made and (number, "id") in self._left else None
            if client and self.ledger:
                self._in_thread(self._kill_at_job, self.ledger, number, made, Worker.of_task(client))
            return False
        if exchange.path.startswith("/example/"):
            number = self.jobs.get(Path(exchange.path).stem, -1)
            self._is_back(number)
            return exchange.status in (200, 206) and self._kill(number, "fetch", exchange)
        job = exchange.query.get("taskID", "")
        number = self.jobs.get(job, -1)
        self.asked_at[job].append(time.monotonic())
        self._is_back(number)
        return len(self.asked_at[job]) > 1 and self._kill(number, "wait", exchange)

    def by_airflow(self, exchange: Exchange) -> bool:
        """Check an exchange with Airflow's API for tasks; True keeps the answer back."""
        if exchange.method != "PUT" or not exchange.path.startswith(STORE_PATH) or exchange.status >= 300:
            return False
        value = _json(exchange.body).get("value")
        if not isinstance(value, dict) or value.get("inputs") not in self._by_inputs:
            return False
        uncertain = "told" if "told_at_max_tries" in value else "mark"
        point = "id" if value["twinsync_task_id"] else uncertain
        return self._kill(self._by_inputs[value["inputs"]], point, exchange, by_airflow=True)

    def _kill(self, number: int, point: str, exchange: Exchange, *, by_airflow: bool = False) -> bool:
        """Kill the worker that waits for an answer, if the plan has a kill here; True if it is gone.

        :param by_airflow: the answer is one of Airflow.
        """
        if (number, point) not in self._left or (client := exchange.client()) is None:
            return False
        # The supervisor speaks to Airflow, and the task, its child, to TwinSync.
        return client in self._end(
            number, point, Worker.of_supervisor(client) if by_airflow else Worker.of_task(client)
        )

    def _kill_at_job(self, ledger: LedgerWatch, number: int, job: str, worker: Worker) -> None:
        """Kill a worker as soon as the ledger has its job."""
        if ledger.wait_for_job(self._inputs[number], job):
            self._end(number, "id", worker)

    def _kill_at_report(self, ledger: LedgerWatch, number: int) -> None:
        """Kill the worker of the next try as soon as the ledger has its report."""
        if worker := ledger.wait_for_report(self._inputs[number], self.plan.videos[number]):
            self._end(number, "told", worker)

    def _in_thread(self, target: Callable[..., None], *args: object) -> None:
        threading.Thread(target=target, args=args, daemon=True).start()

    def _end(self, number: int, point: str, worker: Worker) -> list[int]:
        """Carry out a kill of the plan, unless it is done, and return the processes that are gone."""
        with self._lock:
            scope = self._left.pop((number, point), None)
        if scope is None:
            return []
        killed = {
            "task": [worker.task],
            "supervisor": [worker.supervisor],
            "worker": [worker.task, worker.supervisor],
        }[scope]
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with self._lock:
            self.kills[point] += 1
            if point in ("id", "wait", "fetch"):
                self._killed_at[number] = time.monotonic()
        self.clock.say(f"killed      the {scope} of video {number}, point '{point}'")
        return killed

    def _is_back(self, number: int) -> None:
        """Record that another worker continues a video after a kill."""
        with self._lock:
            if number in self._killed_at:
                self.taken_over_s["worker"].append(time.monotonic() - self._killed_at.pop(number))


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
