"""Sign an address of an object in a store, which the service opens without a login.

The names of stores that fsspec does not document have a fallback each.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.answers import shown
from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._api.validation import is_http_url
from airflow_provider_twinsync._storage.addresses import is_s3
from airflow_provider_twinsync.exceptions import UsageError

log = logging.getLogger(__name__)


def sign(store: Any, path: str, lifetime_s: int, subject: str) -> str:
    """Return the signed http(s) address of an object. It is a secret.

    :param store: the file system, of fsspec.
    :param path: the path in it.
    :param lifetime_s: the lifetime of the signature, in seconds; shorter if the credentials expire before.
    :param subject: the photo, as the subject of a sentence.
    :raises UsageError: the store cannot sign. Other errors of the store pass.
    """
    try:
        if is_s3(store):
            lifetime_s = _limited(lifetime_s, _seconds_left(store), subject)
            url = _sign_s3(store, path, lifetime_s)
        else:
            url = store.sign(path, expiration=lifetime_s)
    except (NotImplementedError, ImportError, AttributeError, TypeError, ValueError) as error:
        raise _cannot_sign(store, subject, error) from None
    if not is_http_url(url):
        raise _cannot_sign(store, subject, None)
    return url


def _cannot_sign(store: Any, subject: str, error: Exception | None) -> UsageError:
    reason = f": {shown(str(error), '')}" if error and str(error) else ""
    kind = f"{type(store).__name__}{reason}"
    return UsageError(
        f"TS155 {subject} is in a store that cannot sign an address ({kind}): put it into S3, Google Cloud "
        "Storage or Azure Blob Storage, with credentials that can sign (a key of the account, and not a "
        "token), or on a web server that the internet reaches, and give its http(s) address."
    )


def _limited(lifetime_s: int, left_s: float | None, subject: str) -> int:
    """Return the lifetime of a signature that ends with the credentials at the latest."""
    if left_s is None or left_s >= lifetime_s:
        return lifetime_s
    log.warning(
        "TS157 %s can be opened for %s only, and not for %s (photo_expires_s): then the credentials of the "
        "store expire. A job that begins later fails. Sign with an access key of a user, or lower "
        "photo_expires_s.",
        subject,
        shown_duration(left_s),
        shown_duration(lifetime_s),
    )
    return max(1, int(left_s))


def _sign_s3(store: Any, path: str, lifetime_s: int) -> Any:
    """Return the address of an object in S3 with a signature of today (SigV4), in the region of its bucket.

    By itself botocore signs addresses with SigV2, which newer buckets refuse, and on the host of all regions,
    which newer regions refuse. An address that is signed for another region is refused, and a redirect cannot
    correct it. A signer of Airflow's own (botocore's ``UNSIGNED``) stays in use.

    Names: ``config_kwargs``, ``cache_regions`` (s3fs; documented as arguments).
    """
    options = store.storage_options
    config = options.get("config_kwargs") or {}
    if not isinstance(config.get("signature_version", ""), str):  # botocore's UNSIGNED
        return store.sign(path, expiration=lifetime_s)

    def signed(**more: Any) -> Any:
        changed = {**config, "signature_version": "s3v4", **more}
        # Not from fsspec's cache: a second use of a copy loses its credentials (s3fs 2026.2).
        new = {"config_kwargs": changed, "cache_regions": True, "skip_instance_cache": True}
        other = type(store)(**{**options, **new})
        return other.sign(path, expiration=lifetime_s)

    url = signed()
    if (urlsplit(url).hostname or "").endswith(".s3.amazonaws.com"):
        url = signed(s3={**(config.get("s3") or {}), "addressing_style": "virtual"})
    return url


def _seconds_left(store: Any) -> float | None:
    """Return the seconds until the credentials of an S3 expire; None if they do not, or it is unknown.

    Names: ``session`` (s3fs, an argument), ``loop`` (fsspec), ``get_credentials``,
    ``get_frozen_credentials``, ``_expiry_time`` (botocore). Without them the time is unknown.
    """
    from fsspec.asyn import sync

    async def expiry() -> datetime | None:
        credentials = await store.storage_options["session"].get_credentials()
        await credentials.get_frozen_credentials()  # new ones, if there are any
        found = getattr(credentials, "_expiry_time", None)
        return found if isinstance(found, datetime) else None

    try:
        ends = sync(store.loop, expiry)
    except (AttributeError, KeyError, TypeError):
        return None
    return (ends - datetime.now(timezone.utc)).total_seconds() if ends else None
