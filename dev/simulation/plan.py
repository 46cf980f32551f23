"""The plan of a universe: all that a seed decides beforehand, as plain data that can be made smaller.

For example, `make_universe(17)` has the waits, faults, outages and clock steps of `make simulate SEED=17`.

All times are seconds from the beginning of the universe, on a clock that never jumps.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator import (
    AcceptThenHang,
    AcceptThenHttpError,
    AcceptThenReset,
    AnotherJob,
    Body,
    GzipBomb,
    Hang,
    HttpError,
    InterimResponse,
    KeyInMessage,
    NoAddress,
    NotJson,
    Padded,
    Redirect,
    ResetBefore,
    ResultCode,
    Slow,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_twinsync.emulator.fault import Fault

#: The ways in which the service is away: it is switched off (connections are refused), its packets are lost,
#: its name has no address, or each request gets an HTTP error.
OUTAGES = ("off", "silent", "no_name", "errors")
#: The statuses that come with a `Retry-After`, so that the journal shows which answers had one.
RETRY_AFTER_STATUSES = (429, 503)
#: The processes that may begin a wait.
BEGINNERS = ("worker", "trigger", "triggerer")
_CODES = (100, 101, 102, 103, 104, 200, 999, "101", "x", None, True)
_BODIES: tuple[object, ...] = ([], {}, "", {"result_code": 101.5}, {"error": "maintenance"})
#: A job with a video, for answers about another job.
OTHER_JOB = "20240101_00_00_00_99999"


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait for one job.

    :param number: it makes the id of the job.
    :param starts_s: when the task defers.
    :param ready_s: when the job ends; None for an id that the service does not know.
    :param fails: the job ends with code 104.
    :param beginner: one of `BEGINNERS`.
    :param next_poll_s: the next poll that the worker planned, from the start.
    :param in_outage: the worker's only poll found no status.
    :param restarts: when the trigger is cancelled, from the start, and how long until it is rebuilt.
    """

    number: int
    starts_s: float
    ready_s: float | None
    fails: bool = False
    beginner: str = "trigger"
    next_poll_s: float = 0.0
    in_outage: bool = False
    poke_interval_s: float = 2.0
    max_wait_s: float | None = None
    exponential_backoff: bool = False
    silent_fail: bool = False
    timeout_s: float | None = None
    execution_timeout_s: float | None = None
    restarts: tuple[tuple[float, float], ...] = ()

    @property
    def job(self) -> str:
        """Return the TwinSync task id."""
        return f"20240101_00_00_00_{10_000 + self.number}"

    @property
    def deadline_s(self) -> float | None:
        """Return the earlier deadline, from the start of the wait."""
        return min((d for d in (self.timeout_s, self.execution_timeout_s) if d is not None), default=None)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault for the next requests from a moment on."""

    at_s: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the service is away, in one of the ways of `OUTAGES`."""

    at_s: float
    lasts_s: float
    kind: str

    @property
    def ends_s(self) -> float:
        """Return the end."""
        return self.at_s + self.lasts_s


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A jump of the triggerer's wall clock, forwards or backwards."""

    at_s: float
    by_s: float


@dataclass(frozen=True, slots=True)
class Universe:
    """One universe.

    :param resets_s: when all connections are reset.
    :param retry_after_s: the delay that the service asks for, with the statuses that have one.
    :param slow_s: how long a slow answer takes.
    """

    seed: int
    waits: tuple[Wait, ...]
    faults: tuple[PlannedFault, ...] = ()
    outages: tuple[Outage, ...] = ()
    steps: tuple[ClockStep, ...] = ()
    resets_s: tuple[float, ...] = ()
    tolerance_s: float = 300.0
    request_timeout_s: float = 30.0
    requests_per_second: float | None = None
    retry_after_s: float = 20.0
    slow_s: float = 3.0
    key: str = field(default="Sesame-7!+/é", repr=False)


