"""The provider info, its connection type, and Airflow's schemas for both."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from airflow_provider_twinsync import get_provider_info

INFO = get_provider_info()
[CONNECTION_TYPE] = INFO["connection-types"]
CONN_FIELDS = CONNECTION_TYPE["conn-fields"]


def schema_of_airflow(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("airflow").joinpath(name).read_text(encoding="utf-8"))
    return schema
