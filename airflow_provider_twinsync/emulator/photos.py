"""The photo of a job: which ones are opened, which are refused, and which get the placeholder portrait.

TwinSync's document has two codes for a photo. 202, on the submit, is about the *address* ("invalid or missing
cloud address"): the emulator answers it for each problem of the address itself. A job that opens the address
may find another problem: a host that does not answer, or a file that is no image, ends it with code 104.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from airflow_provider_twinsync.emulator.picture import MAX_PHOTO_BYTES, PhotoError, prepare_photo
from airflow_provider_twinsync.emulator.reach import Reach, reach

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

    from airflow_provider_twinsync.emulator.world import Task, World

PHOTOS_PATH = "/_emulator/photos/"
NOT_OPENED = (
    "The emulator does not open photos on the internet: the video shows a placeholder portrait "
    "(--photos any opens them)."
)

_TIMEOUT_S = 10.0
_MAX_REDIRECTS = 5
_MAX_AT_ONCE = 4  # photos in memory as they came, each of up to MAX_PHOTO_BYTES
_MAX_DECODED_AT_ONCE = 2  # each takes up to 400 MB meanwhile
_UNUSABLE = (PhotoError, aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)
_LOCAL_ADDRESS = "TwinSync itself could not open this address: it needs one on the public internet"

_log = logging.getLogger(__name__)


class PhotoDesk:
    """Open the photos of jobs in the background, and take uploads.

    :param world: its ``photos`` setting decides which photos are opened; its memory keeps them.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._at_once = asyncio.Semaphore(_MAX_AT_ONCE)
        self._decoders = ThreadPoolExecutor(_MAX_DECODED_AT_ONCE, thread_name_prefix="twinsync-photo")
        self._reopening = asyncio.Lock()
        self._errands: set[asyncio.Task[None]] = set()
        self._warned = False

    def problem(self, image_url: str, *, own_host: str) -> str | None:
        """Return the problem of an http(s) address itself, or None: the submit is answered with code 202.

        :param own_host: the host and port by which the client reached this server; uploaded photos have it.
        """
        url = URL(image_url)
        if _is_upload(image_url, own_host):
            if self._world.photo(url.name) is None:
                return "this photo is not in the emulator: it was never uploaded, or is forgotten since"
        elif self._world.photos != "placeholder" and reach(url.host or "") is Reach.NEVER:
            return f"no photo can be opened at a link-local, multicast or reserved address. {_LOCAL_ADDRESS}"
        return None

    def order(self, task: Task, *, own_host: str) -> bool:
        """Begin to open a job's photo. The job waits for the photo, and fails if it cannot be opened.

        :return: whether the photo is judged: not if it is on the internet, and is not to be opened.
        """
        url = URL(task.image_url)
        if _is_upload(task.image_url, own_host):
            task.photo = url.name
        elif self._may_open(url):
            task.photo_pending = True
            errand = asyncio.create_task(self._open_for(task, url))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)
        elif self._world.photos != "placeholder":
            if not self._warned:
                self._warned = True
                _log.warning("TwinSync emulator: %s This is logged once.", NOT_OPENED)
            return False
        return True

    async def jpeg(self, task: Task) -> bytes | None:
        """Return the photo of a job that is done, or ``None`` for the placeholder portrait.

        A photo from before a restart, or that had to make room in memory, is opened again. Where that fails
        the job has the placeholder: it may have been done before, and a job that is done does not fail.
        """
        jpeg = self._kept(task)
        if jpeg is None and (task.photo_lost or task.photo is not None):
            async with self._reopening:  # two parts of one video may be requested at once: with one photo
                if (jpeg := self._kept(task)) is None:
                    jpeg = await self._open_again(task)
        return jpeg

    async def upload(self, body: aiohttp.StreamReader) -> str:
        """Keep the photo that a request's body is, and return its name.

        :raises PhotoError: if it is too large or too slow, or no image.
        """
        async with self._at_once:
            try:
                data = await asyncio.wait_for(_read(body), _TIMEOUT_S)
            except asyncio.TimeoutError:
                raise PhotoError(f"it did not arrive within {_TIMEOUT_S:.0f} s") from None
            return self._world.keep_photo(await self._decode(data))

    async def close(self) -> None:
        """Stop opening photos."""
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        self._decoders.shutdown(wait=False, cancel_futures=True)

    def _may_open(self, url: URL) -> bool:
        return reach(url.host or "") in _openable(self._world)

    async def _decode(self, data: bytes) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._decoders, prepare_photo, data)

    def _kept(self, task: Task) -> bytes | None:
        return None if task.photo is None else self._world.photo(task.photo)

    async def _open_again(self, task: Task) -> bytes | None:
        task.photo, task.photo_lost = None, False
        url = URL(task.image_url)
        if not self._may_open(url):
            return None
        try:
            jpeg = await self._decode(await self._fetch(url))
        except _UNUSABLE:
            return None
        task.photo = self._world.keep_photo(jpeg)
        return jpeg

    async def _open_for(self, task: Task, url: URL) -> None:
        try:
            async with self._at_once:
                task.photo = self._world.keep_photo(await self._decode(await self._fetch(url)))
        except _UNUSABLE as e:
            reason = f"the photo cannot be opened: {_reason(e)}"
            if reach(url.host or "") is Reach.LOCAL:
                reason += f". {_LOCAL_ADDRESS}"
            self._world.fail(task, reason)
        finally:
            task.photo_pending = False

    async def _fetch(self, url: URL) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(resolver=_Resolver(self._world))
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            for _ in range(_MAX_REDIRECTS + 1):
                # Redirects are followed by hand: each step must be an address that may be opened.
                async with session.get(url, allow_redirects=False) as response:
                    if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                        url = url.join(URL(response.headers["Location"]))
                        if url.scheme not in ("http", "https") or not self._may_open(url):
                            raise PhotoError("its address redirects to one that the emulator may not open")
                        continue
                    if response.status != 200:
                        raise PhotoError(f"its address answers HTTP {response.status}")
                    return await _read(response.content)
        raise PhotoError(f"its address redirects more than {_MAX_REDIRECTS} times")


class _Resolver(ThreadedResolver):
    """Drop IP addresses that may not be opened: a local name may have a public address, or the reverse."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = 0,  # type: ignore[assignment]
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if usable := [address for address in found if reach(address["host"]) in _openable(self._world)]:
            return usable
        raise PhotoError("its host has only IP addresses that the emulator may not open")


def _openable(world: World) -> tuple[Reach, ...]:
    return {
        "local": (Reach.LOCAL,),
        "any": (Reach.LOCAL, Reach.INTERNET),
        "placeholder": (),
    }[world.photos]


def _is_upload(image_url: str, own_host: str) -> bool:
    return image_url.startswith(f"http://{own_host}{PHOTOS_PATH}")


async def _read(body: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    async for chunk in body.iter_any():
        data += chunk
        if len(data) > MAX_PHOTO_BYTES:
            raise PhotoError(f"it has more than {MAX_PHOTO_BYTES} bytes")
    return bytes(data)


def _reason(error: Exception) -> str:
    """Return why a photo cannot be opened, without its address: that may be signed, and is a secret then."""
    if isinstance(error, PhotoError):
        return str(error)
    if isinstance(error, asyncio.TimeoutError):
        return f"its host did not answer within {_TIMEOUT_S:.0f} s"
    if isinstance(getattr(error, "os_error", error), socket.gaierror):
        return "its host is not known"
    if isinstance(error, OSError):
        return f"no connection to its host ({error.strerror or type(error).__name__})"
    return f"its host gave no usable answer ({type(error).__name__})"
