"""What a download costs in memory and time.

A server in a process of its own gives a synthetic "MP4" of 1 GB, made as it is sent. A fresh process
downloads it through ``TwinSyncHook().download``, after a small download that has everything imported. It
reads the most memory that it ever held (``VmHWM`` of Linux) before the large download and after it; that peak
is first set back to what is held, so that an earlier one cannot hide a later one. A download that streams
adds the same little for any size; one that collects adds the size. The target is at most 8 MB.

    python benchmarks/bench_download.py [--megabytes 1000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TARGET_MB = 8.0
WARM_UP_BYTES = 1_000_000
MB = 1_000_000
FIRST_BOX = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
ZEROS = bytes(262_144)


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


def download(server: str, size: int, folder: str) -> None:
    """Download a small video and a large one, and print what the large one took."""
    from airflow_provider_twinsync.hooks import TwinSyncHook

    TwinSyncHook().download(f"{server}/{WARM_UP_BYTES}.mp4", f"{folder}/small.mp4")
    forget_peak()
    before_mb, began, cpu = peak_mb(), time.monotonic(), time.process_time()
    fetched = TwinSyncHook().download(f"{server}/{size}.mp4", f"{folder}/large.mp4")
    seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu
    if fetched["bytes"] != size or Path(fetched["path"]).stat().st_size != size:
        raise SystemExit(f"The download is not whole: {fetched}")
    print()
    print(json.dumps({"before_mb": before_mb, "after_mb": peak_mb(), "seconds": seconds, "cpu_s": cpu_s}))


def run(size: int) -> dict[str, float]:
    """Start the server and the process that downloads, and give what that one measured."""
    me = [sys.executable, __file__]
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
        done = subprocess.run(
            [
                *me,
                "--download",
                f"http://127.0.0.1:{port}",
                "--megabytes",
                f"{size / MB}",
                "--folder",
                folder,
            ],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"the download failed with status {done.returncode}")
        measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        # Leaving the block closes the server's standard input, and it ends.
        return measured


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1_000, help="size of the video (default: 1000)")
    for name in ("--download", "--folder"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size = int(arguments.megabytes * MB)
    if arguments.serve:
        return serve()
    if arguments.download:
        return download(arguments.download, size, arguments.folder)
    found = run(size)
    added_mb = found["after_mb"] - found["before_mb"]
    reached = added_mb <= TARGET_MB
    print(
        f"{size / MB:,.0f} MB in {found['seconds']:.1f} s: {size / MB / found['seconds']:,.0f} MB/s, "
        f"{found['cpu_s'] / (size / 1e9):.2f} s of CPU per GB (Python {sys.version.split()[0]})"
    )
    print(
        f"Peak memory: {found['before_mb']:.1f} MB before, {found['after_mb']:.1f} MB after: "
        f"{added_mb:.1f} MB added. "
        f"Target: at most {TARGET_MB:.0f} MB: {'reached' if reached else 'NOT reached'}."
    )
    return None


if __name__ == "__main__":
    main()
