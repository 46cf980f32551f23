"""Render videos beside the event loop, and keep the latest."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_twinsync.emulator.video import render

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.world import Task

MAX_CACHE_BYTES = 64 << 20

_THREADS = 2  # a short video does not wait behind a long one
#: Text, voice, photo and defect: all that a video depends on.
_Key: TypeAlias = "tuple[str, str, bytes | None, str | None]"


@dataclass(frozen=True, slots=True)
class Video:
    """A rendered video.

    :param data: the MP4 file.
    :param etag: a strong ETag: equal bytes have equal ones.
    """

    data: bytes
    etag: str


class Studio:
    """Two threads that render videos, and a cache of videos, bounded in bytes."""

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="twinsync-render")
        self._rendering: dict[_Key, asyncio.Future[Video]] = {}
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._cache: OrderedDict[_Key, Video] = OrderedDict()

    async def video(self, task: Task, photo: bytes | None) -> Video:
        """Return the video of a job, rendered now if it is not in the cache. Equal jobs have equal bytes.

        :param photo: the job's photo as JPEG; ``None`` for the placeholder portrait.
        """
        key = (task.text, task.pronouncer, photo, task.defect)
        if (video := self._cached(key)) is not None:
            return video
        rendering = self._rendering.get(key)
        if rendering is None:
            rendering = asyncio.get_running_loop().run_in_executor(self._workers, self._render, key)
            self._rendering[key] = rendering
            rendering.add_done_callback(lambda _: self._rendering.pop(key))
        return await asyncio.shield(rendering)  # others may wait for it when this client leaves

    def _render(self, key: _Key) -> Video:
        text, pronouncer, photo, defect = key
        data = render(
            text=text,
            pronouncer=pronouncer,
            photo=photo,
            should_stop=self._closing.is_set,
            defect=defect,
        )
        video = Video(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
        # The client may have left. The cache has the video for the next request.
        with self._lock:
            self._cache[key] = video
            while len(self._cache) > 1 and sum(map(_size, self._cache.items())) > MAX_CACHE_BYTES:
                self._cache.popitem(last=False)
        return video

    def _cached(self, key: _Key) -> Video | None:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
            return self._cache.get(key)

    async def close(self) -> None:
        """Stop all renderings."""
        self._closing.set()
        await asyncio.to_thread(self._workers.shutdown, cancel_futures=True)


def _size(cached: tuple[_Key, Video]) -> int:
    (text, _, photo, _), video = cached
    return len(text) + len(photo or b"") + len(video.data)
