"""A backend of XComs, as one that keeps them in a store: the database has another value than tasks have."""

from __future__ import annotations

from typing import Any

from airflow.sdk.bases.xcom import BaseXCom


class Elsewhere(BaseXCom):
    """Wrap each value."""

    @staticmethod
    def serialize_value(value: Any, **place: Any) -> Any:
        return BaseXCom.serialize_value({"elsewhere": value}, **place)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        return BaseXCom.deserialize_value(result)["elsewhere"]
