"""Whom a command means, when it is refused, and what it writes: over a store in memory."""

import asyncio
import dataclasses
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest
from google.auth.exceptions import DefaultCredentialsError

from dm_admin import people, quarantine, replies, steering
from dm_admin.app import LOGIN, RIGHTS, of_store
from dm_admin.desk import Desk, Refused
from dm_admin.late import Late
from dm_admin.reads import Reads
from dm_admin.settings import AdminSettings
from dm_core.durations import DAY_MS
from dm_core.google_grpc import described_failure
from dm_core.messages import Message, Status
from dm_core.outbox import OutboxState
from dm_core.processing.switches import SwitchReader
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.settings import StoreSettings
from dm_core.steering import Handover, Mode, Pause, Steering
from dm_core.store.port import Conflict, MessageChange, ThreadChange
from dm_core.telemetry import hashed
from dm_core.threads import Profile
from dm_sandbox.examples import NOW, THREAD, dm, events
from dm_sandbox.inprocess import RecordingAlertQueue, RecordingQueue
from dm_sandbox.memory_store import MemoryStore

ACCOUNT, _, PERSON = THREAD.partition("_")
SETTINGS = AdminSettings(
    StoreSettings("firestore:", "p", "d", None, 90), None, None, frozenset({ACCOUNT}), DAY_MS, 60, 5, 15
)


@pytest.fixture
async def desk() -> Desk:
    """A thread of @ana with one DM, and whoever looks at it a second later."""
    store = MemoryStore(clock=lambda: NOW)
    await store.record(replace(events(dm(1)), last_inbound_at=NOW))
    ids = (f"id{number}" for number in range(99))
    queue, alert_queue = Late[WakeUpQueue](RecordingQueue), Late[AlertQueue](RecordingAlertQueue)
    made = Desk(Reads(store), queue, alert_queue, SETTINGS, "tom", lambda: NOW + 1_000, lambda: next(ids))
    await change(made, profile=Profile("Ana", "Ana", NOW))
    return made


async def change(desk: Desk, *messages: MessageChange, **fields: object) -> None:
    snapshot = await desk.store.open(THREAD)
    assert snapshot is not None
    changed = replace(ThreadChange(THREAD, snapshot.version, "token", NOW, messages=messages), **fields)
    assert not isinstance(await desk.store.commit(changed), Conflict)


async def give_up(desk: Desk) -> Message:
    """The DM failed."""
    failed = MessageChange(dm(1).id, Status.FAILED, NOW, processed_at=NOW, error="ValueError", attempts=5, run_id="r")
    await change(desk, failed, pending_count=0, due_at=None, steering=Steering(handover=Handover("k", NOW)))
    (message,) = await desk.reads.failed_messages(THREAD)
    return message


@pytest.mark.parametrize("reference", [THREAD, PERSON, "@ana", "@ANA", "ana"])
async def test_a_thread_is_meant_by_its_id_its_person_or_their_name(desk: Desk, reference: str) -> None:
    assert (await desk.thread(reference)).id == THREAD
    assert await desk.person(reference) == PERSON


@pytest.mark.parametrize("reference", [f"{ACCOUNT}_1", "@nobody", "123", "", "a_b", "../x", "@", "x" * 2_000])
async def test_what_is_not_known_is_refused_with_one_line(desk: Desk, reference: str) -> None:
    with pytest.raises(Refused, match="no thread is known as") as refused:
        await desk.thread(reference)

    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


async def test_a_thread_of_another_account_is_refused_whether_it_is_stored_or_not(desk: Desk) -> None:
    await desk.store.record(events(dm(9, "99_5"), thread_id="99_5"))

    for reference in ("99_5", "98_5"):
        with pytest.raises(Refused, match="which is not this deployment's"):
            await desk.thread(reference)
    with pytest.raises(Refused, match="which is not this deployment's"):
        await desk.message(dm(9, "99_5").id)


async def test_the_account_itself_is_no_person_to_be_erased(desk: Desk) -> None:
    await desk.store.record(events(dm(9, "99_5"), thread_id="99_5"))

    for account in (ACCOUNT, "99"):
        with pytest.raises(Refused, match="is the account itself"):
            await people.erase(desk, account, "")


