"""A web page in a browser on this machine cannot affect the emulator."""

from __future__ import annotations

import json
import re
import socket
from http.client import HTTPConnection

import pytest
import requests

from airflow_provider_twinsync.emulator import Emulator

from .conftest import EXAMPLE, Client, running

PATHS = [("POST", "/phototalking"), ("POST", "/_emulator/reset"), ("GET", "/_emulator/journal"), ("GET", "/")]


def ask(emulator, method="GET", path="/_emulator/health", host="127.0.0.1", **headers):
    """Send a request with these very headers; give the status and the answer's JSON."""
    connection = HTTPConnection(host, emulator.port, timeout=10)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body) if body[:1] == b"{" else body


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "a@localhost",
    ],
)
def test_a_foreign_host_is_refused(emulator, method, path, host):
    """DNS rebinding: 421, with the option that allows a name; nothing is done."""
    emulator.world.advance(60)
    status, answer = ask(emulator, method, path, Host=host)
    assert status == 421
    assert "--allow-host" in answer["error"]
    assert "allowed_hosts" in answer["error"]
    assert emulator.world.offset_s == 60
    assert [(entry.call, entry.status) for entry in emulator.world.journal] == [("unknown", 421)]


def test_a_foreign_host_in_the_request_line_is_refused(emulator):
    """It counts, and not the Host header (RFC 9112, 3.2.2)."""
    assert ask(emulator, path="http://evil.example/_emulator/health", Host="localhost")[0] == 421


def test_a_second_foreign_host_is_refused(emulator):
    """A reader of the first header and a reader of the last agree."""
    with socket.create_connection(("127.0.0.1", emulator.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert raw.recv(100).split()[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:17374", "localhost.", "127.0.0.1", "127.9.8.7:1", "[::1]:9"]
)
def test_a_host_on_this_machine_is_answered(emulator, host):
    """With any port: a forwarded one may be another."""
    assert ask(emulator, Host=host)[0] == 200


def test_a_name_that_is_given_is_answered():
    """As a service of Docker Compose has it; another is not."""
    with Emulator(allowed_hosts=["TwinSync", "10.0.0.1", "fd00::1"]) as emulator:
        for host in ("twinsync:17374", "10.0.0.1", "[fd00::1]:80"):
            assert ask(emulator, Host=host)[0] == 200
        assert ask(emulator, Host="twinsync2")[0] == 421


def test_on_all_addresses_any_ip_address_is_answered_and_no_name():
    """Behind a published port of a container it is not one of its own; and to rebind takes a name."""
    with Emulator(host="0.0.0.0") as emulator:
        assert ask(emulator, Host="192.168.1.5:80")[0] == 200
        assert ask(emulator, Host="[fd00::1]")[0] == 200
        assert ask(emulator, Host="twinsync")[0] == 421


def test_the_command_takes_names():
    """--allow-host, more than once."""
    with running("--port", "0", "--allow-host", "a.test", "--allow-host", "b.test") as (_, line):
        server = Emulator(port=int(re.search(r":(\d+) ", line)[1]))
        assert [ask(server, Host=host)[0] for host in ("a.test", "b.test:80", "c.test")] == [200, 200, 421]


def test_a_client_learns_that_no_job_was_made(emulator):
    """The answer has the reason, so the submit is not uncertain."""
    form = {**EXAMPLE, "key": emulator.key}
    response = requests.post(
        f"{emulator.url}/phototalking", data=form, headers={"Host": "twinsync"}, timeout=10
    )
    assert (response.status_code, response.json()["result_code"]) == (421, 200)
    assert "--allow-host twinsync" in response.json()["msg"]
    assert not emulator.world.tasks


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors", "Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:3000", "Sec_Fetch_Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_origin_is_refused(emulator, method, path, headers):
    """403, and nothing is done; also where a browser sends no Sec-Fetch-Site."""
    emulator.world.advance(60)
    status, answer = ask(emulator, method, path, Host=f"127.0.0.1:{emulator.port}", **headers)
    assert status == 403
    assert "web page" in answer["error"]
    assert (emulator.world.offset_s, emulator.world.tasks) == (60, {})


def test_a_form_of_a_page_of_another_origin_is_refused(emulator):
    """Sent by a navigation, which a link may do, but not a form."""
    headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(emulator, "POST", "/_emulator/reset", **headers)[0] == 403


def test_a_link_from_another_site_is_followed(emulator):
    """As from Airflow's web UI to the video: the page that has the link cannot read it."""
    task_id = Client(emulator).submit(text="短")
    headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(emulator, path=f"/example/{task_id}.mp4", **headers)[0] == 200


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site"])
def test_a_person_and_an_own_page_are_answered(emulator, site):
    """An address that was typed in, and a page of the same origin."""
    origin = f"http://127.0.0.1:{emulator.port}"
    headers = {"Sec_Fetch_Site": site} | ({"Origin": origin} if site == "same-origin" else {})
    assert ask(emulator, Host=origin.removeprefix("http://"), **headers)[0] == 200
