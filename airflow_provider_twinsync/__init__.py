"""TwinSync for Apache Airflow: make the person in a photo speak a text.

Importing this module imports no Airflow, and neither does the provider info: so the emulator runs without it,
and Airflow reads the provider info fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.extra_field import ExtraField

__version__ = "0.1.0"

_INTEGRATION = "TwinSync"


def get_provider_info() -> dict[str, Any]:
    """Return the provider info, which Airflow reads at its start.

    >>> get_provider_info()["connection-types"][0]["connection-type"]
    'twinsync'
    """
    from airflow_provider_twinsync._api import service_address, settings

    return {
        "package-name": "airflow-provider-twinsync",
        "name": "TwinSync",
        "description": "Make the person in a photo speak a text, with TwinSync.",
        "integrations": [{"integration-name": _INTEGRATION, "tags": ["service"]}],
        "hooks": [_modules("hooks")],
        "operators": [_modules("operators")],
        "sensors": [_modules("sensors")],
        "triggers": [_modules("triggers")],
        "task-decorators": [
            {"name": "twinsync", "class-name": f"{__name__}.decorators.twinsync_task"},
        ],
        "extra-links": [f"{__name__}.links.TwinSyncVideoLink"],
        "connection-types": [
            {
                "connection-type": "twinsync",
                "hook-class-name": f"{__name__}.hooks.TwinSyncHook",
                "hook-name": "TwinSync",
                # The form: Airflow 3.2 and later read it here, earlier versions call the hook's method.
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "extra"],
                    "relabeling": {"password": "Access key"},
                    "placeholders": {
                        "host": service_address.DEFAULT_HOST,
                        "port": str(service_address.DEFAULT_PORT),
                        "schema": service_address.DEFAULT_SCHEME,
                    },
                },
                "conn-fields": {name: _form_field(field) for name, field in settings.EXTRA_FIELDS.items()},
            }
        ],
    }


def _modules(name: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": [f"{__name__}.{name}"]}


def _form_field(field: ExtraField) -> dict[str, Any]:
    """Return the description of one field of the extra; an empty field has its default."""
    return {
        "label": field.label,
        "description": f"{field.meaning} Default: {field.default_text}",
        "schema": {"type": [field.kind, "null"]},
    }
