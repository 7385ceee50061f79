"""The storm: people write, instances die, the store and the queue stop and come back; then calm, and the judgement."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from dm_sandbox.chaos.fake_model import FakeModel
from dm_sandbox.chaos.fleet import Fleet
from dm_sandbox.chaos.ledger import Ledger
from dm_sandbox.chaos.people import Redelivery, Senders
from dm_sandbox.chaos.report import Report, outcome_figures
from dm_sandbox.chaos.settling import PATIENCE_SECONDS, Progress, settled
from dm_sandbox.chaos.trouble import Trouble
from dm_sandbox.chaos.verdict import Evidence, judge
from dm_sandbox.cloud_tasks import QueueConfig
from dm_sandbox.environment import Pace
from dm_sandbox.person import Person
from dm_sandbox.processes import OutputLine
from dm_sandbox.world import Sandbox, StoreName

PACE = Pace(debounce_min=0.1, debounce_max=0.6, echo_wait=0.3)
QUEUE = QueueConfig(min_backoff=0.3, max_backoff=2.0)
SETTINGS: Mapping[str, str] = {
    "FUNCTION_TIMEOUT_SECONDS": "5",
    "LEASE_SECONDS": "6",
    "MODEL_TIMEOUT_SECONDS": "3",
    "MAX_ATTEMPTS": "20",
    "MAX_MODEL_TURNS": "40",
    "MAX_RUNS_PER_HOUR": "10000",
    "MAX_RUNS_PER_DAY": "100000",
    "MAX_ALERTS_PER_HOUR": "1000",
    "UNCERTAIN_SENDS": "hold",
}
"""Hasty, so that a dead run is taken over in seconds; patient with attempts, because on a busy machine hasty ones fail,
and with turns, because each of them may find that something came and ask again.
The promises don't depend on the size of these."""
SWEEP_SECONDS = 1.5
TELL_SECONDS = 5.0
SLOW_SEND_SECONDS = 1.6
SOON_SECONDS = 10.0
"""A task further ahead (a wait that is over by now, an alarm of the manager's alerts) has nothing left to find."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A storm lasts ``seconds`` and until there were ``kills`` SIGKILLs and at least one resumed run.

    ``people`` write, each ``pause`` seconds apart on the average; ``kill_pause`` is the average time between kills.
    ``settings`` are variables for the functions, over the storm's own. ``patience``: seconds without any progress
    after which it is given up.
    """

    seconds: float = 60
    kills: int = 20
    seed: int = 1
    store: StoreName = "firestore"
    people: int = 10
    pause: float = 2.0
    kill_pause: float = 0.4
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    patience: float = PATIENCE_SECONDS


@dataclass(slots=True)
class LogCounts:
    """What the functions' own log says, counted."""

    resumed: int = 0
    superseded: int = 0
    failed_attempts: int = 0

    def __str__(self) -> str:
        return f"{self.resumed} runs resumed"

    def line(self, line: OutputLine) -> None:
        event = line.event or {}
        self.resumed += event.get("message") == "run_claimed" and event.get("resumed") is True
        self.superseded += event.get("message") == "run_superseded"
        self.failed_attempts += event.get("message") == "run_stopped"


class Stalled(Exception):
    """Nothing moved any more while the storm was still on."""


def unheard(words: str) -> None:
    """Tell nobody how it goes."""


async def storm(plan: Plan, say: Callable[[str], None] = unheard) -> Report:
    """One storm, judged; ``say`` is told now and then how it goes.

    Raises FunctionDidNotStart, EmulatorUnavailable, Stalled when it could not be held.
    """
    random, log_counts = Random(plan.seed), LogCounts()
    async with _stage(plan, random, log_counts) as (sandbox, webhook, processor):
        model = FakeModel(random)
        sandbox.gemini.model = model
        sender = Redelivery(f"{webhook.url}/", random)
        sandbox.instagram.connect(sender)
        senders = Senders(sandbox.instagram, sender, plan.people, random)
        trouble = Trouble(sandbox, webhook, processor, random, plan.kill_pause)
        ledger, loop = Ledger(sandbox.environment), asyncio.get_running_loop()
        async with _sweeping(processor.url), _telling(say, lambda: f"{trouble}, {senders}, {log_counts}"):
            await _first_answer(senders, sandbox, plan.patience)
            begun = loop.time()
            await _weather(plan, senders, trouble, log_counts)
            say("calm: everything runs again, everything was delivered")
            await _last_words(senders, model, sandbox, plan.patience)
            calm = loop.time()
            came_to_rest = await settled(ledger, senders.dms, plan.patience)
            ended = loop.time()
            await _quiet(sandbox, plan.patience)
        accounts = {name: await ledger.read(name) for name in {dm.thread_id for dm in senders.dms}}
        await ledger.close()
        await sandbox.instagram.settle()
        await sender.close()
        evidence = Evidence(
            senders.dms,
            frozenset(model.shown),
            sandbox.instagram.sent,
            sandbox.instagram.reactions,
            sandbox.whatsapp.alerts,
            accounts,
        )
    findings = judge(evidence)
    refused = sum(delivery.status != 200 for delivery in sender.deliveries)
    figures = {
        "store, seed": f"{plan.store}, {plan.seed}",
        "seconds of storm / until rest": f"{calm - begun:.0f} / {ended - calm:.0f}",
        "SIGKILLs": trouble.kills,
        "  of the webhook": _deaths(webhook),
        "  of the processor": _deaths(processor),
        "freezes (SIGSTOP) of instances": f"webhook {webhook.freezes}, processor {processor.freezes}",
        "stops of the store": trouble.store_stops,
        "restarts of the queue": trouble.queue_restarts,
        "webhook deliveries / not acknowledged": f"{len(sender.deliveries)} / {refused}",
        "runs resumed / superseded / failed attempts": (
            f"{log_counts.resumed} / {log_counts.superseded} / {log_counts.failed_attempts}"
        ),
        **outcome_figures(evidence, findings),
        "DMs a second": f"{len(senders.dms) / (ended - begun):.1f}",
    }
    return Report("storm", figures, findings, came_to_rest)


