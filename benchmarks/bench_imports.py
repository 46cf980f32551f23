"""Measure the time that the import of this package adds to a DAG file.

Airflow parses every DAG file again and again, each time in a fresh process, so the cost of an import returns
every few seconds. This measures fresh interpreters that import

* Airflow's own ``BaseOperator`` and ``BaseSensorOperator``, which every DAG file needs,
* the same, and then this package's operators and sensor,
* the same, and then the http provider's ``HttpSensor``, for comparison,

one after the other in each round, so that a busy machine slows each of them down alike. It prints the CPU
time (user and system) of the process, and the part of the second import, as its differences are too small to
show in the total. It checks the targets: at most 40 ms added, no HTTP library, and at most 0.1 of the time
that ``HttpSensor`` adds in the same run.

    python benchmarks/bench_imports.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

TARGET_MS = 40.0
TARGET_RATIO = 0.1
HEAVY = ("requests", "aiohttp", "urllib3")
CASES = {
    "Airflow alone": "",
    "+ TwinSync": "import airflow_provider_twinsync.operators, airflow_provider_twinsync.sensors",
    "+ HttpSensor": "import airflow.providers.http.sensors.http",
}
PROGRAM = """
import json, sys, time
from airflow.sdk import BaseOperator, BaseSensorOperator
began = time.process_time()
{more}
added = time.process_time() - began
print()
print(json.dumps([1000 * added, 1000 * time.process_time(), sorted(set(sys.modules) & {heavy})]))
"""


def measure(more: str, environment: dict[str, str]) -> tuple[float, float, list[str]]:
    """Run a fresh interpreter; give the CPU ms of the second import and of all, and the HTTP libraries."""
    program = PROGRAM.format(more=more, heavy=set(HEAVY))
    # In a folder without packages: `-c` looks there first, and would find sources that have no bytecode.
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=environment["AIRFLOW_HOME"],
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"the import failed with status {done.returncode}: {more}")
    added_ms, all_ms, heavy = json.loads(done.stdout.splitlines()[-1])
    return added_ms, all_ms, heavy


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="fresh interpreters for each case (default: 5)")
    rounds = parser.parse_args().rounds
    found: dict[str, list[tuple[float, float, list[str]]]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory(prefix="twinsync-bench-") as home:
        environment = {**os.environ, "AIRFLOW_HOME": home}
        for number in range(-1, rounds):
            for name, more in CASES.items():
                measured = measure(more, environment)
                if number >= 0:  # the first round fills the caches of the disk and of the byte code
                    found[name].append(measured)
    print(f"CPU ms of fresh interpreters, {rounds} each (Python {sys.version.split()[0]})")
    print(f"{'import':<16}{'all':>8}{'added':>8}{'fastest':>9}{'slowest':>9}  HTTP libraries")
    medians = {}
    for name, rows in found.items():
        added, all_ = [row[0] for row in rows], statistics.median(row[1] for row in rows)
        medians[name] = statistics.median(added)
        print(
            f"{name:<16}{all_:>8.0f}{medians[name]:>8.1f}{min(added):>9.1f}{max(added):>9.1f}"
            f"  {', '.join(rows[0][2]) or 'none'}"
        )
    ours_ms, ours_heavy = medians["+ TwinSync"], found["+ TwinSync"][0][2]
    reached = ours_ms <= TARGET_MS and not ours_heavy
    print(
        f"Target: at most {TARGET_MS:.0f} ms added, and none of {', '.join(HEAVY)}. TwinSync adds "
        f"{ours_ms:.1f} ms and {', '.join(ours_heavy) or 'none'}: {'reached' if reached else 'NOT reached'}."
    )
    ratio = ours_ms / medians["+ HttpSensor"]
    judged = "reached" if ratio <= TARGET_RATIO else f"NOT reached by {ratio - TARGET_RATIO:.3f}"
    print(
        f"Target: at most {TARGET_RATIO} of what HttpSensor adds beyond airflow.sdk. "
        f"TwinSync adds {ratio:.3f} of it: {judged}."
    )


if __name__ == "__main__":
    main()
