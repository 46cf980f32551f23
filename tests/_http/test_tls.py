"""Certificates, and the questions whether a submit was sent before TLS or the connection failed."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.senders import (
    NOT_SENT,
    STATUS,
    SUBMIT,
    WHAT_EACH_SENDS,
    Sender,
    settings_for,
    without_words,
)
from support.servers import NO_LEAKS, answer

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._http.sync_client import problem_of, send
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.servers import Serve, Server

    from airflow_provider_twinsync.emulator import Emulator

pytestmark = NO_LEAKS


@pytest.fixture
def tls_server(serve: Serve, certificate: Path) -> Server:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    return serve(lambda _: [answer(200, b"{}", Content_Length=2)], tls=tls)


def test_a_long_message_takes_no_time() -> None:
    """A server may choose its words; a pattern that goes back and forth would take hours."""
    assert problem_of(ValueError("<" * 1_000_000)).startswith("ValueError: <")


def test_the_test_of_a_connection_says_that_the_key_is_encrypted(
    tls_server: Server, certificate: Path, connect: Callable[..., None]
) -> None:
    """And which address it is that answers."""
    connect(host=tls_server.url, port=None, verify=str(certificate))
    _, message = TwinSyncHook().test_connection()
    assert f" Address: {tls_server.url}/phototalking. " in message
    assert message.endswith("By https: the key travels encrypted.")


def test_the_test_of_a_connection_does_not_lead_from_https_to_http(
    tls_server: Server, connect: Callable[..., None]
) -> None:
    """A server with an untrusted certificate has https."""
    connect(host=tls_server.url, port=None)
    works, message = TwinSyncHook().test_connection()
    assert not works
    assert "CERTIFICATE_VERIFY_FAILED" in message
    assert message.endswith("By https: the key would travel encrypted.")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_test_of_a_connection_says_that_certificates_are_not_checked(
    tls_server: Server, connect: Callable[..., None]
) -> None:
    """Encrypted, but perhaps to a machine in between."""
    connect(host=tls_server.url, port=None, verify=False)
    _, message = TwinSyncHook().test_connection()
    assert message.endswith("the key travels encrypted, but to any server that answers: verify is false.")


# Unverified requests are the point of these tests, so the warning about them is ignored.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(
    ("verify", "environment", "wanted"),
    [
        (True, None, NOT_SENT),
        (None, None, NOT_SENT),
        (False, None, Answered(200, b"{}")),
        ("false", None, Answered(200, b"{}")),
        ("the certificate", None, Answered(200, b"{}")),
        (True, "the certificate", Answered(200, b"{}")),
        ("the certificate", "another one", Answered(200, b"{}")),
        (False, "another one", Answered(200, b"{}")),
        (True, "another one", NOT_SENT),
    ],
)
def test_certificates_are_checked_as_the_connection_says(
    sender: Sender,
    tls_server: Server,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    verify: Any,
    environment: str | None,
    wanted: Outcome,
) -> None:
    """The connection rules over the environment, which counts if the connection has none."""
    import certifi

    paths = {"the certificate": str(certificate), "another one": certifi.where()}
    if environment:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", paths[environment])
    settings = settings_for(tls_server.url, verify=paths.get(verify, verify))
    assert without_words(sender(settings, STATUS)) == sender.expects(wanted)
    assert len(tls_server.requests) == (1 if isinstance(wanted, Answered) else 0)


def test_a_submit_to_a_server_that_is_not_trusted_is_not_sent(tls_server: Server) -> None:
    """The handshake comes before the key."""
    got = send(settings_for(tls_server.url), SUBMIT)
    assert isinstance(got, NotSent)
    assert "certificate" in got.problem.lower()
    assert tls_server.requests == []


@pytest.mark.parametrize(
    ("text_bytes", "read_bytes", "sent"),
    [(20_000_000, 100_000, False), (1_000, 500, True)],
    ids=["the system could not take all of it", "the system took it whole"],
)
def test_a_submit_is_sent_when_the_system_has_taken_all_of_it(
    text_bytes: int, read_bytes: int, sent: bool
) -> None:
    """Before a reset the other side may have read any part of it, but no byte that was never handed over."""
    listening = socket.create_server(("127.0.0.1", 0))

    def reset() -> None:
        connection, _ = listening.accept()
        got = 0
        while got < read_bytes:
            got += len(connection.recv(read_bytes - got))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    server = threading.Thread(target=reset)
    server.start()
    form = {**(SUBMIT.form or {}), "text": "x" * text_bytes}
    got = send(settings_for(f"http://127.0.0.1:{listening.getsockname()[1]}"), Request("POST", form=form))
    server.join()
    listening.close()
    assert type(got) is (Sent if sent else NotSent)


def test_certificates_that_are_not_there_are_the_connections_fault(sender: Sender, tmp_path: Path) -> None:
    """Before anything is sent, and by name."""
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(UsageError) as caught:
        sender(settings_for("https://twinsync.invalid", verify=missing), STATUS)
    assert caught.value.code == "TS213"
    assert missing in str(caught.value)
    assert "'c'" in str(caught.value)


@WHAT_EACH_SENDS
@pytest.mark.parametrize("named_by", ["verify", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("holds", ["nothing at all", None], ids=["no certificate", "no file"])
def test_certificates_that_cannot_be_read_send_nothing(
    sender: Sender,
    request_: Request,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named_by: str,
    holds: str | None,
) -> None:
    """A worker and a triggerer may have other environments: neither calls it a job that may exist."""
    file = tmp_path / "bundle.pem"
    if holds:
        file.write_text(holds)
    verify: str | bool = True
    if named_by == "verify":
        verify = str(file)
    else:
        monkeypatch.setenv(named_by, str(file))
    with pytest.raises(UsageError) as caught:
        sender(settings_for("https://twinsync.invalid", verify=verify), request_)
    assert caught.value.code == "TS213"


@WHAT_EACH_SENDS
def test_tls_to_a_plain_port_has_sent_nothing(sender: Sender, request_: Request, emulator: Emulator) -> None:
    """The schema of the connection is wrong: no request was made, and so no job."""
    settings = settings_for(emulator.url.replace("http:", "https:"))
    assert without_words(sender(settings, request_)) == sender.expects(NOT_SENT)
    assert emulator.world.journal == []
