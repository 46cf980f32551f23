"""Make one video of the videos of several jobs, complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._content.join import join
from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync._download.mp4 import duration_s
from airflow_provider_twinsync._download.partial_file import lock, remove_if_dead, writing
from airflow_provider_twinsync._download.transfer import Download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CHUNK_BYTES = 1_000_000
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def store_joined(
    fetch: Callable[..., Download], parts: Sequence[tuple[str, str]], destination: Any, log: Any
) -> Download:
    """Download the videos of several jobs, join them, and store the result at the destination.

    :param fetch: ``TwinSyncHook.download``.
    :param parts: the job and the address of each video, in their order.
    :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
    :param log: the task's logger.
    :raises UsageError: the destination cannot be written.
    :raises DownloadRefusedError: a part is no video.
    :raises DownloadInterruptedError: a part, or the result, is not complete.
    """
    place = find_place(destination)
    with _folder() as folder, place.stage() as partial_file:
        files = []
        for number, (job, result_url) in enumerate(parts, 1):
            files.append(folder / f"part-{number}.mp4")
            fetch(result_url, files[-1], twinsync_task_id=job)
        joined = folder / "joined.mp4"
        log.info("Joining the videos of %d parts.", len(parts))
        if note := join(files, joined).reencoded:
            log.info("The parts of the video are encoded again, as %s.", note)
        with joined.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                partial_file.add(chunk)
        lasts_s = duration_s(partial_file.file, partial_file.received)
        place.publish(partial_file)
        return Download(
            path=place.address,
            bytes=partial_file.received,
            sha256=partial_file.sha256.hexdigest(),
            content_type="video/mp4",
            duration_s=lasts_s,
        )


@contextmanager
def _folder() -> Iterator[Path]:
    """Create a folder for the parts, and remove the folders of processes that were killed.

    A process holds a lock on its folder. A folder that can be locked belongs to a process that is gone.
    Some network file systems have no locks: there nothing is removed.
    """
    start = f"twinsync-{os.geteuid()}-parts-"
    with writing():
        for path in Path(tempfile.gettempdir()).glob(f"{start}*"):
            remove_if_dead(path, _OPEN, partial(shutil.rmtree, ignore_errors=True))
        folder, number = _new_folder(start)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(number)


def _new_folder(start: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=start))
        # Between these lines another process may take the folder for a dead one, and remove it.
        with suppress(FileNotFoundError):
            number = os.open(folder, _OPEN)
            if lock(number) and folder.exists():
                return folder, number
            os.close(number)
