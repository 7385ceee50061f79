"""Documents of other revisions and other hands: each thread comes to an end, and none keeps another from its own."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dm_core.alerts import AlertLimits, AskedAlert, cause_alert
from dm_core.durations import DAY_MS
from dm_core.messages import Status
from dm_core.runs import Run
from dm_core.store.transactional import Stored
from dm_sandbox.examples import claim
from dm_sandbox.inprocess import InProcess, MovableClock
from dm_sandbox.memory_store import MemoryStore

MISSING = object()
ODD = (MISSING, None, "x", 2**62, {"x": [1]})
BEYOND_US = (("notBefore", 2**62), ("createdAt", MISSING), ("createdAt", None))
"""A wait of ages is what the document asks for, and what an index does not have no query finds."""
THREAD_FIELDS = (
    "accountId userId createdAt lastInboundAt pendingCount notBefore waitCount revision lease run pausedUntil profile "
    "notes unconfirmed alertCount cost tokens commitToken steering humanAt expireAt updatedAt"
)
MESSAGE_FIELDS = (
    "id conversationId mid direction message sentAt createdAt updatedAt processedAt error disposition attempts runId "
    "unsentAt editedAt editNumber expireAt"
)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(clock: MovableClock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture
async def system(store: MemoryStore, clock: MovableClock) -> AsyncIterator[InProcess]:
    async with InProcess(store, clock=clock) as running:
        yield running


def put_odd(store: MemoryStore, collection: str, thread_id: str, field: str, value: object) -> None:
    """Another hand changes one field of each document of a place."""
    documents = store.database.places[collection, thread_id if collection == "messages" else ""]
    for key, stored in documents.items():
        if collection == "conversations" and key != thread_id:
            continue
        doc = {name: each for name, each in stored.doc.items() if name != field or value is not MISSING}
        store.database.last_version += 1
        odd = doc if value is MISSING else doc | {field: value}
        documents[key] = Stored(stored.id, store.database.last_version, odd)


@pytest.mark.parametrize(("collection", "fields"), [("conversations", THREAD_FIELDS), ("messages", MESSAGE_FIELDS)])
async def test_an_odd_field_keeps_no_dm_from_its_end(
    system: InProcess, store: MemoryStore, collection: str, fields: str
) -> None:
    app, kept = system.instance(), list[object]()
    for number, (field, value) in enumerate((field, value) for field in fields.split() for value in ODD):
        if (field, value) in BEYOND_US:
            continue
        await system.person(f"9{number}").says("When is training?")
        (wake_up,) = system.queue.wake_ups.values()
        system.queue.wake_ups.clear()
        put_odd(store, collection, wake_up.thread_id, field, value)

        messages = store.database.messages[wake_up.thread_id]
        answer: object = None
        for attempt in range(4):
            answer = await system.task(wake_up.thread_id, f"{wake_up.name}-{attempt}", app)
            if all(message.status in (Status.PROCESSED, Status.FAILED) for message in messages.values()):
                break
            system.clock.forward(400)
        else:
            kept.append((field, value, answer))

    assert kept == []


@pytest.mark.parametrize("ending", ["resting", ""])
async def test_a_live_run_with_the_ending_of_another_revision_ends_and_the_manager_is_told(
    system: InProcess, store: MemoryStore, ending: str
) -> None:
    await system.person().says("When is training?")
    (wake_up,) = system.queue.wake_ups.values()
    snapshot = await store.open(wake_up.thread_id)
    assert snapshot is not None
    died = claim(snapshot, "r1", now=system.clock() - 400_000)
    assert isinstance(died.run, Run)
    await store.commit(replace(died, run=replace(died.run, ending=ending)))

    status, result = await system.task(wake_up.thread_id, wake_up.name)

    assert (status, result["ending"]) == (200, "failed")
    assert [message.status for message in store.database.messages[wake_up.thread_id].values()] == [Status.FAILED]
    assert "I could not answer this person" in (await system.told())[0]


async def test_an_alert_that_names_another_document_keeps_no_other_from_the_manager(
    system: InProcess, store: MemoryStore
) -> None:
    limits, now = AlertLimits(3, DAY_MS), system.clock()
    for key, urgency in (("odd", "urgent"), ("next", "normal")):
        await store.create_alert(cause_alert(AskedAlert(key, f"{key} words", urgency), now - 200_000, limits))
    odd = next(each for each, stored in store.database.alerts.items() if stored.alert.text == "odd words")
    put_odd(store, "alerts", "", "id", "")

    for _ in range(3):
        assert (await system.job("/sweep"))[0] == 200
        await system.told()
        system.clock.forward(65)

    told = " ".join(alert.text for alert in system.whatsapp.alerts)
    assert "odd words" in told and "next words" in told
    assert store.database.alerts[odd].alert.calls == 1
