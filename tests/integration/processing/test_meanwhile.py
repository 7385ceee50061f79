"""Something happens in the middle of a run: a DM, a takeover, an unsend, an erasure, another task."""

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dm_core.messages import Disposition, Message, Status
from dm_sandbox.inprocess import CrashPoints, InProcess
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import call, turn
from dm_sandbox.platforms.model_request import ModelRequest

OPEN, CLAIM, MODEL, CHECKPOINT, SEND, FINISH = range(1, 7)


def answer(system: InProcess) -> None:
    """The model says how many DMs it was shown, so that a reply tells what it answers."""

    def body(request: ModelRequest) -> dict[str, object]:
        shown = str(request.contents)
        count = sum(f"dm-{n}" in shown for n in range(1, 9))
        return dict(turn(call("send_instagram_message", text=f"{count} answered")))

    system.gemini.script([body] * 20)


async def run(system: InProcess, ana: Person, at: int, meanwhile: Callable[[], Awaitable[object]]) -> dict[str, object]:
    points = CrashPoints(at=at, meanwhile=meanwhile)
    status, result = await system.task(ana.thread_id, app=system.instance(points))
    assert points.struck is not None
    assert status == 200
    return result


async def messages(system: InProcess, ana: Person) -> dict[str, Message]:
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    return {message.content.text or message.mid: message for message in snapshot.recent}


@pytest.mark.parametrize("at", [CLAIM, MODEL, CHECKPOINT])
async def test_a_dm_before_the_checkpoint_is_taken_into_the_run(system: InProcess, at: int) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)

    result = await run(system, ana, at, lambda: ana.says("dm-2"))

    assert system.instagram.sent_to(ana.user_id) == ["2 answered"]
    assert (result["messages"], result["followUp"]) == (2, False)


@pytest.mark.parametrize("at", [SEND, FINISH])
async def test_a_dm_after_the_checkpoint_gets_a_follow_up(system: InProcess, at: int) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)
    scheduled = system.queue.calls

    result = await run(system, ana, at, lambda: ana.says("dm-2"))

    assert (result["messages"], result["followUp"]) == (1, True)
    assert system.queue.calls == scheduled + 2  # the webhook's own and the follow-up
    assert (await messages(system, ana))["dm-2"].status is Status.PENDING
    await system.task(ana.thread_id, "task-2")
    assert len(system.instagram.sent) == 2
    assert (await messages(system, ana))["dm-2"].status is Status.PROCESSED


class KeepsWriting(CrashPoints):
    """Another DM arrives whenever the model has answered."""

    ana: Person

    async def through[T](self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        result = await super().through(name, call)
        if name == "model.generate":
            await self.ana.says(f"dm-{len(self.ana.mids) + 1}")
        return result


async def test_what_comes_in_a_wait_is_taken_in_however_often_the_run_has_started_over(system: InProcess) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)
    system.instagram.faults.add("throttle", "send", wait_minutes=1)
    points = KeepsWriting()
    points.ana = ana
    await system.task(ana.thread_id, app=system.instance(points))
    system.clock.forward(70)

    await system.task(ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id) == ["5 answered"]


async def test_a_person_who_keeps_writing_is_answered_all_the_same(system: InProcess) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)
    points = KeepsWriting()
    points.ana = ana

    status, result = await system.task(ana.thread_id, app=system.instance(points))

    assert (status, result["modelTurns"], result["messages"], result["followUp"]) == (200, 1, 4, True)
    assert system.gemini.count() == 4
    assert system.instagram.sent_to(ana.user_id) == ["4 answered"]


@pytest.mark.parametrize("at", [CLAIM, MODEL, CHECKPOINT])
async def test_a_human_who_answers_before_the_checkpoint_keeps_the_bot_silent(system: InProcess, at: int) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)

    result = await run(system, ana, at, lambda: ana.human_replies("I'll take this one."))

    assert system.instagram.sent == []
    assert result["ending"] == "human"
    assert (await messages(system, ana))["dm-1"].disposition is Disposition.HUMAN


async def test_a_human_between_two_messages_of_a_turn_stops_the_second(system: InProcess) -> None:
    ana = system.person()
    await ana.says("dm-1")
    system.gemini.script(
        [turn(call("send_instagram_message", text="One."), call("send_instagram_message", text="Two."))]
    )

    result = await run(system, ana, SEND + 1, lambda: ana.human_replies("I'll take it from here."))

    assert system.instagram.sent_to(ana.user_id) == ["One."]
    assert result["ending"] == "human"


