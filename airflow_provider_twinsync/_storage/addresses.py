"""Addresses of local files and of objects that Airflow's ``ObjectStoragePath`` understands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import shown_destination
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

#: Errors of a disk or a store that a retry meets again.
LASTING_ERRORS = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ValueError,
)


def local_path(address: str) -> Path | None:
    """Return the local path of an address, or None if it is in a store.

    For example, ``file:///videos/a.mp4`` is ``Path("/videos/a.mp4")``, and ``s3://videos/a.mp4`` is None.

    :raises RuntimeError: there is no such user's home.
    """
    scheme, colon, rest = address.partition("://")
    if colon and scheme not in ("file", "local"):
        return None
    return Path(rest if colon else address).expanduser()


def is_s3(store: Any) -> bool:
    """Return whether a file system is S3; fsspec has one protocol or several."""
    protocols = store.protocol
    return "s3" in ((protocols,) if isinstance(protocols, str) else protocols)


def open_store(address: str, given: Any, subject: str, use: str) -> tuple[Any, ObjectStoragePath]:
    """Return the file system of an address in a store, and its path. Sends nothing.

    :param given: the argument, which may be an ``ObjectStoragePath`` itself.
    :param subject: a code and the name of the argument, for the error.
    :param use: the use of the address, such as ``written``.
    :raises UsageError: there is no such kind of store, or no such connection.
    """
    # Here, as they are slow to import, and a local path needs neither.
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath

    problem = f"{subject} {shown_destination(address)} cannot be {use}"
    try:
        path = given if isinstance(given, ObjectStoragePath) else ObjectStoragePath(address)
        return path.fs, path
    except (ValueError, ImportError) as error:
        raise UsageError(f"{problem}: {error}. Is the provider for it installed?") from None
    except AirflowNotFoundException as error:
        raise UsageError(f"{problem}: {error}.") from None
