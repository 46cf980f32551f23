"""Where a video goes: a local path or an object store, a whole file or none.

The video is first written to a fragment, beside a local destination or in the temporary folder, and moved to
where it was asked for when it is whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath

from airflow_provider_twinsync._api.shown import shown_destination, shown_text
from airflow_provider_twinsync._api.validation import checked_destination
from airflow_provider_twinsync._download.partial_file import open_partial_file, writing
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, UsageError

if TYPE_CHECKING:
    from airflow_provider_twinsync._download.partial_file import PartialFile

#: More than the 5 MiB that S3 wants, and a multiple of the 256 KiB that Google Cloud Storage wants.
_PART_BYTES = 8_388_608
#: S3 takes no more for one object.
_MAX_PARTS = 10_000
#: What no retry mends.
_LASTING = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EISDIR,
)


@dataclass(frozen=True)
class LocalPlace:
    """A file on this machine.

    :param address: the file's absolute path.
    """

    address: str

    def stage(self, source: str) -> PartialFile:
        """Open the file to write a video to, in the folder of the destination, which is made if need be.

        :param source: what names the video.
        :raises UsageError: it cannot be written.
        :raises DownloadInterruptedError: it cannot be written now.
        """
        try:
            self._check()
            target = Path(self.address).resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._check()  # in a folder that was missing, nothing was said about the name
            return open_partial_file(
                target.with_name(f".twinsync-{_digest(self.address, source)}.part"), 0o666
            )
        except (OSError, ValueError) as error:
            raise _unwritable(f"destination {shown_text(self.address)}", error) from None

    def _check(self) -> None:
        """See that there is nothing at the destination, or a file: a pipe or a device would be replaced."""
        with suppress(FileNotFoundError):
            mode = Path(self.address).stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "it is a folder: give the name of the file too")
            if not stat.S_ISREG(mode):
                raise PermissionError(errno.EPERM, "it is no regular file")

    def publish(self, partial_file: PartialFile) -> None:
        """Move a video to the destination, in one step; of a symbolic link, to where it leads."""
        partial_file.finish()
        with writing():
            # A file system may write the new name before the bytes: a loss of power would leave it empty.
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

    def stage(self, source: str) -> PartialFile:
        """Open the file to write a video to, in the temporary folder of this machine.

        :param source: what names the video.
        :raises UsageError: it cannot be written.
        :raises DownloadInterruptedError: it cannot be written now.
        """
        own = f"twinsync-{os.geteuid()}-"
        try:
            folder = Path(tempfile.gettempdir())
            # The store takes the type of the object from this name.
            return open_partial_file(folder / f"{own}{_digest(self.address, source)}.mp4", 0o600)
        except OSError as error:
            raise _unwritable(
                "The temporary folder (TMPDIR), where a video lies on its way into a store,", error
            ) from None

    def publish(self, partial_file: PartialFile) -> None:
        """Put a video into the store, which shows an object when it has the whole of it."""
        partial_file.finish()
        try:
            self._put(partial_file)
        except Exception as error:  # the store may be anything, and so may what it raises
            shown, problem = shown_destination(self.address), f"{type(error).__name__}: {error}"
            raise DownloadInterruptedError(
                f"The video was fetched, and {shown} could not be written: {problem}"
            ) from error

    def _put(self, partial_file: PartialFile) -> None:
        """Upload a file, and leave no parts of it in S3, where they are paid for and seen by nobody.

        ``s3fs`` sees to that itself when an upload fails, and not when it is broken off: by an
        ``execution_timeout`` it goes on in a thread, until the process ends in the midst of it. What is
        aborted is every unfinished upload of that key: nothing tells ours from another task's.
        """
        put_file = self._store.put_file
        # The size and the number of the parts that are in memory at a time, by the names that s3fs, gcsfs and
        # adlfs have for them; other stores copy in blocks (fsspec). s3fs would read a video of less than
        # 100 MiB at once, and ten parts of 50 MiB of a larger one.
        part_bytes = _PART_BYTES * (1 + partial_file.received // (_PART_BYTES * _MAX_PARTS))
        bounds = {"chunksize": part_bytes, "max_concurrency": 2}
        known = {name: bounds[name] for name in bounds.keys() & signature(put_file).parameters}
        try:
            put_file(str(partial_file.path), self._path, **known)
        except BaseException:  # the alarm of an execution_timeout is one
            if call_s3 := getattr(self._store, "call_s3", None):
                # It may not be allowed to ask, and what went wrong before is what is to be said.
                with suppress(Exception):
                    bucket, key, _ = self._store.split_path(self._path)
                    begun = call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads", [])
                    for upload in (one for one in begun if one["Key"] == key):
                        call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload["UploadId"])
            raise


Place: TypeAlias = LocalPlace | StorePlace


def find_place(destination: Any) -> Place:
    """Say where a destination is; nothing is written yet.

    :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
    :raises UsageError: it is empty, a folder, or cannot be understood.
    :raises DownloadInterruptedError: it is a relative path, and there is no working folder now.
    """
    target = checked_destination(destination)
    scheme, colon, rest = target.partition("://")
    if colon and scheme not in ("file", "local"):
        return _find_in_store(target, destination)
    try:
        return LocalPlace(str(Path(rest if colon else target).expanduser().absolute()))
    except (OSError, RuntimeError) as error:  # no such user's home; no working folder
        raise _unwritable(f"destination {shown_destination(target)}", error) from None


def _find_in_store(target: str, destination: Any) -> StorePlace:
    shown = shown_destination(target)
    try:
        path = destination if isinstance(destination, ObjectStoragePath) else ObjectStoragePath(target)
        store = path.fs
    except (ValueError, ImportError) as error:
        raise UsageError(
            f"destination {shown} cannot be written: {error}. Is the provider for it installed?"
        ) from None
    except AirflowNotFoundException as error:
        raise UsageError(f"destination {shown} cannot be written: {error}.") from None
    if not path.name:
        raise UsageError(f"destination {shown} is a folder: give the name of the file too.")
    return StorePlace(target, store, path.path)


def _digest(address: str, source: str) -> str:
    return hashlib.sha256(json.dumps([address, source]).encode()).hexdigest()[:20]


def _unwritable(what: str, error: Exception) -> UsageError | DownloadInterruptedError:
    message = f"{what} cannot be written: {getattr(error, 'strerror', None) or error}."
    if isinstance(error, OSError) and error.errno not in _LASTING:
        return DownloadInterruptedError(message)
    return UsageError(message)
