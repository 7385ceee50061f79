"""Files fetched for a run: checked, streamed within limits of bytes and time, looked at, and never kept.

    address ─▶ host of the CDN? ─▶ its IP public? ─▶ stream ─▶ type by its first bytes ─▶ whole ─▶ decoded or remuxed
                  └ no: not fetched                    └ too many bytes, too slow, wrong type: cut

At most 14 MB of files are held for a run, 64 MB by an instance: what has no room waits for some seconds. No address and
no byte is logged.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpcore2

from dm_core.clients.media.cdn import MediaUrl, media_url, redirected
from dm_core.clients.media.kinds import HEAD_BYTES, kind_of, type_of
from dm_core.clients.media.limits import MAX_BYTES
from dm_core.clients.media.public_network import NotPublic, PublicBackend, connections
from dm_core.media import Media, MediaKind, NotShown

MAX_INSTANCE_BYTES: Final = 64 * 1024 * 1024
MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_GONE: Final = frozenset((401, 403, 404, 410))
"""A signature that is over is answered with 403 ("URL signature expired"), a file that is gone with 404 or 410."""
_ANY_BYTES: Final = max(MAX_BYTES.values())


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: to connect, for the next bytes, before a second try, for a file, for all files of a run, and until there
    is room."""

    connect: float = 3.0
    read: float = 4.0
    again: float = 0.3
    file: float = 10.0
    run: float = 15.0
    room: float = 5.0


class _Refused(Exception):
    """Why a file is not shown."""

    def __init__(self, why: NotShown) -> None:
        super().__init__(why.name)
        self.why = why


class _Busy(_Refused):
    """The CDN has a moment of its own: it answers 404 for files that are there, too
    (https://github.com/chatwoot/chatwoot/pull/15665)."""


class _CutShort(Exception):
    """The connection ended before the file did."""


_ONCE_MORE: Final = (
    _Busy,
    _CutShort,
    httpcore2.NetworkError,
    httpcore2.RemoteProtocolError,
    httpcore2.ConnectTimeout,
)
"""What a second try may mend: above all a kept connection that the CDN had closed meanwhile
(https://github.com/huggingface/huggingface_hub/pull/4398)."""


@dataclass(slots=True)
class Room:
    """Bytes that an instance may hold of files. ``taken`` is what runs hold now."""

    most: int = MAX_INSTANCE_BYTES
    taken: int = 0
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, size: int) -> None:
        """Returns once there is room."""
        while self.taken + size > self.most:
            self._freed.clear()
            await self._freed.wait()
        self.taken += size

    def give_back(self, size: int) -> None:
        self.taken -= size
        self._freed.set()


