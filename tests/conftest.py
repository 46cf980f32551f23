"""An Airflow of the tests' own, an emulated TwinSync, and small servers for what it does not do.

The environment is set before anything imports Airflow: no test reads the user's configuration, connections or
proxies, and no request leaves this machine.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_twinsync.emulator import Emulator
    from airflow_provider_twinsync.hooks import TwinSyncHook

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_provider_twinsync"
#: Of the installed one, which is not imported yet.
AIRFLOW_VERSION = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
#: What announces a removal. Airflow's own are of these classes: RemovedInAirflow4Warning and
#: AirflowProviderDeprecationWarning are DeprecationWarnings, DeprecatedImportWarning is a FutureWarning.
DEPRECATIONS = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
KEY = "emulator-key-5d41"

_HOME = tempfile.TemporaryDirectory(prefix="twinsync-tests-")


#: An import of an example, and in a comment the module that has the same names on Airflow 2.
IMPORT_FOR_AIRFLOW_2 = r"(?m)^( *)from airflow\.sdk (import .*?)  # Airflow 2: (\S+)$"


def for_this_airflow(source: str) -> str:
    """Return an example with the imports of this Airflow: those for Airflow 2 are in a comment beside."""
    if AIRFLOW_VERSION >= (3, 0):
        return source
    return re.sub(IMPORT_FOR_AIRFLOW_2, r"\1from \3 \2", source)


#: The example DAGs, for this Airflow.
EXAMPLES = CHECKOUT / "example_dags"
if AIRFLOW_VERSION < (3, 0):
    EXAMPLES = Path(_HOME.name) / "example_dags"
    EXAMPLES.mkdir()
    for _example in (CHECKOUT / "example_dags").glob("*.py"):
        _text = for_this_airflow(_example.read_text(encoding="utf-8"))
        (EXAMPLES / _example.name).write_text(_text, encoding="utf-8")

_NOT_OURS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
for _name in list(os.environ):
    if _name.startswith(("AIRFLOW_", "OPENLINEAGE")) or _name.upper() in _NOT_OURS:
        del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
    "NETRC": os.devnull,
    "NO_PROXY": "localhost,127.0.0.1,::1",
    "HYPOTHESIS_STORAGE_DIRECTORY": str(CHECKOUT / ".hypothesis"),
}
# For `dev`; at the end, so that a package that is installed is found there and not in the checkout.
sys.path.append(str(CHECKOUT))


def pytest_report_header() -> str:
    """Say which package is tested."""
    return f"{PACKAGE}: {_package_folder()}"


def pytest_sessionstart() -> None:
    """Test the wheel and nothing else where that is what was asked for, as `make test` does."""
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
    os.chdir(_HOME.name)
    yield
    os.chdir(before)


def pytest_configure(config: pytest.Config) -> None:
    """Make deprecations errors on the newest Airflow: older ones, and what they stand on, have their own."""
    filters = [f"error::{category}" for category in DEPRECATIONS if AIRFLOW_VERSION >= (3, 3)]
    # Not ours: Airflow's execution API imports svcs, and that FastAPI's test client, whose import warns of
    # httpx and, in Starlette, of what it takes from anyio.
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
    _HOME.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together: several processes run them.

    Whole Airflows run one after the other, in one of the processes, and begin first, as they take longest.
    """
    for item in items:
        whole = item.get_closest_marker("whole_airflow")
        item.add_marker(pytest.mark.xdist_group("whole_airflow" if whole else item.path.name))
    items.sort(key=lambda item: item.get_closest_marker("whole_airflow") is None)


@pytest.fixture(scope="session")
def migrated() -> None:
    """Make the tables of the tests' Airflow, for tests that need a database."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout
    if (3, 0) <= AIRFLOW_VERSION < (3, 3):
        # They build the API of `dag.test()` anew for each task, which costs seconds; 3.3 keeps it like this.
        from airflow.sdk.execution_time import supervisor

        supervisor.in_process_api_server = lru_cache(maxsize=1)(supervisor.in_process_api_server)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A fresh emulator whose jobs are done at once."""
    from airflow_provider_twinsync.emulator import Emulator

    with Emulator(key=KEY) as emulator:
        yield emulator


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define the default connection: the emulator's with other fields, and what is no field as its extra."""

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


def box(name: bytes, *content: bytes) -> bytes:
    """A box of an MP4 file."""
    inner = b"".join(content)
    return (8 + len(inner)).to_bytes(4, "big") + name + inner


def mp4(size: int, seed: int = 1) -> bytes:
    """A file in the form of a video, of one sample that ends where the file does; no two parts are alike."""

    def movie(start: int, length: int) -> bytes:
        table = box(
            b"stbl",
            box(b"stsz", struct.pack(">4I", 0, 0, 1, length)),
            box(b"stsc", struct.pack(">5I", 0, 1, 1, 1, 1)),
            box(b"stco", struct.pack(">3I", 0, 1, start)),
        )
        return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", table))))

    ftyp = b"\0\0\0\x18ftypisom" + bytes(12)
    start = len(ftyp) + len(movie(0, 0)) + 8
    content = random.Random(seed).randbytes(size - start)
    return ftyp + movie(start, len(content)) + box(b"mdat", content)


def answer(status: int = 200, body: bytes = b"", /, **headers: str | int) -> bytes:
    """An HTTP answer, byte for byte; a header's `_` stands for a hyphen, and Content-Length is not added."""
    lines = [f"HTTP/1.1 {status} Because", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass(frozen=True)
class Received:
    """A request as it came: the target is a path, or an address where a proxy is asked."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server that answers each request with the pieces that a function gives, and then closes."""

    listening: socket.socket
    respond: Callable[[Received], Iterable[bytes]]
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        try:
            with connection, self._wrapped(connection) as stream, stream.makefile("rb") as reader:
                method, target, _ = reader.readline().decode("latin-1").split(" ")
                headers = {}
                while line := reader.readline().decode("latin-1").strip():
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", 0)))
                self.requests.append(Received(method, target, headers, body))
                for piece in self.respond(self.requests[-1]):
                    stream.sendall(piece)
        except (OSError, ValueError):  # the client left, or spoke no HTTP
            return

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection


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
