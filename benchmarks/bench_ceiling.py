"""Measure one ceiling over four processes: the requests in any second, and the part of each process.

Two processes poll as a triggerer does, with a hundred waits each over the shared asynchronous client. Two
poll and submit as workers do, one request after the other; each fifth request of theirs is a submit. They
always have a next request, so the ceiling alone bounds them. A Redis of the benchmark's own is the store, and
the emulator's journal is the witness. It prints

* the requests in the fullest window of one second, to the ceiling: at most 1.05,
* all requests, to those that the ceiling allows in the time,
* for each process its part of the requests, to an equal part, and its longest wait between two requests of
  the journal, to the time in which each process has one turn.

    python benchmarks/bench_ceiling.py [--ceiling 50] [--seconds 20]

It needs redis-server (apt-get install redis-server). It exits with 1 if the first figure misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from bisect import bisect_left
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_twinsync._api.exchange import Request
    from airflow_provider_twinsync._api.settings import Settings

TARGET = 1.05
ROLES = ("triggerer", "worker", "triggerer", "worker")
WAITS = 100
WARM_UP_S = 2.0
KEY = "bench-key"
PHOTO = "https://example.com/a.jpg"


def settings_of(extra: str, port: int) -> Settings:
    """Return the connection of all processes."""
    from airflow_provider_twinsync._api.settings import parse_connection

    return parse_connection("bench", host="127.0.0.1", port=port, schema="http", password=KEY, extra=extra)


async def poll_as_triggerer(settings: Settings, job: str, until_s: float) -> None:
    """Poll a job in many waits, each of which polls again at once."""
    from airflow_provider_twinsync._api.status import build_status
    from airflow_provider_twinsync._http.async_client import join

    client = await join(settings)
    address = client.address(build_status(job))

    async def wait() -> None:
        while time.time() < until_s:
            await client.ask(address)

    await asyncio.gather(*(wait() for _ in range(WAITS)))
    await client.leave()


def request_as_worker(settings: Settings, job: str, until_s: float) -> None:
    """Poll a job, and submit another one at each fifth request."""
    from airflow_provider_twinsync._airflow.submitting import Submission, log, submit_job
    from airflow_provider_twinsync._api.status import build_status
    from airflow_provider_twinsync._http.sync_client import send

    submit = submit_of(settings, f"From {job}.")
    count = 0
    while time.time() < until_s:
        count += 1
        if count % 5:
            send(settings, build_status(job))
        else:
            submit_job(settings, submit, log, Submission())


def run_process(role: str, job: str, port: int, extra: str, seconds: float) -> None:
    """Be one of the four processes; it begins at a line on its standard input."""
    from airflow_provider_twinsync._http import async_client, ceiling, sync_client  # noqa: F401

    settings = settings_of(extra, port)
    ceiling.check_store(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    until_s = time.time() + seconds
    if role == "triggerer":
        asyncio.run(poll_as_triggerer(settings, job, until_s))
    else:
        request_as_worker(settings, job, until_s)


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis on a free port; yields its address."""
    program = shutil.which("redis-server") or sys.exit("no redis-server: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


@contextmanager
def emulator() -> Iterator[int]:
    """Run the emulator in a process of its own; yields its port.

    In this process, which has Airflow imported, a full garbage collection would stop it for 0.2 s, and all
    requests of that time would come to its journal at once.
    """
    command = [sys.executable, "-m", "airflow_provider_twinsync.emulator", "--port", "0", "--key", KEY]
    process = subprocess.Popen(
        [*command, "--waiting", "3600", "--photos", "placeholder"], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()  # type: ignore[union-attr]
        yield int(re.search(r":(\d+) with key", line)[1])  # type: ignore[index]
    finally:
        process.terminate()
        process.communicate()


def submit_of(settings: Settings, text: str) -> Request:
    """Build a submit."""
    from airflow_provider_twinsync._airflow.submitting import prepare_submit

    return prepare_submit(settings, text=text, image_url=PHOTO, pronouncer="en-US-JennyNeural")


def measure(ceiling: float, seconds: float) -> list[list[float]]:
    """Return the times of the requests in the journal, a list for each process."""
    from airflow_provider_twinsync._airflow.submitting import Submission, log, submit_job

    with redis() as store, emulator() as port:
        bare = settings_of("{}", port)
        submits = [submit_of(bare, f"Job {n}.") for n in range(len(ROLES))]
        jobs = [submit_job(bare, submit, log, Submission()) for submit in submits]
        extra = json.dumps({"requests_per_second": ceiling, "requests_per_second_store": store})
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--process", role, job, str(port), extra, str(seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for role, job in zip(ROLES, jobs, strict=True)
        ]
        for process in processes:
            while (line := process.stdout.readline()) and line != "ready\n":  # type: ignore[union-attr]
                pass  # of Airflow
        began_s = time.time()
        for process in processes:
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        for process in processes:
            process.communicate()
            assert process.returncode == 0, process.args
        with urlopen(f"http://127.0.0.1:{port}/_emulator/journal") as answer:
            journal = json.load(answer)
    return [
        [
            entry["at_s"]
            for entry in journal
            if began_s + WARM_UP_S < entry["at_s"] < began_s + seconds
            and (entry["taskID"] == job or (entry["form"] or {}).get("text") == f"From {job}.")
        ]
        for job in jobs
    ]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ceiling", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--process", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process:
        role, job, port, extra, seconds = given.process
        run_process(role, job, int(port), extra, float(seconds))
        return
    times = measure(given.ceiling, given.seconds)
    everything = sorted(at_s for one in times for at_s in one)
    fullest = max(bisect_left(everything, at_s + 1.0) - n for n, at_s in enumerate(everything))
    spent_s = everything[-1] - everything[0]
    to_ceiling = fullest / given.ceiling
    print(f"ceiling {given.ceiling:g} a second, {given.seconds:g} s, {len(everything):,} requests counted")
    missed = "" if to_ceiling <= TARGET else f", missed by {to_ceiling - TARGET:.2f}"
    print(f"fullest second to the ceiling    {to_ceiling:.2f}  (at most {TARGET}{missed})")
    print(f"all requests to those allowed    {(len(everything) - 1) / spent_s / given.ceiling:.2f}")
    for role, one in zip(ROLES, times, strict=True):
        part = len(one) / (len(everything) / len(times))
        longest_s = max(later - earlier for earlier, later in pairwise(one))
        rounds = longest_s * given.ceiling / len(times)
        print(f"{role:9}  part {part:.2f} of an equal one, longest wait {rounds:.1f} rounds")
    if missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
