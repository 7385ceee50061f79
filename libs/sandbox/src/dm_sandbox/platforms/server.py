"""A simulator as a server: one record a request, faults around the handler.

A platform says two things: which operation a request is, and what its answer would be. Everything else, the wire
included, is here. Sockets are real, so a cut connection is a cut connection for the client under test.
"""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dm_core.clock import Clock, system_clock
from dm_sandbox.platforms.faults import Fault, FaultKind, Faults
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.platforms.record import Listener, Record

JSON_TYPE = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a value; ``body`` is the parsed JSON (or None), ``headers`` have lower-case names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: object = None
    at: int = 0

    @property
    def fields(self) -> Mapping[str, object]:
        """The body when it is a JSON object, else nothing."""
        return as_object(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``body`` is JSON, or a text or bytes sent as they are. ``facts`` go into the record."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = JSON_TYPE
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


def as_object(value: object) -> Mapping[str, object]:
    """A JSON object, or an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """A JSON array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a request; no reply means that the connection is to be cut."""

    reply: Reply | None
    facts: Mapping[str, str]
    processed: bool


class Platform(ABC):
    """One simulated platform. Use as an async context manager, or ``start`` and ``stop``."""

    name = "platform"

    def __init__(self, port: int = 0, clock: Clock = system_clock) -> None:
        self.faults = Faults()
        self.records: list[Record] = []
        self.clock = clock
        self._listeners: list[Listener] = []
        self._server = LocalServer(self._serve, port)
        self._stopping = asyncio.Event()

    @property
    def base_url(self) -> str:
        """Scheme, host and port; valid after ``start``."""
        return self._server.base_url

    @abstractmethod
    def operation(self, call: Call) -> str:
        """The platform's word for what this request wants; faults are addressed by it."""

    @abstractmethod
    async def process(self, operation: str, call: Call) -> Reply:
        """Do it, and answer as the platform does."""

    @abstractmethod
    def error(self, fault: Fault) -> Reply:
        """A scripted error in this platform's shape."""

    def count(self, operation: str | None = None) -> int:
        """Requests seen, of one operation or of all."""
        return sum(1 for record in self.records if operation in (None, record.operation))

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called with every record from now on."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Start to listen."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop; requests that are being stalled are cut."""
        self._stopping.set()
        await self._server.stop()

    async def be_reachable(self, reachable: bool) -> None:
        """Refuse every connection, or listen again at the same address."""
        await (self._server.start() if reachable else self._server.stop())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the server."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:  # its caller died in the middle of it: it never arrived
            return
        call = Call(
            request.method,
            request.url.path,
            dict(request.query_params),
            {name.lower(): value for name, value in request.headers.items()},
            _parsed(body),
            self.clock(),
        )
        operation = self.operation(call)
        outcome = await self._answer(operation, call, self.faults.take(operation))
        self._record(operation, call, outcome)
        reply = outcome.reply
        if reply is None:
            client = request.client
            if client is not None:
                self._server.cut((client.host, client.port))
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        content = reply.body if isinstance(reply.body, str | bytes) else json.dumps(reply.body)
        headers = {"date": formatdate(usegmt=True), **reply.headers}
        await Response(content, reply.status, headers, reply.content_type)(scope, receive, send)

    async def _answer(self, operation: str, call: Call, fault: Fault | None) -> "_Outcome":
        """Process the request, with the fault around it."""
        if fault is None:
            reply = await self.process(operation, call)
            return _Outcome(reply, reply.facts, processed=True)
        before = self._before(fault)
        if before is not None:
            reply = before()
            return _Outcome(reply, {"fault": fault.kind, **reply.facts}, processed=False)
        if fault.kind in (FaultKind.STALL, FaultKind.DROP_BEFORE):
            await self.pause(fault.seconds)
            return _Outcome(None, {"fault": fault.kind}, processed=False)
        if fault.kind is FaultKind.DELAY:
            await self.pause(fault.seconds)
        reply = await self.process(operation, call)
        facts = {"fault": str(fault.kind), **reply.facts}
        if fault.kind is FaultKind.ERROR_AFTER:
            return _Outcome(self.error(fault), facts, processed=True)
        if fault.kind in (FaultKind.STALL_AFTER, FaultKind.DROP_AFTER):
            await self.pause(fault.seconds)
            return _Outcome(None, facts, processed=True)
        return _Outcome(reply, facts, processed=True)

    def _before(self, fault: Fault) -> Callable[[], Reply] | None:
        """How to answer without processing, for the kinds that do."""
        answers: Mapping[FaultKind, Callable[[], Reply]] = {
            FaultKind.ERROR: lambda: self.error(fault),
            FaultKind.THROTTLE: lambda: self.error(fault),
            FaultKind.NOT_JSON: lambda: _page(fault),
            FaultKind.HUGE: lambda: Reply(json.dumps({"filler": "x" * fault.size}), fault.status or 200),
        }
        return answers.get(fault.kind)

    def _record(self, operation: str, call: Call, outcome: "_Outcome") -> None:
        record = Record(
            number=len(self.records) + 1,
            at=call.at,
            platform=self.name,
            operation=operation,
            method=call.method,
            path=call.path,
            query={name: value for name, value in call.query.items() if name != "access_token"},
            body=call.body,
            status=0 if outcome.reply is None else outcome.reply.status,
            processed=outcome.processed,
            facts=outcome.facts,
        )
        self.records.append(record)
        for listener in self._listeners:
            listener(record)


def _page(fault: Fault) -> Reply:
    html = "<!DOCTYPE html><html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"
    return Reply(fault.message or html, fault.status or 200, fault.headers, "text/html; charset=utf-8")


def _parsed(body: bytes) -> object:
    """The JSON of a body; None where there is none, or where it holds half a surrogate pair, which is no text."""
    try:
        value = json.loads(body) if body else None
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value


def bearer(call: Call) -> str:
    """The token a request carries, in its header or (worse) its query."""
    return call.headers.get("authorization", "").removeprefix("Bearer ").strip() or call.query.get("access_token", "")
