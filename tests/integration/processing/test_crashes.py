"""The instance dies, or an answer gets lost, at every call of a run: nothing is lost, nothing goes out twice."""

from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import pytest

from dm_core.errors import Misconfigured, ModelUnavailable, QueueUnavailable, StoreUnavailable, Uncertain
from dm_core.messages import Disposition, Status
from dm_sandbox.inprocess import CrashPoints, InProcess, InstanceDied
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import call, turn
from dm_sandbox.platforms.model_request import ModelRequest
from tests.integration.processing.schedule import Deliveries

PLAIN_CALLS = ["store.open", "store.commit", "model.generate", "store.commit", "instagram.send_text", "store.commit"]
LOST: dict[str, Callable[[], Exception]] = {
    "store": lambda: StoreUnavailable("answer lost"),
    "model": lambda: ModelUnavailable("answer lost"),
    "instagram": lambda: Uncertain("answer lost"),
    "queue": lambda: QueueUnavailable("answer lost"),
}


def answer(system: InProcess, words: str = "Tuesday 18:00.") -> None:
    """The model always says the same, however often it is asked."""
    reply = turn(call("send_instagram_message", text=words))
    system.gemini.script([reply] * 20)


async def until_quiet(system: InProcess, thread_id: str, name: str = "task-1") -> list[tuple[int, object]]:
    """What Cloud Tasks does: come again until the run is over. Time passes between the attempts."""
    answers: list[tuple[int, object]] = []
    for _ in range(12):
        status, result = await system.task(thread_id, name)
        answers.append((status, result["status"]))
        if status == 200 and result["status"] != "retry_later":
            return answers
        system.clock.forward(250)
    raise AssertionError(f"never answered with 200: {answers}")


async def ended(system: InProcess, thread_id: str) -> tuple[set[Status], bool]:
    """The statuses of the thread's inbound DMs, and whether the thread is at rest."""
    snapshot = await system.store.open(thread_id)
    assert snapshot is not None
    inbound = {message.status for message in snapshot.recent if message.direction == "inbound"}
    thread = snapshot.thread
    return inbound, thread.lease is None and thread.run is None and thread.due_at is None


async def test_a_plain_answer_makes_these_calls_and_no_more(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    points = CrashPoints()

    await system.task(ana.thread_id, app=system.instance(points))

    assert points.seen == PLAIN_CALLS


async def greeted(system: InProcess) -> Person:
    """Somebody who said hi, of whom Instagram echoes what is sent, and a model that will answer."""
    ana = system.person()
    system.echo_sends()
    await ana.says("hi")
    answer(system)
    return ana


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, len(PLAIN_CALLS) + 1))
async def test_a_death_at_any_call_loses_nothing_and_repeats_nothing(
    system: InProcess, at: int, when: Literal["before", "after"]
) -> None:
    ana = await greeted(system)
    points = CrashPoints(at=at, when=when)

    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(points))
    await until_quiet(system, ana.thread_id)

    assert points.struck == PLAIN_CALLS[at - 1]
    assert len(system.instagram.sent_to(ana.user_id)) <= 1
    told = len(await system.told())
    # Died between the announcement and the send: it can't be known, so it is held and the manager told.
    undecidable = (at, when) in ((4, "after"), (5, "before"))
    assert (len(system.instagram.sent_to(ana.user_id)), told) == ((0, 1) if undecidable else (1, 0))
    assert await ended(system, ana.thread_id) == ({Status.PROCESSED}, True)


@pytest.mark.parametrize("at", range(1, len(PLAIN_CALLS) + 1))
async def test_a_lost_answer_at_any_call_loses_nothing_and_repeats_nothing(system: InProcess, at: int) -> None:
    ana = await greeted(system)
    points = CrashPoints(at=at, when="after", error=LOST[PLAIN_CALLS[at - 1].split(".")[0]])

    status, result = await system.task(ana.thread_id, app=system.instance(points))
    if status != 200 or result["status"] == "retry_later":
        system.clock.forward(250)
        await until_quiet(system, ana.thread_id)

    assert points.struck == PLAIN_CALLS[at - 1]
    assert len(system.instagram.sent_to(ana.user_id)) == 1
    assert await system.told() == []
    assert await ended(system, ana.thread_id) == ({Status.PROCESSED}, True)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [2, 4, 6])
