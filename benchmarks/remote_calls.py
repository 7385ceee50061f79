"""What one plain DM costs in remote calls, and how many of them wait for one another; counted at the servers.

Both functions are composed from settings as in production, in this process. Firestore and Cloud Tasks are reached
through relays that count, the platforms are the simulators. Calls that are said to run side by side are held at the
servers until all of them are there: if they came one after the other they would show up as a longer chain.

    webhook     commit ‖ create task                                                     2 calls, depth 1
    processor   get ‖ query, claim, model, checkpoint, send, finish                      7 calls, depth 6
"""

import asyncio
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.figures import Figure
from benchmarks.harness.stage import PATIENT, TEXT
from benchmarks.harness.world import plain_answer
from dm_core.bootstrap.parts import open_alert_queue, open_queue, open_store
from dm_core.bootstrap.processor import open_ports, processor_app
from dm_core.bootstrap.webhook import compose
from dm_core.clock import system_clock
from dm_core.errors import StoreUnavailable
from dm_core.http import Request
from dm_core.processing.app import TASK_NAME_HEADER, ProcessorApp
from dm_core.settings import ProcessorSettings, WebhookSettings
from dm_core.store.firestore import FirestoreStore
from dm_core.store.sqlite import SqliteStore
from dm_core.threads import thread_id
from dm_core.webhook.app import WebhookApp
from dm_sandbox.cloud_tasks import CloudTasksEmulator
from dm_sandbox.environment import APP_SECRET, Addresses, Platforms, function_environment, model_variables
from dm_sandbox.grpc_relay import GrpcRelay
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.meta import Mids, envelope, signature, wire_bytes
from dm_sandbox.platforms.server import Call, Platform, Reply
from dm_sandbox.platforms.spond import Spond
from dm_sandbox.platforms.whatsapp import WhatsApp

PROCESSOR = Path(__file__).parents[1] / "functions" / "processor"
STREAMS = frozenset({"BatchGetDocuments", "RunQuery"})
SIDE_BY_SIDE = (frozenset({"Commit", "CreateTask"}), frozenset({"BatchGetDocuments", "RunQuery"}))
HOLD_SECONDS = 3.0
PERSON = "9001"


@dataclass(slots=True)
class Seen:
    """One call at a server; times in seconds."""

    name: str
    begun: float
    ended: float = float("inf")


