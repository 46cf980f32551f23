"""The endpoints under /_emulator/, and bounds, such as that of the journal."""

from __future__ import annotations

import json

import pytest
import requests

from airflow_provider_twinsync.emulator import Emulator, world
from airflow_provider_twinsync.emulator.faults import FAULTS
from airflow_provider_twinsync.emulator.world import JournalEntry, World

from .conftest import EXAMPLE, Client


def test_the_journal_tells_everything_but_the_key(client, emulator):
    """The journal has ``accepted``, ``rejected`` or ``missing``."""
    key = emulator.key
    task_id = client.submit()
    client.post(key="wrong")
    client.post(key=None, text="no key")
    url = f"{emulator.url}/phototalking"
    requests.get(url, params={"taskID": task_id, "key": key}, timeout=10)
    client.video(task_id, headers={"Range": "bytes=0-9"})
    journal = client.control("GET", "journal").json()
    assert key not in json.dumps(journal)
    assert [entry["call"] for entry in journal] == ["submit", "submit", "submit", "status", "result"]
    assert [entry["key"] for entry in journal] == ["accepted", "rejected", "missing", "accepted", None]
    assert [entry["status"] for entry in journal] == [200, 200, 200, 200, 206]
    assert [entry["result_code"] for entry in journal] == [100, 201, 201, 100, None]
    assert journal[0]["form"] == EXAMPLE
    assert {journal[i]["taskID"] for i in (0, 3, 4)} == {task_id}
    assert journal[4]["headers"]["Range"] == "bytes=0-9"
    assert journal[3]["path"] == "/phototalking"


@pytest.mark.parametrize(
    "fault",
    [
        {"call": "submit", "fault": "http_error", "status": 503, "retry_after_s": 1, "times": 2},
        {"call": "status", "fault": "result_code", "code": True, "times": None},
        {"call": "result", "fault": "truncated", "after_bytes": 10},
        {"call": "submit", "fault": "accept_then_reset"},
    ],
)
def test_a_fault_is_added_and_told(client, emulator, fault):
    """As it was given, with its defaults filled in."""
    client.control("POST", "faults", json=fault).raise_for_status()
    (pending,) = client.control("GET", "faults").json()
    assert {"times": 1, **fault}.items() <= pending.items()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", ["JSON"]),
        ("[]", ["object"]),
        ('{"fault": "hang"}', ["call", "submit", "status", "result"]),
        ('{"call": "cancel", "fault": "hang"}', ["cancel", "submit"]),
        ('{"call": ["submit"], "fault": "hang"}', ["submit"]),
        ('{"call": "submit", "fault": "explode"}', ["explode", "reset_before"]),
        ('{"call": "submit", "fault": 1}', ["reset_before"]),
        ('{"call": "submit", "fault": "hang", "delay": 1}', ["delay", "times"]),
        ('{"call": "submit", "fault": "http_error"}', ["status"]),
        ('{"call": "submit", "fault": "http_error", "status": "503"}', ["status", "503"]),
        ('{"call": "submit", "fault": "http_error", "status": true}', ["status", "True"]),
        ('{"call": "submit", "fault": "hang", "times": 0}', ["times"]),
        ('{"call": "submit", "fault": "slow", "delay_s": NaN}', ["delay_s"]),
        ('{"call": "submit", "fault": "truncated", "after_bytes": 1}', ["truncated", "result"]),
    ],
)
def test_a_wrong_fault_is_answered_with_what_is_wrong_and_what_is_known(client, emulator, body, words):
    """HTTP 400, and nothing is added."""
    response = client.control("POST", "faults", data=body)
    assert response.status_code == 400
    assert [word for word in words if word not in response.json()["error"]] == []
    assert emulator.world.faults.pending() == []


@pytest.mark.parametrize(
    ("method", "name", "body"),
    [
        ("POST", "clock", '{"advance_s": -1}'),
        ("POST", "clock", '{"advance_s": "60"}'),
        ("POST", "clock", '{"advance_s": true}'),
        ("POST", "clock", '{"advance_s": Infinity}'),
        ("POST", "clock", '{"advance_s": NaN}'),
        ("POST", "clock", '{"advance_s": 1e12}'),
        ("POST", "clock", '{"advance_s": 1%s}' % ("0" * 400)),
        ("POST", "clock", '{"advance_s": 1, "by": 2}'),
        ("POST", "clock", "{}"),
        ("POST", "clock", "\udcff".encode("utf-8", "surrogateescape")),
        ("POST", "clock?advance_s=60", '{"advance_s": 60}'),
        ("GET", "journal?last=1", ""),
        ("POST", "reset?now=1", ""),
    ],
)
def test_a_wrong_setting_is_an_error(client, emulator, method, name, body):
    """HTTP 400 with a message; the clock stays."""
    response = client.control(method, name, data=body)
    assert response.status_code == 400
    assert response.json()["error"]


def test_the_clock_moves_and_a_reset_sets_everything_back(client, emulator):
    """Jobs, faults, journal and clock."""
    emulator.world.duration_s = 60
    task_id = client.submit()
    assert client.status(task_id)["result_code"] == 102
    client.control("POST", "clock", json={"advance_s": 60}).raise_for_status()
    assert client.status(task_id)["result_code"] == 100
    client.control("POST", "faults", json={"call": "status", "fault": "hang"}).raise_for_status()
    client.control("POST", "reset").raise_for_status()
    assert client.control("GET", "journal").json() == []
    assert client.control("GET", "faults").json() == []
    assert client.status(task_id)["result_code"] == 200


