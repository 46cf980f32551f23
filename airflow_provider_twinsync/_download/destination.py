"""The destination of a video: a local path or an object store.

A download writes to a partial file, beside a local destination or in the temporary folder. The destination
appears only when the video is complete.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_twinsync._api.shown import shown_destination, shown_text
from airflow_provider_twinsync._api.validation import checked_destination
from airflow_provider_twinsync._download.partial_file import open_partial_file, writing
from airflow_provider_twinsync._storage.addresses import is_s3, local_path, open_store
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, UsageError

if TYPE_CHECKING:
    from airflow_provider_twinsync._download.partial_file import PartialFile

log = logging.getLogger(__name__)

#: S3 requires at least 5 MiB, and Google Cloud Storage a multiple of 256 KiB.
_PART_BYTES = 8_388_608
#: The maximum of S3 for one object.
_MAX_PARTS = 10_000
#: Errors that a retry meets again.
_LASTING = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)


@dataclass(frozen=True)
class LocalPlace:
    """A file on this machine.

    :param address: the file's absolute path.
    """

    address: str

    def stage(self) -> PartialFile:
        """Create the partial file in the folder of the destination, and the folder if it is missing.

        :raises UsageError: the destination cannot be written.
        :raises DownloadInterruptedError: it cannot be written now.
        """
        try:
            self._check()
            target = Path(self.address).resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._check()  # a file system checks a name, such as a long one, only in a folder that exists
            return open_partial_file(target.parent, ".twinsync-", ".part", 0o666)
        except UsageError:
            raise
        except (OSError, ValueError) as error:
            raise _unwritable(f"TS522 destination {shown_text(self.address)}", error) from None

    def check(self) -> None:
        """Check before anything is paid that the destination can be written; raises as :meth:`stage`."""
        with self.stage():
            pass  # the file of a moment

    def check_file(self) -> None:
        """Check the destination alone, and not its folder; raises as :meth:`stage`."""
        try:
            self._check()
        except UsageError:
            raise
        except (OSError, ValueError) as error:
            raise _unwritable(f"TS522 destination {shown_text(self.address)}", error) from None

    def _check(self) -> None:
        """Check that the destination is a file or missing: a pipe or a device would be replaced."""
        with suppress(FileNotFoundError):
            mode = Path(self.address).stat().st_mode
            if stat.S_ISDIR(mode):
                raise _folder_error(shown_text(self.address))
            if not stat.S_ISREG(mode):
                raise PermissionError(errno.EPERM, "it is no regular file")

    def size(self) -> int | None:
        """Return the size of the file in bytes, or None if it does not exist."""
        try:
            return Path(self.address).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def sha256(self) -> str | None:
        """Return the checksum of the file, or None if it does not exist."""
        try:
            with Path(self.address).open("rb") as file:
                return _sha256(file)
        except FileNotFoundError:
            return None

    def publish(self, partial_file: PartialFile) -> None:
        """Move a video to the destination in one step; a symbolic link stays, and its target is replaced."""
        partial_file.finish()
        with writing():
            # A file system may write the new name before the bytes: after a power cut the file is empty.
            os.fsync(partial_file.file.fileno())
            partial_file.path.replace(Path(self.address).resolve())


@dataclass(frozen=True)
class StorePlace:
    """An object in a store that ``ObjectStoragePath`` understands.

    :param address: the address as it was given.
    """

    address: str
    _store: Any
    _path: str

    def stage(self) -> PartialFile:
        """Create the partial file in the temporary folder of this machine.

        :raises UsageError: the temporary folder cannot be written.
        :raises DownloadInterruptedError: it cannot be written now.
        """
        try:
            folder = Path(tempfile.gettempdir())
            # The store derives the type of the object from the suffix.
            suffix = PurePosixPath(self._path).suffix or ".mp4"
            return open_partial_file(folder, f"twinsync-{os.geteuid()}-", suffix, 0o600)
        except OSError as error:
            raise _unwritable(
                "TS523 The temporary folder (TMPDIR), which holds a video on its way into a store,", error
            ) from None

    def check(self) -> None:
        """Check before anything is paid that the destination may exist; raises as :meth:`stage`.

        Credentials that may write need not be able to read about a bucket, so only a missing one counts.
        Other stores than S3 make a missing folder.
        """
        with self.stage():
            pass  # the file of a moment
        bucket = self._path.partition("/")[0]
        if is_s3(self._store):
            try:
                self._store.info(bucket)
            except FileNotFoundError:
                raise UsageError(
                    f"TS522 destination {shown_destination(self.address)} cannot be written: there is no "
                    f"bucket {shown_text(bucket)}."
                ) from None
            except Exception as error:  # of any other kind: the upload may work
                log.debug("The bucket %s was not checked: %s", bucket, error)

    def size(self) -> int | None:
        """Return the size of the object in bytes, or None if it does not exist."""
        try:
            found = self._store.info(self._path).get("size")
        except FileNotFoundError:
            return None
        return found if isinstance(found, int) else None

    def sha256(self) -> str | None:
        """Return the checksum of the object, or None if it does not exist; reads all of it."""
        try:
            with self._store.open(self._path, "rb") as file:
                return _sha256(file)
        except FileNotFoundError:
            return None

    def publish(self, partial_file: PartialFile) -> None:
        """Upload a video to the store, which shows an object only when it is complete."""
        partial_file.finish()
        try:
            options = _part_options(self._store, partial_file.received)
            self._store.put_file(str(partial_file.path), self._path, **options)
        except BaseException as error:  # any error of any store, or the alarm of an execution_timeout
            _abort_uploads(self._store, self._path)
            if not isinstance(error, Exception):
                raise
            shown, problem = shown_destination(self.address), f"{type(error).__name__}: {error}"
            raise DownloadInterruptedError(
                f"TS521 The file is ready, and {shown} could not be written: {problem}"
            ) from error


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(1_048_576):
        digest.update(block)
    return digest.hexdigest()


# The names of stores that fsspec does not document, each with its fallback.


def _part_options(store: Any, size: int) -> dict[str, int]:
    """Return the size of a part in bytes, and how many parts are in memory, for the ``put_file`` of a store.

    Names: ``chunksize`` (s3fs, gcsfs), ``max_concurrency`` (s3fs, adlfs). Without them the store decides:
    s3fs reads a video of less than 100 MiB at once, and ten parts of 50 MiB of a larger one. Other stores
    copy in blocks (fsspec).
    """
    part_bytes = _PART_BYTES * (1 + size // (_PART_BYTES * _MAX_PARTS))
    bounds = {"chunksize": part_bytes, "max_concurrency": 2}
    return {name: bounds[name] for name in bounds.keys() & signature(store.put_file).parameters}


def _abort_uploads(store: Any, path: str) -> None:
    """Abort the uploads of an object in S3 that do not end: their parts are invisible and cost money.

    ``s3fs`` aborts an upload that fails, but not one that is interrupted: after an ``execution_timeout`` the
    upload continues in a thread until the process ends. This aborts every unfinished upload of the key, as
    nothing distinguishes ours from that of another task.

    Names: ``call_s3``, ``split_path`` (s3fs). Without them the parts stay until a lifecycle rule of the
    bucket removes them.
    """
    if call_s3 := getattr(store, "call_s3", None):
        # The credentials may not allow these calls, and the first error is the one to report.
        with suppress(Exception):
            bucket, key, _ = store.split_path(path)
            begun = call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads", [])
            for upload in (one for one in begun if one["Key"] == key):
                call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload["UploadId"])


Place: TypeAlias = LocalPlace | StorePlace


def find_place(destination: Any) -> Place:
    """Return the place of a destination. Writes nothing.

    For example ``videos/a.mp4`` is a :class:`LocalPlace`, and ``s3://videos/a.mp4`` a :class:`StorePlace`.

    :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
    :raises UsageError: it is empty, a folder, or no path or address.
    :raises DownloadInterruptedError: it is a relative path, and there is no working folder now.
    """
    target = checked_destination(destination)
    try:
        path = local_path(target)
        if path is not None:
            return LocalPlace(str(path.absolute()))
    except (OSError, RuntimeError) as error:  # no such user's home; no working folder
        raise _unwritable(f"TS522 destination {shown_destination(target)}", error) from None
    store, place = open_store(target, destination, "TS522 destination", "written")
    if not place.name:
        raise _folder_error(shown_destination(target))
    return StorePlace(target, store, place.path)


def _folder_error(shown: str) -> UsageError:
    return UsageError(f"TS125 destination {shown} is a folder: give the name of the file too.")


def _unwritable(subject: str, error: Exception) -> UsageError | DownloadInterruptedError:
    message = f"{subject} cannot be written: {getattr(error, 'strerror', None) or error}."
    if isinstance(error, OSError) and error.errno not in _LASTING:
        return DownloadInterruptedError(message)
    return UsageError(message)
