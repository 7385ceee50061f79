"""20 wake-ups of one thread at once: one run, and how soon the others are told; beside interactive transactions.

First as requests to the processor function on one core. Then like with like, straight at the emulator from this
process: 20 claims by the store's conditional commit, against 20 of the client library's own transactions that do the
same (read the thread and its pending messages; take the lease and mark the messages if nobody has it). The
transactions are stopped after ``BOUND_SECONDS``.
"""

import asyncio
import json
import os
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any, cast

from google.cloud import firestore as google_firestore

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.load import Caller
from benchmarks.harness.world import World, running_world, task_request
from dm_core.clock import system_clock
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import CONFLICT, PAGE_SIZE
from dm_sandbox.environment import PROJECT
from dm_sandbox.examples import claim, dm, events
from dm_sandbox.firestore_emulator import firestore_emulator
from dm_sandbox.launcher import FunctionProcess, running_function

WAKE_UPS = 20
AT_ONCE = 20
WARM_UP = 8
"""Rounds before it counts: the emulator gets several times faster in its first thousand calls."""
MODEL_SECONDS = 0.6
BOUND_SECONDS = 15.0
MAX_SLOW_RUNS = 3
_VARIABLE = "FIRESTORE_EMULATOR_HOST"


async def measure(runs: int = 5) -> list[Figure]:
    """One run; the slowest of the others; the ratio. Nothing is pinned: all of it may use every core."""
    with cores.everywhere():
        async with firestore_emulator() as firestore:
            return [*await wake_ups(firestore, runs), await against_transactions(firestore, runs)]


async def wake_ups(firestore: str, runs: int) -> list[Figure]:
    """Through the processor function."""
    slowest: list[float] = []
    most_runs = 0
    async with running_world("firestore:", firestore) as world:
        store = FirestoreStore(PROJECT, emulator_host=firestore)
        async with running_function("processor", world.env) as function:
            for number in range(runs + WARM_UP):
                ran, told = await wake_up_at_once(world, store, function, 500_000_000 + number)
                most_runs = max(most_runs, ran)
                if number >= WARM_UP:
                    slowest.append(told * 1_000)
        await store.close()
    return [
        Figure("20 wake-ups of a thread at once: runs", most_runs, "", 1),
        Figure("  the others answered within", median(slowest), "ms", 150, note=spread(slowest, 0)),
    ]


async def against_transactions(firestore: str, runs: int) -> Figure:
    """20 claims of one thread, both ways, alternating."""
    ours: list[float] = []
    theirs: list[float] = []
    words: list[str] = []
    for number in range(WARM_UP):
        await conditional(firestore, number)
    for number in range(runs):
        ours.append(await conditional(firestore, number))
        if number < MAX_SLOW_RUNS:
            took, how = await interactive(firestore)
            theirs.append(took)
            words.append(how)
    note = f"{median(theirs):.2f} s ({'; '.join(words)}) against {median(ours):.3f} s ({spread(ours, 3)})"
    ratio = median(theirs) / median(ours)
    return Figure("  faster than interactive transactions", ratio, "×", 15, "at least", note)


async def many_threads(runs: int, threads: int) -> list[Figure]:
    """So many claims, ``AT_ONCE`` at a time, each of a thread of its own: nobody is in anybody's way. The same by
    transactions, of as many threads as are under way at once, because they may not end."""
    with cores.everywhere():
        async with firestore_emulator() as firestore:
            await conditional(firestore, 0)
            ours = [await _claims(firestore, number, threads) for number in range(runs + 1)][1:]
            theirs, how = await _transactions(firestore, min(threads, AT_ONCE))
    note = f"{spread(ours)}; {min(threads, AT_ONCE)} interactive transactions: {theirs:.2f} s, {how}"
    return [
        Figure(f"{threads} threads claimed, {AT_ONCE} at a time, claims a second", threads / median(ours), note=note)
    ]


async def _claims(firestore: str, number: int, threads: int) -> float:
    """Seconds until each is claimed by the store's conditional commit."""
    store, room = FirestoreStore(PROJECT, emulator_host=firestore), asyncio.Semaphore(AT_ONCE)
    names = [f"178414_{system_clock()}{number}{person:04d}" for person in range(threads)]

    async def stored(name: str) -> None:
        async with room:
            await store.record(events(dm(1, name), thread_id=name))

    async def claimed(name: str) -> bool:
        async with room:
            return await _claim(store, name, "run")

    await asyncio.gather(*map(stored, names))
    begun = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(*map(claimed, names))
    took = asyncio.get_running_loop().time() - begun
    await store.close()
    if sum(outcomes) != threads:
        raise RuntimeError(f"{sum(outcomes)} of {threads} threads were claimed")
    return took


