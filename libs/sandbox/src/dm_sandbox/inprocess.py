"""Both functions inside this process, for tests that need the clock, the task names or a crash at a chosen call.

Everything else is as in production: signed bytes over HTTP to the webhook, the real clients against the simulators on
real sockets, a real store. Wake-ups are recorded instead of delivered: the test is the queue, and hands tasks to
``task`` whenever, as often and in whatever order it likes.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from starlette.requests import Request as StarletteRequest
from starlette.types import ASGIApp, Receive, Scope, Send

from dm_core.agent.model import Model
from dm_core.bootstrap.processor import Ports, open_ports, processor_app
from dm_core.bootstrap.webhook import compose as compose_webhook
from dm_core.clients.port import Instagram as InstagramPort
from dm_core.clients.port import InstagramAccounts
from dm_core.clients.port import WhatsApp as WhatsAppPort
from dm_core.clock import Clock, system_clock
from dm_core.errors import QueueUnavailable
from dm_core.http import Request, Response, serve
from dm_core.processing.app import TASK_NAME_HEADER, ProcessorApp
from dm_core.queue.port import AlertQueue, WakeUp, WakeUpQueue
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_core.store.port import Store
from dm_sandbox.environment import (
    APP_SECRET,
    WHATSAPP_APP_SECRET,
    Addresses,
    Pace,
    Platforms,
    function_environment,
    model_variables,
)
from dm_sandbox.person import Person
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.platforms.meta import WebhookSender
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

_DEFAULTS = {
    "ECHO_WAIT_SECONDS": "0.01",
    "DEBOUNCE_MIN_SECONDS": "5",
    "DEBOUNCE_MAX_SECONDS": "15",
    "DISCLOSURE_DAYS": "0",
}

STORE_CALLS = (
    "get_outbox",
    "save_outbox",
    "record",
    "add_audit",
    "alert_of_message",
    "open",
    "commit",
    "history",
    "day_runs",
    "create_alert",
    "get_alert",
    "due_alerts",
    "save_alert",
    "create_digest",
    "dissolve_digest",
    "digest_members",
)
"""The calls of the store that are crash points."""

FUNCTIONS = Path(__file__).parents[4] / "functions"


def asgi(handle: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """A function's app as a web server takes it."""

    async def serving(scope: Scope, receive: Receive, send: Send) -> None:
        response = await serve(StarletteRequest(scope, receive, send), handle)
        await response(scope, receive, send)

    return serving


class InstanceDied(BaseException):
    """The process is gone: nothing of it runs any more, no handler catches this."""


@dataclass(slots=True)
class MovableClock:
    """The machine's clock, moved by the test."""

    offset_ms: int = 0

    def __call__(self) -> int:
        return system_clock() + self.offset_ms

    def forward(self, seconds: float) -> None:
        self.offset_ms += round(seconds * 1000)


@dataclass(slots=True)
class RecordingQueue:
    """Keeps wake-ups by name, as Cloud Tasks does, and delivers none. ``down`` makes it fail."""

    wake_ups: dict[str, WakeUp] = field(default_factory=dict[str, WakeUp])
    calls: int = 0
    down: bool = False

    async def schedule(self, wake_up: WakeUp) -> bool:
        self.calls += 1
        if self.down:
            raise QueueUnavailable("switched off by the test")
        fresh = wake_up.name not in self.wake_ups
        self.wake_ups.setdefault(wake_up.name, wake_up)
        return fresh

    async def close(self) -> None: ...


@dataclass(slots=True)
class RecordingAlertQueue:
    """Keeps ticks by alert and time, as Cloud Tasks does, and delivers none. ``down`` makes it fail."""

    ticks: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    down: bool = False

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        if self.down:
            raise QueueUnavailable("switched off by the test")
        fresh = (alert_id, not_before) not in self.ticks
        if fresh:
            self.ticks.append((alert_id, not_before))
        return fresh

    async def close(self) -> None: ...


