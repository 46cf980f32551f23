"""An Airflow of the tests' own, an emulated TwinSync, and small servers, for example with broken answers.

The environment is set before anything imports Airflow: no test reads the user's configuration, connections or
proxies, and no request leaves this machine.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.clock import Clock
from support.environment import AIRFLOW_VERSION, CHECKOUT, DEPRECATIONS, HOME, KEY, PACKAGE
from support.servers import Received, Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_twinsync.emulator import Emulator
    from airflow_provider_twinsync.hooks import TwinSyncHook


def pytest_report_header() -> str:
    """Show the tested package."""
    return f"{PACKAGE}: {_package_folder()}"


def pytest_sessionstart() -> None:
    """Test the wheel and nothing else on request, as `make test` does."""
    if os.environ.get("TWINSYNC_TEST_INSTALLED") and _package_folder() == CHECKOUT / PACKAGE:
        raise pytest.UsageError(
            f"{PACKAGE} is that of the checkout, not an installed one: run `make test`, or unset "
            "TWINSYNC_TEST_INSTALLED to test the sources (which `python -m pytest` finds first, `pytest` not)"
        )


def _package_folder() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise pytest.UsageError(f"{PACKAGE} is not installed: run `make test`")
    return Path(found.origin).parent


@pytest.fixture(scope="session", autouse=True)
def elsewhere() -> Iterator[None]:
    """Work in a folder without packages: `python -c` and `-m`, which tests start, look there first."""
    before = Path.cwd()
    os.chdir(HOME.name)
    yield
    os.chdir(before)


def pytest_configure(config: pytest.Config) -> None:
    """Make deprecations errors on the newest Airflow: older ones and their dependencies have some."""
    filters = [f"error::{category}" for category in DEPRECATIONS if AIRFLOW_VERSION >= (3, 3)]
    # Not ours: Airflow's execution API imports svcs, and svcs imports FastAPI's test client. That warns of
    # httpx and, in Starlette, of names from anyio.
    filters.append("ignore:Using .httpx. with .starlette.testclient.:UserWarning:fastapi.testclient")
    filters.append(
        "ignore:The anyio.abc.BlockingPortal alias is deprecated:DeprecationWarning:starlette.testclient"
    )
    for line in filters:
        config.addinivalue_line("filterwarnings", line)
    # A shell that starts the tests in the background has them ignore Ctrl-C, and so all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Remove the tests' Airflow."""
    HOME.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together: several processes run them.

    Whole Airflows run one after the other, in one of the processes, and begin first, as they take longest.
    """
    for item in items:
        whole = item.get_closest_marker("whole_airflow")
        item.add_marker(pytest.mark.xdist_group("whole_airflow" if whole else item.path.name))
        if whole or "migrated" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("whole_airflow") is None)


@pytest.fixture(scope="session")
def migrated() -> None:
    """Make the tables of the tests' Airflow, for tests that need a database."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout
    if (3, 0) <= AIRFLOW_VERSION < (3, 3):
        # They build the API of `dag.test()` for each task, which takes seconds; 3.3 keeps it like this.
        from airflow.sdk.execution_time import supervisor

        supervisor.in_process_api_server = lru_cache(maxsize=1)(supervisor.in_process_api_server)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Start a fresh emulator; its jobs are done at once."""
    from airflow_provider_twinsync.emulator import Emulator

    with Emulator(key=KEY) as emulator:
        yield emulator


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define the default connection: the emulator's with changes; other names go to its extra."""

    def connect(**fields: Any) -> None:
        connection = {"conn_type": "twinsync", "host": emulator.host, "port": emulator.port, "password": KEY}
        extra = {name: fields.pop(name) for name in list(fields) if name not in {*connection, "schema"}}
        value = json.dumps({**connection, **fields, "extra": extra})
        monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", value)

    return connect


@pytest.fixture
def connection(connect: Callable[..., None]) -> str:
    """The default connection, to the emulator; gives its id."""
    connect()
    return "twinsync_default"


@pytest.fixture
def hook(connection: str) -> TwinSyncHook:
    """A hook that talks to the emulator."""
    from airflow_provider_twinsync.hooks import TwinSyncHook

    return TwinSyncHook(connection)


@pytest.fixture
def job(emulator: Emulator, hook: TwinSyncHook) -> str:
    """A job that stays in the queue until the emulator's clock is moved."""
    emulator.world.waiting_s = 3600.0
    return hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")


@pytest.fixture
def clock(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Nobody sleeps for real, and a wait that is handed over is so at once."""
    return Clock(monkeypatch)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for, in seconds; none of them is made."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    """All that was logged so far, each record once.

    Airflow 3 prints a hook's log. Airflow 2 may keep it from the root logger; where it does not, two handlers
    meet each record, and a third one prints it if an earlier test has set Airflow's logging up.
    """
    seen: list[str] = []

    def logged() -> str:
        seen.extend(capfd.readouterr())
        records = {id(record): record for record in caplog.records}.values()
        messages = {record.getMessage() for record in records}
        lines = [line for text in seen for line in text.splitlines()]
        # Airflow 2 prints "[time] {file.py:1} INFO - message".
        printed = [line for line in lines if line.partition(" - ")[2].rstrip() not in messages]
        return "\n".join([*printed, *(f"{record.getMessage()} {record.args!r}" for record in records)])

    tasks = logging.getLogger("airflow.task")
    tasks.addHandler(caplog.handler)
    yield logged
    tasks.removeHandler(caplog.handler)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a working folder and the temporary one lie; the memory that is a store is emptied."""
    from fsspec.implementations.memory import MemoryFileSystem

    for name in ("work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "work")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return tmp_path


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers on loopback, each with its own answers, for the length of a test."""
    servers: list[Server] = []

    def serve(respond: Callable[[Received], Iterable[bytes]], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(socket.create_server(("127.0.0.1", 0)), respond, tls))
        threading.Thread(target=servers[-1].run, daemon=True).start()
        return servers[-1]

    yield serve
    for server in servers:
        # A thread that waits in accept() is only woken by a shutdown.
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that only itself vouches for, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    return path


@pytest.fixture
def silent() -> Iterator[Callable[[int], list[str]]]:
    """Addresses that take no connection and refuse none: a full queue drops the first packet of each."""
    with ExitStack() as stack:

        def silent(port: int, count: int = 8) -> list[str]:
            addresses = [f"127.0.0.{number}" for number in range(2, 2 + count)]
            for address in addresses:
                stack.enter_context(socket.create_server((address, port), backlog=0))
                for _ in range(3):
                    waiting = stack.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex((address, port))
            return addresses

        yield silent


@pytest.fixture(scope="module")
def moto_port() -> Iterator[int]:
    """The port of an S3 on loopback."""
    from moto.server import ThreadedMotoServer

    # It is in this process, and Airflow 2 prints what is logged: a command's output is its own.
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield port
    server.stop()