async def test_during_a_takeover_dms_are_closed_without_the_model_and_afterwards_answered_again(
    system: InProcess,
) -> None:
    ana = system.person()
    await ana.says("dm-1")
    await ana.human_replies("Hello, Bob here.")
    answer(system)

    _, result = await system.task(ana.thread_id)
    assert (result["status"], result["ending"], system.gemini.count()) == ("processed", "human", 0)

    system.clock.forward(61 * 60)
    await ana.says("dm-2")
    await system.task(ana.thread_id, "task-2")
    assert len(system.instagram.sent) == 1
    assert "Hello, Bob here." in str(system.gemini.requests[-1].contents)


@pytest.mark.parametrize("at", [CLAIM, MODEL, CHECKPOINT])
async def test_an_unsent_dm_is_not_answered(system: InProcess, at: int) -> None:
    ana = system.person()
    mid = await ana.says("dm-1")
    answer(system)

    result = await run(system, ana, at, lambda: ana.unsends(mid))

    assert system.instagram.sent == []
    assert result["ending"] in ("unsent", None)
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    [message] = snapshot.recent
    assert (message.disposition, message.status) == (Disposition.UNSENT, Status.PROCESSED)
    assert message.content.is_empty
    assert (snapshot.thread.lease, snapshot.thread.run, snapshot.thread.due_at) == (None, None, None)


async def test_one_unsent_of_two_leaves_the_other_to_be_answered(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.says("dm-1 secret")
    await ana.says("dm-2")
    answer(system)

    await run(system, ana, CHECKPOINT, lambda: ana.unsends(mid))

    assert system.instagram.sent_to(ana.user_id) == ["1 answered"]
    assert "secret" not in str(system.gemini.requests[-1].contents)
    archived = await messages(system, ana)
    assert archived["dm-2"].disposition is None


@pytest.mark.parametrize("at", [CLAIM, MODEL, CHECKPOINT, SEND, FINISH])
async def test_an_erased_person_stays_erased(system: InProcess, at: int) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)

    await run(system, ana, at, lambda: system.store.erase_person(ana.user_id))

    assert await system.store.open(ana.thread_id) is None
    assert await system.store.history(ana.thread_id, 10) == ()
    if at <= CHECKPOINT:
        assert system.instagram.sent == []


async def test_a_dm_that_comes_after_an_erasure_is_not_left_to_the_sweeper(system: InProcess) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)
    told: list[object] = []
    scheduled: list[int] = []

    async def erased_and_back() -> None:
        await system.store.erase_person(ana.user_id)
        await ana.says("dm-2")
        _, result = await system.task(ana.thread_id, "task-2", app)
        told.append(result["status"])
        scheduled.append(system.queue.calls)

    app = system.instance(CrashPoints(at=MODEL, meanwhile=erased_and_back))
    _, first = await system.task(ana.thread_id, "task-1", app)
    woken = system.queue.calls - scheduled[0]
    _, again = await system.task(ana.thread_id, "task-3", app)

    assert (told, first["status"], woken) == (["busy"], "superseded", 1)
    assert again["status"] == "processed"
    assert system.instagram.sent_to(ana.user_id) == ["1 answered"]


@pytest.mark.parametrize("at", [CLAIM, MODEL, CHECKPOINT, SEND, FINISH])
async def test_another_task_in_the_middle_never_makes_a_second_run(system: InProcess, at: int) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)
    others: list[object] = []

    async def deliver() -> None:
        _, result = await system.task(ana.thread_id, "task-2")
        others.append(result["status"])

    result = await run(system, ana, at, deliver)

    assert len(system.instagram.sent) == 1
    assert {str(result["status"]), *map(str, others)} in ({"processed", "busy"}, {"nothing_to_do", "processed"})


@pytest.mark.parametrize("at", [MODEL, CHECKPOINT, SEND])
async def test_a_process_that_slept_past_its_deadline_acts_no_more(system: InProcess, at: int) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)

    async def sleep_and_be_replaced() -> None:
        system.clock.forward(340)
        await system.task(ana.thread_id, "task-2")

    points = CrashPoints(at=at, meanwhile=sleep_and_be_replaced)
    await system.task(ana.thread_id, app=system.instance(points))

    # Woken in the middle of the very call of the send it can't know better; the other one then had to hold.
    assert len(system.instagram.sent) == 1
    system.clock.forward(400)
    await system.task(ana.thread_id, "task-3")
    assert len(system.instagram.sent) == 1


async def test_the_window_is_checked_again_before_the_send(system: InProcess) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)
    system.clock.forward(23 * 3600)

    async def a_long_pause() -> None:
        system.clock.forward(2 * 3600)

    points = CrashPoints(at=CHECKPOINT, when="after", meanwhile=a_long_pause)
    await system.task(ana.thread_id, app=system.instance(points))
    await system.task(ana.thread_id, "task-2")

    assert system.instagram.count("send") == 0
    assert (await messages(system, ana))["dm-1"].status is Status.PROCESSED
    assert (await messages(system, ana))["dm-1"].disposition in (Disposition.EXPIRED, Disposition.UNCERTAIN)