async def test_somebody_of_whom_only_the_id_is_known_can_be_erased(desk: Desk) -> None:
    await desk.store.quarantine("q", "{}", "odd", NOW, NOW + DAY_MS, ("777",))
    plan, erasure = await people.erase(desk, "777", "asked by mail")

    assert (erasure.found["quarantine"], erasure.found["conversations"]) == (1, 0)
    assert "left: 0 conversations" in await plan.act()
    assert await desk.reads.quarantined("q") is None


async def test_a_plan_changes_nothing_until_it_is_carried_out(desk: Desk) -> None:
    await give_up(desk)
    before = await desk.reads.everything_of(PERSON)
    plans = [
        await steering.pause(desk, THREAD, ""),
        await steering.pause(desk, "all", ""),
        await steering.resume(desk, THREAD, ""),
        await steering.mode(desk, "all", "off", ""),
        await steering.retry(desk, THREAD, ""),
        await replies.reply(desk, THREAD, "Hi", "", 0),
        (await people.erase(desk, THREAD, ""))[0],
    ]

    assert len(plans) == 7
    assert await desk.reads.everything_of(PERSON) == before
    assert await desk.store.get_document("maintenance", "switches") is None


async def test_what_came_meanwhile_is_not_lost_and_the_change_is_made_all_the_same(desk: Desk) -> None:
    plan = await steering.pause(desk, THREAD, "why")
    await desk.store.record(replace(events(dm(2)), last_inbound_at=NOW + 5))
    await plan.act()
    snapshot = await desk.store.open(THREAD)

    assert snapshot is not None
    assert snapshot.thread.steering.pause == Pause("admin", NOW + 1_000)
    assert len(snapshot.unprocessed) == 2


async def test_a_retry_makes_pending_wakes_and_releases(desk: Desk) -> None:
    await give_up(desk)
    await (await steering.retry(desk, "@ana", "mended")).act()
    snapshot = await desk.store.open(THREAD)

    assert snapshot is not None
    (message,) = snapshot.unprocessed
    assert (message.status, message.attempts, message.error, message.run_id) == (Status.PENDING, 0, None, None)
    assert (snapshot.thread.pending_count, snapshot.thread.steering.handover) == (1, None)
    (wake_up,) = _queue(desk).wake_ups.values()
    assert (wake_up.thread_id, snapshot.thread.due_at) == (THREAD, wake_up.fire_at)
    (line,) = await desk.reads.audit_of(THREAD)
    assert (line.who, line.what, line.why, line.at) == ("admin:tom", "retry", "mended", NOW + 1_000)


async def test_two_retries_at_once_are_one(desk: Desk) -> None:
    await give_up(desk)
    first, second = await steering.retry(desk, THREAD, ""), await steering.retry(desk, THREAD, "")
    await first.act()

    with pytest.raises(Refused, match="retried by somebody else meanwhile"):
        await second.act()

    thread = await desk.store.get_thread(THREAD)
    assert thread is not None
    assert thread.pending_count == 1
    assert len(await desk.reads.audit_of(THREAD)) == 1


async def test_a_retry_that_can_make_no_task_is_swept(desk: Desk) -> None:
    await give_up(desk)
    _queue(desk).down = True

    assert "the sweep wakes it" in await (await steering.retry(desk, THREAD, "")).act()


@pytest.mark.parametrize(
    ("fields", "later", "says"),
    [
        ({"paused_until": NOW + 10_000}, 0, "are a human's"),
        ({"steering": Steering(pause=Pause("admin", NOW))}, 0, "are a human's"),
        ({"steering": Steering(mode=Mode.OFF)}, 0, "is switched off"),
        ({"steering": Steering(stopped_at=NOW)}, 0, "used a stop word"),
        ({}, DAY_MS, "over 24 hours old"),
    ],
)
async def test_a_retry_that_would_answer_nobody_is_refused(
    desk: Desk, fields: dict[str, object], later: int, says: str
) -> None:
    await give_up(desk)
    await change(desk, **fields)

    with pytest.raises(Refused, match=says):
        await steering.retry(dataclasses.replace(desk, clock=lambda: NOW + later), THREAD, "")


