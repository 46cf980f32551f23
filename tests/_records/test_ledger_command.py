"""The command `python -m airflow_provider_twinsync ledger`: a list, one record, the decisions."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta, timezone
from typing import Any
from unicodedata import east_asian_width

import pytest
from support.drive import run_task
from support.environment import KEY
from support.ledgers import INTENT, JOB, NAME, OTHER, RECORD, REPORT, states
from support.submits import INPUTS, submit

from airflow_provider_twinsync.__main__ import main
from airflow_provider_twinsync.emulator.faults import AcceptThenReset, Body, ResultCode


def ago(**time: Any) -> str:
    return (datetime.now(timezone.utc) - timedelta(**time)).isoformat(timespec="seconds")


def dated(changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes of a record with the times that its ages mean now: the tests run long after import."""
    ages = {name: age for name, age in changes.items() if isinstance(age, timedelta)}
    return {**changes, **{name: ago(seconds=age.total_seconds()) for name, age in ages.items()}}


def test_a_list_has_the_records_of_the_tasks(emulator, connection, sleeps, ledger, run, files):
    """With the job, the text, and a name that the fingerprint of the XCom finds."""
    done = run_task(submit(ledger=ledger))
    emulator.world.faults.add("submit", AcceptThenReset())
    run_task(submit(ledger=ledger, text="Another text"), run_id="2")
    emulator.world.faults.add("submit", ResultCode(code=200))
    run_task(submit(ledger=ledger, text="Refused"), run_id="3")
    code, out, err = run()
    assert (code, sorted(states(out)), err[:1]) == (0, ["no job", "submitted", "uncertain"], "3")
    row = next(line for line in out.splitlines() if "submitted" in line)
    for shown in (done.result, INPUTS["text"], done.xcoms["twinsync_inputs"]["fingerprint"]):
        assert shown in row
    assert KEY not in out
    code, out, _ = run(done.xcoms["twinsync_inputs"]["fingerprint"])
    assert (code, [file for file in files() if file in out]) == (
        0,
        [file for file in files() if done.result in files()[file]],
    )
    assert "run 'run'" in out


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "submitted"),
        ({"stored": {"path": "/videos/a.mp4", "bytes": 1, "sha256": "0", "at": "now"}}, "stored"),
        ({"stored": "yes"}, "submitted"),
        ({"stored": {"path": 7}}, "submitted"),
        ({"rejected": {"message": "TS530 It is silent."}}, "rejected"),
        ({"rejected": {"message": "TS530 It is silent."}, "stored": {"path": "/a.mp4"}}, "rejected"),
        ({"rejected": True}, "submitted"),
        ({**INTENT, "made_no_job": True}, "no job"),
        ({**INTENT}, "uncertain"),
        ({**INTENT, "marked_at": timedelta(seconds=300)}, "submitting"),
        ({**INTENT, "marked_at": timedelta(seconds=-300)}, "submitting"),
        ({**INTENT, "marked_at": timedelta(seconds=660)}, "uncertain"),
        ({**INTENT, "marked_at": "noon"}, "uncertain"),
        ({**INTENT, "marked_at": None}, "uncertain"),
        ({"v": 2}, "newer"),
        ({"v": "2"}, "damaged"),
        ({"twinsync_task_id": 7}, "damaged"),
        ({"inputs": "1" * 32}, "damaged"),
        ({"content": ""}, "damaged"),
        ({"content": "\xff\x1b[2J"}, "damaged"),
        ({"content": "x" * 1_000_000}, "damaged"),
        ({"content": "[" * 100_000}, "damaged"),
    ],
)
def test_the_state_of_a_record(tmp_path, capsys, changes, state):
    """By the fields, and without an id by the age."""
    content = changes.get("content", json.dumps({**RECORD, **dated(changes)}))
    (tmp_path / f"{NAME}.json").write_text(content, "latin-1")
    for arguments in ([], ["--uncertain"], [NAME]):
        assert main(["ledger", str(tmp_path), *arguments]) == 0
        out, _ = capsys.readouterr()
        needs_person = state in ("uncertain", "damaged", "newer")
        assert (state in out) is (arguments != ["--uncertain"] or needs_person)
        assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out) is None
        assert len(out) < 10_000


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({f"{NAME}.json": INTENT, f"{NAME}.2.json": {}}, "submitted"),
        ({f"{NAME}.json": {}, f"{NAME}.2.json": INTENT, f"{NAME}.10.json": {**INTENT, "v": 2}}, "newer"),
        (
            {f"{NAME}.json": {**INTENT, "marked_at": timedelta()}, f"{NAME}.1.reported-no-task.json": REPORT},
            "uncertain",
        ),
        ({f"{NAME}.json": {}, f"{NAME}.1.reported-0123456789ab.json": REPORT}, "submitted"),
        (
            {
                f"{NAME}.json": INTENT,
                f"{NAME}.1.reported-no-task.json": REPORT,
                f"{NAME}.2.json": {**INTENT, "marked_at": timedelta()},
            },
            "submitting",
        ),
        ({f"{NAME}.1.reported-no-task.json": REPORT}, "damaged"),
    ],
)
def test_the_newest_submit_decides(put, run, files, state):
    """A report counts for its own submit; a report alone would count for a later one."""
    for file, changes in files.items():
        put(file, **dated(changes))
    assert states(run()[1]) == [state]
    code, out, _ = run(NAME[:8])
    assert (code, [file for file in files if file not in out]) == (0, [])


