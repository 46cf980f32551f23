"""Open a photo, wherever it is, before it is submitted.

The service opens photos by http or https only. So an object in a store is submitted by a signed address, and
a local file is copied to a store first. Both are read and checked here, before anything is paid.
"""

from __future__ import annotations

import hashlib
import stat
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.answers import shown
from airflow_provider_twinsync._api.photo import Photo, http_photo, shown_photo
from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync._api.validation import checked_photo, is_http_url
from airflow_provider_twinsync._content.image import check_image
from airflow_provider_twinsync._content.signing import sign
from airflow_provider_twinsync._storage.addresses import LASTING_ERRORS, local_path, open_store
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_twinsync._api.settings import Settings


def open_photo(settings: Settings, image_url: Any) -> Photo:
    """Return the photo of the argument ``image_url``, which may be a photo already.

    This does not open an http(s) address. It reads, checks and signs an object in a store. It reads and
    checks a local file, copies it to the folder ``photo_staging`` of the connection, and signs the copy. The
    identity of both has the checksum: a new signature is the same photo, and new content is another photo.

    :raises UsageError: the argument is wrong, the photo is unusable, or the store cannot sign.
    :raises UnavailableError: the store does not answer, or fails in a way that may pass.
    """
    if isinstance(image_url, Photo):
        return image_url
    place = checked_photo(image_url)
    if is_http_url(place):
        return http_photo(place)
    seen = shown_photo(place)
    subject = f"The photo {shown_text(seen)}"
    with _errors_of("TS153", f"{subject} cannot be read", settings.key, "Check its address and permissions."):
        path = local_path(place)
        if path is not None:
            return _staged(settings, path, seen, subject)
        store, target = open_store(place, image_url, "TS153 image_url", "read")
        data = _read_object(store, target.path, settings.max_photo_mb, subject)
    check_image(data, subject)
    identity = f"{target.protocol}://{target.path.lstrip('/')} sha256:{hashlib.sha256(data).hexdigest()}"
    with _errors_of("TS155", f"{subject} cannot be signed", settings.key, "Check the store's connection."):
        return Photo(sign(store, target.path, settings.photo_expires_s, subject), identity, seen)


def _staged(settings: Settings, path: Path, seen: str, subject: str) -> Photo:
    """Return the photo of a local file.

    Its identity is the checksum alone: workers may have the file at different paths, and a copy may move.
    """
    if settings.photo_staging is None:
        raise UsageError(
            f"TS152 {subject} is a file on this machine, which TwinSync cannot open: put photo_staging into "
            f"the extra of the connection {settings.conn_id!r}, a folder of an object store to which photos "
            "are copied, such as 's3://aws_default@photos/staging'."
        )
    data = _read_file(path, settings.max_photo_mb, subject)
    ending = check_image(data, subject)
    digest = hashlib.sha256(data).hexdigest()
    problem, advice = f"{subject} cannot be copied to photo_staging", "Check that folder and its permissions."
    with _errors_of("TS158", problem, settings.key, advice):
        staging = settings.photo_staging
        store, folder = open_store(staging, staging, "TS158 photo_staging", "written")
        target = f"{folder.path.rstrip('/')}/{digest}.{ending}"
        _copy(data, store, target, ending)
        url = sign(store, target, settings.photo_expires_s, subject)
    return Photo(url, f"sha256:{digest}", seen)


def _read_object(store: Any, path: str, limit_mb: float, subject: str) -> bytes:
    info = store.info(path)
    if info.get("type") == "directory":
        raise IsADirectoryError("it is a folder")
    size = info.get("size")
    if size == 0:  # S3 refuses a range of an empty object
        return b""
    _check_bytes(size or 0, limit_mb, subject)
    data: bytes = store.cat_file(path, start=0, end=int(limit_mb * 1e6) + 1)
    _check_bytes(len(data), limit_mb, subject)
    return data


def _read_file(path: Path, limit_mb: float, subject: str) -> bytes:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # to open a pipe would block
        raise IsADirectoryError("it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
    with path.open("rb") as file:
        data = file.read(int(limit_mb * 1e6) + 1)
    _check_bytes(len(data), limit_mb, subject)
    return data


def _check_bytes(size: int, limit_mb: float, subject: str) -> None:
    if size > limit_mb * 1e6:
        raise UsageError(
            f"TS154 {subject} has more than {limit_mb:g} MB: make it smaller, or raise max_photo_mb in the "
            "extra of the connection."
        )


def _copy(data: bytes, store: Any, target: str, ending: str) -> None:
    """Write a photo to a store, unless it is there; two tasks write the same bytes."""
    try:
        if store.info(target).get("size") == len(data):
            return
    except FileNotFoundError:
        pass
    # The store derives the type of the object from the suffix of a file.
    with tempfile.NamedTemporaryFile(prefix="twinsync-", suffix=f".{ending}") as file:
        file.write(data)
        file.flush()
        store.put_file(file.name, target)


@contextmanager
def _errors_of(code: str, problem: str, key: str, advice: str) -> Iterator[None]:
    """Turn every error of a disk or a store into an error of this package.

    :param advice: the next step, if a retry meets the same error.
    :raises UsageError: a retry meets the same error.
    :raises UnavailableError: it may pass.
    """
    try:
        yield
    except TwinSyncError:
        raise
    except Exception as error:  # any error of any store
        reason = shown(str(getattr(error, "strerror", None) or error), key).rstrip(".")
        if isinstance(error, FileNotFoundError) and "exist" not in reason:  # the path alone
            reason = "it does not exist"
        if isinstance(error, LASTING_ERRORS):
            raise UsageError(f"{code} {problem}: {reason}. {advice}") from None
        raise UnavailableError(
            f"TS156 {problem} now ({type(error).__name__}): {reason}. Nothing was submitted."
        ) from None
