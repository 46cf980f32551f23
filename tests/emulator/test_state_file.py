"""The state file itself: its lines, its lock and its rights, for example."""

from __future__ import annotations

import json
import os
import re

import pytest

from airflow_provider_twinsync.emulator import Emulator
from airflow_provider_twinsync.emulator.ledger import MIN_BYTES

from .conftest import MODULE, run
from .test_state import JOB, emulator, number, submit_in_process


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"jobs": {}}',
        b'{"job": {}}',
        b'{"advance_s": -1}',
        b'{"advance_s": "1"}',
        b'{"advance_s": NaN}',
        b'{"advance_s": 1, "reset": 1}',
        b'{"reset": -1}',
        b'{"reset": null}',
        *(
            json.dumps({"job": {**JOB, **change}}).encode()
            for change in (
                {"id": "10279"},
                {"id": f"a_{'9' * 5000}"},
                {"text": None},
                {"failure": False},
                {"created_at_s": "now"},
                {"created_at_s": float("nan")},
                {"created_at_s": 1e300},
                {"photo": None},
                {"defect": "nice_video"},
                {"defect": ["silent_video"]},
                {"defect": "silent_video", "photo": None},
            )
        ),
        json.dumps({"job": {name: JOB[name] for name in JOB if name != "failure"}}).encode(),
    ],
)
def test_any_other_line_that_cannot_be_read_is_an_error(path, line):
    """With the file and the line; the file is unchanged, and not locked."""
    good = b'{"reset": 10000}\n' + json.dumps({"job": JOB}).encode() + b"\n"
    data = good + line + b"\n" + good
    path.write_bytes(data)
    with (
        pytest.raises(ValueError, match=f"line 3 of the state file {re.escape(str(path))} "),
        Emulator(state=path),
    ):
        pass
    assert path.read_bytes() == data
    path.write_bytes(good)
    with emulator(str(path)) as (mended, _):
        assert list(mended.world.tasks) == [JOB["id"]]


def test_a_file_of_someone_else_is_not_cut_off(path):
    """One line without an end is no torn line: an emulator's first line is always whole."""
    path.write_text("my only copy")
    with pytest.raises(ValueError, match="line 1 "), Emulator(state=path):
        pass
    assert path.read_text() == "my only copy"


def test_two_emulators_do_not_share_a_file(path):
    """The second is refused, also after the first has rewritten the file, and no job is lost."""
    with emulator(path) as (first, client):
        for jobs in (1, MIN_BYTES // 100):
            for _ in range(jobs):
                submit_in_process(first.world)
            with (
                pytest.raises(ValueError, match=f"another emulator uses .*{path.name}"),
                Emulator(state=path),
            ):
                pass
        last = client.submit()
    with emulator(path) as (_, client):
        assert client.status(last)["result_code"] == 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("used", "another emulator uses"),
        ("broken", "line 1 "),
        ("pipe", "not a regular file"),
        (".", "not a regular file"),
        ("none/such", "No such file"),
    ],
)
def test_the_command_says_what_is_wrong_with_the_file(tmp_path, name, message):
    """One line, no traceback."""
    (tmp_path / "broken").write_text("{}\n")
    os.mkfifo(tmp_path / "pipe")
    with emulator(tmp_path / "used"):
        done = run("-m", MODULE, "--port", "0", "--state", str(tmp_path / name))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert message in done.stderr
    assert str(tmp_path / name) in done.stderr


def test_the_file_is_written_again_when_most_of_it_no_longer_matters(path):
    """It stays small though much happens, and nothing is left beside it."""
    with emulator(path) as (first, _):
        ids = [submit_in_process(first.world) for _ in range(10)]
        for _ in range(100_000):
            first.world.advance(1)
        assert path.stat().st_size < MIN_BYTES + 10_000
    with emulator(path) as (again, _):
        assert list(again.world.tasks) == ids
        assert again.world.offset_s == 100_000
        assert number(submit_in_process(again.world)) == number(ids[-1]) + 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o600])
def test_the_file_is_readable_by_its_owner_only(path, mode):
    """From its first byte on, with any umask, and also if others could read it before."""
    umask = os.umask(0)
    try:
        with emulator(path) as (_, client):
            assert path.stat().st_mode & 0o777 == 0o600
            client.submit()
        path.chmod(mode)
        with emulator(path):
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(umask)


@pytest.mark.parametrize("target", ["mine", "none"])
def test_a_symbolic_link_in_place_of_the_file_is_refused(path, tmp_path, target):
    """In a shared folder its target may be any file; the target does not change."""
    (tmp_path / "mine").write_bytes(b"")
    path.symlink_to(tmp_path / target)
    with pytest.raises(ValueError, match=f"state file {re.escape(str(path))}: it is a symbolic link"):
        Emulator(state=path).__enter__()
    assert path.is_symlink()
    assert {file.name for file in tmp_path.iterdir()} == {"mine", path.name}
    assert (tmp_path / "mine").read_bytes() == b""


@pytest.mark.parametrize("symbolic", [True, False])
def test_a_link_in_place_of_the_next_file_is_not_followed(path, tmp_path, symbolic):
    """The emulator writes a new file and renames it: a file that has its name already is not written to."""
    victim, beside = tmp_path / "victim", tmp_path / f"{path.name}.new"
    victim.write_text("my only copy")
    if symbolic:
        beside.symlink_to(victim)
    else:
        beside.hardlink_to(victim)
    with emulator(path) as (_, client):
        task_id = client.submit()
    assert victim.read_text() == "my only copy"
    assert task_id in path.read_text()
    assert not path.is_symlink()
