"""The one way out to Instagram, WhatsApp and Spond: timeouts, connection reuse, quick tries, errors by their owner.

    connect ──▶ write ──▶ wait ──▶ read ──▶ judge
    └ nothing written ┘└── the platform may have acted ──┘
      safe to repeat     GET: repeat   POST: Uncertain, at once, never repeated

A try is quick or it isn't made: what does not begin within five seconds of the first is the caller's to wait for. A
surrounding ``asyncio.timeout`` ends a call wherever it is, its pauses included.

No body, no query and no token is ever logged. The environment is not trusted: a proxy named by a variable would see
every token in plain sight of whoever runs it, and Google Cloud needs none.
"""

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlencode

from dm_core.clients.connections import Connections, Patience
from dm_core.clients.graph_errors import NAMES
from dm_core.clients.http_response import Response, parsed_json, told_wait
from dm_core.clients.port import is_still_wanted
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

Sleep = Callable[[float], Awaitable[None]]
Jitter = Callable[[], float]
"""A random number from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, and for the whole answer: ``quick`` for calls nobody should wait for, else ``read``."""

    connect: float = 5.0
    read: float = 15.0
    quick: float = 3.0


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
        self._connections = Connections()

    async def request(self, call: Call, judge: Judge) -> Response:
        """The first answer that ``judge`` finds no fault with.

        Rejected attempts are repeated up to ``call.attempts`` times within ``QUICK_SECONDS``, after exponential
        backoff with jitter (about 0.5 s, 1 s) or the platform's own wait if that is longer. Raises RetryLater when
        that is used up, the platform asks for more, or it is not wanted any more (``tried_again_if``); other
        PlatformErrors at once.
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
            if not await is_still_wanted():
                raise outcome.error
        raise AssertionError("a call has at least one attempt")

    async def close(self) -> None:
        """Release connections; a later call opens new ones."""
        await self._connections.close()

    def _pause(self, rejected: _Rejected, attempt: int) -> float:
        """Seconds until the next attempt."""
        return max(_FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1) * (0.5 + self._jitter()), rejected.told or 0.0)

    async def _attempt(self, call: Call, judge: Judge, connect_within: float) -> Response | _Rejected:
        progress = _Progress()
        try:
            reply = await self._exchange(call, progress, connect_within)
        except (OSError, ValueError) as error:
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
        def writing() -> None:
            progress.written = True

        headers = {"accept": "application/json", "user-agent": "dm-agent"}
        if call.token is not None:
            headers["authorization"] = bearer(call.service, call.token)
        body = None
        if call.body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(call.body).encode()  # ASCII with escapes: any text can be encoded, lone surrogates too
        url = f"{call.url}?{urlencode(call.query)}" if call.query else call.url
        patience = self._patience(call, connect_within)
        answer = await self._connections.request(call.method, url, headers, body, patience, writing=writing)
        return Response(answer.status, answer.headers, parsed_json(answer.body))

    def _patience(self, call: Call, connect_within: float) -> Patience:
        times = self._timeouts
        connect = min(times.connect, max(connect_within, _LEAST_CONNECT_SECONDS))
        return Patience(connect, times.quick if call.quick else times.read, MAX_ANSWER_BYTES)


def bearer(service: Service, token: str) -> str:
    """The Authorization value. Raises AccountStopped for a token that cannot be one (empty, blanks, line breaks)."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise AccountStopped(f"{NAMES[service]}: the access token is malformed; set it anew", service=service)
    return f"Bearer {token}"


def _failure(call: Call, progress: _Progress, error: Exception) -> PlatformError:
    what, name, service = type(error).__name__, NAMES[call.service], call.service
    if not isinstance(error, OSError):
        return Refused(f"{name}: the request could not be built ({what})", service=service)
    if not progress.written:
        return RetryLater(f"{name} could not be reached ({what})", service=service)
    if call.idempotent:
        return RetryLater(f"{name} did not answer ({what})", service=service)
    return Uncertain(f"{name} did not answer after the request was written ({what})", service=service)
