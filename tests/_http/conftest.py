"""Each of the two clients, and an urllib3 that no longer calls the methods that the package replaces."""

from __future__ import annotations

import gc
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from support.senders import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, ...]], None]:
    """Have urllib3 call its own methods where the package has replaced them, as after a change of names."""

    def hide(names: tuple[str, ...]) -> None:
        connect_pool = requests.adapters.HTTPAdapter.get_connection_with_tls_context

        def get_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
            pool = connect_pool(self, *args, **kwargs)
            make = pool.ConnectionCls

            def connection(*args: Any, **kwargs: Any) -> Any:
                made = make(*args, **kwargs)
                for name in names:
                    setattr(made, name, MethodType(getattr(urllib3.connection.HTTPConnection, name), made))
                return made

            pool.ConnectionCls = connection
            return pool

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "get_connection_with_tls_context", get_pool)

    return hide


@pytest.fixture(scope="module")
def quick_garbage_collector() -> Iterator[None]:
    """Freeze the objects of Airflow, so that each collection is quick."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=["sync", "async"])
def sender(request: pytest.FixtureRequest, quick_garbage_collector: None) -> Iterator[Sender]:
    """Each of the two."""
    yield Sender(request.param)
    gc.collect()


@pytest.fixture
def quick(sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """No delays, and one attempt of each download: the others would be the same."""
    monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 1)
