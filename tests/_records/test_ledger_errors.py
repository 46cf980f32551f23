"""The errors of `python -m airflow_provider_twinsync ledger`, and the command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.ledgers import INTENT, JOB, NAME, OTHER, RECORD, states
from support.submits import code_of

from airflow_provider_twinsync.__main__ import main
from airflow_provider_twinsync._records.ledger_folder import LocalFolder

MODULE = "airflow_provider_twinsync"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("missing", "TS331"),
        ("/dev/null", "TS331"),
        (__file__, "TS331"),
        ("gs://bucket/ledger", "TS327"),
        ("nostore://bucket/ledger", "TS327"),
        ("", "TS130"),
        (" ", "TS130"),
        ("s3:/videos", "TS130"),
        ("s3://key:secret@videos/ledger", "TS130"),
        ("{{ path }}", "TS104"),
    ],
)
def test_a_path_without_a_ledger(capsys, path, code):
    """One line, exit status 2."""
    assert main(["ledger", path]) == 2
    out, err = capsys.readouterr()
    assert (out, code_of(err), err.count("\n"), "secret" in err) == ("", code, 1, False)


def test_a_store_without_a_ledger(bucket, aws, capsys, monkeypatch):
    """No bucket, no folder, an object, and a server that is down."""
    bucket.put_object(Bucket="videos", Key=f"ledger/{NAME}.json", Body=b"{}")
    extra = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 1}}}
    closed = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_CLOSED", json.dumps(closed))
    for path, code in {
        f"{aws}@nowhere/ledger": "TS331",
        f"{aws}@videos/other": "TS331",
        f"{aws}@videos/ledger/{NAME}.json": "TS331",
        "aws_closed@videos/ledger": "TS334",
    }.items():
        assert main(["ledger", f"s3://{path}"]) == 2
        assert code_of(capsys.readouterr().err.splitlines()[-1]) == code


def test_no_permission(tmp_path, capsys):
    """For the folder, or for one file of it."""
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / f"{NAME}.json").write_text(json.dumps(RECORD))
    (tmp_path / "ledger" / f"{OTHER}.json").write_text(json.dumps({**RECORD, "inputs": OTHER[:32]}))
    (tmp_path / "ledger" / f"{OTHER}.json").chmod(0o000)
    (tmp_path / "closed").mkdir(0o000)
    temporary = Path(tempfile.gettempdir())
    above = [folder for folder in tmp_path.parents if temporary in folder.parents]
    for folder in (tmp_path, *above, tmp_path / "ledger"):
        folder.chmod(0o755)
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)  # the superuser may read all files
    try:
        assert main(["ledger", str(tmp_path / "closed")]) == 2
        assert code_of(capsys.readouterr().err) == "TS338"
        assert main(["ledger", str(tmp_path / "ledger")]) == 0
        assert sorted(states(capsys.readouterr().out)) == ["submitted", "unreadable"]
        assert main(["ledger", str(tmp_path / "ledger"), OTHER]) == 0
    finally:
        os.seteuid(user)
    assert "PermissionError" in capsys.readouterr().out


def test_ctrl_c_during_a_list(tmp_path, monkeypatch, capsys):
    """As a shell has it, without a traceback."""

    def stop(folder: LocalFolder) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalFolder, "names", stop)
    assert main(["ledger", str(tmp_path)]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("1", "TS335"),
        ("", "TS335"),
        ("…", "TS335"),
        (f"{NAME}-", "TS335"),
        ("0", "TS336"),
        ("0" * 31, "TS336"),
    ],
)
@pytest.mark.parametrize("option", [[], ["--delete"]])
def test_a_name_that_is_not_of_one_record(put, run, given, code, option, files):
    put()
    put(f"{OTHER}.json")
    status, out, err = run(*option, given)
    assert (status, out, code_of(err), len(files())) == (2, "", code, 2)


def test_a_name_that_begins_another_name_is_a_name(put, run):
    """The records of all runs and those of one task instance may have the same inputs."""
    put()
    put(f"{NAME}-0123456789ab.json", **INTENT)
    assert run(NAME)[1].startswith(f"{NAME}: submitted")


# ------------------------------------------------------------------------------------------------ the process


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", MODULE, *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, **options)


def test_the_command_as_a_process(tmp_path):
    """A relative path, and exit status 2 without a traceback."""
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / f"{NAME}.json").write_text(json.dumps(RECORD))
    done = command("ledger", "ledger", cwd=tmp_path)
    assert (done.returncode, JOB in done.stdout) == (0, True)
    for arguments in (
        ["ledger", "nowhere"],
        ["ledger"],
        [],
        ["ledgers"],
        ["ledger", "ledger", NAME, "--uncertain"],
    ):
        done = command(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)


def test_a_ledger_on_a_disk_is_listed_without_airflow(tmp_path):
    """Its import takes seconds."""
    code = (
        f"import sys; from {MODULE}.__main__ import main; main(['ledger', {str(tmp_path)!r}]); "
        "print([name for name in sys.modules if name.partition('.')[0] == 'airflow'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_a_reader_that_ends_early_gets_no_traceback(tmp_path):
    """As `| head -1` does."""
    for number in range(2_000):
        (tmp_path / f"{number:032x}-12345678.json").write_text("{}")
    line = [sys.executable, "-m", MODULE, "ledger", str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert b"Error" not in process.stderr.read()
