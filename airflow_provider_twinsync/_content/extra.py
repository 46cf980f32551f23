"""The error of a feature whose libraries are not installed."""

from __future__ import annotations

from airflow_provider_twinsync.exceptions import UsageError


def needs_content(feature: str) -> UsageError:
    """Return the error of a feature that needs the extra ``content``.

    >>> needs_content("a long text").code
    'TS140'

    :param feature: the feature, for the message.
    """
    return UsageError(
        f"TS140 {feature} needs libraries that are not installed: run "
        "pip install 'airflow-provider-twinsync[content]' on each worker."
    )
