"""Firestore over a network that loses and delays: nothing is misreported, nothing is done twice."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest
from google.cloud.firestore_v1 import types

from dm_core.errors import StoreUnavailable
from dm_core.messages import Status
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import Recorded
from dm_sandbox.examples import NOW, THREAD, claim, dm, events
from dm_sandbox.grpc_relay import GrpcRelay, Lost

STREAMING = frozenset({"BatchGetDocuments", "RunQuery"})
_RunQueryResponse = cast("Any", types.RunQueryResponse)


@dataclass
class World:
    """``near`` talks to the database directly, ``far`` through the relay."""

    near: FirestoreStore
    far: FirestoreStore
    relay: GrpcRelay


@pytest.fixture
async def world(firestore_host: str) -> AsyncIterator[World]:
    project = f"test-{uuid.uuid4().hex[:20]}"
    relay = GrpcRelay(firestore_host, STREAMING)
    async with relay as address:
        near = FirestoreStore(project, "(default)", lambda: NOW, firestore_host)
        far = FirestoreStore(project, "(default)", lambda: NOW, address)
        yield World(near, far, relay)
        await far.close()
        await near.close()


class LoseOnce:
    """Loses the first call of a method."""

    def __init__(self, method: str, status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.method = method
        self.status = status
        self.lost = 0

    async def __call__(self, method: str) -> None:
        if method == self.method and not self.lost:
            self.lost += 1
            raise Lost(self.status)


BROKEN = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN]


@pytest.mark.parametrize("status", BROKEN)
async def test_a_lost_answer_to_a_record_is_no_loss_and_no_double(world: World, status: grpc.StatusCode) -> None:
    world.relay.after = LoseOnce("Commit", status)

    answer = await world.far.record(events(dm(1)))

    assert answer == Recorded((), {dm(1).id: Status.PENDING})
    found = await world.near.open(THREAD)
    assert found is not None
    assert found.thread.pending_count == 1


@pytest.mark.parametrize("status", BROKEN)
async def test_a_record_that_never_arrived_is_sent_again(world: World, status: grpc.StatusCode) -> None:
    world.relay.before = LoseOnce("Commit", status)

    assert await world.far.record(events(dm(1))) == Recorded((dm(1).id,), {})


async def test_a_lost_answer_to_a_claim_is_unknown_and_its_token_tells(world: World) -> None:
    await world.near.record(events(dm(1)))
    snapshot = await world.far.open(THREAD)
    assert snapshot is not None
    world.relay.after = LoseOnce("Commit")
    calls = world.far.usage.calls

    with pytest.raises(StoreUnavailable):
        await world.far.commit(claim(snapshot, "r1"))

    assert world.far.usage.calls - calls == 1
    found = await world.far.open(THREAD)
    assert found is not None
    assert found.thread.commit_token == "r1-claim"


async def test_a_claim_that_never_arrived_leaves_no_token(world: World) -> None:
    await world.near.record(events(dm(1)))
    snapshot = await world.far.open(THREAD)
    assert snapshot is not None
    world.relay.before = LoseOnce("Commit")

    with pytest.raises(StoreUnavailable):
        await world.far.commit(claim(snapshot, "r1"))

    found = await world.far.open(THREAD)
    assert found is not None
    assert found.thread.commit_token is None


@pytest.mark.parametrize("status", BROKEN)
@pytest.mark.parametrize("method", sorted(STREAMING))
async def test_a_lost_read_is_read_again(world: World, method: str, status: grpc.StatusCode) -> None:
    await world.near.record(events(dm(1)))
    world.relay.after = LoseOnce(method, status)

    found = await world.far.open(THREAD)

    assert found is not None
    assert found.unprocessed == (dm(1),)


async def test_an_event_between_the_two_reads_of_open_makes_it_read_the_page_again(world: World) -> None:
    """The page is read, then a DM comes, then the thread is read: its version covers a DM the page lacks."""
    await world.near.record(events(dm(1)))
    page_read = asyncio.Event()
    came = False

    async def after(method: str) -> None:
        if method == "RunQuery":
            page_read.set()

    async def before(method: str) -> None:
        nonlocal came
        if method == "BatchGetDocuments" and not came:
            await page_read.wait()
            came = True
            await world.near.record(events(dm(2)))

    world.relay.before, world.relay.after = before, after

    found = await world.far.open(THREAD)

    assert found is not None
    assert [message.id for message in found.unprocessed] == [dm(1).id, dm(2).id]
    assert world.far.usage.calls == 3


async def test_a_page_dated_later_than_it_is_does_not_hide_what_the_thread_counts(world: World) -> None:
    """Like the one before, but the server dates the page after the DM that it lacks."""
    await world.near.record(events(dm(1)))
    page_read = asyncio.Event()

    async def after(method: str) -> None:
        if method == "RunQuery":
            page_read.set()

    async def before(method: str) -> None:
        if method == "BatchGetDocuments":
            await page_read.wait()
            await world.near.record(events(dm(2)))

    def rewrite(method: str, answer: bytes) -> bytes:
        if method != "RunQuery":
            return answer
        parsed = _RunQueryResponse.pb().FromString(answer)
        parsed.read_time.seconds += 3_600
        return parsed.SerializeToString()

    world.relay.before, world.relay.after, world.relay.rewrite = before, after, rewrite

    found = await world.far.open(THREAD)

    assert found is not None
    assert found.thread.pending_count == 2
    assert [message.id for message in found.unprocessed] == [dm(1).id, dm(2).id]


async def test_opening_a_thread_nobody_touches_costs_two_calls(world: World) -> None:
    await world.near.record(events(dm(1)))

    await world.far.open(THREAD)

    assert world.far.usage.calls == 2


async def test_a_dm_that_comes_while_a_person_is_erased_does_not_stop_it(world: World) -> None:
    await world.near.record(events(dm(1)))
    came = 0

    async def before(method: str) -> None:
        nonlocal came
        if method == "Commit":
            came += 1
            if came == 3:  # lease taken, messages deleted; now the thread
                await world.near.record(events(dm(2)))

    world.relay.before = before

    assert await world.far.erase_person("5550001") == 1

    assert await world.near.open(THREAD) is None
    assert await world.near.history(THREAD, 5) == ()
