"""Chaos without the kills, on SQLite, and its plan; `make chaos` is the whole of it."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

import pytest
from support.drive import Store, run_task

from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.submit import build_submit, parse_submit, uncertain
from airflow_provider_twinsync._records.task_state_store import STORE_KEY
from airflow_provider_twinsync.exceptions import RejectedError
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from dev.chaos.account import REFUSED_WORDS, UNCERTAIN_WORDS, Account, table
from dev.chaos.check import check
from dev.chaos.plan import FAULTS, KILLS_PER_POINT, MIN_VIDEOS, POINTS, WAYS, make_plan
from dev.chaos.run import main

pytestmark = pytest.mark.whole_airflow

JOB = {"text": "Hello", "image_url": "https://a.example/b.jpg", "pronouncer": "en-US-JennyNeural"}
CHECKOUT = Path(__file__).resolve().parents[2]


def test_every_video_is_accounted_for_while_the_service_fails(tmp_path):
    """Twenty videos on a real Airflow: none is lost or paid twice, and the key is in no file."""
    command = [sys.executable, "-m", "dev", "chaos", "--faults-only", "--videos", "20", "--seeds", "11"]
    done = subprocess.run(
        [*command, "--home", str(tmp_path / "airflow")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {name.strip("* "): int(n) for name, n in re.findall(r"^\| (.+?) \| (\d+) \|$", done.stdout, re.M)}
    assert rows["videos requested"] == 20
    ends = ("lost", "complete files", "failed by the service", "refused by the service", "uncertain, and")
    assert sum(n for name, n in rows.items() if name.startswith(ends)) == 20
    assert (rows["lost"], rows["paid twice"], rows["partial files left behind"]) == (0, 0, 0)
    assert rows["files with the access key"] == 0
    assert rows["POSTs"] >= rows["jobs made"] > 10
    assert check((tmp_path / "airflow-history-11.jsonl").read_text().splitlines()).is_good
    assert rows["complete files"] == len(list((tmp_path / "airflow-videos").iterdir())) > 5
    assert rows["faults of the service"] > 20


def test_a_seed_gives_the_same_plan_again():
    """Kills, blows and faults."""
    one, same, other = (make_plan(seed, 200, Path("videos"), kills=True) for seed in (1, 1, 2))
    for call in FAULTS:
        assert list(islice(one.faults(call), 50)) == list(islice(same.faults(call), 50))
    assert one == same
    assert one.kills != other.kills
    assert one.blows != other.blows


@pytest.mark.parametrize("count", [MIN_VIDEOS, 200])
@pytest.mark.parametrize("seed", range(20))
def test_a_plan_kills_at_each_point_and_no_video_twice(seed, count):
    """What one kill leaves behind is seen by itself; a wait is killed where there is one in a worker."""
    plan = make_plan(seed, count, Path("videos"), kills=True)
    *first, told = POINTS
    times = min(KILLS_PER_POINT, count // len(WAYS))
    points = [point for _, point in plan.kills]
    assert points == [*(point for point in first for _ in range(times)), *[told] * (times // 2)]
    once = [number for number, point in plan.kills if point != told]
    assert len(set(once)) == len(once)
    assert all((number, "post") in plan.kills for number, point in plan.kills if point == told)
    told_videos = [number for number, point in plan.kills if point == told]
    assert all(plan.kills[number, "post"] != "supervisor" for number in told_videos)
    waits = [plan.videos[number].group for number, point in plan.kills if point == "wait"]
    assert waits == ["in_worker"] * times
    assert [blow.after_jobs for blow in plan.blows] == sorted(blow.after_jobs for blow in plan.blows)
    [cut] = [blow for blow in plan.blows if blow.kind == "link"]
    assert 5 <= cut.lasts_s <= 30
    assert cut.target in ("silently", "with a reset")
    assert 0 < plan.blows[0].after_jobs < plan.blows[-1].after_jobs < count


def test_too_few_videos_to_kill_are_refused(capsys):
    """Before anything is started."""
    with pytest.raises(SystemExit):
        main(["--videos", str(MIN_VIDEOS - 1)])
    assert f"at least {MIN_VIDEOS} videos" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["paid_twice", "unnamed", "lost", "fragments", "key_found", "undone"])
def test_one_thing_amiss_is_not_good(what):
    """The command fails, and the table says it."""
    assert Account(1, 10).is_good
    assert not Account(1, 10, **{what: 1}).is_good
    assert "| **lost** | 0 | 3 |" in table([Account(1, 10), Account(2, 10, lost=3)])


def test_the_words_that_the_account_looks_for_are_those_of_the_package(connection):
    """A message that is reworded would have every uncertain video counted as lost."""
    request = build_submit(**JOB, key="k")
    direct = str(uncertain(request, datetime.now(timezone.utc), "no answer"))
    store = Store({STORE_KEY: {"marked_at": "2026-11-23T12:00:00+00:00"}})
    later = str(run_task(TwinSyncSubmitOperator(task_id="submit", **JOB), store=store).error)
    for message in (direct, later):
        assert any(words in message for words in UNCERTAIN_WORDS)
    refused = Answered(200, b'{"result_code": 201, "msg": "no"}')
    with pytest.raises(RejectedError, match=REFUSED_WORDS):
        parse_submit(request, refused, sent_at=datetime.now(timezone.utc))
