"""The delay before the next poll.

Pure: no input or output, no clock, no randomness.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_twinsync._wait.config import WaitConfig

#: The delay between two polls is this share of the time waited so far, from `poke_interval_s` up to this
#: ceiling. A video is seen 3 % late on average (`benchmarks/bench_policy.py` shows it).
_SHARE = 0.05
DEFAULT_MAX_WAIT_S = 60.0
#: The jitter makes a delay longer by up to this share, so that waits that began together poll apart.
_JITTER = 0.1

#: The bound of a `Retry-After`: a wrong header must not park a task for a day.
_MAX_RETRY_AFTER_S = 600.0
#: This many failures in a row mean that a service is down; fewer happen in any network.
_MANY_FAILURES = 5
_MAX_OUTAGE_DELAY_S = 30.0


def delay_s(config: WaitConfig, polls: int, elapsed_s: float, twinsync_task_id: str) -> float:
    """Return the delay after a poll, in seconds.

    The delay is a share of the time waited so far, as nobody knows how long a job takes: so a short job is
    not seen late, and a long job does not need a thousand polls. For example, a job of ten minutes is polled
    every 30 s at its end. With ``max_wait_s`` equal to ``poke_interval_s`` the delay is constant.

    As in ``BaseSensorOperator``, the n-th exponential backoff is between 2^(n-2) and 2^(n-1) times the
    interval. The jitter is derived from the id, so a test or a rerun can know it.

    :param config: the options of the wait.
    :param polls: how many polls there were.
    :param elapsed_s: seconds since the start of the wait.
    """
    if config.exponential_backoff:
        # The exponent is bounded: beyond it a float would overflow, and no wait is that long.
        backoff_s = config.poke_interval_s * 2.0 ** (min(polls, 64) - 2)
        backoff_s *= 1 + chance(twinsync_task_id, polls)
        return backoff_s if config.max_wait_s is None else min(backoff_s, config.max_wait_s)
    share_s, ceiling_s = _share_s(config, elapsed_s), _ceiling_s(config)
    if share_s >= ceiling_s:
        return ceiling_s
    # The first delay separates waits that began together; the jitter of the others keeps them apart.
    stretch = 1.0 if polls == 1 else _JITTER
    return min(share_s * (1 + stretch * chance(twinsync_task_id, polls)), ceiling_s)


def reconnect_delay_s(config: WaitConfig, elapsed_s: float, twinsync_task_id: str) -> float:
    """Return the delay before the first poll of another process, which may resume thousands of waits.

    :param config: the options of the wait.
    :param elapsed_s: seconds since the start of the wait.
    """
    share_s = config.poke_interval_s if config.exponential_backoff else _share_s(config, elapsed_s)
    return min(share_s, _ceiling_s(config)) * (1 + chance(twinsync_task_id, 0))


def _share_s(config: WaitConfig, elapsed_s: float) -> float:
    return max(config.poke_interval_s, _SHARE * elapsed_s)


def _ceiling_s(config: WaitConfig) -> float:
    if config.max_wait_s is None:
        return max(DEFAULT_MAX_WAIT_S, config.poke_interval_s)
    return config.max_wait_s


def chance(twinsync_task_id: str, number: int) -> float:
    """Return a number from 0 to 1 that differs for each job and poll, and is the same in each run."""
    digest = blake2b(b"%s#%d" % (twinsync_task_id.encode(), number), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def outage_delay_s(failures: int) -> float:
    """Return the delay after this many failures in a row, in seconds: 0 for few, then more and more."""
    if failures < _MANY_FAILURES:
        return 0.0
    # The exponent is bounded: beyond it a float would overflow.
    return min(2.0 ** (min(failures, 64) - _MANY_FAILURES), _MAX_OUTAGE_DELAY_S)


def requested_delay_s(retry_after_s: float | None) -> float:
    """Return the delay that a service asks for, in seconds, up to a bound."""
    return min(retry_after_s or 0.0, _MAX_RETRY_AFTER_S)


#: How often one task sends a submit that was not accepted, and the longest delay between two attempts.
_MAX_SUBMITS = 4
_MAX_SUBMIT_DELAY_S = 60.0


def submit_delay_s(attempts: int, retry_after_s: float | None) -> float | None:
    """Return the delay before a submit that was not accepted is sent again, or None to give up.

    :param attempts: how often it was sent so far.
    :param retry_after_s: the delay that the service asks for, in seconds.
    """
    delay_s = max(2.0 ** (attempts - 1), retry_after_s or 0.0)
    return None if attempts >= _MAX_SUBMITS or delay_s > _MAX_SUBMIT_DELAY_S else delay_s
