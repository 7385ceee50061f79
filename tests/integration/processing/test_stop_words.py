"""A person who writes a stop word is left alone until a start word, and told so once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.messages import Direction, Disposition, Message, Status
from dm_sandbox.inprocess import CrashPoints, InProcess, InstanceDied
from tests.integration.processing.profiles import folder_with, replies, running

LINE = "All right, I am silent here. Write START and I answer again."
GERMAN = "Gut, ich schweige hier. START weckt mich."
KEYS = 'stop_words = ["stop", "unsubscribe", "stopp"]\nstart_words = ["start", "hello again"]'


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    folder = folder_with(tmp_path, KEYS, f'[stopped]\nen = "{LINE}"\nde = "{GERMAN}"')
    async with running(tmp_path, folder) as system:
        yield system


async def messages(system: InProcess, thread_id: str) -> dict[str, Message]:
    snapshot = await system.store.open(thread_id)
    assert snapshot is not None
    return {message.content.text or "": message for message in snapshot.recent}


async def stopped_at(system: InProcess, thread_id: str) -> int | None:
    snapshot = await system.store.open(thread_id)
    assert snapshot is not None
    return snapshot.thread.steering.stopped_at


@pytest.mark.parametrize("word", ["stop", "STOP!", "  Stop. ", "“unsubscribe”"])
async def test_a_stop_word_silences_the_bot_which_says_so_once(system: InProcess, word: str) -> None:
    ana = system.person()
    await ana.says(word)
    status, result = await system.task(ana.thread_id)
    await ana.says("When are nets?")
    await system.task(ana.thread_id, "task-2")
    await ana.says("stop")
    await system.task(ana.thread_id, "task-3")

    assert (status, result["status"], result["ending"]) == (200, "processed", "stopped")
    assert system.instagram.sent_to(ana.user_id) == [LINE]
    assert system.gemini.count() == 0
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    asked = [message for message in snapshot.recent if message.direction is Direction.INBOUND]
    assert [message.disposition for message in asked] == [Disposition.STOPPED] * 3
    assert all(message.status is Status.PROCESSED for message in asked)


async def test_a_start_word_wakes_it_and_is_answered(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("Hello again!"))
    await ana.says("stop")
    await system.task(ana.thread_id)
    await ana.says("forget it")
    await ana.says("Start")
    await ana.says("When are nets?")
    _, result = await system.task(ana.thread_id, "task-2")

    seen = await messages(system, ana.thread_id)
    assert result["ending"] == "answered"
    assert seen["forget it"].disposition is Disposition.STOPPED
    assert (seen["Start"].disposition, seen["When are nets?"].disposition) == (None, None)
    assert system.instagram.sent_to(ana.user_id) == [LINE, "Hello again!"]
    assert await stopped_at(system, ana.thread_id) is None


async def test_a_stop_word_inside_a_sentence_is_a_question_like_any_other(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("At six."))
    await ana.says("When do you stop?")
    _, result = await system.task(ana.thread_id)

    assert result["ending"] == "answered"


async def test_a_question_before_the_stop_word_is_not_answered_any_more(system: InProcess) -> None:
    ana = system.person()
    await ana.says("When are nets?")
    await ana.says("stop")
    await system.task(ana.thread_id)

    assert system.gemini.count() == 0
    assert system.instagram.sent_to(ana.user_id) == [LINE]


async def test_a_stop_word_that_comes_while_the_model_thinks_is_heeded(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("Tuesday 18:00."))
    await ana.says("When are nets?")
    points = CrashPoints(at=3, when="after", meanwhile=lambda: ana.says("stop"))
    assert (await system.task(ana.thread_id, app=system.instance(points)))[1]["status"] == "processed"
    assert points.struck == "model.generate"
    await system.task(ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id) == [LINE]
    assert await stopped_at(system, ana.thread_id) is not None


async def test_the_line_is_in_the_language_of_the_conversation(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("Das Training ist am Dienstag."))
    await ana.says("Wann ist das Training?")
    await system.task(ana.thread_id)
    await ana.says("Stopp")
    await system.task(ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id)[-1] == GERMAN


async def test_a_person_who_can_not_be_written_to_is_left_alone_all_the_same(system: InProcess) -> None:
    ana = system.person()
    system.instagram.faults.add("error", "send", code=551)
    await ana.says("stop")
    await system.task(ana.thread_id)

    assert await stopped_at(system, ana.thread_id) is not None


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_call_never_says_it_twice_and_stops(system: InProcess, at: int, when: str) -> None:
    system.echo_sends()
    ana = system.person()
    await ana.says("stop")
    points = CrashPoints(at=at, when="before" if when == "before" else "after")
    try:
        await system.task(ana.thread_id, app=system.instance(points))
    except InstanceDied:
        for attempt in range(3):
            system.clock.forward(400)
            await system.task(ana.thread_id, f"again-{attempt}")

    begun_and_lost = points.struck in ("store.commit", "instagram.send_text") and not system.instagram.sent
    assert begun_and_lost or system.instagram.sent_to(ana.user_id) == [LINE]
    assert await stopped_at(system, ana.thread_id) is not None
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert (snapshot.thread.lease, snapshot.thread.run, snapshot.thread.pending_count) == (None, None, 0)