async def test_an_outage_of_the_store_in_a_run_is_neither_an_attempt_nor_a_wait_for_the_leases_end(
    system: InProcess, at: int, when: Literal["before", "after"]
) -> None:
    ana = await greeted(system)
    points = CrashPoints(at=at, when=when, error=LOST["store"], lasting=True)
    app = system.instance(points)

    failed, _ = await system.task(ana.thread_id, app=app)
    points.at = 0
    healed, result = await system.task(ana.thread_id, app=app)

    assert failed == 500
    in_doubt = (at, when) == (4, "after")  # announced and perhaps sent: looked up twice, a minute apart
    finished = (at, when) == (6, "after")
    assert (healed, result["status"]) == (
        200,
        "retry_later" if in_doubt else "nothing_to_do" if finished else "processed",
    )
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert {m.attempts for m in snapshot.recent if m.direction == "inbound"} == {0 if in_doubt else 1}
    assert len(system.instagram.sent_to(ana.user_id)) == (not in_doubt)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 12))
async def test_a_death_in_a_run_of_several_actions_repeats_none(
    system: InProcess, at: int, when: Literal["before", "after"]
) -> None:
    ana = system.person()
    system.echo_sends()
    await ana.says("I am hurt, please call somebody")
    actions = (
        call("react_to_instagram_message", message_id="m1", reaction="❤️"),
        call("send_instagram_message", text="One."),
        call("send_manager_notification", text="Ana is hurt.", urgency="urgent"),
        call("send_instagram_message", text="Two."),
    )

    def decide(request: ModelRequest) -> dict[str, object]:
        done = "function_call" in str(request.contents) or "functionCall" in str(request.contents)
        return dict(turn(call("no_reply", reason="done")) if done else turn(*actions))

    system.gemini.script([decide] * 20)
    points = CrashPoints(at=at, when=when)

    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(points))
    await until_quiet(system, ana.thread_id)

    sent = system.instagram.sent_to(ana.user_id)
    assert len(sent) == len(set(sent))
    assert len(system.instagram.reactions) <= 1
    system.clock.forward(120)
    await system.job("/sweep")
    alerts = await system.told()
    assert len(alerts) == len(set(alerts))
    assert sum("Ana is hurt." in alert for alert in alerts) == 1
    assert await ended(system, ana.thread_id) == ({Status.PROCESSED}, True)


async def test_a_resumed_run_does_not_ask_the_model_again(system: InProcess) -> None:
    ana = await greeted(system)
    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(CrashPoints(at=5, when="after")))

    await until_quiet(system, ana.thread_id)

    assert system.gemini.count() == 1
    assert system.instagram.sent_to(ana.user_id) == ["Tuesday 18:00."]


async def test_a_send_in_doubt_is_found_by_the_conversations_api_when_no_echo_came(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("drop_after", "send")

    _, result = await system.task(ana.thread_id)

    assert (result["status"], result["ending"]) == ("processed", "answered")
    assert system.instagram.count("conversations") >= 1
    assert (len(system.instagram.sent), await system.told()) == (1, [])


async def test_a_send_in_doubt_that_is_not_found_is_held_and_the_manager_told(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("drop_before", "send")

    _, first = await system.task(ana.thread_id)
    system.clock.forward(75)
    _, result = await system.task(ana.thread_id, "task-2")

    assert first["status"] == "retry_later"
    assert (result["status"], result["ending"]) == ("processed", "uncertain")
    assert system.instagram.count("send") == 1
    [alert] = await system.told()
    assert "Tuesday 18:00." in alert


async def test_a_send_in_doubt_whose_echo_comes_between_two_look_ups_is_done(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.conversation_lag = 3_600.0
    system.instagram.faults.add("drop_after", "send")

    _, first = await system.task(ana.thread_id)
    sent = system.instagram.sent[0]
    await ana.echoes(sent.mid, sent.text)
    system.clock.forward(75)
    _, result = await system.task(ana.thread_id, "task-2")

    assert (first["status"], result["ending"]) == ("retry_later", "answered")
    assert (len(system.instagram.sent), await system.told()) == (1, [])


async def test_a_look_up_that_could_not_be_made_is_a_wait_and_not_a_not_found(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("drop_after", "send")
    system.instagram.faults.add("error", "conversations", times=40, status=503)

    statuses: list[object] = []
    for number in range(4):
        statuses.append((await system.task(ana.thread_id, f"task-{number}"))[1]["status"])
        system.clock.forward(300)
    system.instagram.faults.clear()
    _, result = await system.task(ana.thread_id, "task-9")

    assert statuses == ["retry_later"] * 4
    assert (result["ending"], len(system.instagram.sent), await system.told()) == ("answered", 1, [])


async def test_a_send_in_doubt_is_sent_again_where_the_deployer_allows_it(system: InProcess) -> None:
    system.env["UNCERTAIN_SENDS"] = "resend"
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("drop_before", "send")

    await system.task(ana.thread_id)
    system.clock.forward(75)
    _, result = await system.task(ana.thread_id, "task-2")

    assert result["ending"] == "answered"
    assert (system.instagram.count("send"), len(system.instagram.sent)) == (2, 1)


@pytest.mark.parametrize("blind_for", [0, 300], ids=["at once", "when the answer is too old"])
async def test_a_send_that_may_be_repeated_is_repeated_once(system: InProcess, blind_for: int) -> None:
    system.env["UNCERTAIN_SENDS"] = "resend"
    ana = system.person()
    queue = Deliveries(system, system.instance())
    await ana.says("hi")
    answer(system)
    system.instagram.conversation_lag = 10_000.0
    system.instagram.faults.add("drop_after", "send", times=100)
    system.instagram.faults.add("error", "conversations", times=100, status=503)
    await queue.pass_time(blind_for)
    system.instagram.faults.clear()
    system.instagram.faults.add("drop_after", "send", times=100)

    await queue.pass_time(1_800)

    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert (len(system.instagram.sent), snapshot.recent[0].disposition) == (2, Disposition.UNCERTAIN)
    assert len(await system.told()) == 1


async def test_an_error_that_hides_a_delivered_message_does_not_repeat_it(system: InProcess) -> None:
    ana = await greeted(system)
    system.instagram.faults.add("error_after", "send", code=1, subcode=1357046)

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], len(system.instagram.sent)) == ("answered", 1)


async def test_an_equal_text_of_an_earlier_run_is_not_taken_for_the_one_in_doubt(system: InProcess) -> None:
    ana = system.person()
    answer(system, "Same.")
    await ana.says("hi")
    await system.task(ana.thread_id)
    await ana.says("hi again")

    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, "task-2", system.instance(CrashPoints(at=5, when="before")))
    system.clock.forward(400)
    await until_quiet(system, ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id) == ["Same."]
    assert len(await system.told()) == 1


async def test_the_same_text_twice_in_a_turn_goes_out_once(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    twice = (call("send_instagram_message", text="Same."), call("send_instagram_message", text="Same. "))
    system.gemini.script([turn(*twice)])

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], result["modelTurns"]) == ("answered", 1)
    assert system.instagram.sent_to(ana.user_id) == ["Same."]