@dataclass(slots=True)
class Ledger:
    """Every call, in order. ``together``: names that are held until each of them is there (once)."""

    together: frozenset[str] = frozenset()
    calls: list[Seen] = field(default_factory=list[Seen])
    _arrived: set[str] = field(default_factory=set[str])
    _complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, name: str) -> Seen:
        seen = Seen(name, time.perf_counter())
        self.calls.append(seen)
        if name in self.together and name not in self._arrived:
            self._arrived.add(name)
            if self._arrived >= self.together:
                self._complete.set()
            try:
                await asyncio.wait_for(self._complete.wait(), HOLD_SECONDS)
            except TimeoutError:  # they do not run side by side; the depth will show it
                self._complete.set()
        return seen

    @staticmethod
    def end(seen: Seen) -> None:
        seen.ended = time.perf_counter()

    @property
    def names(self) -> Counter[str]:
        return Counter(seen.name for seen in self.calls)

    @property
    def depth(self) -> int:
        """The longest chain of calls of which each began after the one before had ended."""
        chains: list[int] = []
        ordered = sorted(self.calls, key=lambda seen: seen.begun)
        for number, seen in enumerate(ordered):
            before = [chains[n] for n, earlier in enumerate(ordered[:number]) if earlier.ended <= seen.begun]
            chains.append(1 + max(before, default=0))
        return max(chains, default=0)


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls and depth before the webhook's 200 and after the wake-up; ``store_calls`` by the adapter's own counter."""

    webhook: Counter[str]
    webhook_depth: int
    processor: Counter[str]
    processor_depth: int
    store_calls: int
    replies: Sequence[str]

    @property
    def total(self) -> int:
        return self.webhook.total() + self.processor.total()

    @property
    def model_calls(self) -> int:
        return self.processor["gemini"]


async def measure(firestore: str) -> list[Figure]:
    """A second DM in a thread, so that nothing is a first time."""
    cost = await of_one_plain_dm("firestore:", firestore)
    words = ", ".join(f"{n} {name}" if n > 1 else name for name, n in (cost.webhook + cost.processor).items())
    return [
        Figure("remote calls of a plain DM", cost.total, "", 9, note=words),
        Figure("  before the ack", cost.webhook.total(), "", 2),
        Figure("  depth before the ack", cost.webhook_depth, "", 1),
        Figure("  after the wake-up", cost.processor.total(), "", 7),
        Figure("  depth after the wake-up", cost.processor_depth, "", 6),
        Figure("  model calls", cost.model_calls, "", 1),
    ]


async def of_one_plain_dm(store_url: str, firestore: str | None = None) -> Cost:
    """The cost of the second DM of a person, from the signed POST to the end of its run."""
    async with _system(store_url, firestore) as system:
        await system.dm()
        return await system.dm()


class _System:
    """Both functions over counting servers."""

    def __init__(self, instagram: Instagram) -> None:
        self.ledger = Ledger()
        self.instagram = instagram
        self.webhook: WebhookApp
        self.processor: ProcessorApp
        self.stores: list[FirestoreStore | SqliteStore] = []
        self._mids, self._number = Mids(), 0

    async def dm(self) -> Cost:
        """One DM, and its wake-up."""
        self._number += 1
        before, sent = self._store_calls(), len(self.instagram.sent)
        at_webhook = self.ledger = Ledger(SIDE_BY_SIDE[0])
        answer = await self.webhook.handle(self._post())
        in_processor = self.ledger = Ledger(SIDE_BY_SIDE[1])
        thread = thread_id(self.instagram.account_id, PERSON)
        headers, body = {TASK_NAME_HEADER: f"task-{self._number}"}, json.dumps({"threadId": thread}).encode()
        result = await self.processor.handle(Request("POST", "/", headers=headers, body=body))
        if (answer.status, result.status) != (200, 200):
            raise RuntimeError(f"a plain DM was not processed: {answer}, {result}")
        return Cost(
            webhook=at_webhook.names,
            webhook_depth=at_webhook.depth,
            processor=in_processor.names,
            processor_depth=in_processor.depth,
            store_calls=self._store_calls() - before,
            replies=tuple(message.text for message in self.instagram.sent[sent:]),
        )

    def _store_calls(self) -> int:
        return sum(store.usage.calls for store in self.stores)

    def _post(self) -> Request:
        account, now = self.instagram.account_id, system_clock()
        mid = self._mids.next(account, PERSON)
        self.instagram.hear(PERSON, mid, TEXT)
        item = {"sender": {"id": PERSON}, "recipient": {"id": account}, "timestamp": now}
        body = wire_bytes(envelope(account, [item | {"message": {"mid": mid, "text": TEXT}}], now))
        return Request("POST", "/", headers={"x-hub-signature-256": signature(body, APP_SECRET)}, body=body)


class _CountingRelay(GrpcRelay):
    """A relay that writes down every call."""

    def __init__(self, target: str, system: _System) -> None:
        super().__init__(target, STREAMS)
        under_way: dict[str, deque[Seen]] = defaultdict(deque)

        async def before(method: str) -> None:
            under_way[method].append(await system.ledger.begin(method))

        async def after(method: str) -> None:
            Ledger.end(under_way[method].popleft())

        self.before, self.after = before, after


def _counting(platform: Platform, system: _System) -> None:
    """Have the simulator write down every request."""
    process = platform.process

    async def counted(operation: str, call: Call) -> Reply:
        seen = await system.ledger.begin(platform.name)
        try:
            return await process(operation, call)
        finally:
            Ledger.end(seen)

    platform.process = counted


@asynccontextmanager
async def _system(store_url: str, firestore: str | None) -> AsyncGenerator[_System]:
    instagram, whatsapp, spond, gemini = Instagram(), WhatsApp(), Spond(), Gemini()
    gemini.model = plain_answer
    system = _System(instagram)
    async with AsyncExitStack() as stack:
        for platform in (instagram, whatsapp, spond, gemini):
            _counting(platform, system)
            await stack.enter_async_context(platform)
        emulator = CloudTasksEmulator()
        await emulator.start()
        stack.push_async_callback(emulator.stop)
        queue = await stack.enter_async_context(_CountingRelay(emulator.address, system))
        if firestore is not None:
            firestore = await stack.enter_async_context(_CountingRelay(firestore, system))
        addresses = Addresses("http://127.0.0.1:9", queue, store_url, firestore, gemini.base_url)
        platforms = Platforms(instagram, whatsapp, spond)
        env = function_environment(platforms, addresses, PATIENT, model_variables({}), {})
        _compose(system, env, stack)
        await _woken_up(system.stores[0])
        yield system


def _compose(system: _System, env: dict[str, str], stack: AsyncExitStack) -> None:
    """Both functions as their ``main.py`` compose them, with a hand on their stores."""
    settings = WebhookSettings.load(env)
    store, queue = open_store(settings.store, system_clock), open_queue(settings.queue)
    system.webhook = compose(settings, store, queue, open_alert_queue(settings.alert_queue), system_clock)
    ports = open_ports(ProcessorSettings.load(env))
    system.processor = processor_app(ProcessorSettings.load(env), PROCESSOR, ports)
    for each in (store, ports.store):
        assert isinstance(each, FirestoreStore | SqliteStore)
        system.stores.append(each)
    for close in (ports.close, queue.close, store.close):
        stack.push_async_callback(close)


async def _woken_up(store: FirestoreStore | SqliteStore) -> None:
    """A fresh emulator on a busy machine may need longer for its first answers than a store waits."""
    for _ in range(10):
        try:
            await store.quarantine("warm-up", "", "", 0, 0)
            await store.open(thread_id("1", "2"))
        except StoreUnavailable:
            continue
        return
