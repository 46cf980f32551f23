"""The Redis that all processes of a connection share: its address, its scripts and its errors."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_provider_twinsync._api.redaction import hide
from airflow_provider_twinsync._api.shown import one_line, shown_address
from airflow_provider_twinsync._http.turn_policy import AHEAD_S, FORGOTTEN_S, Bound, Reply
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.settings import Settings

#: The longest time for an answer of the store, in seconds.
TIMEOUT_S = 1.0
#: A process counts as known for this long after it asked. It is longer than the usual delay of two polls.
_KNOWN_S = 120.0
#: As in the names of a ledger's records: slow, so that the digits do not help to guess a key.
_ROUNDS = 20_000
_MOST_SHOWN = 300

#: Reserve the next turn, or wait in a queue. One script is one step of Redis, and its clock is that of all
#: processes. The turns are evenly spaced (GCRA with a burst of one), so no window of time has a burst.
#: A process in the queue has no turn yet, only a place: if its task is killed, the others move up.
TURN = """
local function text(number) return string.format('%.0f', number) end
local processes, queue, seen, next_turn = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, interval, ahead = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local forgotten, known = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZADD', processes, text(now), me)
redis.call('ZREMRANGEBYSCORE', processes, '-inf', text(now - known))
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', text(now - forgotten))) do
  redis.call('ZREM', queue, gone)
  redis.call('ZREM', seen, gone)
end
redis.call('ZADD', queue, 'NX', text(now), me)
local before = redis.call('ZRANK', queue, me)
local at = math.max(now, tonumber(redis.call('GET', next_turn) or '0'))
local expected = at - now + before * interval
local is_reserved = 0
if expected <= ahead then
  is_reserved, expected = 1, at - now
  redis.call('ZREM', queue, me)
  redis.call('ZREM', seen, me)
  local kept = math.ceil((expected + interval) / 1000) + 1000
  redis.call('SET', next_turn, text(at + interval), 'PX', text(kept))
else
  redis.call('ZADD', seen, text(now), me)
end
for _, key in ipairs({processes, queue, seen}) do
  redis.call('PEXPIRE', key, text(math.ceil(2 * known / 1000)))
end
return {is_reserved, text(expected), redis.call('ZCARD', processes)}
"""
_NAMES = ("processes", "queue", "seen", "next")

#: Count one more job of the day, or refuse it. The day is that of the server's clock.
COUNT_JOB = """
local day = math.floor(tonumber(redis.call('TIME')[1]) / 86400)
if tonumber(redis.call('HGET', KEYS[1], day) or '0') >= tonumber(ARGV[1]) then
  return -1
