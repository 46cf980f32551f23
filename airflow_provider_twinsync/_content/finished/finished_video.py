"""Make a finished video of the videos of one job or several, complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._content.files import beside, write_file
from airflow_provider_twinsync._content.finished.steps import check_parts, make_captions
from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync._download.mp4 import duration_s
from airflow_provider_twinsync._download.partial_file import lock, remove_if_dead, writing
from airflow_provider_twinsync._download.transfer import Download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_twinsync._content.finished.options import Finishing, Script

_CHUNK_BYTES = 1_000_000
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Finished(Download):
    """The result of a download, with the files beside the video.

    ``poster`` is the address of the poster or None. ``captions`` has the address of the captions of each
    kind, such as ``{"srt": "/videos/a.srt"}``; embedded ones have the address of the video. ``checks`` has
    the numbers of the check, or is None without a check.
    """

    poster: str | None
    captions: dict[str, str]
    checks: dict[str, Any] | None


def store_finished(
    fetch: Callable[..., Download],
    videos: Sequence[tuple[str | None, str]],
    destination: Any,
    finishing: Finishing,
    script: Script,
    log: Any,
) -> Finished:
    """Download the videos of the jobs of one text, check, join and finish them, and store the result.

    The files beside the video appear first, and the video last. None appears before all are made.

    :param fetch: ``TwinSyncHook.download``.
    :param videos: the job and the address of each video, in their order.
    :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
    :param finishing: the options: check, captions and poster.
    :param script: the text; with other parts than the videos have, one text for the joined video.
    :param log: the task's logger.
    :raises UsageError: the destination cannot be written.
    :raises DownloadRefusedError: a part is no video, or the text is not the video's.
    :raises DownloadInterruptedError: a part, or the result, is not complete.
    :raises VideoRejectedError: a part failed its check.
    """
    place = find_place(destination)
    with _folder() as folder, place.stage() as partial_file:
        files = []
        for number, (job, result_url) in enumerate(videos, 1):
            files.append(folder / f"part-{number}.mp4")
            fetch(result_url, files[-1], twinsync_task_id=job)
        checks = check_parts(files, finishing, script, place.address) if finishing.check else None
        video, starts_s = _joined(files, folder, log)
        files_of: dict[str, bytes | None] = {}
        if finishing.captions:
            video, files_of = make_captions(video, starts_s, finishing, script)
        jpeg = None
        if finishing.poster:
            from airflow_provider_twinsync._content.finished.poster import poster as poster_of

            jpeg = poster_of(video)
        with video.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                partial_file.add(chunk)
        lasts_s = duration_s(partial_file.file, partial_file.received)
        # Only now, as a step before may fail: the captions of this video are not of an earlier one.
        captions = {
            kind: place.address if content is None else write_file(beside(place.address, f".{kind}"), content)
            for kind, content in files_of.items()
        }
        poster = None if jpeg is None else write_file(beside(place.address, ".jpg"), jpeg)
        place.publish(partial_file)
        return Finished(
            path=place.address,
            bytes=partial_file.received,
            sha256=partial_file.sha256.hexdigest(),
            content_type="video/mp4",
            duration_s=lasts_s,
            poster=poster,
            captions=captions,
            checks=checks,
        )


def _joined(files: Sequence[Path], folder: Path, log: Any) -> tuple[Path, Sequence[float]]:
    """Return the video of all parts, and where each part begins in it, in seconds."""
    if len(files) == 1:
        return files[0], [0.0]
    from airflow_provider_twinsync._content.joined.join import join

    log.info("Joining the videos of %d parts.", len(files))
    joined = join(files, folder / "joined.mp4")
    if joined.reencoded:
        log.info("The parts of the video are encoded again, as %s.", joined.reencoded)
    return folder / "joined.mp4", joined.starts_s


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
