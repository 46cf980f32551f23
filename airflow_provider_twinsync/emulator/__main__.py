"""``python -m airflow_provider_twinsync.emulator``: an emulated TwinSync as a server of its own."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys

DESCRIPTION = """\
An emulated TwinSync on this machine: no key, no account, no network. Point a TwinSync client at the
printed address with the printed key. Jobs, faults and journal are in memory; GET / shows the endpoints."""


def _port(value: str) -> int:
    port = int(value)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, got {value}")
    return port


def _seconds(value: str) -> float:
    seconds = float(value)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, 0 or more, got {value}")
    return seconds


def _key(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return value


# argparse names a wrong value by its type's name.
_port.__name__ = "port"
_seconds.__name__ = "number of seconds"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_twinsync.emulator",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on")
    add("--port", type=_port, default=17374, help="the port to listen on; 0 picks a free one")
    add("--key", type=_key, default="emulator-key", help="the access key to accept")
    add("--waiting", type=_seconds, default=2.0, metavar="SECONDS", help="how long a job waits (code 101)")
    add("--duration", type=_seconds, default=5.0, metavar="SECONDS", help="how long it then runs (code 102)")
    add(
        "--fetch-images",
        action="store_true",
        help="fetch photos from any address, not from this machine only (others get a placeholder portrait)",
    )
    return parser


async def _serve(args: argparse.Namespace) -> None:
    from airflow_provider_twinsync.emulator.runner import base_url, serve
    from airflow_provider_twinsync.emulator.world import World

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)

    def started(port: int) -> None:
        print(f"TwinSync emulator at {base_url(args.host, port)} with key {args.key}", flush=True)

    world = World(key=args.key, waiting_s=args.waiting, duration_s=args.duration)
    await serve(
        world, host=args.host, port=args.port, fetch_images=args.fetch_images, stop=stop, started=started
    )


def main() -> int:
    """Run the command; return its exit status."""
    args = _parser().parse_args()
    try:
        from airflow_provider_twinsync.emulator import Emulator  # noqa: F401  # the one check of the extra
    except ImportError as e:
        print(e, file=sys.stderr)
        return 1
    try:
        asyncio.run(_serve(args))
    except OSError as e:
        print(f"cannot listen on {args.host}:{args.port}: {e.strerror or e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
