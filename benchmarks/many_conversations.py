"""200 conversations wake up at once; the model takes 2 s; the processor has one core.

The store is a Firestore in memory on the other core, behind the real protocol: Google's emulator needs more CPU for
these runs than the processor does, and would be what is measured.

Ideal: the model's time and the CPU seconds the function used, one after the other, with nothing lost between them. (A
function that waits for one conversation before it goes on with the next would take 400 s.)
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.load import NotAllAnswered, drive
from benchmarks.harness.memory_firestore import MemoryFirestore
from benchmarks.harness.node import node_on_test_core
from benchmarks.harness.stage import TestedFunction, function_on_test_core
from benchmarks.harness.world import World, running_world, task_request
from dm_core.store.firestore import FirestoreStore
from dm_sandbox.environment import PROJECT

CONVERSATIONS = 200
MODEL_SECONDS = 2.0
WARM_UP = 40
WARM_ROUNDS = 4
"""Node compiles what is often run while it runs."""
LOOK_SECONDS = 0.2


async def measure(runs: int = 3) -> list[Figure]:
    """Time against the ideal, CPU a DM, memory."""
    async with MemoryFirestore() as firestore:
        return await _measure(firestore, runs)


async def _measure(firestore: str, runs: int) -> list[Figure]:
    walls: list[float] = []
    cpus: list[float] = []
    async with running_world("firestore:", firestore) as world:
        store = FirestoreStore(PROJECT, emulator_host=firestore)
        async with function_on_test_core(world.env, "processor") as function, _peak_memory(function) as peak:
            await at_once(world, store, function, 600_000_000, WARM_UP)
            world.gemini.latency = MODEL_SECONDS
            for number in range(runs):
                wall, cpu = await at_once(world, store, function, 610_000_000 + number * 1_000, CONVERSATIONS)
                walls.append(wall)
                cpus.append(cpu)
        await store.close()
    ratios = [wall / (MODEL_SECONDS + cpu) for wall, cpu in zip(walls, cpus, strict=True)]
    a_dm = [cpu / CONVERSATIONS * 1_000 for cpu in cpus]
    note = f"all answered after {median(walls):.2f} s: {MODEL_SECONDS:g} s model, {median(cpus):.2f} s CPU; "
    return [
        Figure("200 conversations at once / ideal time", median(ratios), "×", 1.25, note=note + spread(ratios)),
        Figure("  CPU a DM", median(a_dm), "ms", 10, note=spread(a_dm, 1)),
        Figure("  memory at its highest", peak[0], "MiB", 300),
    ]


async def beside_node(runs: int, count: int = 50) -> list[Figure]:
    """CPU a DM of both processors in turn: the same DMs, model and platform."""
    cpus: dict[str, list[float]] = {"product": [], "node": []}
    async with MemoryFirestore() as firestore, running_world("firestore:", firestore) as world:
        store = FirestoreStore(PROJECT, emulator_host=firestore)
        async with (
            function_on_test_core(world.env, "processor") as product,
            node_on_test_core(world.env, "processor") as node,
        ):
            pairs = (("product", product), ("node", node))
            for number in range(-WARM_ROUNDS, runs):
                for name, function in pairs if number % 2 else pairs[::-1]:
                    first = 640_000_000 + (2 * (number + WARM_ROUNDS) + (name == "node")) * 1_000
                    _, cpu = await at_once(world, store, function, first, count)
                    cpus[name].append(cpu / count * 1_000)
        await store.close()
    ours, theirs = (cpus[name][WARM_ROUNDS:] for name in ("product", "node"))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    note = f"{median(theirs):.1f} against {median(ours):.1f} ms; {spread(ratios)}"
    return [Figure("processor, Node's CPU a DM / ours", median(ratios), "×", 1.5, "at least", note)]


async def at_once(
    world: World, store: FirestoreStore, function: TestedFunction, first: int, count: int
) -> tuple[float, float]:
    """Seconds until all were answered, and the CPU seconds that took."""
    people = range(first, first + count)
    threads = [await world.says(store, person) for person in people]
    requests = [task_request(thread, f"task-{thread}") for thread in threads]
    before, sent = cores.usage(function.pid).cpu, len(world.instagram.sent)
    try:
        load = await drive(function.port, requests, count)
    except NotAllAnswered as error:
        raise NotAllAnswered(f"{error}\n{function.last_problems}") from error
    if len(world.instagram.sent) - sent != count:
        replies = len(world.instagram.sent) - sent
        raise NotAllAnswered(f"{count} conversations got {replies} replies\n{function.last_problems}")
    return load.seconds, cores.usage(function.pid).cpu - before


@contextlib.asynccontextmanager
async def _peak_memory(function: TestedFunction) -> AsyncGenerator[list[float]]:
    """The highest memory seen, in MiB."""
    peak = [0.0]

    async def look() -> None:
        while True:
            peak[0] = max(peak[0], cores.usage(function.pid).mib)
            await asyncio.sleep(LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield peak
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
