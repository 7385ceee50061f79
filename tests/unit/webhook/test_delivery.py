"""Nothing is lost, nothing blocks: stored and woken before the 200, per thread once, faults and repeats included."""

import json
import time

import pytest

from dm_core.bootstrap.webhook import webhook_app
from dm_core.messages import Status
from dm_core.settings import WebhookSettings
from dm_sandbox.inprocess import FUNCTIONS
from tests.unit.webhook.webhook_stage import (
    ACCOUNT,
    ENVIRONMENT,
    NOW,
    THREAD,
    Stage,
    dm,
    echo,
    inbound,
    messaging,
    texts,
)

PEOPLE = [str(9_000 + n) for n in range(10)]


def _thread(person: str) -> str:
    return f"{ACCOUNT}_{person}"


def _body(*items: object) -> bytes:
    return json.dumps(messaging(*items)).encode()


async def test_a_threads_burst_is_one_commit_and_one_task(stage: Stage) -> None:
    await stage.deliver(*(dm(f"m{n}", f"line {n}", at=NOW - 1_000 + n) for n in range(5)))

    assert len(stage.store.records) == 1
    assert len(stage.queue.wake_ups) == 1
    assert texts(await stage.messages()) == [f"line {n}" for n in range(5)]


async def test_messages_of_one_instant_keep_the_order_they_came_in(stage: Stage) -> None:
    await stage.deliver(*(dm(f"m{n}", f"line {n}", at=NOW - 1_000) for n in range(8)))

    assert texts(await stage.messages()) == [f"line {n}" for n in range(8)]


async def test_a_failing_store_means_500_and_the_redelivery_heals(stage: Stage) -> None:
    stage.store.fails_for = {_thread(PEOPLE[3])}
    body = _body(*(dm(f"m{person}", person=person) for person in PEOPLE))

    assert (await stage.post(body)).status == 500
    for person in PEOPLE:
        assert (await stage.store.open(_thread(person)) is None) == (person == PEOPLE[3])

    stage.store.fails_for = set()
    assert (await stage.post(body)).status == 200
    for person in PEOPLE:
        assert (await stage.message(_thread(person))).status is Status.PENDING
    assert stage.queue.threads == {_thread(person) for person in PEOPLE}


async def test_the_log_says_why_a_dm_could_not_be_stored(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.store.fails_for = {THREAD}
    await stage.post(_body(dm("m")))

    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "webhook_not_stored" in line]
    assert told["errors"] == ["StoreUnavailable: PERMISSION_DENIED (no actAs)"]


async def test_a_failing_queue_means_500_with_the_dm_stored_and_due(stage: Stage) -> None:
    stage.queue.refusing = True
    assert (await stage.post(_body(dm("m")))).status == 500

    snapshot = await stage.snapshot()
    assert len(snapshot.unprocessed) == 1
    assert snapshot.thread.due_at is not None


async def test_a_dm_stored_before_a_crash_gets_its_wake_up_from_the_redelivery(stage: Stage) -> None:
    stage.queue.refusing = True
    await stage.post(_body(dm("m")))
    stage.queue.refusing = False
    stage.clock.now += 300_000

    await stage.deliver(dm("m"))

    assert len(await stage.messages()) == 1
    assert stage.queue.threads == {THREAD}


async def test_a_commit_whose_answer_got_lost_is_500_and_a_repeat_is_no_second_dm(stage: Stage) -> None:
    stage.store.fails_for, stage.store.fails_after_commit = {THREAD}, True
    assert (await stage.post(_body(dm("m")))).status == 500
    stage.store.fails_for = set()

    await stage.deliver(dm("m"))

    assert len(await stage.messages()) == 1


async def test_a_takeover_that_could_not_be_stored_is_redelivered(stage: Stage) -> None:
    stage.store.fails_for = {THREAD}
    assert (await stage.post(_body(echo("e")))).status == 500
    stage.store.fails_for = set()

    await stage.deliver(echo("e"))

    assert (await stage.snapshot()).thread.paused_until is not None


async def test_quarantine_that_fails_is_redelivered_too(stage: Stage) -> None:
    stage.store.refuses_quarantine = True
    body = _body(dm("m"), {"surprise": 1})

    assert (await stage.post(body)).status == 500
    assert (await stage.message()).mid == "m"
    stage.store.refuses_quarantine = False
    assert (await stage.post(body)).status == 200
    assert len(stage.store.quarantined) == 1


@pytest.mark.parametrize(("takes", "tasks"), [(0, 1), (3_000, 1), (14_500, 2), (60_000, 2)])
async def test_a_commit_slower_than_the_wake_up_is_woken_for_again(stage: Stage, takes: int, tasks: int) -> None:
    stage.store.commit_takes_ms = takes

    await stage.deliver(dm("m"))

    assert len({wake_up.name for wake_up in stage.queue.wake_ups}) == tasks
    assert stage.queue.wake_ups[-1].fire_at > stage.clock.now + 1_000


async def test_accounts_off_the_list_are_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    stage = Stage.build(tmp_path_factory.mktemp("store") / "store.db", INSTAGRAM_ACCOUNT_IDS="555, 556")

    await stage.deliver(dm("theirs"))
    ours = messaging({**dm("ours"), "recipient": {"id": "556"}}, account="556")
    assert (await stage.post(json.dumps(ours).encode())).status == 200

    assert await stage.store.open(THREAD) is None
    assert (await stage.message("556_9001")).mid == "ours"
    await stage.store.close()


@pytest.mark.parametrize("threads", [1_000, 1])
async def test_a_thousand_items_in_one_request_are_all_stored_and_woken(stage: Stage, threads: int) -> None:
    items = [dm(f"m{n}", "x" * 900, person=str(n % threads), at=NOW - 2_000 + n) for n in range(1_000)]

    started = time.process_time()
    await stage.deliver(*items)
    elapsed = time.process_time() - started

    assert elapsed < 5
    assert stage.queue.threads == {_thread(str(n)) for n in range(threads)}
    assert sum(len(events.messages) for events in stage.store.records) == 1_000
    assert max(len(events.messages) for events in stage.store.records) <= 400
    assert len(await stage.store.history(_thread("0"), 2_000)) == 1_000 // threads


async def test_unsends_and_dms_of_many_threads_keep_to_themselves(stage: Stage) -> None:
    unsent = [inbound(person, message={"mid": f"m{person}", "is_deleted": True}) for person in PEOPLE[::2]]

    await stage.deliver(*unsent, *(dm(f"m{person}", person=person) for person in PEOPLE))

    for index, person in enumerate(PEOPLE):
        assert (await stage.message(_thread(person))).content.is_empty == (index % 2 == 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"INSTAGRAM_ACCOUNT_IDS": "178415"}, True),
        ({"INSTAGRAM_ACCOUNT_IDS": "178415,178414"}, False),
        ({"INSTAGRAM_ACCOUNT_IDS": "178415", "INSTAGRAM_API_FLAVOR": "page"}, False),
        ({}, False),
    ],
)
async def test_start_up_says_that_the_accounts_own_dms_are_dropped(
    capsys: pytest.CaptureFixture[str], change: dict[str, str], *, said: bool
) -> None:
    webhook_app(WebhookSettings.load(ENVIRONMENT | change), FUNCTIONS / "webhook")

    assert ("own_account_left_out" in capsys.readouterr().out) is said
