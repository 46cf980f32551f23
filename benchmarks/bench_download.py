"""What a download costs in memory and CPU.

A server in a process of its own gives a synthetic "MP4" of 1 GB, made as it is sent, over plain HTTP. It is
fetched in rounds, each time by a fresh process, after a small video that has everything imported and made:

* ``TwinSync``: through ``TwinSyncHook().download``,
* ``read``: by ``http.client`` with ``readinto`` of one buffer, of the size that we read, and nothing else,
* ``hash``: the same, and every byte goes through SHA-256,
* ``hash + write``: the same, and every byte is written to a file in the same folder, with an ``fsync`` at the
  end: all that a download has to do anyway.

One after the other, so that a busy machine is as unkind to each of them, and with medians of the CPU time
(user and system of the process). The target is at most 1.2 of ``read``. That one neither checks nor keeps
what it reads, so it is also said what of the difference is SHA-256, what is the file, and what is our own.

Memory: the process reads the most that it ever held (``VmHWM`` of Linux) before the large download and after
it; that peak is first set back to what is held, so that an earlier one cannot hide a later one. A download
that streams adds the same little for any size; one that collects adds the size. The target is at most 8 MB.

    python benchmarks/bench_download.py [--megabytes 1000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TARGET_MB = 8.0
TARGET_RATIO = 1.2
CASES = ("TwinSync", "read", "hash", "hash + write")
WARM_UP_BYTES = 1_000_000
MB = 1_000_000
PIECE_BYTES = 262_144  # what ours reads at once
FIRST_PIECE_BYTES = 5_001
FIRST_BOX = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
ZEROS = bytes(PIECE_BYTES)


class Video(BaseHTTPRequestHandler):
    """Answers ``/BYTES.mp4`` with a video of so many bytes: the first box, and then zeros."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send the video."""
        left = int(Path(self.path).stem)
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(left))
        self.end_headers()
        chunk: bytes = FIRST_BOX
        while left:
            left -= self.wfile.write(memoryview(chunk)[:left])
            chunk = ZEROS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as above
        """Say nothing."""


def serve() -> None:
    """Run the server until standard input ends, which it does with the process that started this one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Video)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


def peak_mb() -> float:
    """Give the most memory that this process ever held, in millions of bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1_024 / MB
    raise SystemExit("This benchmark needs the VmHWM of Linux.")