async def test_nothing_failed_is_nothing_to_retry(desk: Desk) -> None:
    with pytest.raises(Refused, match="nothing to retry"):
        await steering.retry(desk, THREAD, "")


async def test_resuming_leaves_what_came_before_to_humans(desk: Desk) -> None:
    await change(desk, steering=Steering(pause=Pause("whatsapp", NOW), handover=Handover("k", NOW), disclosed_at=5))
    await (await steering.resume(desk, THREAD, "")).act()
    thread = await desk.thread(THREAD)

    assert thread.steering == Steering(disclosed_at=5)
    assert thread.taken_over(dm(1))
    assert not thread.taken_over(replace(dm(2), created_at=NOW + 1_000))


async def test_a_reply_is_stored_for_the_processor_and_never_read_as_a_command(desk: Desk) -> None:
    said = await (await replies.reply(desk, "@ana", "pause", "asked", 0)).act()
    (wake_up,) = _queue(desk).wake_ups.values()
    stored = await desk.store.get_outbox(wake_up.outbox_id)

    assert "on its way" in said
    assert stored is not None
    item = stored.item
    assert (item.origin, item.sender, item.thread_id, item.text) == ("admin", "tom", THREAD, "pause")
    assert item.state is OutboxState.RECEIVED
    assert [line.what for line in await desk.reads.audit_of(THREAD)] == ["reply asked for"]


async def test_whoever_stops_waiting_is_told_that_the_reply_is_on_its_way(desk: Desk) -> None:
    plan = await replies.reply(desk, THREAD, "Hi", "", 60)
    waiting = asyncio.ensure_future(plan.act())
    while not _queue(desk).wake_ups:  # noqa: ASYNC110 - the queue tells nobody
        await asyncio.sleep(0)
    waiting.cancel()

    assert "on its way" in await waiting


@pytest.mark.parametrize(
    ("text", "later", "says"),
    [("  ", 0, "no words"), ("x" * 9_000, 0, "too long"), ("Hi", DAY_MS, "takes no reply any more")],
)
async def test_a_reply_that_cant_be_sent_is_refused(desk: Desk, text: str, later: int, says: str) -> None:
    with pytest.raises(Refused, match=says):
        await replies.reply(dataclasses.replace(desk, clock=lambda: NOW + later), THREAD, text, "", 0)

    assert _queue(desk).wake_ups == {}


@pytest.mark.parametrize("word", ["loud", "", "AUTO", "auto off"])
async def test_an_unknown_mode_is_refused(desk: Desk, word: str) -> None:
    with pytest.raises(Refused, match="is no mode: type auto, draft, off"):
        await steering.mode(desk, THREAD, word, "")


async def test_a_beginning_that_two_messages_share_is_ambiguous(desk: Desk) -> None:
    for key in ("abcdef1" + "0" * 57, "abcdef2" + "0" * 57):
        await desk.store.record(events(replace(dm(3), id=key)))

    with pytest.raises(Refused, match="2 messages begin with abcdef"):
        await desk.message("abcdef")
    assert (await desk.message("abcdef1")).id == "abcdef1" + "0" * 57


async def test_what_an_alarm_calls_a_thread_or_an_item_is_enough_to_find_it(desk: Desk) -> None:
    """Its entry in the log has 12 digits of a hash, and nothing else to go by."""
    await desk.store.quarantine("abcdef012345" + "6" * 52, "{}", "odd", NOW, NOW + DAY_MS)
    await desk.store.quarantine("abcdef012345" + "7" * 52, "{}", "odd", NOW, NOW + DAY_MS)
    await desk.store.quarantine("0123456789ab" + "7" * 52, "{}", "odd", NOW, NOW + DAY_MS)

    assert (await desk.thread(hashed(THREAD))).id == THREAD
    with pytest.raises(Refused, match="no thread is known as"):
        await desk.thread(hashed("another"))
    item = await desk.reads.quarantined("0123456789ab")
    assert item is not None and item.id.startswith("0123456789ab7")
    assert await desk.reads.quarantined("abcdef012345") is None
    assert await desk.reads.quarantined("01234") is None


