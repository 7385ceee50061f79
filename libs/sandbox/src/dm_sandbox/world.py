"""The whole system on one machine: simulators, queue, store and the two functions as processes, wired together.

::

    async with Sandbox() as sandbox:
        sam = sandbox.person("Sam Jones")
        await sam.says("When are the next nets?")
        await sandbox.wait_for(lambda: sandbox.instagram.sent_to(sam.user_id), 20, "a reply")

Everything is stopped at the end of the block, whatever ended it.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import httpx

from dm_core.clock import Clock, system_clock
from dm_core.threads import thread_id
from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueConfig
from dm_sandbox.environment import (
    ALERTS_QUEUE,
    APP_SECRET,
    SANDBOX_MODEL_KEY,
    VERIFY_TOKEN,
    WAKE_UP_QUEUE,
    WHATSAPP_APP_SECRET,
    Addresses,
    Pace,
    Platforms,
    answers_for_real,
    function_environment,
    model_variables,
)
from dm_sandbox.events import EventLog
from dm_sandbox.firestore_emulator import FirestoreEmulator, firestore_emulator
from dm_sandbox.functions.control import CONTROL_FILE, Switched
from dm_sandbox.launcher import FunctionName, FunctionProcess
from dm_sandbox.person import Person
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.instagram import IG_FIELDS, Flavor, Instagram
from dm_sandbox.platforms.meta import Delivery, WebhookSender
from dm_sandbox.platforms.server import Platform
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp
from dm_sandbox.profile_files import PROCESSOR_FOLDER, PROCESSOR_VARIABLE
from dm_sandbox.tcp_ports import free_port

StoreName = Literal["sqlite", "firestore"]

FIRST_USER_ID = 819898670256713
ALERT_QUEUE = QueueConfig(
    max_dispatches_per_second=20, max_concurrent_dispatches=1, min_backoff=0.5, max_backoff=10, max_attempts=20
)
"""One at a time, as in a deployment, but without its pause of 6 s between two."""
STUDIO_FUNCTIONS = Path(__file__).parent / "functions"
QUEUE = QueueConfig(min_backoff=0.5, max_backoff=10, max_attempts=20)


class StillWaiting(TimeoutError):
    """What was waited for did not happen in time; the message ends with the last events."""


class Sandbox:
    """Everything, started together.

    ``ambient`` is where GEMINI_API_KEY is looked for: with it the real Gemini answers, unless there is a ``gemini`` in
    its place. ``extra`` are variables for both
    functions. ``queue`` is how the Cloud Tasks emulator retries; with ``queue_path`` its tasks survive a restart.
    In ``folder`` everything does: threads (of the SQLite store), tasks, events and the files of messages. ``studio``
    runs the sandbox's own entry points, whose model calls are recorded and whose ports and clock can be switched
    (``switch``); ``ahead_ms``: how far ahead their clocks are from the first task on, as ``clock`` is.
    ``environment`` (once started) is what both functions get, for further instances of them; ``emulator`` is the
    Firestore emulator's process, where the store is that.
    """

    def __init__(
        self,
        *,
        store: StoreName = "sqlite",
        pace: Pace | None = None,
        flavor: Flavor = "instagram",
        ambient: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
        queue: QueueConfig = QUEUE,
        queue_path: Path | None = None,
        clock: Clock = system_clock,
        folder: Path | None = None,
        studio: bool = False,
        ahead_ms: int = 0,
        gemini: Gemini | None = None,
    ) -> None:
        ambient = {} if gemini is not None or ambient is None else ambient
        self.clock = clock
        self.folder = folder
        self.log = EventLog(clock, folder / "events.jsonl" if folder else None)
        self.instagram = Instagram(flavor=flavor, clock=clock, media=folder / "media" if folder else None)
        self.whatsapp = WhatsApp(clock=clock)
        self.spond = Spond(clock=clock)
        self.gemini = gemini or Gemini(SANDBOX_MODEL_KEY, clock=clock)
        self.queue = CloudTasksEmulator(
            config=queue,
            queues={ALERTS_QUEUE: ALERT_QUEUE},
            on_event=self.log.queue,
            path=folder / "tasks.db" if folder else queue_path,
            clock=clock,
        )
        self.real_model = answers_for_real(ambient)
        self.webhook: FunctionProcess
        self.processor: FunctionProcess
        self.environment: Mapping[str, str] = {}
        self.emulator: FirestoreEmulator | None = None
        self._store: StoreName = store
        self._pace, self._model, self._extra = pace or Pace(), model_variables(ambient), dict(extra or {})
        self._stack = AsyncExitStack()
        self._happened = asyncio.Event()
        self.sender: WebhookSender
        self._people = 0
        self._studio, self._ahead_ms = studio, ahead_ms
        self._starting = asyncio.Lock()
        self._control: Path | None = None
        self.log.listen(lambda _: self._happened.set())

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def deliveries(self) -> list[Delivery]:
        """Every webhook POST so far, DMs and echoes, with its answer."""
        return self.sender.deliveries

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The simulators."""
        return (self.instagram, self.whatsapp, self.spond, self.gemini)

    @property
    def pending_wake_ups(self) -> int:
        """Wake-ups that are not done; ticks may wait for an alarm that never comes."""
        return self.queue.pending_in(WAKE_UP_QUEUE)

    def status(self) -> dict[str, object]:
        """What runs where, as JSON values."""
        return {
            "webhook": self.webhook.url,
            "processor": self.processor.url,
            "queue": self.queue.address,
            "platforms": {platform.name: platform.base_url for platform in self.platforms},
            "store": self._store,
            "model": "gemini" if self.real_model else self.gemini.kind,
            "pendingWakeUps": self.pending_wake_ups,
            "pendingTicks": self.queue.pending_in(ALERTS_QUEUE),
            "events": len(self.log.entries),
        }

    def person(self, name: str = "Sam Jones", user_id: str | None = None, username: str | None = None) -> Person:
        """A new person who can write to the account; closed with the sandbox."""
        self._people += 1
        handle = username or name.lower().replace(" ", ".")
        account_id, user_id = self.instagram.account_id, user_id or str(FIRST_USER_ID + self._people)
        self.log.know(thread_id(account_id, user_id), user_id)
        return Person(
            self.sender.url,
            APP_SECRET,
            account_id,
            user_id,
            name=name,
            username=handle,
            platform=self.instagram,
            clock=self.clock,
            sender=self.sender,
        )

    def switch(self, switched: Switched) -> None:
        """From now on both functions behave so; only with ``studio``."""
        if self._control is not None:
            switched.write(self._control)

    async def restart_functions(self) -> None:
        """Both anew, at their addresses: their code changed. Raises FunctionDidNotStart."""
        async with self._starting:
            for function in (self.webhook, self.processor):
                await function.restart()

    async def replace_processor(self) -> None:
        """Its instance dies, and another comes up. Raises FunctionDidNotStart."""
        async with self._starting:
            await self.processor.kill()
            await self.processor.start()

    async def revive_functions(self) -> list[str]:
        """Start those that have ended by themselves; their names. Raises FunctionDidNotStart."""
        async with self._starting:
            ended = [function for function in (self.webhook, self.processor) if not function.running]
            for function in ended:
                await function.start()
        return [function.name for function in ended]

    async def wait_for(self, condition: Callable[[], object], seconds: float, what: str = "it") -> None:
        """Return once the condition holds. Raises StillWaiting after ``seconds``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            if loop.time() >= deadline:
                last = "\n".join(f"  {entry.source}: {entry.words}" for entry in self.log.entries[-15:])
                raise StillWaiting(f"{what} did not happen within {seconds:g} s; the last events:\n{last}")
            self._happened.clear()
            try:
                await asyncio.wait_for(self._happened.wait(), 0.05)
            except TimeoutError:
                continue

    async def _start(self) -> None:
        self._stack.callback(self.log.close)
        for platform in self.platforms:
            self._stack.push_async_callback(platform.stop)
            await platform.start()
            platform.listen(self.log.platform)
        self._stack.push_async_callback(self.queue.stop)
        await self.queue.start()
        self.environment = env = await self._environment()
        if self.folder is not None:
            self.queue.redirect(f"http://127.0.0.1:{self._processor_port}")
        self.webhook, self.processor = self._function("webhook", env), self._function("processor", env)
        await self._start_functions()
        self.sender = WebhookSender(f"{self.webhook.url}/", APP_SECRET, self.clock)
        self.sender.on_delivery = self.log.delivered
        self._stack.push_async_callback(self.sender.close)
        self.instagram.connect(self.sender)
        self._stack.push_async_callback(self.instagram.settle)
        statuses = WebhookSender(f"{self.webhook.url}/whatsapp", WHATSAPP_APP_SECRET, self.clock)
        statuses.on_delivery = self.log.delivered
        self._stack.push_async_callback(statuses.close)
        self.whatsapp.connect(statuses)
        self._stack.push_async_callback(self.whatsapp.statuses.settle)
        await self._subscribe()

    async def _environment(self) -> dict[str, str]:
        self._processor_port = free_port()
        firestore = None
        if self._store == "firestore":
            self.emulator = firestore_emulator()
            firestore = await self._stack.enter_async_context(self.emulator)
            url = "firestore:"
        else:
            folder = self.folder or Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-sandbox-")))
            url = f"sqlite:///{folder / 'threads.db'}"
        addresses = Addresses(
            processor=f"http://127.0.0.1:{self._processor_port}",
            queue=self.queue.address,
            store_url=url,
            firestore=firestore,
            gemini=None if self.real_model else self.gemini.base_url,
        )
        platforms = Platforms(self.instagram, self.whatsapp, self.spond)
        extra = dict(self._extra)
        if self._studio:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-sandbox-switches-")))
            self._control = folder / "control.json"
            self.switch(Switched(clock_offset_ms=self._ahead_ms))
            extra |= {CONTROL_FILE: str(self._control), PROCESSOR_VARIABLE: str(PROCESSOR_FOLDER)}
        return function_environment(platforms, addresses, self._pace, self._model, extra)

    def _function(self, name: FunctionName, env: Mapping[str, str]) -> FunctionProcess:
        port = self._processor_port if name == "processor" else None
        source = STUDIO_FUNCTIONS / f"{name}.py" if self._studio else None
        return FunctionProcess(name, env, port=port, log=lambda line: self.log.function(name, line), source=source)

    async def _start_functions(self) -> None:
        """Both at once. Raises FunctionDidNotStart."""
        try:
            async with asyncio.TaskGroup() as starting:
                for function in (self.processor, self.webhook):
                    self._stack.push_async_callback(function.stop)
                    starting.create_task(function.start())
        except* Exception as failed:
            raise failed.exceptions[0] from None

    async def _subscribe(self) -> None:
        """What saving the callback in Meta's dashboard does: the handshake, then the fields."""
        query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}
        async with httpx.AsyncClient(trust_env=False) as client:
            for path in ("/", "/whatsapp"):
                answer = await client.get(f"{self.webhook.url}{path}", params=query)
                if (answer.status_code, answer.text) != (200, "1158201444"):
                    raise RuntimeError(f"{path} did not pass the handshake: {answer.status_code} {answer.text[:200]}")
        self.instagram.subscribed = tuple(IG_FIELDS.split(","))
