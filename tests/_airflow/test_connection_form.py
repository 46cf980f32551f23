"""The form of a connection: its fields, and the same form for older Airflows."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its types are another package
import pytest
from support.provider_info import CONN_FIELDS, CONNECTION_TYPE, schema_of_airflow

from airflow_provider_twinsync._api import settings as connection


def test_the_form_has_the_fields_that_the_connection_reads() -> None:
    """A field of only one of them would be an error, or could not be entered."""
    assert list(CONN_FIELDS) == list(connection.EXTRA_FIELDS)


@pytest.mark.parametrize("name", CONN_FIELDS)
def test_a_field_may_be_left_empty(name: str) -> None:
    """The form sends null for it; a field is required unless its schema allows null."""
    schema = CONN_FIELDS[name]["schema"]
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(None, schema)
    assert "default" not in schema, "it would be stored, and outlive the package's own"


@pytest.mark.parametrize("name", CONN_FIELDS)
def test_a_field_says_its_default(name: str) -> None:
    """It is the default of the connection."""
    default = connection.EXTRA_FIELDS[name].default
    shown = CONN_FIELDS[name]["description"].rpartition("Default: ")[2]
    if default is None or default == frozenset():
        assert name in {
            *("proxy", "allowed_result_hosts", "requests_per_second", "ledger", "voices", "photo_staging"),
            *("requests_per_second_store", "submits_per_minute", "max_jobs_per_day"),
        }
    elif isinstance(default, bool):
        assert shown == str(default).lower()
    elif isinstance(default, str):
        assert shown == default
    else:
        assert float(shown) == default


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("path", "/api"),
        ("voices", "any"),
        ("request_timeout_s", 2.5),
        ("verify", "false"),
        ("proxy", "http://proxy.example:3128"),
        ("text_limit_words", 300),
        ("allowed_result_hosts", "a.example, b.example"),
        ("max_video_mb", 10),
        ("tolerance_s", 60),
        ("requests_per_second", 0.5),
        ("requests_per_second_store", "redis://cache.example:6379/0"),
        ("submits_per_minute", 0.5),
        ("max_jobs_per_day", 100),
    ],
)
def test_what_is_typed_into_a_field_is_read(name: str, typed: Any) -> None:
    """The connection accepts each value that the form's schema accepts."""
    jsonschema.validate(typed, CONN_FIELDS[name]["schema"])
    read = connection.parse_connection(
        "c", host=None, port=None, schema=None, password="k", extra=json.dumps({name: typed})
    )
    bare = connection.parse_connection("c", host=None, port=None, schema=None, password="k", extra=None)
    assert read != bare


def test_the_form_suggests_the_documented_address() -> None:
    """And the password has the service's name, "Access key"."""
    form = CONNECTION_TYPE["ui-field-behaviour"]
    assert form["placeholders"] == {
        "host": "api2.sam-sara.cn",
        "port": "17374",
        "schema": "http",
    }
    assert form["relabeling"] == {"password": "Access key"}
    assert "password" not in form["hidden-fields"]


def test_the_hook_tells_older_airflows_the_same_form() -> None:
    """Below 3.2 Airflow calls the hook's method, for names with underscores."""
    from airflow_provider_twinsync.hooks import TwinSyncHook

    form = TwinSyncHook.get_ui_field_behaviour()
    jsonschema.validate(form, schema_of_airflow("customized_form_field_behaviours.schema.json"))
    assert {name.replace("_", "-"): value for name, value in form.items()} == (
        CONNECTION_TYPE["ui-field-behaviour"]
    )


def test_the_hook_gives_older_airflows_the_same_fields() -> None:
    """With the right classes, inputs of the same type, and each may be left empty."""
    pytest.importorskip("flask_appbuilder")
    from wtforms import Form
    from wtforms.fields import IntegerField, StringField

    from airflow_provider_twinsync.hooks import TwinSyncHook

    widgets = TwinSyncHook.get_connection_form_widgets()
    form = type("ConnectionForm", (Form,), widgets)()
    assert list(widgets) == list(CONN_FIELDS)
    for name, field in CONN_FIELDS.items():
        kind = field["schema"]["type"][0]
        assert widgets[name].field_class is (IntegerField if kind == "integer" else StringField)
        assert ('type="number"' in form[name]()) is (kind != "string")
        assert (form[name].label.text, form[name].description) == (field["label"], field["description"])
    assert type(form)(formdata=FormData()).validate()


class FormData(dict[str, str]):
    """The data that a browser sends of an empty form."""

    def __contains__(self, name: object) -> bool:
        return True

    def getlist(self, name: str) -> list[str]:
        return [""]
