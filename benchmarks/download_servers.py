"""The servers of the benchmark of downloads, such as an S3, each in a process of its own."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BUCKET = "videos"
FIRST_BOX = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
ZEROS = bytes(1_000_000)


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

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        """Log nothing."""


def serve() -> None:
    """Run the server until standard input ends, which it does with the process that started this one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Video)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


def serve_store() -> None:
    """Run an S3 with an empty bucket until standard input ends."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    keys = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys).create_bucket(Bucket=BUCKET)
    print(port, flush=True)
    sys.stdin.read()
    server.stop()
