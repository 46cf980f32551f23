"""``python -m airflow_provider_twinsync.emulator``: an emulated TwinSync as a server of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.ledger import StateFileError, kept

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator import Emulator

DESCRIPTION = """\
An emulated TwinSync on this machine: no key, no account, no network. Point a TwinSync client at the
printed address with the printed key. GET / shows the endpoints. All that it knows is in memory; --state keeps
the jobs, and of a job's photo the address."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_twinsync.emulator",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on")
    add("--port", type=int, default=17374, help="the port to listen on; 0 picks a free one")
    add("--key", default="emulator-key", help="the access key to accept")
    add("--waiting", type=float, default=2.0, metavar="SECONDS", help="how long a job waits (code 101)")
    add("--duration", type=float, default=5.0, metavar="SECONDS", help="how long it then runs (code 102)")
    add(
        "--photos",
        choices=("local", "any", "placeholder"),
        default="local",
        help="which photos to open: those on this machine and in its network (one on the internet is not "
        "judged, and its video shows a placeholder portrait); any; or none, with the placeholder in each "
        "video. With the first two, a photo that cannot be opened is refused",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name by which clients reach it, such as a service of Docker Compose; may be repeated",
    )
    add(
        "--state",
        metavar="FILE",
        help="keep the jobs and the clock in this file: an emulator that is started with it goes on with "
        "them, also if the one before was killed; faults, journal and uploaded photos are not kept",
    )
    return parser


async def _serve(emulator: Emulator) -> None:
    from airflow_provider_twinsync.emulator.runner import base_url, serve

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)

    def started(port: int) -> None:
        print(f"TwinSync emulator at {base_url(emulator.host, port)} with key {emulator.key}", flush=True)

    await serve(
        emulator.world,
        guard=emulator.guard,
        host=emulator.host,
        port=emulator.port,
        stop=stop,
        started=started,
    )


def main() -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    args = parser.parse_args()
    try:
        from airflow_provider_twinsync.emulator import Emulator  # the one check of the extra
    except ImportError as e:
        print(e, file=sys.stderr)
        return 1
    try:
        emulator = Emulator(
            key=args.key,
            host=args.host,
            port=args.port,
            waiting_s=args.waiting,
            duration_s=args.duration,
            photos=args.photos,
            allowed_hosts=args.allow_host,
            state=args.state,
        )
    except ValueError as e:
        parser.error(str(e))
    try:
        with kept(emulator.world, emulator.state):
            asyncio.run(_serve(emulator))
    except StateFileError as e:
        print(e, file=sys.stderr)
        return 1
    except OSError as e:
        print(f"cannot listen on {args.host}:{args.port}: {e.strerror or e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
