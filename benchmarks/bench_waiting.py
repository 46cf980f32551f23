"""Measure the cost of waiting for thousands of videos, compared with other providers' triggers.

Each contender (ours, a bare ``aiohttp`` session, and peers from their packages: see ``waiting_peers.py``) is
measured at each N in a fresh process: N triggers in a real ``TriggerRunner`` of Airflow, with greenback's
portal (``waiting_client.py``), asking a fresh fake server (``waiting_server.py``) every 5 s. Where there are
two cores, the server runs on another than the client. Read are the CPU time a poll, new connections, file
descriptors, stalls of the event loop, memory, polls made of those due, and the time from the service's answer
to the event. Ours is also measured with its default poll policy and 10,000 jobs of ten minutes: all of their
time, and while all 10,000 stand (``waiting_standing.py``). A table of the contenders and one of the targets
follow (``waiting_report.py``).

    python benchmarks/bench_waiting.py [--n 100 1000 5000] [--only twinsync bare] [--short]
                                       [--plot docs/waiting.png] [--markdown FILE] [--json FILE]

It takes an hour. For development there is ``--short``, with windows of 20 s, too short to judge by (``--short
60`` has long ones): three minutes with ``bare`` and ``twinsync`` at 5,000, or one with ``--only
twinsync-standing``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from waiting_peers import ALL, CONTENDERS, DEFAULT_POLICY, STANDING, Contender
from waiting_plot import draw
from waiting_report import HEADS, LEGEND, TARGET_HEADS, Result, Results, aligned, markdown, rows, targets

FOLDER = Path(__file__).parent
USUAL_NS = (100, 1_000, 5_000)
LARGE_N = 10_000
LARGE = ("sleep", "twinsync")  # the contenders there, beside ours with its default policy
LONG = ("sleep", "bare", "twinsync")  # measured in a long window, from N = 5,000 on
SHORT_S, SHORT_N, SHORT = 20.0, 5_000, ("bare", "twinsync")
LIMIT_S = 600.0  # for a client, beside its window
FERNET_KEY = "YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmU="  # Airflow encrypts the arguments of triggers


def watched(process: subprocess.Popen[str], limit_s: float) -> list[tuple[float, int]]:
    """Wait for a process, and count its open files meanwhile: from outside, because counting takes time."""
    counts, began = [], time.monotonic()
    while process.poll() is None:
        if time.monotonic() - began > limit_s:
            process.kill()
        with suppress(OSError):  # it may just have ended
            counts.append((time.monotonic(), sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())))
        time.sleep(0.25)
    return counts


def measure(one: Contender, n: int, options: dict[str, float], log: str, cores: list[int]) -> Result:
    """Start a server and a client, and return the client's results."""
    pins = [["--core", str(core)] for core in cores[:2]] if len(cores) > 1 else [[], []]
    lifetime = ["--lifetime-s", str(options["lifetime-s"])] if "lifetime-s" in options else []
    server_command = [sys.executable, str(FOLDER / "waiting_server.py"), *pins[1], *lifetime]
    with (
        tempfile.TemporaryDirectory(prefix="twinsync-bench-") as home,
        subprocess.Popen(server_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdout is not None
        port = int(server.stdout.readline())
        client_command = [sys.executable, str(FOLDER / "waiting_client.py"), *pins[0], "--log", log]
        client_command += ["--contender", one.name, "--n", str(n), "--port", str(port)]
        client_command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        client_command += ["--standing"] * (one is STANDING)
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
            "NO_PROXY": "127.0.0.1",
            **one.environment(port),
        }
        with (
            Path(home, "found").open("w+", encoding="utf-8") as found,
            subprocess.Popen(client_command, env=environment, stdout=found, text=True) as client,
        ):
            counts = watched(client, LIMIT_S + 2 * sum(options.values()))
            found.seek(0)
            lines = found.read().splitlines()
        # Leaving the block closes the server's standard input, and it ends.
    result: Result = {"contender": one.name, "n": n, "version": one.version}
    if client.returncode or not lines:
        return {**result, "error": f"the client ended with status {client.returncode}: see above"}
    result |= json.loads(lines[-1])
    before = [count for at, count in counts if at < result["began_at"]][-1]
    return {**result, "file_descriptors": max(count for _, count in counts) - before}


def plan(
    counts: list[int], only: list[str], short: float | None
) -> list[tuple[Contender, int, dict[str, float]]]:
    """Return the measurements to make, one N after the other, as a machine changes with time."""

    def usual(one: Contender, n: int) -> dict[str, float]:
        if short:
            return {"window-s": short, "end-s": 10}
        return {"window-s": 60 if n >= max(USUAL_NS) and one.name in LONG else 15}

    todo = [(one, n, usual(one, n)) for n in counts for one in CONTENDERS]
    if max(counts) == max(USUAL_NS) and not short:
        todo += [(one, LARGE_N, usual(one, LARGE_N)) for one in CONTENDERS if one.name in LARGE]
    todo.append((STANDING, LARGE_N, {"window-s": short or 60, "spread-s": 20 if short else 60}))
    todo.append(
        (DEFAULT_POLICY, LARGE_N, {"lifetime-s": 60 if short else 600, "spread-s": 10 if short else 60})
    )
    return [one for one in todo if one[0].name in only]


def run(todo: list[tuple[Contender, int, dict[str, float]]], log: str, keep: Path | None) -> Results:
    """Make all measurements, and keep each result at once."""
    found: list[Result] = []
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[1]})  # this process, with the server
    for number, (one, n, options) in enumerate(todo, start=1):
        print(f"{number}/{len(todo)}  {one.label}, N = {n:,} ...", file=sys.stderr, flush=True)
        if one.version is None:
            missing = f"not installed: pip install {one.distribution}"
            found.append({"contender": one.name, "n": n, "error": missing})
        else:
            found.append(measure(one, n, options, log, cores))
        if keep:
            keep.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return Results(found)


