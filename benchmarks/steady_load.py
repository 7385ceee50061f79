"""The model's prediction beside a measured load: DMs that come at random (Poisson) to one processor on one core.

What one DM takes alone and its CPU are measured first, at a low rate; from these two numbers the model says what it
takes when the core is half busy and three quarters busy.
"""

import asyncio
import random
from collections.abc import Sequence

from benchmarks.harness import cores
from benchmarks.harness.capacity import Work
from benchmarks.harness.figures import Figure
from benchmarks.harness.load import Caller
from benchmarks.harness.memory_firestore import MemoryFirestore
from benchmarks.harness.stage import TestedFunction, function_on_test_core
from benchmarks.harness.world import World, running_world, task_request
from dm_core.store.firestore import FirestoreStore
from dm_sandbox.environment import PROJECT

MODEL_SECONDS = 0.5
QUIET_RATE = 5.0


async def measure(dms: int) -> list[Figure]:
    """Measured time a DM over the predicted one, at two loads."""
    figures: list[Figure] = []
    async with MemoryFirestore() as firestore, running_world("firestore:", firestore) as world:
        store = FirestoreStore(PROJECT, emulator_host=firestore)
        async with function_on_test_core(world.env, "processor") as function:
            world.gemini.latency = MODEL_SECONDS
            await _load(world, store, function, 670_000_000, 60, QUIET_RATE)
            alone, cpu = await _load(world, store, function, 671_000_000, 60, QUIET_RATE)
            work = Work(cpu, alone - cpu / (1 - QUIET_RATE * cpu))
            for number, busy in enumerate((0.5, 0.75)):
                rate = busy / work.cpu
                took, spent = await _load(world, store, function, 680_000_000 + number * 10_000, dms, rate)
                predicted = work.seconds(rate)
                note = f"{took * 1_000:.0f} ms of {predicted * 1_000:.0f} ms at {rate:.0f} DMs a second, "
                note += f"{spent * 1_000:.1f} ms CPU a DM; alone {alone * 1_000:.0f} ms, {cpu * 1_000:.1f} ms CPU"
                figures.append(
                    Figure(f"a DM at a core {busy:.0%} busy / the model's word", took / predicted, "×", note=note)
                )
        await store.close()
    return figures


async def _load(
    world: World, store: FirestoreStore, function: TestedFunction, first: int, count: int, rate: float
) -> tuple[float, float]:
    """The mean seconds a DM took, and its CPU seconds."""
    threads = [await world.says(store, person) for person in range(first, first + count)]
    before = cores.usage(function.pid).cpu
    took = await _arrive(function.port, [task_request(thread, f"task-{thread}") for thread in threads], rate)
    return sum(took) / count, (cores.usage(function.pid).cpu - before) / count


async def _arrive(port: int, requests: Sequence[bytes], rate: float) -> list[float]:
    """Send each after a random wait, whether those before it were answered or not; the seconds each took."""
    loop, waits = asyncio.get_running_loop(), random.Random(21)

    async def one(request: bytes) -> float:
        begun = loop.time()
        async with Caller(port) as caller:
            status, body = await caller.send(request)
        if status != 200:
            raise RuntimeError(f"{status} {body[:200]!r}")
        return loop.time() - begun

    tasks: list[asyncio.Task[float]] = []
    for request in requests:
        await asyncio.sleep(waits.expovariate(rate))
        tasks.append(asyncio.create_task(one(request)))
    return await asyncio.gather(*tasks)
