"""TwinSync for Apache Airflow: make the person in a photo speak a text.

Importing this module imports no Airflow: so the emulator runs without it, and Airflow reads the provider info
fast.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_INTEGRATION = "TwinSync"


def get_provider_info() -> dict[str, Any]:
    """Return the provider info, which Airflow reads at its start.

    >>> get_provider_info()["connection-types"][0]["connection-type"]
    'twinsync'
    """
    return {
        "package-name": "airflow-provider-twinsync",
        "name": "TwinSync",
        "description": "Make the person in a photo speak a text, with TwinSync.",
        "integrations": [{"integration-name": _INTEGRATION, "tags": ["service"]}],
        "hooks": [_modules("hooks")],
        "operators": [_modules("operators")],
        "sensors": [_modules("sensors")],
        "triggers": [_modules("triggers")],
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
                        "host": "api2.sam-sara.cn",
                        "port": "17374",
                        "schema": "http",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
    }


def _modules(name: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": [f"{__name__}.{name}"]}


def _field(kind: str, label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return the description of one field of the extra; an empty field has its default."""
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


_CONNECTION_FIELDS = {
    "path": _field("string", "Path", "The path of the API at that host. Default: /phototalking"),
    "request_timeout_s": _field(
        "number", "Request timeout (s)", "The longest time that one request may take, in seconds. Default: 30"
    ),
    "verify": _field(
        "string",
        "Verify TLS",
        "'true' or 'false': check certificates; or the path of a file with the certificates to trust. "
        "Default: true",
    ),
    "proxy": _field(
        "string", "Proxy", "The http:// address of a proxy. Default: the proxy of the environment, if any"
    ),
    "text_limit_words": _field(
        "integer",
        "Text limit (words)",
        "The longest text; each Chinese or Japanese character counts as a word. Default: 150",
    ),
    "allowed_result_hosts": _field(
        "string",
        "Allowed result hosts",
        "More hosts from which videos may be fetched, with commas in between. "
        "Always allowed: the host of this connection and api.twinsync.xyz",
    ),
    "max_video_mb": _field(
        "number", "Largest video (MB)", "A larger video is not stored; in millions of bytes. Default: 2048"
    ),
    "tolerance_s": _field(
        "number",
        "Tolerance (s)",
        "How long a job's status may be unavailable before the wait fails, in seconds. Default: 300",
    ),
    "requests_per_second": _field(
        "number",
        "Requests per second",
        "The most status requests that one triggerer sends in a second, for all waits over this connection. "
        "Default: no limit",
    ),
}
