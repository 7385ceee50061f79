"""Instances of the two functions: the real apps over simulated ports, born when needed, gone when a fault says so."""

import asyncio
import json
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, Literal, Protocol

from dm_core.agent.prices import spent_on
from dm_core.bootstrap.files import Files, load_files
from dm_core.bootstrap.processor import Ports
from dm_core.bootstrap.processor import compose as compose_processor
from dm_core.bootstrap.webhook import compose as compose_webhook
from dm_core.clock import Clock
from dm_core.http import Request, Response
from dm_core.processing.app import TASK_NAME_HEADER
from dm_core.queue.port import WakeUp
from dm_core.runs import ModelTurn
from dm_core.settings import ProcessorSettings, RunLimits, WebhookSettings
from dm_core.usage import Spent
from dm_sandbox.environment import APP_SECRET, MANAGER_NUMBER, VERIFY_TOKEN
from dm_sandbox.one_account import OneAccount
from dm_sandbox.simulation.alert_ports import AlertQueuePort, WhatsAppPort
from dm_sandbox.simulation.cloud_tasks import task_body
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.model import SECRET
from dm_sandbox.simulation.monitor import Execution, begin_execution
from dm_sandbox.simulation.network import InstanceDied, Network, Process
from dm_sandbox.simulation.ports import InstagramPort, MediaPort, ModelPort, QueuePort, SpondPort, VaultPort
from dm_sandbox.simulation.schedule import START, STOP, Schedule
from dm_sandbox.simulation.store_port import StorePort
from dm_sandbox.simulation.wire import Shared, Wire

FUNCTIONS: Final = Path(__file__).parents[5] / "functions"
ACCOUNT: Final = "17840000000000001"
TAKEOVER_MINUTES: Final = 10
SIZE: Final = 2
"""Living instances of each function."""
MAX_SKEW_MS: Final = 1_000

ENVIRONMENT: Final = {
    "GOOGLE_CLOUD_PROJECT": "simulation",
    "CLOUD_TASKS_LOCATION": "nowhere",
    "TASKS_INVOKER_EMAIL": "tasks@simulation.example",
    "PROCESS_MESSAGE_URL": "https://processor.example",
    "INSTAGRAM_PAGE_ID": ACCOUNT,
    "INSTAGRAM_ACCOUNT_IDS": ACCOUNT,
    "INSTAGRAM_VERIFY_TOKEN": VERIFY_TOKEN,
    "INSTAGRAM_APP_SECRET": APP_SECRET,
    "INSTAGRAM_ACCESS_TOKEN": SECRET,
    "WHATSAPP_ACCESS_TOKEN": SECRET,
    "WHATSAPP_PHONE_NUMBER_ID": "1",
    "MANAGER_WHATSAPP_NUMBER": MANAGER_NUMBER,
    "WHATSAPP_TEMPLATE": "dm_alert:en",
    "GEMINI_API_KEY": SECRET,
    "SPOND_USERNAME": "simulated@example.org",
    "SPOND_PASSWORD": "simulated-4711",
    "SPOND_GROUP_ID": "G1",
    "HUMAN_TAKEOVER_MINUTES": str(TAKEOVER_MINUTES),
}

Function = Literal["processor", "webhook"]


class App(Protocol):
    """What both functions are to their framework."""

    async def handle(self, request: Request) -> Response: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment loads once; the same files and settings as in production, but for the shorter takeover."""

    processor: ProcessorSettings
    webhook: WebhookSettings
    files: Files


@cache
def deployment() -> Deployment:
    """Read once a process."""
    files = load_files(FUNCTIONS / "processor")
    files = replace(files, profile=replace(files.profile, stop_words=(STOP,), start_words=(START,)))
    return Deployment(ProcessorSettings.load(ENVIRONMENT), WebhookSettings.load(ENVIRONMENT), files)


def limits_of(schedule: Schedule) -> RunLimits:
    """A deployment's limits, with what a schedule varies."""
    limits = deployment().processor.limits
    return replace(limits, uncertain_sends=schedule.uncertain_sends, max_attempts=schedule.max_attempts)


class LoadedPrices:
    """The list prices without a thread: in virtual time nothing may depend on how long one takes."""

    def load_aside(self) -> None: ...

    async def spent(self, turn: ModelTurn, at: int) -> Spent:
        return spent_on(turn, deployment().processor.model.model, at)


@dataclass(slots=True)
class Member:
    """A living instance and its app."""

    process: Process
    app: App


