"""The form of a connection for Airflow below 3.2; later releases read the provider info instead."""

from __future__ import annotations

from typing import Any

from airflow_provider_twinsync import get_provider_info


def form_widgets() -> dict[str, Any]:
    """Build the fields of the form for the extra, for example a number field for ``tolerance_s``."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import IntegerField, StringField
    from wtforms.validators import Optional

    text = BS3TextFieldWidget()

    def number(field: Any, **attributes: Any) -> Any:
        return text(field, type="number", min=0, step="any", **attributes)

    # Airflow takes no other classes of fields, not even derived ones, so a fraction is a string field.
    kinds = {
        "string": (StringField, text),
        "number": (StringField, number),
        "integer": (IntegerField, number),
    }
    widgets = {}
    for name, field in get_provider_info()["connection-types"][0]["conn-fields"].items():
        kind, widget = kinds[field["schema"]["type"][0]]
        widgets[name] = kind(field["label"], [Optional()], description=field["description"], widget=widget)
    return widgets


def field_behaviour() -> dict[str, Any]:
    """Return the fields that the form hides, their labels and their placeholders."""
    behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
    return {name.replace("-", "_"): value for name, value in behaviour.items()}