def notes(results: Results) -> list[str]:
    """Print the contenders and the errors."""
    lines = []
    for one in ALL:
        known = [found for found in results.all if found["contender"] == one.name]
        if known:
            lines.append(f"{one.label}: {one.distribution} {known[0].get('version') or 'is not installed'}.")
        for found in known:
            if failures := found.get("failures"):
                last = failures[0].strip().splitlines()[-1]
                lines.append(f"  N = {found['n']:,}: {len(failures)} triggers failed, the first with: {last}")
    return lines


def main() -> None:
    """Measure, and print the tables."""
    names = [one.name for one in ALL]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", help="numbers of triggers")
    parser.add_argument("--only", nargs="+", choices=names, help="and the one that sleeps, but with --short")
    parser.add_argument(
        "--short",
        type=float,
        nargs="?",
        const=SHORT_S,
        metavar="SECONDS",
        help="windows of 20 s, and only bare and twinsync at 5,000",
    )
    parser.add_argument("--plot", type=Path, help="draw the figures into this PNG file")
    parser.add_argument("--markdown", type=Path, help="write the tables into this file")
    parser.add_argument("--json", type=Path, help="keep the raw figures in this file")
    parser.add_argument("--from-json", type=Path, help="measure nothing: take the raw figures of this file")
    parser.add_argument("--log", default=os.devnull, help="append what the triggerers log to this file")
    arguments = parser.parse_args()
    if arguments.plot and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install matplotlib")
    if arguments.from_json:
        results = Results(json.loads(arguments.from_json.read_text(encoding="utf-8")))
    else:
        only = arguments.only or (SHORT if arguments.short else names)
        only = [*only] if arguments.short else ["sleep", *only]
        todo = plan(arguments.n or ([SHORT_N] if arguments.short else [*USUAL_NS]), only, arguments.short)
        results = run(todo, arguments.log, arguments.json)
    contenders, judged = rows(results), [target.cells() for target in targets(results)]
    print(f"{LEGEND} Python {sys.version.split()[0]}, {os.cpu_count()} cores.\n")
    print(aligned(HEADS, contenders, 1), *notes(results), sep="\n")
    print()
    print(aligned(TARGET_HEADS, judged, len(TARGET_HEADS)))
    if arguments.markdown:
        parts = [LEGEND, markdown(HEADS, contenders), "\n".join(f"- {one}" for one in notes(results))]
        parts.append(markdown(TARGET_HEADS, judged))
        arguments.markdown.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if arguments.plot:
        draw(results, arguments.plot)


if __name__ == "__main__":
    main()