end
redis.call('HINCRBY', KEYS[1], day, 1)
redis.call('HDEL', KEYS[1], day - 2)
redis.call('EXPIRE', KEYS[1], 172800)
return day
"""
UNCOUNT_JOB = """
if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') > 0 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], -1)
end
return 1
"""


class SharedStore:
    """The store of a connection, as one process uses it for one bound.

    :param settings: the connection; its ``requests_per_second_store`` is set.
    :raises UsageError: the address has another scheme.
    """

    def __init__(self, settings: Settings) -> None:
        self.address = settings.requests_per_second_store or ""
        self.owner = f"Connection {settings.conn_id!r}"
        if not self.address.lower().startswith(("redis://", "rediss://")):
            # No more than the scheme: of a malformed address any part may be the password.
            scheme, found, _ = self.address.partition("://")
            raise self._not_usable(f"begins with {one_line(scheme, 20)!r}" if found else "has no scheme")
        self.shown = shown_address(self.address)
        # Braces keep the names of one connection on one node of a cluster.
        self.prefix = f"twinsync:{{{digits_of(settings)}}}"

    def open(self, library: Any) -> Any:
        """Return a client; it connects at its first command.

        :param library: ``redis`` or ``redis.asyncio``.
        :raises UsageError: the address is malformed.
        """
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as NotConnected

        # A connection that the server closed meanwhile is opened again, once. A hanging server is not asked
        # twice.
        retry = library.retry.Retry(NoBackoff(), 1, supported_errors=(NotConnected,))
        try:
            client = library.Redis.from_url(self.address, protocol=2, retry=retry)
        except (ValueError, TypeError):  # the error may quote a part of the password
            raise self._not_usable("is malformed") from None
        # Not as options above: those in the address would win.
        client.connection_pool.connection_kwargs.update(
            socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        return client

    def _not_usable(self, problem: str) -> UsageError:
        return UsageError(
            f"TS217 {self.owner}: requests_per_second_store in the extra {problem}: it should be the address "
            "of a Redis, such as 'redis://:password@host:6379/0' or 'rediss://...'. The characters # / : ? @ "
            "of a password are percent-encoded."
        )

    def turn_arguments(self, bound: Bound) -> list[Any]:
        """Return the arguments of ``EVAL`` for the next turn."""
        keys = [f"{self.prefix}:{bound.name}:{name}" for name in _NAMES]
        times = [round(seconds * 1e6) for seconds in (bound.interval_s, AHEAD_S, FORGOTTEN_S, _KNOWN_S)]
        return [TURN, len(keys), *keys, this_process(), *times]

    def problem(self, error: BaseException) -> str:
        """Return an error in one line, without the password of the store."""
        text = type(error).__name__
        if str(error) and not self.shown.rstrip("'").endswith("***"):  # else the host is unclear
            text = f"{text}: {error}"
        for secret in passwords_of(self.address):
            text = hide(text, secret, 2_000)
        return one_line(text, _MOST_SHOWN)

    def error_of(self, error: Exception) -> UsageError | UnavailableError:
        """Return the error of a store that has not worked yet."""
        from redis import exceptions as redis_errors

        problem = self.problem(error)
        is_refused = isinstance(error, redis_errors.AuthenticationError | redis_errors.NoPermissionError)
        if is_refused or "unauthenticated" in problem:  # as a large command without a login is
            return UsageError(
                f"TS219 {self.owner}: the store {self.shown} refuses the login or the command ({problem}). "
                "Check the user and the password in requests_per_second_store, and allow it EVAL, TIME, GET, "
                "SET, and the commands of sorted sets on the keys 'twinsync:*'."
            )
        if isinstance(error, redis_errors.ResponseError) and not _passes(str(error)):
            return UsageError(
                f"TS220 {self.owner}: the store {self.shown} cannot run the script that counts requests "
                f"({problem}). requests_per_second_store needs a Redis 5 or later, or a server that runs "
                "Redis's Lua scripts as it does, and is no cluster."
            )
        return UnavailableError(
            f"TS221 {self.owner}: the store {self.shown} cannot be reached ({problem}). Nothing was sent. "
            "Check requests_per_second_store in the extra, and that this machine reaches it."
        )


def reply_of(answer: Any) -> Reply:
    """Read an answer of the script.

    >>> reply_of([1, b"250000", 4])
    Reply(is_reserved=True, delay_s=0.25, processes=4)

    :raises ValueError: it is none.
    """
    is_reserved, delay_us, processes = answer
    return Reply(int(is_reserved) == 1, max(0.0, int(delay_us) / 1e6), int(processes))


def passwords_of(address: str) -> list[str]:
    """Return the password in an address, as it is written and as it is meant.

    >>> passwords_of("redis://:a%2Fb@cache/0")
    ['a%2Fb', 'a/b']
    """
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return []
    return [one for one in dict.fromkeys((password, unquote(password))) if one]


def this_process() -> str:
    """Return a name for this process; a process that is forked has another."""
    return _name_of(os.getpid())


@lru_cache(maxsize=1)
def _name_of(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{uuid.uuid4().hex[:8]}"


def digits_of(settings: Settings) -> str:
    """Return eight digits for a connection and its account, as a name of what is counted."""
    return _digits(settings.conn_id, settings.url, settings.key)


@lru_cache(maxsize=64)
def _digits(conn_id: str, url: str, key: str) -> str:
    # Too few to find the key by them.
    salt = f"{conn_id} {url}".encode()
    return hashlib.pbkdf2_hmac("sha256", key.encode(), salt, _ROUNDS, dklen=4).hex()


def _passes(message: str) -> bool:
    """Return whether an error of a server may pass: it starts, is full, or is a replica for a moment."""
    words = ("LOADING", "READONLY", "OOM", "MISCONF", "BUSY", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN")
    passing = (*words, "CLUSTERDOWN", "max number of clients")
    return any(word in message for word in passing)