def forget_peak() -> None:
    """Set the peak back to what is held at this moment (Linux 4.0 and later, proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def fetch_ours(url: str, path: str) -> int:
    """Fetch a video as the operator does."""
    from airflow_provider_twinsync.hooks import TwinSyncHook

    return TwinSyncHook().download(url, path)["bytes"]


def fetch_plainly(case: str, url: str, path: str) -> int:
    """Read a video with ``http.client``, and do what the case says with each piece."""
    netloc, _, name = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(netloc)
    connection.request("GET", f"/{name}")
    response = connection.getresponse()
    buffer = memoryview(bytearray(PIECE_BYTES))
    # Ours begins with what came along with the head, and this one does too: writes that begin at whole pages
    # take pages of another size, which cost half as much again on the machine where this was written.
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
    """Fetch a small video and a large one, and print what the large one took."""

    def fetch(url: str, path: str) -> int:
        return fetch_ours(url, path) if case == "TwinSync" else fetch_plainly(case, url, path)

    large = Path(folder, "large.mp4")
    fetch(f"{server}/{WARM_UP_BYTES}.mp4", f"{folder}/small.mp4")
    forget_peak()
    before_mb, began, cpu = peak_mb(), time.monotonic(), time.process_time()
    received = fetch(f"{server}/{size}.mp4", str(large))
    seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu
    if received != size or (large.exists() and large.stat().st_size != size):
        raise SystemExit(f"{case}: not whole, {received} bytes")
    large.unlink(missing_ok=True)  # the next one is to find the same room on the disk and in its cache
    print()
    print(json.dumps({"added_mb": peak_mb() - before_mb, "seconds": seconds, "cpu_s": cpu_s}))


def run(size: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Start the server, and in each round a process for each case; give what those measured."""
    me = [sys.executable, __file__]
    found: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    with (
        tempfile.TemporaryDirectory(prefix="twinsync-bench-") as folder,
        subprocess.Popen(
            [*me, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None
        port = int(server.stdout.readline())
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
            "NO_PROXY": "127.0.0.1",
        }
        where = ["--server", f"http://127.0.0.1:{port}", "--folder", folder, "--megabytes", f"{size / MB}"]
        for _ in range(rounds):
            for case in CASES:
                done = subprocess.run(
                    [*me, "--case", case, *where], env=environment, stdout=subprocess.PIPE, text=True
                )
                if done.returncode:
                    raise SystemExit(f"{case} failed with status {done.returncode}")
                found[case].append(json.loads(done.stdout.splitlines()[-1]))
        # Leaving the block closes the server's standard input, and it ends.
        return found


def report(size: int, found: dict[str, list[dict[str, float]]]) -> None:
    """Print a table, and whether the targets are reached."""
    gigabytes = size / 1e9
    rounds = len(found["TwinSync"])
    version = sys.version.split()[0]
    print(f"{size / MB:,.0f} MB over plain HTTP, medians of {rounds} rounds (Python {version})")
    print(
        f"{'':<14}{'CPU s/GB':>9}{'fastest':>9}{'slowest':>9}{'MB/s':>7}{'MB added':>10}{'TwinSync is':>13}"
    )
    cpu_s = {case: statistics.median(row["cpu_s"] for row in rows) for case, rows in found.items()}
    for case, rows in found.items():
        each = sorted(row["cpu_s"] / gigabytes for row in rows)
        speed = size / MB / statistics.median(row["seconds"] for row in rows)
        print(
            f"{case:<14}{cpu_s[case] / gigabytes:>9.2f}{each[0]:>9.2f}{each[-1]:>9.2f}{speed:>7.0f}"
            f"{max(row['added_mb'] for row in rows):>10.1f}{cpu_s['TwinSync'] / cpu_s[case]:>12.2f}x"
        )
    ratio = cpu_s["TwinSync"] / cpu_s["read"]
    judged = "reached" if ratio <= TARGET_RATIO else f"NOT reached by {ratio - TARGET_RATIO:.2f}"
    print(f"Target: CPU at most {TARGET_RATIO} of read. It is {ratio:.2f}: {judged}.")
    hash_s, file_s = cpu_s["hash"] - cpu_s["read"], cpu_s["hash + write"] - cpu_s["hash"]
    rest_s = cpu_s["TwinSync"] - cpu_s["hash + write"]
    parts = {"reading": cpu_s["read"], "SHA-256": hash_s, "the file": file_s, "the rest": rest_s}
    shares = ", ".join(f"{name} {part / cpu_s['TwinSync']:.0%}" for name, part in parts.items())
    print(f"Of TwinSync's {cpu_s['TwinSync'] / gigabytes:.2f} s: {shares}.")
    least = cpu_s["hash + write"] / cpu_s["read"]
    print(
        f"The limit: without any code of ours, hash + write is {least:.2f} of read already, "
        f"and TwinSync is {cpu_s['TwinSync'] / cpu_s['hash + write']:.2f} of that."
    )
    added_mb = max(row["added_mb"] for row in found["TwinSync"])
    print(
        f"Target: at most {TARGET_MB:.0f} MB of peak memory added. TwinSync adds {added_mb:.1f} MB: "
        f"{'reached' if added_mb <= TARGET_MB else 'NOT reached'}."
    )


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1_000, help="size of the video (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each case (default: 3)")
    for name in ("--case", "--server", "--folder"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size = int(arguments.megabytes * MB)
    if arguments.serve:
        serve()
    elif arguments.case:
        measure(arguments.case, arguments.server, size, arguments.folder)
    else:
        report(size, run(size, arguments.rounds))


if __name__ == "__main__":
    main()
