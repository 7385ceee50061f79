"""The one way out to Instagram, WhatsApp and Spond: timeouts, connection reuse, quick tries, errors by their owner.

    connect ──▶ write ──▶ wait ──▶ read ──▶ judge
    └ nothing written ┘└── the platform may have acted ──┘
      safe to repeat     GET: repeat   POST: Uncertain, at once, never repeated

A try is quick or it isn't made: what does not begin within five seconds of the first is the caller's to wait for. A
surrounding ``asyncio.timeout`` ends a call wherever it is, its pauses included.

No body, no query and no token is ever logged. The environment is not trusted (``trust_env=False``): a proxy named by a
variable would see every token in plain sight of whoever runs it, and Google Cloud needs none.
"""

import asyncio
import json
import logging
import math
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

import httpx2

from dm_core.clients.connection_pools import IDLE_SECONDS, POOL_SIZE, Pools
from dm_core.clients.graph_errors import NAMES
from dm_core.clients.http_response import Response, parsed_json, told_wait
from dm_core.clock import Clock, system_clock
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Service, Uncertain
from dm_core.telemetry import emit

ATTEMPTS: Final = 3
QUICK_SECONDS: Final = 5.0
"""No try of a call begins later than this after its first; a told wait that does not fit ends the call at once."""
_FIRST_PAUSE_SECONDS: Final = 0.5
_LEAST_CONNECT_SECONDS: Final = 0.5
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Answers above this are not read further; they count as not JSON."""

_LIMITS: Final = httpx2.Limits(
    max_connections=POOL_SIZE, max_keepalive_connections=POOL_SIZE, keepalive_expiry=IDLE_SECONDS
)

_NAME: Final = f"python-httpx2/{httpx2.__version__}"

Sleep = Callable[[float], Awaitable[None]]
Jitter = Callable[[], float]
"""A random number from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``quick`` replaces ``read`` for calls nobody should wait for; ``total`` bounds one whole attempt."""

    connect: float = 5.0
    write: float = 5.0
    read: float = 15.0
    quick: float = 3.0
    pool: float = 10.0
    total: float = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``idempotent``: repeating it after an unknown outcome does no harm."""

    service: Service
    method: Literal["GET", "POST"]
    url: str
    idempotent: bool
    token: str | None = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    attempts: int = ATTEMPTS
    quick: bool = False


Judge = Callable[[Response], PlatformError | None]
"""What an answer means: None for success, else the error, sorted by its owner."""


@dataclass(frozen=True, slots=True)
class _Rejected:
    """An attempt that may be repeated; ``told`` is the wait the platform named, in seconds."""

    error: RetryLater
    told: float | None = None


@dataclass(slots=True)
class _Progress:
    """How far an attempt came."""

    written: bool = False


