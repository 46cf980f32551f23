"""The history of POSTs of `make chaos`, and its checker."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from dev.chaos.check import check, main
from dev.chaos.history import End, History, Job

TEXT, PHOTO = "Hello", "https://a.example/b.jpg"


def post(at_s, job=None, failed_at_s=None, **more):
    """A line of the file."""
    fields = {"at_s": at_s, "text": TEXT, "image_url": PHOTO, "accepted": job is not None, "job": job}
    return json.dumps({"post": {**fields, "failed_at_s": failed_at_s, **more}})


def end(*known, uncertain=False, **more):
    """A line of the file."""
    report = {"text": TEXT, "image_url": PHOTO, "known": list(known), "uncertain": uncertain, **more}
    return json.dumps({"end": report})


@pytest.mark.parametrize(
    ("lines", "paid_twice", "unnamed"),
    [
        ([], 0, 0),
        ([post(1, "a"), end("a")], 0, 0),
        ([post(1), post(2, "a"), post(3), end("a")], 0, 0),  # what was not accepted costs nothing
        ([post(1, "a", failed_at_s=5), post(6, "b"), end("a", "b")], 0, 0),
        ([post(1, "a", failed_at_s=5), post(6, "b", failed_at_s=9), post(9, "c"), end("a", "b", "c")], 0, 0),
        ([post(1, "a"), end(uncertain=True)], 0, 0),
        ([post(1, "a", text="Other"), post(2, "b"), end("b"), end("a", text="Other")], 0, 0),
        # Broken:
        ([post(1, "a"), post(2, "b"), end("a", "b")], 1, 0),
        ([post(1, "a", failed_at_s=5), post(4, "b"), end("a", "b")], 1, 0),  # it had not failed yet
        ([post(1, "a"), post(2, "b", failed_at_s=5), end("a", "b")], 1, 0),
        ([post(1, "a"), post(2, "b"), post(3, "c"), end("a", "b", "c")], 2, 0),
        ([post(1, "a"), post(2, "b"), end(uncertain=True)], 1, 0),  # a report excuses no second payment
        ([post(1, "a"), end()], 0, 1),
        ([post(1, "a")], 0, 1),
        ([post(1, "a"), end("b")], 0, 1),
        ([post(1, "a", failed_at_s=5), post(6, "b"), end("b")], 0, 1),
    ],
)
def test_the_two_rules(lines, paid_twice, unnamed):
    """Whatever the order of the lines."""
    for some in permutations(lines):
        verdict = check(some)
        assert (len(verdict.paid_twice), len(verdict.unnamed)) == (paid_twice, unnamed)
        assert verdict.is_good == (paid_twice + unnamed == 0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '"post"',
        '{"post": {}}',
        '{"post": []}',
        '{"report": {"text": "", "image_url": ""}}',
        post(1, "a")[:-1] + ', "end": {}}',
        '{"end": {"text": "", "image_url": ""}}',
        end(),
    ],
)
def test_a_line_of_another_kind_is_no_good_history(line):
    """A damaged file must not pass for one without a fault; the error names the line."""
    with pytest.raises(ValueError, match=r"^line 2 "):
        check([end(), line])


@pytest.mark.parametrize(
    ("lines", "status", "told"),
    [([post(1, "a"), end("a")], 0, "1 accepted"), ([post(1, "a"), end()], 1, f"{PHOTO}: a"), (["x"], 2, "")],
)
def test_the_command_ends_with_the_verdict(tmp_path, capsys, lines, status, told):
    """Its exit status tells a broken rule from a file that is none."""
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join(lines))
    assert main([str(file)]) == status
    assert told in capsys.readouterr().out
    assert main([str(tmp_path / "missing")]) == 2


def entry(at_s, **more):
    """An entry of the emulator's journal."""
    form = {"text": TEXT, "image_url": PHOTO, "pronouncer": "x"}
    fields = {"call": "submit", "at_s": at_s, "form": form, "taskID": None, "status": 503}
    return {**fields, "result_code": None, "fault": None, **more}


def test_a_history_is_of_all_journals_and_the_state():
    """A POST of two journals is one, and a job whose POST no journal has is there too."""
    history = History()
    history.take([entry(1.0, status=None), entry(2.0), entry(1.5, call="status", form=None)])
    history.take([entry(1.0, status=200, taskID="a", result_code=100, fault="fail_job"), entry(3.0, form={})])
    jobs = [Job(name, TEXT, PHOTO, at_s, failed=name == "a") for name, at_s in (("a", 1.0), ("b", 50.0))]
    lines = history.lines(jobs, [End(TEXT, PHOTO, ["a", "b"], uncertain=False)], job_s=45, now_s=90.0)
    posts = [json.loads(line)["post"] for line in lines[:-1]]
    assert [(one["at_s"], one["job"], one["state"], one["failed_at_s"]) for one in posts] == [
        (1.0, "a", "failed", 46.0),
        (2.0, None, None, None),
        (50.0, "b", "running", None),
    ]
    assert [one["accepted"] for one in posts] == [True, False, True]
    assert [one["http_status"] for one in posts] == [200, 503, None]
    verdict = check(lines)
    assert (verdict.posts, verdict.accepted, verdict.videos, verdict.is_good) == (3, 2, 1, True)
