"""What a DM costs in a thread of 10,000 messages against one of 10: documents read, and time.

Counted by the store's own counter over everything one run does; the time is that of the whole task at the processor
function, on the emulator, DMs in the two threads alternating.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncGenerator
from itertools import batched
from pathlib import Path

from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.load import Caller
from benchmarks.harness.stage import TEXT, function_on_test_core
from benchmarks.harness.world import World, inbound, running_world, task_request
from dm_core.bootstrap.processor import open_ports, processor_app
from dm_core.clock import system_clock
from dm_core.http import Request
from dm_core.messages import Status
from dm_core.processing.app import TASK_NAME_HEADER, ProcessorApp
from dm_core.settings import ProcessorSettings
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import PAGE_SIZE, Store, ThreadEvents
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.environment import PROJECT

LONG, SHORT = 10_000, 10
SIZES = (SHORT, PAGE_SIZE, LONG)
BATCH = 400
MANY_RUNS = {"MAX_RUNS_PER_HOUR": "10000", "MAX_RUNS_PER_DAY": "100000"}
PROCESSOR = Path(__file__).parents[1] / "functions" / "processor"


async def measure(firestore: str, pairs: int = 30) -> list[Figure]:
    """Documents read on the emulator; time on SQLite, which has the indexes, and on the emulator, which has none."""
    reads = await documents_read("firestore:", firestore, SIZES)
    words = ", ".join(f"{reads[size]} in a thread of {size:,}" for size in SIZES)
    figures = [
        Figure("a DM in a thread of 10,000 / of 10, documents read", reads[LONG] / reads[SHORT], "×", 1.1, note=words),
        Figure(f"  10,000 / {PAGE_SIZE} (one page), documents read", reads[LONG] / reads[PAGE_SIZE], "×"),
    ]
    with tempfile.TemporaryDirectory(prefix="dm-benchmark-") as folder:
        url = f"sqlite:///{Path(folder) / 'threads.db'}"
        figures += await _times("SQLite", url, None, SqliteStore(url.removeprefix("sqlite:///")), pairs, 1.1)
    store = FirestoreStore(PROJECT, emulator_host=firestore)
    return figures + await _times("the emulator, without indexes", "firestore:", firestore, store, pairs, None)


async def _times(
    where: str, url: str, host: str | None, store: FirestoreStore | SqliteStore, pairs: int, budget: float | None
) -> list[Figure]:
    async with running_world(url, host, extra=MANY_RUNS) as world:
        taken = await _timed(world, store, pairs)
    await store.close()
    short, page, long = (median(taken[size]) for size in SIZES)
    note = f"{long:.0f} of {short:.0f} ms; {spread(taken[LONG], 0)}; {spread(taken[SHORT], 0)}"
    page_note = f"{page:.0f} ms in one of {PAGE_SIZE}"
    return [
        Figure(f"  10,000 / 10, time on {where}", long / short, "×", budget, note=note),
        Figure(f"  10,000 / {PAGE_SIZE}, time on {where}", long / page, "×", note=page_note),
    ]


async def _timed(world: World, store: FirestoreStore | SqliteStore, pairs: int) -> dict[int, list[float]]:
    """What the tasks took in ms, by the length of their thread."""
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    loop = asyncio.get_running_loop()
    base = 810_000_000
    await grow(world, store, base + LONG, LONG)
    async with function_on_test_core(world.env, "processor") as function, Caller(function.port) as caller:
        for number in range(pairs + 5):
            for size in SIZES if number % 2 else reversed(SIZES):
                # A thread grows with each DM, so each round has fresh short ones; the long one barely notices.
                person = base + LONG if size == LONG else base + 1_000_000 + size * 1_000 + number
                if size != LONG:
                    await grow(world, store, person, size)
                thread = await world.says(store, person)
                begun = loop.time()
                status, body = await caller.send(task_request(thread, f"task-{size}-{number}"))
                if status != 200 or b'"processed"' not in body:
                    raise RuntimeError(f"a DM was not processed: {status} {body[:300]!r}")
                if number >= 5:
                    taken[size].append((loop.time() - begun) * 1_000)
    return taken


async def documents_read(store_url: str, firestore: str | None, sizes: tuple[int, ...]) -> dict[int, int]:
    """Documents read by the run that answers one DM, by the number of messages the thread had before."""
    reads: dict[int, int] = {}
    async with running_world(store_url, firestore) as world, _processor(world) as (app, store):
        for size in sizes:
            person = 820_000_000 + size
            await grow(world, store, person, size)
            thread = await world.says(store, person)
            before = store.usage.reads
            await _wake(app, thread)
            reads[size] = store.usage.reads - before
    return reads


async def grow(world: World, store: Store, person: int, size: int) -> None:
    """A thread with so many processed messages, written as the webhook would."""
    account, thread, now = world.instagram.account_id, world.thread_of(person), system_clock()
    world.instagram.meet(str(person))
    for numbers in batched(range(size), BATCH, strict=False):
        messages = tuple(
            inbound(thread, f"old-{person}-{number}", TEXT, now - 10_000_000 + number, Status.PROCESSED)
            for number in numbers
        )
        await store.record(ThreadEvents(thread, account, str(person), now, messages, last_inbound_at=now))


@contextlib.asynccontextmanager
async def _processor(world: World) -> AsyncGenerator[tuple[ProcessorApp, FirestoreStore | SqliteStore]]:
    """A processor in this process, and its store with the counter."""
    settings = ProcessorSettings.load(world.env)
    ports = open_ports(settings)
    assert isinstance(ports.store, FirestoreStore | SqliteStore)
    try:
        yield processor_app(settings, PROCESSOR, ports), ports.store
    finally:
        await ports.close()


async def _wake(app: ProcessorApp, thread: str) -> None:
    body = json.dumps({"threadId": thread}).encode()
    answer = await app.handle(Request("POST", "/", headers={TASK_NAME_HEADER: "task"}, body=body))
    if json.loads(answer.body)["status"] != "processed":
        raise RuntimeError(f"a DM was not processed: {answer}")