async def test_the_echo_that_beats_the_answer_is_ours(system: InProcess) -> None:
    ana = system.person()
    system.echo_sends()
    await ana.says("dm-1")
    answer(system)
    system.instagram.faults.add("delay", "send", seconds=0.3)

    await system.task(ana.thread_id)
    snapshot = await system.store.open(ana.thread_id)

    assert snapshot is not None
    assert snapshot.thread.paused_until is None
    assert [m.direction for m in snapshot.recent] == ["inbound", "outbound"]


@pytest.mark.parametrize("limit", ["MAX_RUNS_PER_HOUR", "MAX_RUNS_PER_DAY"])
async def test_a_person_who_floods_is_limited(system: InProcess, limit: str) -> None:
    system.env[limit] = "3"
    ana = system.person()
    answer(system)
    for number in range(5):
        await ana.says(f"dm-{number}")
        await system.task(ana.thread_id, f"task-{number}")

    assert system.gemini.count() == 3
    last = (await messages(system, ana))["dm-4"]
    assert (last.disposition, last.error) == (Disposition.LIMITED, limit)


async def test_a_thousand_dms_at_once_are_all_ended_in_a_few_runs(system: InProcess) -> None:
    ana = system.person()
    for start in range(0, 1000, 250):
        await ana.says_at_once(*(f"dm number {n}" for n in range(start, start + 250)))
    answer(system)

    statuses: list[object] = []
    for number in range(6):
        _, result = await system.task(ana.thread_id, f"task-{number}")
        statuses.append(result["status"])
        if not result["followUp"]:
            break

    assert statuses == ["processed"] * 3
    assert system.gemini.count() == 3
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert (snapshot.unprocessed, snapshot.thread.pending_count, snapshot.thread.due_at) == ((), 0, None)


async def test_a_follow_up_that_can_not_be_scheduled_does_not_undo_the_finished_run(system: InProcess) -> None:
    ana = system.person()
    await ana.says("dm-1")
    answer(system)

    async def another_dm_then_a_dead_queue() -> None:
        await ana.says("dm-2")
        system.queue.down = True

    points = CrashPoints(at=FINISH, meanwhile=another_dm_then_a_dead_queue)
    status, _ = await system.task(ana.thread_id, app=system.instance(points))

    assert status == 500
    stored = await messages(system, ana)
    assert (stored["dm-1"].status, stored["dm-2"].status) == (Status.PROCESSED, Status.PENDING)
    system.queue.down = False
    await system.task(ana.thread_id)
    assert system.instagram.sent_to(ana.user_id) == ["1 answered", "2 answered"]


async def test_a_dm_unsent_while_its_run_waits_for_a_throttle_is_not_answered(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.says("dm-1")
    answer(system)
    system.instagram.faults.add("throttle", "send", times=1, wait_minutes=6)
    await system.task(ana.thread_id)
    await ana.unsends(mid)

    system.clock.forward(500)
    _, result = await system.task(ana.thread_id, "task-2")

    assert (result["ending"], system.instagram.sent) == ("unsent", [])


async def test_after_something_went_out_the_model_is_asked_again_knowing_of_it_and_of_the_new_dm(
    system: InProcess,
) -> None:
    ana = system.person()
    await ana.says("dm-1")
    first = turn(call("send_instagram_message", text="One moment."), call("is_new_thread"))
    system.gemini.script([first])
    answer(system)

    points = CrashPoints(at=FINISH, meanwhile=lambda: ana.says("dm-2"))
    _, result = await system.task(ana.thread_id, app=system.instance(points))

    assert (result["messages"], result["followUp"]) == (2, False)
    assert system.instagram.sent_to(ana.user_id) == ["One moment.", "2 answered"]
    before, after = (request.contents for request in system.gemini.requests)
    assert after[: len(before)] == before  # the conversation it had goes on
    assert "One moment." in str(after)
    assert str(after).count("dm-1") == 1
    assert "dm-2" in str(after[-1])


async def test_a_dm_unsent_after_something_went_out_leaves_no_words_in_the_archive(
    system: InProcess, tmp_path: Path
) -> None:
    ana = system.person()
    mid = await ana.says("my secret")
    repeated = call("send_instagram_message", text="You said my secret.")
    system.gemini.script([turn(repeated, call("is_new_thread"))])

    await run(system, ana, FINISH, lambda: ana.unsends(mid))

    with contextlib.closing(sqlite3.connect(tmp_path / "threads.sqlite3")) as connection:
        archived = connection.execute("SELECT doc FROM documents WHERE collection = 'runs'").fetchall()
    assert len(archived) == 1
    assert "secret" not in str(archived)