def test_health_and_help(client, emulator):
    """One for a script, one for a person."""
    assert client.control("GET", "health").json() == {"status": "ok"}
    text = requests.get(emulator.url, timeout=10).text
    assert "TwinSync emulator" in text
    assert "POST /_emulator/faults" in text
    assert [name for name in FAULTS if name not in text] == []


def test_a_form_that_is_too_large_is_refused(client, emulator):
    """Memory is bounded; the journal shows it."""
    assert client.post(text="x" * 33_000).status_code == 413
    (entry,) = emulator.world.journal
    assert (entry.call, entry.status, entry.form, entry.key) == ("submit", 413, None, None)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/fototalking", 404), ("GET", "/phototalking/", 404), ("PUT", "/phototalking", 405)],
)
def test_a_request_that_nothing_here_takes_is_in_the_journal(emulator, method, path, status):
    """The author of a client finds the wrong path there."""
    params = {"key": emulator.key}
    assert requests.request(method, emulator.url + path, params=params, timeout=10).status_code == status
    (entry,) = emulator.world.journal
    assert (entry.call, entry.method, entry.path, entry.status) == ("unknown", method, path, status)
    assert entry.key == "accepted"


def test_the_journal_keeps_the_beginning_of_what_is_long(client, emulator):
    """Of each text, and not of any number of fields."""
    client.post(text="字" * 3000, **{f"field{i}": "" for i in range(20)})
    requests.get(f"{emulator.url}/{'x' * 5000}", headers={"User-Agent": "x" * 5000}, timeout=10)
    submit, unknown = emulator.world.journal
    assert len(submit.form) == world.MAX_JOURNAL_FIELDS
    for text in (submit.form["text"], unknown.path, unknown.headers["User-Agent"]):
        assert (len(text), text[-1]) == (world.MAX_JOURNAL_CHARS, "…")


def test_the_world_is_bounded():
    """The oldest is forgotten first."""
    small = World()
    ids = [small.accept(text="a", image_url="b", pronouncer="c").id for _ in range(world.MAX_TASKS + 2)]
    assert list(small.tasks) == ids[2:]
    long = world.MAX_TASK_BYTES // 100
    ids = [small.accept(text="x" * long, image_url="b", pronouncer="c").id for _ in range(200)]
    assert list(small.tasks) == ids[-99:]  # in bytes, too
    for i in range(world.MAX_JOURNAL + 2):
        small.record(JournalEntry(call="status", method="GET", path="/", at_s=i))
    assert (len(small.journal), small.journal[0].at_s) == (world.MAX_JOURNAL, 2)
    for i in range(world.MAX_PHOTOS + 2):
        small.keep_photo(b"%d" % i)
        small.photo(first := small.keep_photo(b"0"))  # in use
    assert len(small.kept_photos) == world.MAX_PHOTOS
    assert (small.photo(first), b"1" in small.kept_photos.values()) == (b"0", False)


@pytest.mark.parametrize(
    "setting",
    [
        {"key": ""},
        {"key": " "},
        {"key": None},
        {"waiting_s": -1},
        {"waiting_s": float("nan")},
        {"duration_s": float("inf")},
        {"duration_s": "5"},
        {"duration_s": True},
        {"word_limit": -1},
        {"word_limit": 1.5},
        {"photos": "some"},
        {"photos": True},
        {"allowed_hosts": "twinsync"},
        {"allowed_hosts": ["twinsync:17374"]},
        {"allowed_hosts": ["http://twinsync"]},
        {"allowed_hosts": [""]},
        {"allowed_hosts": [None]},
        {"port": -1},
        {"port": 65536},
        {"port": "80"},
    ],
)
def test_a_setting_that_cannot_be_is_an_error(setting):
    """At once, with its name; also where a test changes it in a world."""
    (name, value), emulator = *setting.items(), Emulator()
    with pytest.raises(ValueError, match=name):
        Emulator(**setting)
    if name not in ("port", "allowed_hosts"):
        with pytest.raises(ValueError, match=name):
            setattr(emulator.world, name, value)


def test_the_clock_ends_before_the_year_10000():
    """No job could have a date there; a refused change does not move the clock."""
    far = World()
    far.advance(world.MAX_SECONDS - 60)
    assert far.accept(text="a", image_url="b", pronouncer="c").id.startswith("99")
    for seconds in (61, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="advance_s"):
            far.advance(seconds)
    far.advance(60)


def test_two_emulators_do_not_know_of_each_other(emulator):
    """Each has its port, its key and its world."""
    with Emulator(key="another") as other:
        assert other.port != emulator.port
        task_id = Client(other).submit()
        assert Client(emulator).status(task_id)["result_code"] == 200
        assert Client(emulator).post(key="another").json()["result_code"] == 201


def test_a_port_that_is_taken_is_an_error(emulator):
    """The error reaches the ``with`` statement."""
    with pytest.raises(OSError, match="address already in use"), Emulator(port=emulator.port):
        pass