def make_universe(seed: int) -> Universe:
    """Return the universe of a seed."""
    chance = random.Random(seed)
    tolerance_s = float(chance.choice((60, 90, 150)))
    request_timeout_s = float(chance.choice((5, 10, 20)))
    waits = tuple(_wait(chance, number) for number in range(chance.randint(20, 60)))
    retry_after_s = float(chance.randint(3, int(0.4 * tolerance_s)))
    slow_s = chance.uniform(0.5, 1.5 * request_timeout_s)
    # The last part of a universe has no new faults, so that each wait can be expected to end well.
    last_s = chance.choice((40, 80, 150, 300))
    faults = [
        PlannedFault(round(chance.uniform(0, last_s), 3), _fault(chance, retry_after_s, slow_s))
        for _ in range(chance.randint(5, 40))
    ]
    outages = [
        Outage(at_s, float(chance.choice((5, 20, 45, 80, 200))), chance.choice(OUTAGES))
        for at_s in (40.0, 320.0)[: chance.choice((0, 1, 1, 2))]
    ]
    steps = [
        ClockStep(round(chance.uniform(0, 500), 3), chance.choice((-300.0, -60.0, -3.0, 3.0, 60.0, 900.0)))
        for _ in range(chance.choice((0, 0, 1, 3)))
    ]
    return Universe(
        seed,
        waits,
        tuple(sorted(faults, key=lambda one: one.at_s)),
        tuple(outages),
        tuple(sorted(steps, key=lambda one: one.at_s)),
        tuple(sorted(round(chance.uniform(0, 500), 3) for _ in range(chance.choice((0, 0, 1, 3))))),
        tolerance_s,
        request_timeout_s,
        chance.choice((None, None, 4.0, 8.0, 30.0)),
        retry_after_s,
        slow_s,
    )


def _wait(chance: random.Random, number: int) -> Wait:
    starts_s = round(chance.choice((0.0, chance.uniform(0, 120))), 3)
    is_known, timeout_s = chance.random() < 0.9, chance.choice((None, 45.0, 120.0, 300.0, 600.0))
    beginner = chance.choice(BEGINNERS if timeout_s else BEGINNERS[:2])
    by_worker = beginner == "worker"
    poke_interval_s = chance.choice((2.0, 2.0, 5.0, 10.0, 30.0))
    exponential_backoff = chance.random() < 0.2
    restarts = [
        (round(chance.uniform(1, 300), 3), chance.choice((0.0, 0.5, 5.0, 60.0)))
        for _ in range(chance.choice((0, 0, 0, 1, 2)))
    ]
    return Wait(
        number,
        starts_s,
        starts_s + round(chance.choice((5.0, chance.uniform(0, 120), chance.uniform(60, 500))), 3)
        if is_known
        else None,
        chance.random() < 0.1,
        beginner,
        chance.choice((2.0, 9.5, 31.0)) if by_worker else 0.0,
        by_worker and chance.random() < 0.3,
        poke_interval_s,
        60.0 if exponential_backoff else chance.choice((None, None, poke_interval_s)),
        exponential_backoff,
        bool(timeout_s) and chance.random() < 0.2,
        timeout_s,
        chance.choice((None, None, 60.0, 400.0)) if beginner != "triggerer" else None,
        tuple(sorted(restarts)),
    )


def _fault(chance: random.Random, retry_after_s: float, slow_s: float) -> Fault:
    times = chance.choice((1, 1, 1, 2, 6))
    status = chance.choice((400, 403, 404, 429, 500, 502, 503, 504))
    asked_s = retry_after_s if status in RETRY_AFTER_STATUSES else None
    url = "https://example.com/login"
    makers: dict[type[Fault], Callable[[], Fault]] = {
        HttpError: lambda: HttpError(status, asked_s, times=times),
        AcceptThenHttpError: lambda: AcceptThenHttpError(status, asked_s, "{task_id}", times=times),
        ResetBefore: lambda: ResetBefore(times=times),
        AcceptThenReset: lambda: AcceptThenReset(times=times),
        Hang: lambda: Hang(times=times),
        AcceptThenHang: lambda: AcceptThenHang(times=times),
        Slow: lambda: Slow(slow_s, times=times),
        NotJson: lambda: NotJson(times=times),
        Body: lambda: Body(chance.choice(_BODIES), times=times),
        ResultCode: lambda: ResultCode(chance.choice(_CODES), times=times),
        AnotherJob: lambda: AnotherJob(OTHER_JOB, times=times),
        NoAddress: lambda: NoAddress(times=times),
        Padded: lambda: Padded(times=times),
        KeyInMessage: lambda: KeyInMessage(times=times),
        GzipBomb: lambda: GzipBomb(1, times=times),
        InterimResponse: lambda: InterimResponse(count=times, times=times),
        Redirect: lambda: Redirect(url, times=times),
    }
    return makers[chance.choice(list(makers))]()
