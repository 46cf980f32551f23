"""A connection with a key, as settings or as the message of its error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_twinsync._api.settings import Settings, parse_connection
from airflow_provider_twinsync.exceptions import UsageError

KEY = "Sesame-7b1f9c"
LOGIN = "hunter2"
DEFAULT_URL = "http://api2.sam-sara.cn:17374/phototalking"


def read(extra: Any = None, **fields: Any) -> Settings:
    """Return the settings of a connection with a key; an extra may be a dict, such as ``{"path": "/a"}``."""
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    given = {"host": None, "port": None, "schema": None, "password": KEY, **fields}
    return parse_connection("my_conn", extra=text, **given)


def error(extra: Any = None, **fields: Any) -> str:
    """Return the message of the error of a connection: it names the connection, and never the key."""
    with pytest.raises(UsageError) as caught:
        read(extra, **fields)
    message = str(caught.value)
    assert message.startswith(f"{caught.value.code} Connection 'my_conn'")
    assert KEY not in message
    assert LOGIN not in message
    return message