def test_other_files_are_no_records(put, run):
    """For example drafts and notes."""
    for file in (f".{'0' * 32}.draft", "notes.json", f"{NAME}.txt", f"{NAME}.x.json", f"{NAME[1:]}.json"):
        put(file)
    assert run() == (0, "", "0 records, 0 for a person to decide.\n")


def test_a_time_without_a_zone_is_utc(put, run):
    """As some editors of JSON write it."""
    put(f"{NAME}.json", **INTENT, marked_at=ago(seconds=5)[:19])
    assert states(run()[1]) == ["submitting"]


def test_the_newest_record_is_first(put, run):
    """A record of unknown age is last."""
    names = [f"{number:032x}-12345678" for number in range(3)]
    for name, at in zip(names, [ago(hours=3), ago(seconds=185), "noon"], strict=True):
        put(f"{name}.json", marked_at=at)
    lines = run()[1].splitlines()[1:]
    assert [line.rpartition(" ")[2] for line in lines] == [names[1], names[0], names[2]]
    assert [line.split()[1:3] for line in lines[:2]] == [["3", "min"], ["3.0", "h"]]


def test_a_row_fits_a_terminal(tmp_path, monkeypatch, capsys):
    """Long texts, wide characters, long places of videos, and two records of the same inputs."""
    stored = {"path": "s3://aws_default@videos/" + "folder/" * 30 + "the_end.mp4"}
    texts = ["Hello. " * 12, "你好，我是会说话的照片数字人" * 3, "e\u0301" * 70, "Short"]
    for number, text in enumerate(texts):
        for owner in ("0123456789ab", "ba9876543210"):
            name = f"{number:08x}{'0' * 24}-12345678-{owner}"
            shown = f"the text {text!r} and the photo 'https://example.com/a.jpg'"
            changes = {"inputs": name[:32], "shown": shown, "stored": stored}
            (tmp_path / f"{name}.json").write_text(json.dumps({**RECORD, **dated(changes)}))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["ledger", str(tmp_path)]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 8
    wide = [sum(east_asian_width(one) in "WF" for one in row) for row in rows]
    marks = [row.count("\u0301") for row in rows]
    widths = [len(row) + wide[number] - marks[number] for number, row in enumerate(rows)]
    assert (len(header) <= 100, max(wide) > 5, max(marks) > 10) == (True, True, True)
    assert 95 <= max(widths) <= 100
    assert {"the_end.mp4" in row and JOB in row for row in rows} == {True}
    for row in rows:
        assert main(["ledger", str(tmp_path), row.rpartition(" ")[2]]) == 0
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert main(["ledger", str(tmp_path)]) == 0
    piped = capsys.readouterr().out
    assert stored["path"] in piped
    assert texts[1] in piped
    assert f"{'0' * 32}-12345678-0123456789ab" in piped


def test_a_record_cannot_write_to_the_terminal(put, run):
    """Each text of a record is tamed, in a row and in the details."""
    evil = "\x1b[2J\x9b31m\r\n\u202e\ud800"
    put(
        shown=evil,
        marked_at=evil,
        owner={"dag_id": evil, evil: evil},
        stored={"path": evil, evil: [evil]},
        **{evil: {"a": {evil: evil}}},
    )
    for arguments in ([], [NAME], ["--uncertain"]):
        code, out, _ = run(*arguments)
        assert code == 0
        assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", out) is None


def test_a_video_is_shown_without_a_signature(put, run):
    """As every address; the path of a file stays as it is."""
    put(stored={"path": "https://user:pw@example.com/a.mp4?sig=s3cret"})
    put(f"{OTHER}.json", stored={"path": "/videos/b?c.mp4"})
    shown = "".join(run(*arguments)[1] for arguments in ([], [NAME], [OTHER]))
    assert shown.count("https://example.com/a.mp4") == 2
    assert shown.count("/videos/b?c.mp4") == 2
    assert "s3cret" not in shown


def test_a_record_that_is_nested_deeply_is_shown(tmp_path, capsys):
    """As no record, rather than by a traceback."""
    deep = '{"a":' * 900 + "1" + "}" * 900
    (tmp_path / f"{NAME}.json").write_text(json.dumps(RECORD)[:-1] + f', "x": {deep}}}')
    assert main(["ledger", str(tmp_path), NAME]) == 0
    assert NAME in capsys.readouterr().out


# -------------------------------------------------------------------------------------------------- decisions


def test_the_uncertain_are_listed_with_the_next_step(emulator, connection, sleeps, ledger, run):
    """Until a person decides; a job that the answer named is mentioned."""
    emulator.world.faults.add("submit", AcceptThenReset())
    run_task(submit(ledger=ledger))
    named = Body(json={"result_code": 203, "task_id": JOB})
    emulator.world.faults.add("submit", named)
    run_task(submit(ledger=ledger, text="Another text"))
    run_task(submit(ledger=ledger, text="Good"))
    code, out, err = run("--uncertain")
    first, second = sorted(out.split("\n\n"), key=lambda block: "Another text" in block)
    assert (code, "Good" in out, "2 for" in err) == (0, False, True)
    assert ("named a job" in first, "named a job" in second) == (False, True)
    for word in ("run 'run'", INPUTS["text"], INPUTS["image_url"], "account", "clear", "--delete"):
        assert word in first
    run_task(submit(ledger=ledger), clears=1, try_number=2)
    assert run("--uncertain")[1].startswith(second[:8])


def test_nothing_to_decide(put, run):
    put()
    assert run("--uncertain") == (0, "", "1 record, 0 for a person to decide.\n")