class MediaClient:
    """The media port over HTTPS. ``base_url`` takes the place of a checked address's scheme and host.

    ``context``, ``backend`` and ``times`` are for tests. Made lazily, on the first file, in the loop that fetches it.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        context: Callable[[], ssl.SSLContext] = httpcore2.default_ssl_context,
        backend: Callable[[], httpcore2.AsyncNetworkBackend] = PublicBackend,
        times: Times | None = None,
    ) -> None:
        self._base = urlsplit(base_url) if base_url else None
        self._make_context, self._make_backend, self._times = context, backend, times or Times()
        self._pool: httpcore2.AsyncConnectionPool | None = None
        self._plain: httpcore2.AsyncConnectionPool | None = None
        self._room = Room()
        self._decoding = asyncio.Lock()

    async def fetch(self, urls: Sequence[str], kinds: frozenset[MediaKind], most: int) -> list[Media | NotShown]:
        """See the port."""
        reserved = min(most, _ANY_BYTES * len(urls))
        try:
            async with asyncio.timeout(self._times.room):
                await self._room.take(reserved)
        except TimeoutError:
            return [NotShown.UNREACHABLE] * len(urls)
        used = 0
        try:
            files = await self._all(urls, kinds, most)
            used = _size(files)
            return files
        finally:
            self._room.give_back(reserved - used)

    def release(self, files: Sequence[Media]) -> None:
        """See the port."""
        self._room.give_back(_size(files))

    async def close(self) -> None:
        """Release connections."""
        for pool in (self._pool, self._plain):
            if pool is not None:
                await pool.aclose()
        self._pool = self._plain = None

    async def _all(self, urls: Sequence[str], kinds: frozenset[MediaKind], most: int) -> list[Media | NotShown]:
        """Each file, in order; what has no place in the run's bytes, or in its time, is not shown."""
        left = _Left(most)
        tasks = [asyncio.create_task(self._one(url, kinds, left)) for url in urls]
        try:
            await asyncio.wait(tasks, timeout=self._times.run)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [NotShown.UNREACHABLE if task.cancelled() else task.result() for task in tasks]

    async def _one(self, url: str, kinds: frozenset[MediaKind], left: "_Left") -> Media | NotShown:
        checked = media_url(url)
        if checked is None:
            return NotShown.FOREIGN
        try:
            async with asyncio.timeout(self._times.file):
                data, content_type = await self._tried(checked, kinds, left)
        except _Refused as refused:
            return refused.why
        except NotPublic:
            return NotShown.FOREIGN
        except _CutShort:
            return NotShown.BROKEN
        except (TimeoutError, OSError, httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError):
            return NotShown.UNREACHABLE
        from dm_core.clients.media.prepare import prepare

        async with self._decoding:  # one at a time: a picture is some 100 MB while it is decoded
            return await asyncio.to_thread(prepare, data, content_type)

    async def _tried(self, url: MediaUrl, kinds: frozenset[MediaKind], left: "_Left") -> tuple[bytes, str]:
        try:
            return await self._download(url, kinds, left)
        except _ONCE_MORE:
            await asyncio.sleep(self._times.again)
            return await self._download(url, kinds, left)

    async def _download(self, url: MediaUrl, kinds: frozenset[MediaKind], left: "_Left") -> tuple[bytes, str]:
        pool, request = self._first(url)
        for _ in range(MAX_REDIRECTS + 1):
            async with pool.stream(
                "GET", request, headers={"accept": "*/*", "accept-encoding": "identity"}, extensions=self._extensions()
            ) as response:
                if response.status not in _REDIRECTS:
                    return await _body(response, kinds, left)
                target = redirected(url, _header(response, b"location"))
            if target is None:
                raise _Refused(NotShown.FOREIGN)
            url, pool, request = target, self._public(), _request(target)
        raise _Refused(NotShown.UNREACHABLE)

    def _first(self, url: MediaUrl) -> tuple[httpcore2.AsyncConnectionPool, httpcore2.URL]:
        """Where the first request goes. ``base_url`` is the deployer's word: its scheme and address are not checked."""
        if self._base is None:
            return self._public(), _request(url)
        if self._plain is None:
            self._plain = connections(None, None)
        port = self._base.port or (443 if self._base.scheme == "https" else 80)
        host = (self._base.hostname or "").encode()
        return self._plain, httpcore2.URL(scheme=self._base.scheme.encode(), host=host, port=port, target=url.target)

    def _public(self) -> httpcore2.AsyncConnectionPool:
        if self._pool is None:
            self._pool = connections(self._make_backend(), self._make_context())
        return self._pool

    def _extensions(self) -> dict[str, object]:
        times = self._times
        return {"timeout": {"connect": times.connect, "read": times.read, "write": times.read, "pool": times.connect}}


@dataclass(slots=True)
class _Left:
    """Bytes that the run may still take in."""

    size: int


def _size(files: Sequence[Media | NotShown]) -> int:
    return sum(len(file.data) for file in files if isinstance(file, Media))


def _request(url: MediaUrl) -> httpcore2.URL:
    return httpcore2.URL(scheme=b"https", host=url.host.encode(), port=443, target=url.target)


def _header(response: httpcore2.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


async def _body(response: httpcore2.Response, kinds: frozenset[MediaKind], left: _Left) -> tuple[bytes, str]:
    """The file and its type. Raises _Refused as soon as it is known not to be shown."""
    if response.status != 200:
        why = NotShown.EXPIRED if response.status in _GONE else NotShown.UNREACHABLE
        raise (_Busy if response.status in (404, 429) or response.status >= 500 else _Refused)(why)
    if _header(response, b"content-encoding") not in ("", "identity"):
        raise _Refused(NotShown.TYPE)
    told = _header(response, b"content-length")
    if told.isdecimal() and int(told) > _ANY_BYTES:
        raise _Refused(NotShown.TOO_LARGE)
    data = bytearray()
    try:
        await _read(response, data, kinds, left)
        content_type, most = _looked_at(data, kinds)
        if len(data) > most:
            raise _Refused(NotShown.TOO_LARGE)
    except BaseException as error:
        left.size += len(data)
        if isinstance(error, httpcore2.RemoteProtocolError):
            raise _CutShort from error
        raise
    return bytes(data), content_type


async def _read(response: httpcore2.Response, data: bytearray, kinds: frozenset[MediaKind], left: _Left) -> None:
    most = None
    async for chunk in response.aiter_stream():
        if len(chunk) > left.size:
            raise _Refused(NotShown.TOO_MANY)
        left.size -= len(chunk)
        data += chunk
        if most is None and len(data) >= HEAD_BYTES:
            _, most = _looked_at(data, kinds)
        if len(data) > (most or _ANY_BYTES):
            raise _Refused(NotShown.TOO_LARGE)
    if not data:
        raise _Refused(NotShown.EMPTY)


def _looked_at(data: bytearray, kinds: frozenset[MediaKind]) -> tuple[str, int]:
    content_type = type_of(bytes(data[:HEAD_BYTES]))
    if content_type is None:
        raise _Refused(NotShown.TYPE)
    kind = kind_of(content_type)
    if kind not in kinds:
        raise _Refused(NotShown.OFF)
    return content_type, MAX_BYTES[kind]
