"""A stateful TwinSync on loopback: try, test and develop with no key, no account and no network.

``python -m airflow_provider_twinsync.emulator`` runs it as a server of its own; in a test::

    from airflow_provider_twinsync.emulator import Emulator, HttpError

    with Emulator() as emulator:
        emulator.world.faults.add("submit", HttpError(status=503, retry_after_s=1))
        ...  # send requests to emulator.url with emulator.key

It imports nothing of the client, nor the client of it: a mistake that both share would pass every test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
    AcceptThenHttpError,
    AcceptThenReset,
    AnotherJob,
    BlackVideo,
    Body,
    FailJob,
    FrozenVideo,
    GarbledVideo,
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
    ShortVideo,
    SilentVideo,
    Slow,
    Truncated,
    WrongVideo,
)
from airflow_provider_twinsync.emulator.front_ends import FRONT_ENDS

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.runner import Emulator

__all__ = [
    "FRONT_ENDS",
    "AcceptThenHang",
    "AcceptThenHttpError",
    "AcceptThenReset",
    "AnotherJob",
    "BlackVideo",
    "Body",
    "Emulator",
    "FailJob",
    "FrozenVideo",
    "GarbledVideo",
    "GzipBomb",
    "Hang",
    "HttpError",
    "InterimResponse",
    "KeyInMessage",
    "NoAddress",
    "NotJson",
    "Padded",
    "Redirect",
    "ResetBefore",
    "ResultCode",
    "ShortVideo",
    "SilentVideo",
    "Slow",
    "Truncated",
    "WrongVideo",
]

# The packages of the extra. If one is missing, so is the extra; any other import that fails is a mistake.
_EXTRA_MODULES = frozenset({"PIL", "aiohttp", "av", "manimgx_fonts_cjk"})


def __getattr__(name: str) -> object:
    """Import :class:`Emulator` on first use, so that faults and world need no extra.

    :raises ImportError: if the ``emulator`` extra is not installed; the message has the command.
    """
    if name != "Emulator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from airflow_provider_twinsync.emulator.runner import Emulator
    except ModuleNotFoundError as e:
        missing = (e.name or "").partition(".")[0]
        if missing not in _EXTRA_MODULES:
            raise
        raise ImportError(
            f"the TwinSync emulator needs packages that are not installed (missing: {missing}); "
            "install them with: pip install 'airflow-provider-twinsync[emulator]'"
        ) from None
    return Emulator
