"""Measure the memory and the CPU time of a download.

A server in a process of its own gives a synthetic "MP4" of 1 GB, made as it is sent, over plain HTTP. It is
fetched in rounds, each time by a fresh process, after a small video that has everything imported and made:

* ``TwinSync``: through ``TwinSyncHook().download``,
* ``read``: by ``http.client`` with ``readinto`` of one buffer, of the size that we read, and nothing else,
* ``read + hash``: the same, and every byte goes through SHA-256,
* ``read + hash + write``: the same, and every byte is written to a file in the same folder, with an ``fsync``
  at the end: all that a download has to do anyway,
* ``curl, sha256sum``: the two programs, one after the other; only if they are there,
* ``TwinSync to S3``: a video into an S3 (moto) in a process of its own; only if that is installed.

One after the other, so that a busy machine slows each of them down alike, and each round begins with another
one, as what one leaves to write to the disk costs the next. The figures are medians of the CPU time (user and
system of the process, or of the programs). The target is at most 1.1 of ``read + hash + write``.

Memory: the process reads the most that it ever held (``VmHWM`` of Linux) before the large download and after
it. The benchmark first resets that peak to the present value, so that an earlier peak cannot hide a later
one. A download that streams adds the same small amount for any size; one that collects adds the size. The
targets are at most 8 MB for a file, and at most 48 MB for S3, with two parts of 8 MiB in memory.

    python benchmarks/bench_download.py [--megabytes 1000] [--store-megabytes 1000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from download_servers import BUCKET, serve, serve_store

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET_MB = 8.0
TARGET_STORE_MB = 48.0
TARGET_RATIO = 1.1
OURS, LEAST, CURL, STORE = "TwinSync", "read + hash + write", "curl, sha256sum", "TwinSync to S3"
CASES = (OURS, "read", "read + hash", LEAST, CURL, STORE)
WARM_UP_BYTES = 1_000_000
MB = 1_000_000
PIECE_BYTES = 1_000_000  # as in the package
FIRST_PIECE_BYTES = 5_001


def peak_mb() -> float:
    """Return the peak of this process's memory, in millions of bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1_024 / MB
    raise SystemExit("This benchmark needs the VmHWM of Linux.")