@dataclass(slots=True)
class Instances:
    """Routes requests to instances. ``limits`` apply to every processor; ``ids`` serve all, so that none repeats.

    ``apart``: every request gets an instance of its own. ``begun`` is told of every request that begins.
    """

    loop: asyncio.AbstractEventLoop
    rng: Random
    journal: Journal
    network: Network
    shared: Shared
    limits: RunLimits
    clock: Clock
    ids: Callable[[], str]
    apart: bool = False
    begun: Callable[[Execution], None] | None = None
    _members: dict[Function, list[Member]] = field(default_factory=dict[Function, list[Member]])
    _born: int = 0

    async def task(self, wake_up: WakeUp, timeout: float) -> Response | None:
        """Deliver one task; None when no answer came in time."""
        path = "/outbox" if wake_up.outbox_id else "/"
        request = Request("POST", path, headers={TASK_NAME_HEADER: wake_up.name}, body=task_body(wake_up))
        return await self.ask("processor", request, timeout, wake_up.thread_id, wake_up.outbox_id)

    async def tick(self, alert_id: str, timeout: float) -> Response | None:
        """Deliver one tick of the alerts' queue; None when no answer came in time."""
        body = json.dumps({"alertId": alert_id}).encode()
        return await self.ask("processor", Request("POST", "/alerts", body=body), timeout)

    async def ask(
        self, function: Function, request: Request, timeout: float, thread_id: str = "", outbox_id: str = ""
    ) -> Response | None:
        """Send a request to some instance, and wait for its answer at most some seconds."""
        member = self.new(function) if self.apart else self._pick(function)
        execution = Execution(member.process.name, thread_id, outbox_id)
        return await self._serve(member, request, timeout, execution)

    async def _serve(self, member: Member, request: Request, timeout: float, execution: Execution) -> Response | None:
        """A request that outlives the timeout goes on: the platform only stops listening."""
        process, context, thread_id = member.process, copy_context(), execution.thread_id
        execution.began_at = asyncio.get_running_loop().time()
        context.run(begin_execution, execution)
        if self.begun is not None:
            self.begun(execution)
        work = self.loop.create_task(member.app.handle(request), context=context)
        process.tasks[work] = thread_id
        work.add_done_callback(lambda done: self._ended(process, execution, done))
        done, _ = await asyncio.wait((work,), timeout=timeout)
        if not done or work.cancelled() or work.exception() is not None:
            return None
        return work.result()

    def _ended(self, process: Process, execution: Execution, work: asyncio.Task[Response]) -> None:
        execution.is_over = True
        process.tasks.pop(work, None)
        error = None if work.cancelled() else work.exception()
        if error is not None and not isinstance(error, InstanceDied):
            self.journal.wrong("raised", f"{process.name} raised {error!r}")

    @property
    def is_idle(self) -> bool:
        return not any(member.process.tasks for members in self._members.values() for member in members)

    def _pick(self, function: Function) -> Member:
        members = [member for member in self._members.get(function, ()) if member.process.alive]
        self._members[function] = members
        while len(members) < SIZE:
            members.append(self.new(function))
        return self.rng.choice(members)

    def new(self, function: Function) -> Member:
        """A fresh instance: nothing in its memory, a clock of its own."""
        self._born += 1
        skew = self.rng.randint(-MAX_SKEW_MS, MAX_SKEW_MS)
        process = Process(f"{function[0]}{self._born}", skew)
        wire = Wire(self.network, process, function, self.shared)
        clock = self.clock
        own_clock: Clock = lambda: clock() + skew  # noqa: E731
        make = self._processor if function == "processor" else self._webhook
        return Member(process, make(wire, own_clock))

    def _webhook(self, wire: Wire, clock: Clock) -> App:
        settings = deployment().webhook
        return compose_webhook(settings, StorePort(wire), QueuePort(wire), AlertQueuePort(wire), clock)

    def _processor(self, wire: Wire, clock: Clock) -> App:
        """As in production, over simulated ports and without reading the files again."""
        made = deployment()
        ports = Ports(
            store=StorePort(wire),
            queue=QueuePort(wire),
            alert_queue=AlertQueuePort(wire),
            model=ModelPort(wire),
            instagram=OneAccount(InstagramPort(wire), ACCOUNT),
            whatsapp=WhatsAppPort(wire),
            spond=SpondPort(wire),
            token_store=VaultPort(wire),
            clock=clock,
            ids=self.ids,
            media=MediaPort(wire),
        )
        return compose_processor(replace(made.processor, limits=self.limits), made.files, ports, LoadedPrices())