@contextlib.asynccontextmanager
async def _stage(plan: Plan, random: Random, log_counts: LogCounts) -> AsyncGenerator[tuple[Sandbox, Fleet, Fleet]]:
    """The sandbox with two instances of each function behind one address each."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-chaos-")))
        webhook, processor = (Fleet(name, 2, random, log_counts.line) for name in ("webhook", "processor"))
        for fleet in (webhook, processor):
            await fleet.open()
        sandbox = await stack.enter_async_context(
            Sandbox(
                store=plan.store,
                pace=PACE,
                extra={**SETTINGS, "PROCESS_MESSAGE_URL": f"{processor.url}/", **plan.settings},
                queue=QUEUE,
                queue_path=folder / "queue.sqlite3",
            )
        )
        stack.push_async_callback(webhook.close)
        stack.push_async_callback(processor.close)
        await webhook.fill(sandbox.webhook, sandbox.environment)
        await processor.fill(sandbox.processor, sandbox.environment)
        yield sandbox, webhook, processor


async def _first_answer(senders: Senders, sandbox: Sandbox, patience: float) -> None:
    """One DM each while the weather is still fine: the emulator needs seconds for the first ones."""
    await asyncio.gather(*(senders.write(person) for person in senders.people))
    await sandbox.wait_for(lambda: sandbox.instagram.sent, patience, "a first answer")


async def _weather(plan: Plan, senders: Senders, trouble: Trouble, log_counts: LogCounts) -> None:
    """Trouble while people write, until there was enough of it; then all is mended and all is delivered."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    begun, progress = loop.time(), Progress(plan.patience)
    writing = asyncio.create_task(senders.chatter(over, plan.pause))
    making = asyncio.create_task(trouble.make())
    try:
        while loop.time() - begun < plan.seconds or trouble.kills < plan.kills or not log_counts.resumed:
            await asyncio.wait((writing, making), timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
            if making.done() or writing.done():
                break
            if progress.stalled((len(senders.dms), trouble.kills)):
                raise Stalled(f"nothing moved for {plan.patience:g} s: {len(senders.dms)} DMs, {trouble.kills} kills")
    finally:
        over.set()
        making.cancel()
        await asyncio.wait((making,))
        if not making.cancelled():
            making.result()
        await asyncio.gather(trouble.webhook.repaired(), trouble.processor.repaired())
        await _delivered(writing, senders, plan.patience)


async def _last_words(senders: Senders, model: FakeModel, sandbox: Sandbox, patience: float) -> None:
    """Everybody writes once more while their last answer is on its way: after the run's checkpoint, before its finish.

    That DM's own wake-up finds the thread busy, and nobody writes any more: only the finish can still see to it.
    """
    sandbox.instagram.faults.add("delay", "send", times=len(senders.people), seconds=SLOW_SEND_SECONDS)

    async def speak(person: Person) -> None:
        dm, progress = await senders.write(person), Progress(patience)
        while dm.number not in model.shown and not progress.stalled(len(model.shown)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(SLOW_SEND_SECONDS / 4)
        await senders.write(person)

    await asyncio.gather(*(speak(person) for person in senders.people))


async def _delivered(writing: "asyncio.Task[None]", senders: Senders, patience: float) -> None:
    """Everything that was written has been acknowledged. Raises Stalled."""
    progress = Progress(patience)
    while not writing.done():
        await asyncio.wait((writing,), timeout=0.2)
        if progress.stalled(len(senders.dms)):
            writing.cancel()
            raise Stalled(f"{senders.written - len(senders.dms)} DMs were never acknowledged")
    writing.result()


async def _quiet(sandbox: Sandbox, patience: float) -> None:
    """The queue has nothing left for the next seconds, or what it has does not change any more."""
    progress = Progress(patience)
    while (due := sandbox.queue.due_within(SOON_SECONDS)) and not progress.stalled(due):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _telling(say: Callable[[str], None], words: Callable[[], str]) -> AsyncGenerator[None]:
    """Say so every few seconds, for the length of the block."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            say(words())

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait((telling,))


@contextlib.asynccontextmanager
async def _sweeping(url: str) -> AsyncGenerator[None]:
    """The scheduler, for the length of the block: it calls the sweeper whether it is there or not."""

    async def sweep() -> None:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    await client.post(f"{url}/sweep")
                await asyncio.sleep(SWEEP_SECONDS)

    sweeping = asyncio.create_task(sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.wait((sweeping,))


def _deaths(fleet: Fleet) -> str:
    return f"{fleet.kills} ({fleet.deaths['instance']} instances, {fleet.deaths['worker']} workers)"
