"""After "I pass you on to a human": the thread is theirs until one answered, released it, or its time is over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.messages import Disposition
from dm_core.threads import Thread
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.inprocess import InProcess
from dm_sandbox.platforms.answers import Body, blocked_prompt, call, turn
from dm_sandbox.platforms.meta import envelope
from tests.integration.processing.profiles import folder_with, replies, running

HELD = "A colleague answers you here. I wait until then."
MINUTE = 60


def passed_on(text: str = "Wants a refund.", reply: str = "I passed that on.") -> Body:
    alert = call("send_manager_notification", text=text, urgency="normal", hand_over=True)
    return turn(alert, call("send_instagram_message", text=reply))


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with running(tmp_path, folder_with(tmp_path)) as system:
        yield system


@pytest.fixture
async def holding(tmp_path: Path) -> AsyncIterator[InProcess]:
    folder = folder_with(tmp_path, 'handover = "hold"', f'[held]\nen = "{HELD}"')
    async with running(tmp_path, folder) as system:
        yield system


async def thread(system: InProcess, thread_id: str) -> Thread:
    snapshot = await system.store.open(thread_id)
    assert snapshot is not None
    return snapshot.thread


def openings(system: InProcess) -> list[str]:
    """What the model was shown first, in each of its requests."""
    return [str(request.contents[0]) for request in system.gemini.requests]


async def hand_over(system: InProcess, *turns: Body) -> str:
    ana = system.person()
    system.gemini.script([passed_on(), *turns])
    await ana.says("I want my money back")
    await system.task(ana.thread_id)
    return ana.thread_id


async def test_the_model_is_told_since_when_and_that_nobody_answered(system: InProcess) -> None:
    thread_id = await hand_over(system, *replies("Nets are on Tuesday."))
    await system.person().says("And when are nets?")
    await system.task(thread_id, "task-2")

    assert (await thread(system, thread_id)).steering.handover is not None
    first, second = openings(system)
    assert "passed_on" not in first
    assert "passed_on" in second
    assert "nobody has answered yet" in second
    assert system.instagram.sent_to("9001") == ["I passed that on.", "Nets are on Tuesday."]


async def test_an_ordinary_alert_hands_nothing_over(system: InProcess) -> None:
    ana = system.person()
    alert = call("send_manager_notification", text="FYI", urgency="normal")
    system.gemini.script([turn(alert, call("send_instagram_message", text="Told them."))])
    await ana.says("Tell them I like it")
    await system.task(ana.thread_id)

    assert (await thread(system, ana.thread_id)).steering.handover is None
    assert len(system.alert_queue.ticks) == 1


async def test_a_give_up_hands_over(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script([blocked_prompt()])
    await ana.says("something awful")
    await system.task(ana.thread_id)

    assert (await thread(system, ana.thread_id)).steering.handover is not None


async def test_the_manager_is_reminded_if_nobody_answers(system: InProcess) -> None:
    await hand_over(system)
    system.clock.forward(29 * MINUTE)
    await system.ticks()
    early = len(system.whatsapp.alerts)
    system.clock.forward(2 * MINUTE)
    await system.ticks()

    assert early == 1
    assert ["30 minutes" in alert.text and "refund" in alert.text for alert in system.whatsapp.alerts] == [False, True]


async def test_nobody_is_reminded_of_what_a_human_has_answered(system: InProcess) -> None:
    thread_id = await hand_over(system)
    await system.person().human_replies("Hi Ana, Tom here. Refund is on its way.")
    system.clock.forward(31 * MINUTE)
    await system.ticks()

    assert len(system.whatsapp.alerts) == 1
    now = await thread(system, thread_id)
    assert now.handed_over(system.clock(), 86_400_000) is None


async def test_a_late_echo_of_what_was_written_before_answers_no_handover(system: InProcess) -> None:
    ana = system.person()
    written = ana.echo("mid.earlier", "Hi Ana, what is it about?")
    system.clock.forward(MINUTE)
    await hand_over(system)
    await ana.sender.deliver(envelope(ana.account_id, [written], system.clock()))
    system.clock.forward(31 * MINUTE)
    await system.ticks()

    assert ["Nobody has answered" in alert.text for alert in system.whatsapp.alerts] == [False, True]


async def test_the_manager_is_reminded_where_their_own_words_were_refused(system: InProcess) -> None:
    system.tell_statuses()
    await hand_over(system)
    await system.ticks()
    system.instagram.faults.add("error", "send", code=100, status=400)
    await system.whatsapp.says(MANAGER_NUMBER, "Hi Ana, Tom here.", system.whatsapp.alerts[0].id)
    await system.outbox()
    system.clock.forward(31 * MINUTE)
    await system.ticks()

    assert [("Instagram refused" in a.text, "30 minutes" in a.text) for a in system.whatsapp.alerts[1:]] == [
        (True, False),
        (False, True),
    ]


async def test_with_hold_the_bot_says_one_line_and_is_silent(holding: InProcess) -> None:
    thread_id = await hand_over(holding, *replies("must not be sent"))
    for number, text in enumerate(("Hello?", "Anybody there?")):
        await holding.person().says(text)
        await holding.task(thread_id, f"task-{number}")

    assert holding.instagram.sent_to("9001") == ["I passed that on.", HELD]
    assert holding.gemini.count() == 1
    snapshot = await holding.store.open(thread_id)
    assert snapshot is not None
    said = {message.content.text: message.disposition for message in snapshot.recent}
    assert said["Hello?"] is said["Anybody there?"] is Disposition.HANDED_OVER


async def test_a_humans_reply_releases_it(holding: InProcess) -> None:
    thread_id = await hand_over(holding, *replies("Nets are on Tuesday."))
    await holding.person().human_replies("Tom here, sorted.")
    holding.clock.forward(61 * MINUTE)
    await holding.person().says("When are nets?")
    await holding.task(thread_id, "task-2")

    assert holding.instagram.sent_to("9001")[-1] == "Nets are on Tuesday."
    assert "a_human_has_answered" in openings(holding)[-1]
    assert "nobody has answered yet" not in openings(holding)[-1]


async def test_after_its_hours_the_bot_has_it_back(holding: InProcess) -> None:
    thread_id = await hand_over(holding, *replies("Nets are on Tuesday."))
    holding.clock.forward(24 * 60 * MINUTE + 1)
    await holding.person().says("When are nets?")
    await holding.task(thread_id, "task-2")

    assert holding.instagram.sent_to("9001")[-1] == "Nets are on Tuesday."
    assert "passed_on" not in openings(holding)[-1]


async def test_a_person_whom_the_model_never_answers_rings_the_manager_once_and_nothing_is_lost(
    system: InProcess,
) -> None:
    ana = system.person()
    system.gemini.script([blocked_prompt()] * 12)
    for number in range(12):
        await ana.says(f"something awful {number}")
        await system.task(ana.thread_id, f"task-{number}")
        system.clock.forward(25)

    told = await system.told()

    assert [alert.startswith("URGENT") for alert in told] == [True] + [False] * (len(told) - 1)
    assert sum(alert.count("withheld its answer") for alert in told) == 12
    assert len(told) <= 6
