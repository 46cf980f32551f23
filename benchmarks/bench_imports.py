"""What a DAG file pays for importing this package.

Airflow parses every DAG file again and again, each time in a fresh process, so what an import costs is paid
every few seconds. This measures the CPU time (user and system) of fresh interpreters that import

* Airflow's own ``BaseOperator`` and ``BaseSensorOperator``, which every DAG file needs,
* the same, and this package's operators and sensor,
* the same, and the http provider's ``HttpSensor``, for comparison,

one after the other in each round, so that a busy machine is as unkind to each of them. It prints the median
and what was added to the first one, and whether the target is reached: at most 40 ms, and no HTTP library.

    python benchmarks/bench_imports.py [--rounds 9]
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
HEAVY = ("requests", "aiohttp", "urllib3")
AIRFLOW = "from airflow.sdk import BaseOperator, BaseSensorOperator"
CASES = {
    "Airflow alone": AIRFLOW,
    "+ TwinSync": f"{AIRFLOW}\nimport airflow_provider_twinsync.operators, airflow_provider_twinsync.sensors",
    "+ HttpSensor": f"{AIRFLOW}\nimport airflow.providers.http.sensors.http",
}
REPORT = """
import json, sys
print()
print(json.dumps(sorted(set(sys.modules) & set(%r))))
"""


def measure(code: str, environment: dict[str, str]) -> tuple[float, list[str]]:
    """Give the CPU milliseconds of a fresh interpreter that runs the code, and the HTTP libraries it loaded.

    The time is the kernel's account of the process when it has ended.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code + REPORT % (HEAVY,)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import failed: {code}")
    return 1_000 * (used.ru_utime + used.ru_stime), json.loads(output.splitlines()[-1])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="fresh interpreters for each case (default: 9)")
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in CASES}
    loaded: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="twinsync-bench-") as home:
        environment = {**os.environ, "AIRFLOW_HOME": home}
        for number in range(-1, rounds):
            for name, code in CASES.items():
                cpu_ms, loaded[name] = measure(code, environment)
                if number >= 0:  # the first round fills the caches of the disk and of the byte code
                    times[name].append(cpu_ms)
    # What is added is compared within a round, in which the machine was equally busy.
    added = {
        name: statistics.median(
            mine - base for mine, base in zip(times[name], times["Airflow alone"], strict=True)
        )
        for name in CASES
    }
    print(
        f"CPU ms of a fresh interpreter: median, fastest and slowest of {rounds} "
        f"(Python {sys.version.split()[0]})"
    )
    print(f"{'import':<16}{'median':>9}{'fastest':>9}{'slowest':>9}{'added':>9}  HTTP libraries")
    for name, found in times.items():
        print(
            f"{name:<16}{statistics.median(found):>9.0f}{min(found):>9.0f}{max(found):>9.0f}"
            f"{added[name]:>9.1f}  {', '.join(loaded[name]) or 'none'}"
        )
    ours_ms, ours_loaded = added["+ TwinSync"], loaded["+ TwinSync"]
    reached = ours_ms <= TARGET_MS and not ours_loaded
    print(
        f"Target: at most {TARGET_MS:.0f} ms added and none of {', '.join(HEAVY)}. "
        f"TwinSync adds {ours_ms:.1f} ms and {', '.join(ours_loaded) or 'none'}: {'reached' if reached else 'NOT reached'}."
    )


if __name__ == "__main__":
    main()