async def test_after_five_failures_the_dm_has_failed_and_the_manager_is_told_and_reminded(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.faults.add("error", "*", times=1_000, status=400)

    answers = await until_quiet(system, ana.thread_id)

    assert [status for status, _ in answers] == [500, 500, 500, 500, 200]
    assert answers[-1] == (200, "failed")
    assert ["Nobody has answered" in alert for alert in await system.told()] == [False, True]
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    message = snapshot.recent[0]
    assert (message.status, message.attempts) == (Status.FAILED, 5)
    assert message.error is not None
    assert message.error.startswith("ModelRefused")
    assert (snapshot.thread.lease, snapshot.thread.run, snapshot.thread.due_at) == (None, None, None)


async def test_a_dm_that_kills_its_instance_every_time_is_bounded_too(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    for _ in range(5):
        with pytest.raises(InstanceDied):
            await system.task(ana.thread_id, app=system.instance(CrashPoints(at=3, when="before")))
        system.clock.forward(400)

    status, result = await system.task(ana.thread_id)

    assert (status, result["status"]) == (200, "failed")
    assert system.gemini.count() == 0
    assert ["Nobody has answered" in alert for alert in await system.told()] == [False, True]


async def test_a_reply_in_doubt_that_can_never_be_looked_up_is_told_with_its_words(system: InProcess) -> None:
    system.env["MAX_WAIT_HOURS"] = "0.5"
    ana = system.person()
    queue = Deliveries(system, system.instance())
    answer(system)
    system.instagram.faults.add("drop_after", "send")
    system.instagram.faults.add("error", "conversations", times=1_000, status=503)
    await ana.says("hi")

    await queue.pass_time(2_400)

    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert snapshot.recent[0].disposition is Disposition.UNCERTAIN
    assert ["Tuesday 18:00." in alert for alert in await system.told()] == [True]


@pytest.mark.parametrize("deaths", [6, 9], ids=["while it is settled", "in each look"])
async def test_a_reply_in_doubt_is_told_with_its_words_when_the_attempts_are_used_up(
    system: InProcess, deaths: int
) -> None:
    ana = system.person()
    answer(system)
    system.instagram.conversation_lag = 100_000.0
    await ana.says("hi")
    for number in range(12):
        points = CrashPoints(at=(4 if number else 5) if number < deaths else 0)
        with suppress(InstanceDied):
            await system.task(ana.thread_id, f"task-{number}", system.instance(points))
        system.clock.forward(400)

    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert (snapshot.recent[0].disposition, snapshot.thread.run) == (Disposition.UNCERTAIN, None)
    assert ["Tuesday 18:00." in alert for alert in await system.told()] == [True]


async def test_a_dead_whatsapp_does_not_keep_a_failed_dm_from_ending(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.faults.add("error", "*", times=1_000, status=400)
    system.whatsapp.faults.add("error", "*", times=1_000, code=190, status=401)

    answers = await until_quiet(system, ana.thread_id)

    assert answers[-1] == (200, "failed")
    assert (await ended(system, ana.thread_id))[0] == {Status.FAILED}


async def test_the_manager_is_told_in_the_end_however_long_whatsapp_throttles(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.faults.add("error", "*", times=1_000, status=400)
    system.whatsapp.faults.add("throttle", "*", times=20, wait_minutes=10)

    answers = await until_quiet(system, ana.thread_id)

    assert answers[-1] == (200, "failed")
    assert await ended(system, ana.thread_id) == ({Status.FAILED}, True)
    reminders = ["Nobody has answered" in alert for alert in await system.told()]
    assert sorted(reminders) == [False, True], "each alert waits by itself, so either may come first"


async def test_a_task_that_waited_past_its_deadline_claims_nothing(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")

    async def a_slow_store() -> None:
        system.clock.forward(299)

    points = CrashPoints(at=1, when="after", meanwhile=a_slow_store)
    status, result = await system.task(ana.thread_id, app=system.instance(points))

    assert (status, result["status"], points.seen) == (409, "conflict", ["store.open"])
    answer(system)
    assert (await system.task(ana.thread_id))[1]["status"] == "processed"


async def test_a_token_that_died_makes_dms_wait_and_the_manager_is_told_once(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("error", "send", times=1_000, code=190, subcode=463, status=401)

    statuses: list[object] = []
    for number in range(8):
        statuses.append((await system.task(ana.thread_id, f"task-{number}"))[1]["status"])
        system.clock.forward(300)
    system.instagram.faults.clear()
    _, result = await system.task(ana.thread_id, "task-9")

    assert statuses == ["retry_later"] * 8
    assert (result["ending"], len(system.instagram.sent)) == ("answered", 1)
    assert len(await system.told()) == 1
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert snapshot.recent[0].attempts == 1


async def test_a_throttle_costs_no_attempt_and_an_old_answer_is_made_anew(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("throttle", "send", times=1, wait_minutes=6)

    status, result = await system.task(ana.thread_id)

    assert (status, result["status"]) == (200, "retry_later")
    later = max(system.queue.wake_ups.values(), key=lambda wake_up: wake_up.fire_at)
    assert later.fire_at - system.clock() >= 350_000
    assert system.instagram.sent == []
    system.clock.forward(400)
    _, result = await system.task(ana.thread_id, later.name)
    assert (result["status"], system.gemini.count()) == ("processed", 2)
    assert system.instagram.sent_to(ana.user_id) == ["Tuesday 18:00."]
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert snapshot.recent[0].attempts == 1


async def test_after_a_short_throttle_a_young_answer_goes_out_without_a_second_model_call(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    system.instagram.faults.add("throttle", "send", times=1, wait_minutes=1)

    await system.task(ana.thread_id)
    system.clock.forward(75)
    _, result = await system.task(ana.thread_id, "task-2")

    assert (result["ending"], system.gemini.count()) == ("answered", 1)


async def test_the_same_task_is_told_to_come_again_while_its_first_attempt_may_live(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    answer(system)
    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(CrashPoints(at=3, when="before")))

    same = await system.task(ana.thread_id, "task-1")
    other = await system.task(ana.thread_id, "task-2")

    assert (same[0], same[1]["status"]) == (409, "conflict")
    assert (other[0], other[1]["status"]) == (200, "busy")


async def test_a_dead_store_is_a_500_and_changes_nothing(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")

    def dead() -> Exception:
        return StoreUnavailable("disk full")

    status, _ = await system.task(ana.thread_id, app=system.instance(CrashPoints(at=1, when="before", error=dead)))

    assert status == 500
    answer(system)
    assert (await system.task(ana.thread_id))[1]["status"] == "processed"


async def test_an_unexpected_error_gives_the_thread_back(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    points = CrashPoints(at=3, when="before", error=lambda: Misconfigured("a bug"))

    status, result = await system.task(ana.thread_id, app=system.instance(points))

    assert (status, result["status"]) == (500, "error")
    answer(system)
    assert (await system.task(ana.thread_id))[1]["status"] == "processed"
