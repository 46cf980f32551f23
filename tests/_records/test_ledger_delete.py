"""The deletion of a record by `python -m airflow_provider_twinsync ledger PATH --delete NAME`."""

from __future__ import annotations

import json
import os
import pty
import sys
from typing import TYPE_CHECKING

import pytest
from support.drive import run_task
from support.ledgers import INTENT, NAME, OTHER, RECORD, REPORT
from support.submits import code_of, posts, submit

from airflow_provider_twinsync.__main__ import main
from airflow_provider_twinsync._records.ledger_folder import LocalFolder
from airflow_provider_twinsync.emulator.faults import AcceptThenReset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that types an answer at a terminal, which is the standard input then."""
    above, below = pty.openpty()
    with os.fdopen(below, encoding="utf-8") as terminal, os.fdopen(above, "wb", buffering=0) as typed:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield lambda text: typed.write(text.encode()) and None


@pytest.fixture
def two_submits(put) -> list[str]:
    """Write a record with all kinds of files, and another record; return the files of the first."""
    reports = [f"{NAME}.{number}.reported-no-task.json" for number in (1, 2)]
    for report in reports:
        put(report, content=json.dumps(REPORT))
    put(**INTENT)
    put(f"{NAME}.2.json")
    put(f"{OTHER}.json")
    return [reports[1], f"{NAME}.2.json", reports[0], f"{NAME}.json"]


@pytest.mark.parametrize("given", [NAME, NAME[:32], f"{NAME}.json", f"{NAME[:8]}…{NAME[-6:]}"])
def test_one_record_is_deleted_after_the_right_answer(two_submits, run, files, answer, given):
    """All of its files, and no others; the record is shown before."""
    answer(NAME[:8] + "\n")
    code, out, _ = run("--delete", given)
    assert (code, list(files())) == (0, [f"{OTHER}.json"])
    assert [file for file in two_submits if file not in out] == []


@pytest.mark.parametrize("typed", ["\n", "y\n", "yes\n", f"{NAME[:7]}\n", f"{OTHER[-8:]}\n", "\x04", "\x03"])
def test_any_other_answer_deletes_nothing(two_submits, run, files, answer, typed, monkeypatch):
    """Nor does the end of the input, or Ctrl-C."""
    if typed == "\x03":  # a terminal sends it to its own session
        monkeypatch.setattr("builtins.input", lambda _: os.kill(os.getpid(), 2))
    else:
        answer(typed)
    before = files()
    code, out, _ = run("--delete", NAME)
    assert (code, files()) == (1, before)
    assert NAME in out


def test_a_deletion_needs_a_terminal(two_submits, run, files, monkeypatch, tmp_path):
    """A pipe with the right answer is no person."""
    (tmp_path / "answer").write_text(NAME[:8] + "\n")
    before = files()
    with (tmp_path / "answer").open() as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        assert run("--delete", NAME)[0] == 1
    assert files() == before


def test_a_record_that_changes_during_the_question_is_not_deleted(two_submits, put, run, files, monkeypatch):
    """The person decided about another record."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    changes = iter([lambda: put(**INTENT, more=1), lambda: put(f"{NAME}.3.json")])

    def type_later(_: str) -> str:
        next(changes)()
        return NAME[:8]

    monkeypatch.setattr("builtins.input", type_later)
    for count in (5, 6):
        assert run("--delete", NAME)[0] == 1
        assert len(files()) == count


def test_a_deletion_that_is_interrupted_leaves_the_older_submits(tmp_path, monkeypatch, capsys, answer):
    """The newest submit goes first, and each report before its submit."""
    deleted: list[str] = []
    delete = LocalFolder.delete

    def fail_at_fourth(folder: LocalFolder, name: str) -> None:
        if len(deleted) == 3:
            raise PermissionError(13, "Permission denied")
        deleted.append(name)
        delete(folder, name)

    files = [f"{NAME}.2.reported-no-task.json", f"{NAME}.2.json", f"{NAME}.1.reported-no-task.json"]
    for file in (*files, f"{NAME}.json"):
        (tmp_path / file).write_text(json.dumps(RECORD))
    monkeypatch.setattr(LocalFolder, "delete", fail_at_fourth)
    answer(NAME[:8] + "\n")
    assert main(["ledger", str(tmp_path), "--delete", NAME]) == 2
    assert deleted == files
    assert code_of(capsys.readouterr().err) == "TS337"
    assert (tmp_path / f"{NAME}.json").exists()


def test_a_deleted_record_lets_the_task_submit(emulator, connection, sleeps, ledger, run, answer):
    """The command of the message about the record works as it is shown."""
    emulator.world.faults.add("submit", AcceptThenReset())
    run_task(submit(ledger=ledger, reuse="runs"))
    name = run()[1].rpartition(" ")[2].strip()
    answer(name[:8] + "\n")
    assert run("--delete", name)[0] == 0
    assert run()[1] == ""
    assert run_task(submit(ledger=ledger, reuse="runs"), run_id="2").ended == "success"
    assert posts(emulator) == 2
