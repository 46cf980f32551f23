"""Getting the photo of a job: from memory, from loopback, or, where that is allowed, from anywhere."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from airflow_provider_twinsync.emulator.control import PHOTOS_PATH
from airflow_provider_twinsync.emulator.picture import MAX_PHOTO_BYTES, PhotoError, prepare_photo

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.world import Task, World

_TIMEOUT_S = 10.0
_MAX_REDIRECTS = 5
_MAX_AT_ONCE = 4
_UNUSABLE = (PhotoError, aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)


class PhotoDesk:
    """Fetches photos in the background.

    :param world: the world whose uploaded photos it knows.
    :param fetch_images: whether photos are fetched from any address; else from loopback only, and a job with
        another address gets the placeholder portrait.
    """

    def __init__(self, world: World, *, fetch_images: bool) -> None:
        self._world = world
        self._fetch_images = fetch_images
        self._at_once = asyncio.Semaphore(_MAX_AT_ONCE)
        self._looking = asyncio.Lock()
        self._errands: set[asyncio.Task[None]] = set()

    def order(self, task: Task, *, own_host: str) -> None:
        """See to a job's photo; the job is not done before it is there, and fails if it cannot be had.

        :param own_host: the host and port by which the client reached this server; uploaded photos have it.
        """
        url = URL(task.image_url)
        if task.image_url.startswith(f"http://{own_host}{PHOTOS_PATH}"):
            task.photo = self._world.photos.get(url.name)
            if task.photo is None:
                self._world.fail(task, "the photo is not in the emulator: never uploaded, or forgotten since")
        elif self._may_fetch(url):
            task.photo_pending = True
            errand = asyncio.create_task(self._fetch_for(task, url))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def look_again(self, task: Task) -> None:
        """Get the photo of a job from before a restart from its address. Where it is no longer to be had the
        job has the placeholder portrait: it may have been done before, and what is done does not fail.
        """
        async with self._looking:  # two parts of one video are asked for at once: they must show one photo
            if not task.photo_lost:  # another request has looked meanwhile
                return
            try:
                url = URL(task.image_url)
                if self._may_fetch(url):
                    task.photo = await asyncio.to_thread(prepare_photo, await self._fetch(url))
            except _UNUSABLE:
                pass
            finally:
                task.photo_lost = False

    async def close(self) -> None:
        """Drop the errands that are still under way."""
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)

    def _may_fetch(self, url: URL) -> bool:
        return self._fetch_images or _is_loopback(url.host or "")

    async def _fetch_for(self, task: Task, url: URL) -> None:
        try:
            async with self._at_once:
                data = await self._fetch(url)
                task.photo = await asyncio.to_thread(prepare_photo, data)
        except _UNUSABLE as e:
            self._world.fail(task, f"the photo could not be used: {str(e) or type(e).__name__}")
        finally:
            task.photo_pending = False

    async def _fetch(self, url: URL) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for _ in range(_MAX_REDIRECTS + 1):
                # Redirects are followed by hand: each step must be an address that may be fetched.
                async with session.get(url, allow_redirects=False) as response:
                    if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                        url = url.join(URL(response.headers["Location"]))
                        if url.scheme not in ("http", "https") or not self._may_fetch(url):
                            raise PhotoError("its address redirects to one that the emulator may not fetch")
                        continue
                    if response.status != 200:
                        raise PhotoError(f"its address answers HTTP {response.status}")
                    return await _read(response)
        raise PhotoError(f"its address redirects more than {_MAX_REDIRECTS} times")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_PHOTO_BYTES:
            raise PhotoError(f"it has more than {MAX_PHOTO_BYTES} bytes")
    return bytes(data)


def _is_loopback(host: str) -> bool:
    """Whether a host is loopback by its name alone: a name that has to be looked up is not."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