def forget_peak() -> None:
    """Reset the peak to the present value (Linux 4.0 and later, proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def fetch_ours(url: str, path: str) -> int:
    """Fetch a video as the operator does."""
    from airflow_provider_twinsync.hooks import TwinSyncHook

    return TwinSyncHook().download(url, path)["bytes"]


def fetch_with_curl(url: str, path: str) -> int:
    """Fetch a video with ``curl``, and read it again for its checksum."""
    subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", "--output", path, url], check=True)
    subprocess.run(["sha256sum", path], check=True, stdout=subprocess.DEVNULL)
    return Path(path).stat().st_size


def fetch_plainly(case: str, url: str, path: str) -> int:
    """Read a video with ``http.client``, and process each piece as the case requires."""
    netloc, _, name = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(netloc)
    connection.request("GET", f"/{name}")
    response = connection.getresponse()
    buffer = memoryview(bytearray(PIECE_BYTES))
    # The package first writes the bytes that came with the head, and so does this: writes that begin at a
    # page take pages of another size, which cost up to twice as much on the machine where this was written.
    piece = buffer[:FIRST_PIECE_BYTES]
    checksum, received = hashlib.sha256(), 0
    with Path(path if "write" in case else os.devnull).open("wb", buffering=0) as file:
        while count := response.readinto(piece):
            if "write" in case:
                file.write(piece[:count])
            if "hash" in case:
                checksum.update(piece[:count])
            received += count
            piece = buffer
        if "write" in case:
            os.fsync(file.fileno())
    connection.close()
    return received


def measure(case: str, server: str, size: int, folder: str) -> None:
    """Fetch a small video and a large one, and print the cost of the large one."""

    def fetch(url: str, path: str) -> int:
        if case == CURL:
            return fetch_with_curl(url, path)
        return fetch_ours(url, path) if OURS in case else fetch_plainly(case, url, path)

    def cpu_s() -> float:
        return sum(os.times()[2:4] if case == CURL else os.times()[:2])

    where = f"s3://aws_default@{BUCKET}" if case == STORE else folder
    fetch(f"{server}/{WARM_UP_BYTES}.mp4", f"{where}/small.mp4")
    forget_peak()
    before_mb, began, before_s = peak_mb(), time.monotonic(), cpu_s()
    received = fetch(f"{server}/{size}.mp4", f"{where}/large.mp4")
    seconds, used_s = time.monotonic() - began, cpu_s() - before_s
    large = Path(folder, "large.mp4")
    if received != size or (large.exists() and large.stat().st_size != size):
        raise SystemExit(f"{case}: not whole, {received} bytes")
    large.unlink(missing_ok=True)  # the next one is to find the same room on the disk and in its cache
    print()
    found = {"added_mb": peak_mb() - before_mb, "seconds": seconds, "cpu_s": used_s, "gigabytes": size / 1e9}
    print(json.dumps(found))


def is_there(case: str) -> bool:
    """Return whether a case can be measured here."""
    if case == CURL:
        return all(shutil.which(program) for program in ("curl", "sha256sum"))
    return case != STORE or all(find_spec(name) for name in ("moto", "s3fs", "flask"))


@contextmanager
def started(name: str) -> Iterator[int]:
    """Start a server in a process of its own, for the block; give its port."""
    command = [sys.executable, __file__, name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        # Leaving the block closes the server's standard input, and it ends.


def run(size: int, store_size: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Start the servers, and in each round a process for each case; return the measurements."""
    cases = [case for case in CASES if is_there(case)]
    found: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="twinsync-bench-"))
        port = stack.enter_context(started("--serve"))
        connection = {
            "conn_type": "twinsync",
            "host": "127.0.0.1",
            "port": port,
            "schema": "http",
            "password": "bench-key",
            "extra": {"max_video_mb": max(2_048, 2 * size / MB)},
        }
        environment = {
            **os.environ,
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW_CONN_TWINSYNC_DEFAULT": json.dumps(connection),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }
        if STORE in cases:
            endpoint = f"http://127.0.0.1:{stack.enter_context(started('--serve-store'))}"
            extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
            aws = {"conn_type": "aws", "login": "bench", "password": "bench", "extra": extra}
            environment["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(aws)
        where = ["--server", f"http://127.0.0.1:{port}", "--folder", folder]
        for number in range(rounds):
            first = number % len(cases)
            for case in cases[first:] + cases[:first]:
                megabytes = (store_size if case == STORE else size) / MB
                command = [sys.executable, __file__, "--case", case, *where, "--megabytes", f"{megabytes}"]
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
                if done.returncode:
                    raise SystemExit(f"{case} failed with status {done.returncode}")
                found[case].append(json.loads(done.stdout.splitlines()[-1]))
        return found


def judged(value: float, target: float) -> str:
    """Return whether a target is reached, and by how much it is not."""
    return "reached" if value <= target else f"NOT reached by {value - target:.2f}"


def report(size: int, found: dict[str, list[dict[str, float]]]) -> None:
    """Print a table, and whether the targets are reached."""
    rounds = len(found[OURS])
    version = sys.version.split()[0]
    print(f"{size / MB:,.0f} MB over plain HTTP, medians of {rounds} rounds (Python {version})")
    print(
        f"{'':<20}{'CPU s/GB':>9}{'fastest':>9}{'slowest':>9}{'MB/s':>7}{'MB added':>10}{'TwinSync is':>13}"
    )
    cpu_s = {}
    for case, rows in found.items():
        each = sorted(row["cpu_s"] / row["gigabytes"] for row in rows)
        cpu_s[case] = statistics.median(each)
        speed = statistics.median(1_000 * row["gigabytes"] / row["seconds"] for row in rows)
        added = "" if case == CURL else f"{max(row['added_mb'] for row in rows):.1f}"
        print(
            f"{case:<20}{cpu_s[case]:>9.2f}{each[0]:>9.2f}{each[-1]:>9.2f}{speed:>7.0f}{added:>10}"
            f"{cpu_s[OURS] / cpu_s[case]:>12.2f}x"
        )
    hash_s, file_s = cpu_s["read + hash"] - cpu_s["read"], cpu_s[LEAST] - cpu_s["read + hash"]
    rest_s = cpu_s[OURS] - cpu_s[LEAST]
    parts = {"reading": cpu_s["read"], "SHA-256": hash_s, "the file": file_s, "the rest": rest_s}
    shares = ", ".join(f"{name} {part / cpu_s[OURS]:.0%}" for name, part in parts.items())
    print(f"Of TwinSync's {cpu_s[OURS]:.2f} s: {shares}.")
    ratio = cpu_s[OURS] / cpu_s[LEAST]
    print(f"Target: CPU at most {TARGET_RATIO} of {LEAST}. It is {ratio:.2f}: {judged(ratio, TARGET_RATIO)}.")
    for case, target in ((OURS, TARGET_MB), (STORE, TARGET_STORE_MB)):
        if case in found:
            added_mb = max(row["added_mb"] for row in found[case])
            print(
                f"Target: at most {target:.0f} MB of peak memory added. {case} adds {added_mb:.1f} MB: "
                f"{judged(added_mb, target)}."
            )


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1_000, help="size of the video (default: 1000)")
    parser.add_argument(
        "--store-megabytes",
        type=float,
        default=1_000,
        help="of the one for S3, which moto keeps (default: 1000)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="processes for each case (default: 3)")
    for name in ("--case", "--server", "--folder"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--serve", "--serve-store"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size, store_size = int(arguments.megabytes * MB), int(arguments.store_megabytes * MB)
    if arguments.serve:
        serve()
    elif arguments.serve_store:
        serve_store()
    elif arguments.case:
        measure(arguments.case, arguments.server, size, arguments.folder)
    else:
        report(size, run(size, store_size, arguments.rounds))


if __name__ == "__main__":
    main()