async def test_an_item_that_names_no_account_needs_one_said(desk: Desk) -> None:
    open_desk = dataclasses.replace(desk, settings=dataclasses.replace(SETTINGS, account_ids=frozenset()))
    await desk.store.quarantine("q", '{"timestamp": 1}', "odd", NOW, NOW + DAY_MS)

    with pytest.raises(Refused, match="say --account ID"):
        await quarantine.replay(open_desk, "q", "", "")
    with pytest.raises(Refused, match="still not understood"):
        await quarantine.replay(open_desk, "q", ACCOUNT, "")


async def test_an_item_that_was_cut_cant_be_replayed(desk: Desk) -> None:
    await desk.store.quarantine("q", '{"message": {"te', "odd", NOW, NOW + DAY_MS)

    with pytest.raises(Refused, match="was cut"):
        await quarantine.replay(desk, "q", "", "")


def failed_call(status: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (failed_call(grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions."), RIGHTS),
        (
            failed_call(grpc.StatusCode.PERMISSION_DENIED, "Cloud Firestore API has not been used in project 1 before"),
            "is off in this project",
        ),
        (failed_call(grpc.StatusCode.UNAVAILABLE, "Getting metadata from plugin failed with error: Reauth"), LOGIN),
        (failed_call(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials."), LOGIN),
        (DefaultCredentialsError(), LOGIN),
        (failed_call(grpc.StatusCode.FAILED_PRECONDITION, "The query requires an index."), "make up STACK="),
        (
            failed_call(grpc.StatusCode.NOT_FOUND, "The database d does not exist for project p"),
            "FIRESTORE_DATABASE",
        ),
        (failed_call(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses"), "try again"),
    ],
)
def test_a_store_that_refuses_is_one_line_that_says_what_to_do(error: Exception, says: str) -> None:
    line = of_store(f"Firestore did not do it: {described_failure(error)}")

    assert says in line
    assert "\n" not in line


async def test_a_task_that_cant_be_made_leaves_the_reply_stored(desk: Desk) -> None:
    _queue(desk).down = True

    said = await (await replies.reply(desk, THREAD, "Hi", "", 0)).act()

    assert "no task could be made" in said
    assert len((await desk.reads.everything_of(PERSON))["outbox"]) == 1


def _queue(desk: Desk) -> RecordingQueue:
    assert desk.queue is not None
    queue = desk.queue.get()
    assert isinstance(queue, RecordingQueue)
    return queue


@pytest.mark.parametrize(
    ("switches", "held", "says"),
    [
        ({"mode": "off"}, {}, "everything is switched off"),
        ({"pause": {"by": "whatsapp", "since": NOW}}, {}, "everything is paused"),
        ({}, {"mode": Mode.OFF}, "this conversation is switched off"),
        ({}, {"stopped_at": NOW}, "its person used a stop word"),
    ],
)
async def test_whoever_resumes_is_told_what_still_keeps_the_agent_silent(
    desk: Desk, switches: dict[str, object], held: dict[str, Any], says: str
) -> None:
    await desk.store.put_document("maintenance", "switches", switches)
    await change(desk, steering=Steering(pause=Pause("admin", NOW), **held))

    plan = await steering.resume(desk, THREAD, "")
    said = await plan.act()
    paused = await (await steering.pause(desk, THREAD, "")).act()

    assert said == f"resume: {THREAD}; it stays silent, because {says}"
    assert plan.would.endswith(f"is a human's; it stays silent, because {says}"), "also before it is done"
    assert paused == f"pause: {THREAD}"


@pytest.mark.parametrize("reference", [THREAD, "all"])
async def test_resume_without_a_pause_leaves_nobody_to_humans(desk: Desk, reference: str) -> None:
    await (await steering.resume(desk, reference, "")).act()

    snapshot = await desk.store.open(THREAD)
    assert snapshot is not None
    (waiting,) = snapshot.unprocessed
    switches = await SwitchReader(desk.store, desk.clock).current()
    assert not snapshot.thread.taken_over(waiting)
    assert not switches.leaves_to_humans(waiting.created_at)
