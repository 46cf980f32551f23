"""`make simulate`: its plans, 200 universes, and the planted defects in the universes that find them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_twinsync.emulator.faults import FAULTS, Hang
from dev.simulation.defects import DEFECTS
from dev.simulation.plan import BEGINNERS, OUTAGES, PlannedFault, Universe, Wait, make_universe
from dev.simulation.shrink import shrink

CHECKOUT = Path(__file__).resolve().parents[2]
SEEDS = range(300)
simulated = pytest.mark.skipif(find_spec("simloom") is None, reason="the simulator needs Python 3.12")


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the command as `make simulate` does."""
    return subprocess.run(
        [sys.executable, "-m", "dev.simulation", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=1200,
    )


def rows(text: str) -> dict[str, int]:
    """Return the rows of the table with the sums."""
    return {name: int(n.replace(",", "")) for name, n in re.findall(r"^\| (.+?) \| ([\d,]+) \|$", text, re.M)}


def test_a_seed_gives_the_same_plan_again() -> None:
    """And another seed another one."""
    assert make_universe(7) == make_universe(7)
    assert make_universe(7) != make_universe(8)


def test_the_plans_have_every_kind_of_disturbance() -> None:
    """Each fault of a poll, each outage, each beginner, and the clock steps to both sides."""
    universes = [make_universe(seed) for seed in SEEDS]
    faults = {type(one.fault) for universe in universes for one in universe.faults}
    assert faults == {fault for fault in FAULTS.values() if "status" in fault.calls}
    assert {one.kind for universe in universes for one in universe.outages} == set(OUTAGES)
    assert {wait.beginner for universe in universes for wait in universe.waits} == set(BEGINNERS)
    assert {one.by_s > 0 for universe in universes for one in universe.steps} == {True, False}
    assert all(20 <= len(universe.waits) <= 60 for universe in universes)
    assert any(universe.requests_per_second for universe in universes)
    assert any(wait.restarts for universe in universes for wait in universe.waits)


def test_a_plan_shrinks_to_the_parts_that_matter() -> None:
    """Here one wait and one fault; a smaller plan would not fail."""
    universe = make_universe(next(seed for seed in SEEDS if _hangs(make_universe(seed))))
    number = universe.waits[len(universe.waits) // 2].number

    def fails(candidate: Universe) -> bool:
        return any(wait.number == number for wait in candidate.waits) and bool(_hangs(candidate))

    smallest = shrink(universe, fails)
    assert [wait.number for wait in smallest.waits] == [number]
    assert smallest.faults == tuple(_hangs(smallest)[:1])
    assert (smallest.outages, smallest.steps, smallest.resets_s) == ((), (), ())


def _hangs(universe: Universe) -> list[PlannedFault]:
    return [one for one in universe.faults if isinstance(one.fault, Hang)]


def test_the_job_of_a_wait_is_an_id_of_the_documented_form() -> None:
    """The emulator takes its number from the end."""
    assert re.fullmatch(r"\d{8}_\d\d_\d\d_\d\d_10007", Wait(7, 0.0, 5.0).job)


@simulated
@pytest.mark.slow
def test_a_seed_replays_exactly() -> None:
    """In each process: the digest is of all events in their order."""
    one, same, other = (
        simulate("--seed", "3"),
        simulate("--seed", "3", hash_seed="5"),
        simulate("--seed", "4"),
    )
    assert (one.returncode, same.returncode, other.returncode) == (0, 0, 0), one.stdout + one.stderr
    assert one.stdout == same.stdout
    assert other.stdout.splitlines()[0].split()[-1] != one.stdout.splitlines()[0].split()[-1]


@simulated
@pytest.mark.slow
def test_200_universes_keep_all_promises() -> None:
    """And much happens in them."""
    done = simulate("--universes", "200", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = rows(done.stdout)
    assert counts["universes"] == 200
    assert counts["universes that break a promise"] == 0
    assert sum(n for name, n in counts.items() if name.startswith("ends: ")) == counts["waits"] > 4000
    assert min(counts["faults"], counts["outages"], counts["clock steps"], counts["rebuilt triggers"]) > 100


@simulated
@pytest.mark.slow
def test_each_planted_defect_is_found_in_its_universe() -> None:
    """A simulation that finds nothing would pass the test above, too."""
    done = simulate("--defects", "recorded", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^\| (.+?) \| \d+ \| .+? \|$", done.stdout, re.M)
    assert found == [defect.name for defect in DEFECTS]


def test_the_documented_defects_are_those_of_the_command() -> None:
    """With the seeds that find them."""
    text = (CHECKOUT / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.partition("| defect |")[2].partition("\n\n")[0]
    documented = re.findall(r"^\| (.+?) \| (\d+) \| .+? \|$", table, re.M)
    assert documented == [(defect.name, str(defect.seed)) for defect in DEFECTS]
    assert len(documented) >= 12