async def _transactions(firestore: str, threads: int) -> tuple[float, str]:
    """The same by the library's transactions; stopped after ``BOUND_SECONDS``."""
    client = _emulated_client(firestore)
    names = [client.collection("conversations").document(str(person)) for person in range(threads)]
    for name in names:
        await name.set({"pendingCount": 1})
        await name.collection("messages").document("first").set({"createdAt": 1})
    took, how = await _until_ended([_claim_in_transaction(client, name, "run") for name in names])
    client.close()
    return took, how


async def _until_ended(claims: Sequence[Coroutine[object, object, bool]]) -> tuple[float, str]:
    """Seconds until they have ended, and how; at least ``BOUND_SECONDS`` if some had not."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    tasks = [asyncio.create_task(claim) for claim in claims]
    done, running = await asyncio.wait(tasks, timeout=BOUND_SECONDS)
    took = loop.time() - begun
    for late in running:
        late.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    won = sum(each.exception() is None and each.result() for each in done)
    failed = sum(each.exception() is not None for each in done)
    return took, f"{won} won, {failed} failed, {len(running)} had not ended"


async def conditional(firestore: str, number: int) -> float:
    """Seconds until each of 20 claimers knows whether it has the thread."""
    stores = [FirestoreStore(PROJECT, emulator_host=firestore) for _ in range(WAKE_UPS)]
    thread = f"178414_{system_clock() + number}"
    await stores[0].record(events(dm(1, thread), thread_id=thread))
    for store in stores:
        await store.open("178414_1")  # connected, as an instance that has worked before
    loop = asyncio.get_running_loop()
    begun = loop.time()
    outcomes = await asyncio.gather(*(_claim(store, thread, str(run)) for run, store in enumerate(stores)))
    took = loop.time() - begun
    for store in stores:
        await store.close()
    if sum(outcomes) != 1:
        raise RuntimeError(f"{sum(outcomes)} of 20 claims won")
    return took


async def _claim(store: FirestoreStore, thread: str, run_id: str) -> bool:
    snapshot = await store.open(thread)
    if snapshot is None or snapshot.thread.lease is not None:
        return False
    return await store.commit(claim(snapshot, run_id)) is not CONFLICT


async def wake_up_at_once(
    world: World, store: FirestoreStore, function: FunctionProcess, person: int
) -> tuple[int, float]:
    """How many ran, and seconds until the slowest of those that did not was answered."""
    world.gemini.latency = MODEL_SECONDS
    thread = await world.says(store, person)
    loop = asyncio.get_running_loop()
    callers = [await Caller(function.port).connect() for _ in range(WAKE_UPS)]

    async def wake(number: int) -> tuple[str, float]:
        began = loop.time()
        _, body = await callers[number].send(task_request(thread, f"task-{number}"))
        return str(json.loads(body)["status"]), loop.time() - began

    answers = await asyncio.gather(*(wake(number) for number in range(WAKE_UPS)))
    for caller in callers:
        caller.close()
    others = [took for status, took in answers if status != "processed"]
    return WAKE_UPS - len(others), max(others)


async def interactive(firestore: str) -> tuple[float, str]:
    """Seconds until all 20 transactions have ended, and how they did; at least ``BOUND_SECONDS`` if some had not."""
    client = _emulated_client(firestore)
    thread = client.collection("conversations").document("one")
    message = thread.collection("messages").document("first")
    await thread.set({"pendingCount": 1})
    await message.set({"status": "pending", "createdAt": 1})
    took, how = await _until_ended([_claim_in_transaction(client, thread, str(number)) for number in range(WAKE_UPS)])
    client.close()
    return took, how


def _emulated_client(firestore: str) -> Any:
    """The library finds the emulator only by the environment."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = firestore
    try:
        return cast("Any", google_firestore).AsyncClient(project=f"{PROJECT}-{uuid.uuid4().hex[:8]}")
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


async def _claim_in_transaction(client: Any, thread: Any, run_id: str) -> bool:
    """Take the lease in an interactive transaction; False when somebody has it."""

    async def take(transaction: Any) -> bool:
        snapshot = await thread.get(transaction=transaction)
        newest = thread.collection("messages").order_by("createdAt", direction="DESCENDING").limit(PAGE_SIZE)
        messages = [message async for message in newest.stream(transaction=transaction)]
        if "lease" in (snapshot.to_dict() or {}):
            return False
        transaction.update(thread, {"lease": {"runId": run_id, "expiresAt": 330_000}})
        for message in messages:
            transaction.update(message.reference, {"status": "processing", "runId": run_id})
        return True

    return bool(await cast("Any", google_firestore).async_transactional(take)(client.transaction()))
