"""Our own share of the time from a wake-up to the reply: model and platform answer at once, the store is the emulator.

From the moment the task is sent to the processor until Instagram has the reply. One DM at a time, each of another
person, the processor alone on one core, emulator and simulators on the other.
"""

import asyncio

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, quantile
from benchmarks.harness.load import Caller
from benchmarks.harness.stage import function_on_test_core
from benchmarks.harness.world import World, running_world, task_request
from dm_core.store.firestore import FirestoreStore
from dm_sandbox.environment import PROJECT
from dm_sandbox.platforms.record import Record

WARM_UP = 60


async def measure(firestore: str, dms: int = 300) -> list[Figure]:
    """p50 and p99."""
    async with running_world("firestore:", firestore) as world:
        store = FirestoreStore(PROJECT, emulator_host=firestore)
        async with function_on_test_core(world.env, "processor") as function, Caller(function.port) as caller:
            await replies(world, store, caller, 700_000_000, WARM_UP)
            before = cores.usage(function.pid).cpu
            taken = await replies(world, store, caller, 710_000_000, dms)
            cpu = (cores.usage(function.pid).cpu - before) / dms * 1_000
        await store.close()
    note = f"{dms} DMs one after the other, least {min(taken):.0f}, most {max(taken):.0f} ms; {cpu:.1f} ms CPU a DM"
    return [
        Figure("own share, wake-up to reply, p50", median(taken), "ms", 60, note=note),
        Figure("own share, wake-up to reply, p99", quantile(taken, 0.99), "ms", 250),
    ]


async def replies(world: World, store: FirestoreStore, caller: Caller, first: int, count: int) -> list[float]:
    """What each reply took, in ms."""
    loop = asyncio.get_running_loop()
    arrived: dict[str, float] = {}

    def note(record: Record) -> None:
        if record.operation == "send":
            arrived[record.facts["to"]] = loop.time()

    world.instagram.listen(note)
    taken: list[float] = []
    for person in range(first, first + count):
        thread = await world.says(store, person)
        sent = loop.time()
        status, body = await caller.send(task_request(thread, f"task-{person}"))
        if status != 200 or str(person) not in arrived:
            raise RuntimeError(f"a plain DM was not answered: {status} {body[:300]!r}")
        taken.append((arrived[str(person)] - sent) * 1_000)
    return taken