@dataclass(slots=True)
class CrashPoints:
    """Counts the calls of the processor's ports; before or after the chosen one something happens.

    ``at``: which call (1 is the first); ``when``: before it is made, or after it took effect. What happens: with
    ``meanwhile`` that is done (somebody writes, say) and the call goes on; with ``error`` the call fails with it
    (after: its answer is lost), and with ``lasting`` so does each later call of the store; else the instance dies.
    """

    at: int = 0
    when: Literal["before", "after"] = "before"
    error: Callable[[], Exception] | None = None
    meanwhile: Callable[[], Awaitable[object]] | None = None
    lasting: bool = False
    seen: list[str] = field(default_factory=list[str])
    struck: str | None = None

    async def through[T](self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self.seen.append(name)
        hit = len(self.seen) == self.at
        later = self.lasting and 0 < self.at < len(self.seen) and name.startswith("store.")
        if later or (hit and self.when == "before"):
            await self._strike(name)
        result = await call()
        if hit and self.when == "after":
            await self._strike(name)
        return result

    async def _strike(self, name: str) -> None:
        self.struck = name
        if self.meanwhile is not None:
            await self.meanwhile()
            return
        if self.error is not None:
            raise self.error()
        raise InstanceDied(name)


class Pierced:
    """A port whose async methods pass through crash points; everything else is the port's own."""

    def __init__(self, port: object, points: CrashPoints, methods: Mapping[str, str]) -> None:
        self._port, self._points, self._methods = port, points, methods

    def __getattr__(self, name: str) -> object:
        inner = cast("Callable[..., Awaitable[object]]", getattr(self._port, name))
        label = self._methods.get(name)
        if label is None:
            return inner

        def call(*args: object, **kwargs: object) -> Awaitable[object]:
            return self._points.through(label, lambda: inner(*args, **kwargs))

        return call


@dataclass(frozen=True, slots=True)
class _PiercedAccounts:
    """The accounts with every send and reaction passing through the crash points."""

    accounts: InstagramAccounts
    pierce: Callable[..., Pierced]

    def of(self, account_id: str) -> InstagramPort:
        return self._pierced(self.accounts.of(account_id))

    def each(self) -> Mapping[str, InstagramPort]:
        return {account_id: self._pierced(account) for account_id, account in self.accounts.each().items()}

    async def close(self) -> None:
        await self.accounts.close()

    def _pierced(self, account: InstagramPort) -> InstagramPort:
        return cast("InstagramPort", self.pierce(account, "instagram", "send_text", "react"))


@dataclass(slots=True)
class InProcess:
    """The whole system but its queue, in this process. ``async with`` starts and stops it.

    Nothing is put under a reply unless ``extra`` sets ``DISCLOSURE_DAYS``: what the model writes is what goes out.
    ``webhook_skew_ms``: so much is the webhook's clock ahead of all others.
    """

    store: Store
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    clock: MovableClock = field(default_factory=MovableClock)
    webhook_skew_ms: int = 0
    queue: RecordingQueue = field(default_factory=RecordingQueue)
    alert_queue: RecordingAlertQueue = field(default_factory=RecordingAlertQueue)
    folder: Path = FUNCTIONS / "processor"
    instagram: Instagram = field(init=False)
    whatsapp: WhatsApp = field(init=False)
    spond: Spond = field(init=False)
    gemini: Gemini = field(init=False)
    env: dict[str, str] = field(init=False)
    webhook_url: str = field(init=False, default="")
    _opened: list[Ports] = field(init=False, default_factory=list[Ports])
    _server: LocalServer = field(init=False)
    _sender: WebhookSender = field(init=False)
    _whatsapp_sender: WebhookSender = field(init=False)

    async def __aenter__(self) -> "InProcess":
        self.instagram, self.whatsapp = Instagram(clock=self.clock), WhatsApp(clock=self.clock)
        self.spond, self.gemini = Spond(clock=self.clock), Gemini(clock=self.clock)
        for platform in (self.instagram, self.whatsapp, self.spond, self.gemini):
            await platform.start()
        addresses = Addresses("http://127.0.0.1:9", "127.0.0.1:9", "firestore:", gemini=self.gemini.base_url)
        platforms = Platforms(self.instagram, self.whatsapp, self.spond)
        self.env = function_environment(platforms, addresses, Pace(), model_variables({}), {**_DEFAULTS, **self.extra})
        settings = WebhookSettings.load(self.env)
        app = compose_webhook(settings, self.store, self.queue, self.alert_queue, self._webhook_clock)
        self._server = LocalServer(asgi(app.handle))
        await self._server.start()
        self.webhook_url = f"{self._server.base_url}/"
        self._sender = WebhookSender(self.webhook_url, APP_SECRET, self.clock)
        self._whatsapp_sender = WebhookSender(f"{self.webhook_url}whatsapp", WHATSAPP_APP_SECRET, self.clock)
        return self

    def _webhook_clock(self) -> int:
        return self.clock() + self.webhook_skew_ms

    async def __aexit__(self, *_: object) -> None:
        for ports in self._opened:
            await ports.close()
        await self.whatsapp.statuses.settle()
        await self._whatsapp_sender.close()
        await self._sender.close()
        servers = (self._server, self.instagram, self.whatsapp, self.spond, self.gemini)
        await asyncio.gather(*(server.stop() for server in servers))

    def person(
        self,
        user_id: str = "9001",
        name: str = "Ana",
        username: str = "ana.bowls",
        account: Instagram | None = None,
    ) -> Person:
        """Somebody who writes to the account, or to another one than the system's own."""
        to = account or self.instagram
        return Person(
            self.webhook_url, APP_SECRET, to.account_id, user_id, name, username, to, self.clock, self._sender
        )

    def echo_sends(self) -> None:
        """From now on what the account sends comes back as an echo, at once."""
        self.instagram.echo_delay = 0.0
        self.instagram.connect(self._sender)

    def tell_statuses(self) -> None:
        """From now on WhatsApp tells what became of the alerts."""
        self.whatsapp.connect(self._whatsapp_sender)

    async def whatsapp_says(self, payload: object) -> int:
        """A signed delivery of WhatsApp's to the webhook; the answer's status."""
        return (await self._whatsapp_sender.post(payload)).status

    def instance(self, points: CrashPoints | None = None, clock: Clock | None = None) -> ProcessorApp:
        """A fresh instance of the processor, with nothing in memory. ``clock``: where it is not the system's."""
        settings = ProcessorSettings.load(self.env)
        real = open_ports(settings, clock or self.clock)
        self._opened.append(real)
        return processor_app(settings, self.folder, self._pierced(real, points or CrashPoints()))

    def _pierced(self, real: Ports, points: CrashPoints) -> Ports:
        def pierce(port: object, label: str, *methods: str) -> Pierced:
            return Pierced(port, points, {method: f"{label}.{method}" for method in methods})

        return replace(
            real,
            store=cast("Store", pierce(self.store, "store", *STORE_CALLS)),
            queue=cast("WakeUpQueue", pierce(self.queue, "queue", "schedule")),
            alert_queue=cast("AlertQueue", pierce(self.alert_queue, "alert_queue", "schedule")),
            model=cast("Model", pierce(real.model, "model", "generate")),
            instagram=_PiercedAccounts(real.instagram, pierce),
            whatsapp=cast(
                "WhatsAppPort", pierce(real.whatsapp, "whatsapp", "send_text", "send_draft", "send_template", "answer")
            ),
        )

    async def task(
        self, thread_id: str, name: str = "task-1", app: ProcessorApp | None = None
    ) -> tuple[int, dict[str, object]]:
        """Deliver one task; the answer's status and body."""
        body = json.dumps({"threadId": thread_id}).encode()
        headers = {TASK_NAME_HEADER: name} if name else {}
        answer = await (app or self.instance()).handle(Request("POST", "/", headers=headers, body=body))
        return answer.status, _body(answer)

    async def outbox(self, app: ProcessorApp | None = None, most: int = 20) -> list[dict[str, object]]:
        """Deliver what humans wrote, each task at its time, until there is no more; the answers."""
        app, answers = app or self.instance(), list[dict[str, object]]()
        while due := [wake_up for wake_up in self.queue.wake_ups.values() if wake_up.outbox_id]:
            wake_up = min(due, key=lambda each: each.fire_at)
            del self.queue.wake_ups[wake_up.name]
            self.clock.forward(max(0, wake_up.fire_at - self.clock()) / 1000)
            answers.append((await self.send_outbox(wake_up.outbox_id, app))[1])
            assert len(answers) <= most, "the outbox never ends"  # noqa: S101
        return answers

    async def send_outbox(self, outbox_id: str, app: ProcessorApp | None = None) -> tuple[int, dict[str, object]]:
        """Deliver one task of the outbox; the answer's status and body."""
        body = json.dumps({"outboxId": outbox_id}).encode()
        answer = await (app or self.instance()).handle(Request("POST", "/outbox", body=body))
        return answer.status, _body(answer)

    async def told(self, app: ProcessorApp | None = None) -> list[str]:
        """What the manager's phone got once every tick was delivered at its time, with those that the ticks ask for."""
        app = app or self.instance()
        while self.alert_queue.ticks:
            alert_id, not_before = self.alert_queue.ticks.pop(0)
            self.clock.forward(max(0, not_before - self.clock()) / 1000)
            await self.tick(alert_id, app)
        return [alert.text for alert in self.whatsapp.alerts]

    async def tick(self, alert_id: str, app: ProcessorApp | None = None) -> tuple[int, dict[str, object]]:
        """Deliver one tick; the answer's status and body."""
        body = json.dumps({"alertId": alert_id}).encode()
        answer = await (app or self.instance()).handle(Request("POST", "/alerts", body=body))
        return answer.status, _body(answer)

    async def ticks(self, most: int = 50) -> int:
        """Deliver every tick that is due by this clock, or at its time if that is in a moment, and those that come of
        them; how many."""
        delivered = 0
        while due := [tick for tick in self.alert_queue.ticks if tick[1] <= self.clock() + 1_500]:
            for tick in due:
                self.alert_queue.ticks.remove(tick)
                self.clock.forward(max(0, tick[1] - self.clock()) / 1000)  # one that comes early would only come again
                await self.tick(tick[0])
                delivered += 1
                assert delivered <= most, "the ticks never end"  # noqa: S101
        return delivered

    async def job(self, path: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
        """A request of the scheduler's, to a fresh instance; the answer's status and body."""
        answer = await self.instance().handle(Request("POST", path, body=body))
        return answer.status, _body(answer)


def _body(answer: Response) -> dict[str, object]:
    return cast("dict[str, object]", json.loads(answer.body))
