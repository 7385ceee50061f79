"""A reply is never decided on words that are not there any more: edits, unsends and new DMs at every point."""

from collections.abc import Awaitable, Callable

import pytest

from dm_sandbox.inprocess import CrashPoints, InProcess
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import call, turn
from dm_sandbox.platforms.model_request import ModelRequest
from tests.integration.processing.schedule import stored

CLAIM, MODEL, CHECKPOINT, SEND, FINISH = range(2, 7)


def says_what_it_saw(system: InProcess, *tools: dict[str, object]) -> None:
    """The model answers with the words it was shown."""

    def body(request: ModelRequest) -> dict[str, object]:
        shown = str(request.contents)
        words = "+".join(word for word in ("old-words", "new-words", "more-words") if word in shown)
        return dict(turn(call("send_instagram_message", text=words or "nothing")))

    system.gemini.script([body] * 20)


async def run(system: InProcess, ana: Person, at: int, meanwhile: Callable[[], Awaitable[object]]) -> dict[str, object]:
    points = CrashPoints(at=at, meanwhile=meanwhile)
    _, result = await system.task(ana.thread_id, app=system.instance(points))
    assert points.struck is not None
    return result


@pytest.mark.parametrize("at", [CLAIM, MODEL, CHECKPOINT])
async def test_an_edit_before_the_checkpoint_is_what_gets_answered(system: InProcess, at: int) -> None:
    ana = system.person()
    mid = await ana.says("old-words")
    says_what_it_saw(system)

    result = await run(system, ana, at, lambda: ana.edits(mid, "new-words"))

    assert system.instagram.sent_to(ana.user_id) == ["new-words"]
    assert (result["ending"], result["followUp"]) == ("answered", False)


async def test_an_edit_after_the_answer_corrects_the_history_and_asks_nobody(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.says("old-words")
    says_what_it_saw(system)
    await system.task(ana.thread_id)
    scheduled = system.queue.calls

    await ana.edits(mid, "new-words")
    _, again = await system.task(ana.thread_id, "task-2")

    [message] = await stored(system, ana.thread_id)
    assert message.content.text == "new-words"
    assert (again["status"], system.gemini.count(), system.queue.calls) == ("nothing_to_do", 1, scheduled)


async def test_an_edit_before_its_message_counts(system: InProcess) -> None:
    ana = system.person()
    says_what_it_saw(system)
    await ana.edits("mid-of-the-message", "new-words")

    await ana.repeats("mid-of-the-message", "old-words")
    await system.task(ana.thread_id)

    assert system.instagram.sent_to(ana.user_id) == ["new-words"]


async def test_a_silence_is_reconsidered_when_something_came(system: InProcess) -> None:
    ana = system.person()
    await ana.says("ok thx")
    system.gemini.script([turn(call("no_reply", reason="a thank-you"))])
    says_what_it_saw(system)

    result = await run(system, ana, CHECKPOINT, lambda: ana.says("more-words"))  # the finish, without actions

    assert (result["ending"], result["messages"]) == ("answered", 2)
    assert system.instagram.sent_to(ana.user_id) == ["more-words"]


async def test_an_alert_of_a_dropped_turn_is_told_and_not_asked_twice(system: InProcess) -> None:
    ana = system.person()
    await ana.says("old-words, ring 999")

    def alarms(request: ModelRequest) -> dict[str, object]:
        alert = call("send_manager_notification", text="Ring 999.", urgency="urgent")
        text = "more" if "more-words" in str(request.contents) else "first"
        return dict(turn(alert, call("send_instagram_message", text=text)))

    system.gemini.script([alarms] * 5)

    await run(system, ana, CHECKPOINT, lambda: ana.says("more-words"))

    assert system.instagram.sent_to(ana.user_id) == ["more"]
    assert len(await system.told()) == 1


async def test_a_takeover_keeps_the_alert(system: InProcess) -> None:
    ana = system.person()
    await ana.says("ring 999")
    alert = call("send_manager_notification", text="Ring 999.", urgency="urgent")
    system.gemini.script([turn(alert, call("send_instagram_message", text="Help is coming."))])

    result = await run(system, ana, CHECKPOINT, lambda: ana.human_replies("Bob here."))

    assert (result["ending"], system.instagram.sent) == ("human", [])
    assert len(await system.told()) == 1


async def test_an_answer_that_slept_for_hours_is_made_anew(system: InProcess) -> None:
    system.env["FUNCTION_TIMEOUT_SECONDS"] = "3600"
    system.env["LEASE_SECONDS"] = "4000"
    ana = system.person()
    await ana.says("old-words")
    says_what_it_saw(system)

    async def sleeps() -> None:
        system.clock.forward(600)

    await run(system, ana, CHECKPOINT, sleeps)

    assert (system.gemini.count(), len(system.instagram.sent)) == (2, 1)
