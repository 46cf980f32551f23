"""Each name of `aiohttp` that it does not document, hidden: no connection is kept, and the polls go on."""

from __future__ import annotations

import sys
from contextlib import aclosing
from types import ModuleType
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from support import keepalive
from support.keepalive import LEAVES_NOTHING, kept, run

from airflow_provider_twinsync._api.status import JobState

if TYPE_CHECKING:
    from support.keepalive import Service

pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture
POLLS = 3


def poll(service: Service) -> None:
    """Poll some jobs, one after the other."""

    async def main() -> None:
        async with aclosing(await kept()) as hook:
            for n in range(1, POLLS):
                assert (await hook.aget_job(f"job-{n}")).state is JobState.RUNNING

    run(main())
    assert len(service.asked) == POLLS


def test_the_names_are_there(service: Service) -> None:
    """On each supported `aiohttp`; else the fallback would always be used."""
    poll(service)
    assert service.connections == 1


@pytest.mark.skipif(aiohttp.__version__.startswith("3.10."), reason="aiohttp reads it of every connection")
def test_without_the_name_that_shows_a_second_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`aiohttp` itself reads it only of a connection that it may keep."""
    monkeypatch.delattr(ResponseHandler, "should_close")
    poll(service)
    assert service.connections == POLLS


@pytest.mark.parametrize(
    "names", [{}, {"Connection": object, "ResponseHandler": object}], ids=["moved", "other"]
)
@pytest.mark.parametrize("module", ["aiohttp.client_proto", "aiohttp.connector"])
def test_without_the_classes_that_have_the_names(
    service: Service, monkeypatch: pytest.MonkeyPatch, module: str, names: dict[str, Any]
) -> None:
    """They are elsewhere, or are others."""
    hidden = ModuleType(module)
    vars(hidden).update(names)
    monkeypatch.setitem(sys.modules, module, hidden)
    poll(service)
    assert service.connections == POLLS