class HttpClient:
    """Makes calls over shared connections. Made lazily, on the first call, in the loop that makes it."""

    def __init__(
        self,
        *,
        clock: Clock = system_clock,
        sleep: Sleep = asyncio.sleep,
        jitter: Jitter = random.random,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._timeouts = timeouts or Timeouts()
        self._pools = Pools(_connections)

    async def request(self, call: Call, judge: Judge) -> Response:
        """The first answer that ``judge`` finds no fault with.

        Rejected attempts are repeated up to ``call.attempts`` times within ``QUICK_SECONDS``, after exponential
        backoff with jitter (about 0.5 s, 1 s) or the platform's own wait if that is longer. Raises RetryLater when
        that is used up or the platform asks for more; other PlatformErrors at once.
        """
        left = QUICK_SECONDS
        for attempt in range(1, call.attempts + 1):
            began = time.monotonic()
            outcome = await self._attempt(call, judge, left)
            if isinstance(outcome, Response):
                return outcome
            wait = self._pause(outcome, attempt) if attempt < call.attempts else math.inf
            left -= time.monotonic() - began + wait
            if left < 0:
                raise outcome.error
            emit(
                "platform_call_retried",
                "WARNING",
                platform=NAMES[call.service],
                attempt=attempt,
                waitSeconds=round(wait, 3),
                code=outcome.error.code,
                subcode=outcome.error.subcode,
            )
            await self._sleep(wait)
        raise AssertionError("a call has at least one attempt")

    async def close(self) -> None:
        """Release connections; a later call opens new ones."""
        for connections in self._pools.taken():
            await connections.aclose()

    def _pause(self, rejected: _Rejected, attempt: int) -> float:
        """Seconds until the next attempt."""
        return max(_FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1) * (0.5 + self._jitter()), rejected.told or 0.0)

    async def _attempt(self, call: Call, judge: Judge, connect_within: float) -> Response | _Rejected:
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeouts.total):
                reply = await self._exchange(call, progress, connect_within)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            failure = _failure(call, progress, error)
            if isinstance(failure, RetryLater):
                failure.__cause__ = error
                return _Rejected(failure)
            raise failure from error
        verdict = judge(reply)
        if verdict is None:
            return reply
        if not isinstance(verdict, RetryLater):
            raise verdict
        told = told_wait(reply.headers, self._clock())
        if told is not None:
            verdict.wait_seconds = told
        return _Rejected(verdict, told)

    async def _exchange(self, call: Call, progress: _Progress, connect_within: float) -> Response:
        async def watch(event: str, _info: object) -> None:
            if event.endswith("send_request_headers.started"):
                progress.written = True

        headers = {"accept": "application/json", "accept-encoding": "gzip, deflate", "user-agent": _NAME}
        if call.token is not None:
            headers["authorization"] = bearer(call.service, call.token)
        if call.body is not None:
            headers["content-type"] = "application/json"
        request = httpx2.Request(
            call.method,
            call.url,
            params=dict(call.query) or None,
            headers=headers,
            # ASCII with escapes: any text can be encoded, lone surrogates too.
            content=None if call.body is None else json.dumps(call.body),
            extensions={"trace": watch, "timeout": self._limits(call, connect_within).as_dict()},
        )
        with self._pools.one() as connections:
            response = await connections.handle_async_request(request)
            try:
                body = await _read(response)
            finally:
                await response.aclose()
        return Response(response.status_code, dict(response.headers.items()), parsed_json(body))

    def _limits(self, call: Call, connect_within: float) -> httpx2.Timeout:
        times = self._timeouts
        read = times.quick if call.quick else times.read
        connect = min(times.connect, max(connect_within, _LEAST_CONNECT_SECONDS))
        return httpx2.Timeout(connect=connect, write=times.write, read=read, pool=times.pool)


def bearer(service: Service, token: str) -> str:
    """The Authorization value. Raises AccountStopped for a token that cannot be one (empty, blanks, line breaks)."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise AccountStopped(f"{NAMES[service]}: the access token is malformed; set it anew", service=service)
    return f"Bearer {token}"


def _failure(call: Call, progress: _Progress, error: Exception) -> PlatformError:
    what, name, service = type(error).__name__, NAMES[call.service], call.service
    if isinstance(error, (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        return Refused(f"{name}: the request could not be built ({what})", service=service)
    if not progress.written:
        return RetryLater(f"{name} could not be reached ({what})", service=service)
    if call.idempotent:
        return RetryLater(f"{name} did not answer ({what})", service=service)
    return Uncertain(f"{name} did not answer after the request was written ({what})", service=service)


async def _read(response: httpx2.Response) -> bytes:
    """The body; empty when it is over the limit."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            return b""
        chunks.append(chunk)
    return b"".join(chunks)


def _connections() -> httpx2.AsyncHTTPTransport:
    """A transport, not a client, whose redirects, cookies and authentication cost as much as the request."""
    _hush_request_logs()
    return httpx2.AsyncHTTPTransport(trust_env=False, verify=_trusted(), limits=_LIMITS)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates we trust; read once a process, because reading them takes tens of milliseconds."""
    return httpx2.create_ssl_context(trust_env=False)


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _hush_request_logs() -> None:
    """httpx2 logs each URL at INFO, and one of ours carries a token; a filter holds whatever level is set later."""
    for name in ("httpx2", "httpcore2.connection", "httpcore2.http11"):
        logger = logging.getLogger(name)
        if _only_warnings not in logger.filters:
            logger.addFilter(_only_warnings)
