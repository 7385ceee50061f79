"""Who is told that software writes, and when: whatever the model says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.durations import DAY_MS
from dm_sandbox.inprocess import InProcess
from dm_sandbox.platforms.answers import call, turn
from tests.integration.processing.profiles import folder_with, replies, running

LINE = "You are talking with our automated assistant."
GERMAN = "Hier schreibt der automatische Assistent."


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    folder = folder_with(tmp_path, tables=f'[disclosure]\nen = "{LINE}"\nde = "{GERMAN}"')
    async with running(tmp_path, folder) as system:
        yield system


async def test_the_first_reply_carries_the_line_and_the_second_does_not(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("Nets are on Tuesday.", "You are welcome."))
    await ana.says("When are nets?")
    _, result = await system.task(ana.thread_id)
    await ana.says("Thanks")
    await system.task(ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id) == [f"Nets are on Tuesday.\n{LINE}", "You are welcome."]
    assert (result["modelTurns"], result["actions"]) == (1, 1)


async def test_a_reply_that_says_it_goes_out_as_it_is_and_counts(system: InProcess) -> None:
    ana = system.person()
    said = "Hi, I'm the club's automated assistant. Nets are on Tuesday."
    system.gemini.script(replies(said, "You are welcome."))
    await ana.says("When are nets?")
    await system.task(ana.thread_id)
    await ana.says("Thanks")
    await system.task(ana.thread_id, "task-2")

    assert system.instagram.sent_to(ana.user_id) == [said, "You are welcome."]


async def test_the_line_is_in_the_language_of_the_reply(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("Das Training ist am Dienstag."))
    await ana.says("Wann ist Training?")
    await system.task(ana.thread_id)

    assert system.instagram.sent_to(ana.user_id) == [f"Das Training ist am Dienstag.\n{GERMAN}"]


async def test_after_the_days_it_is_said_again(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script(replies("One.", "Two.", "Three."))
    for number, days in enumerate((0, 29, 2)):
        system.clock.forward(days * DAY_MS / 1000)
        await ana.says(f"Question {number}")
        await system.task(ana.thread_id, f"task-{number}")

    assert system.instagram.sent_to(ana.user_id) == [f"One.\n{LINE}", "Two.", f"Three.\n{LINE}"]


async def test_a_reply_that_was_refused_has_told_nobody(system: InProcess) -> None:
    ana = system.person()
    system.instagram.faults.add("error", "send", code=100, subcode=0)
    system.gemini.script(replies("Nets are on Tuesday.", "On Tuesday at six."))
    await ana.says("When are nets?")
    await system.task(ana.thread_id)

    assert system.instagram.sent_to(ana.user_id) == [f"On Tuesday at six.\n{LINE}"]


async def test_the_same_words_again_are_still_the_same_message(system: InProcess) -> None:
    ana = system.person()
    twice = call("send_instagram_message", text="Nets are on Tuesday.")
    system.gemini.script([turn(twice, twice)])
    await ana.says("When are nets?")
    await system.task(ana.thread_id)

    assert system.instagram.sent_to(ana.user_id) == [f"Nets are on Tuesday.\n{LINE}"]


async def test_a_long_reply_keeps_every_part_within_the_limit(system: InProcess) -> None:
    ana = system.person()
    long = " ".join(f"Sentence number {n} about the club and its nets." for n in range(20))[:1000]
    system.gemini.script(replies(long))
    await ana.says("Tell me everything")
    await system.task(ana.thread_id)

    sent = system.instagram.sent_to(ana.user_id)
    assert all(len(part.encode()) <= 1000 for part in sent)
    assert sent[-1].endswith(LINE)
    assert "".join(sent).count(LINE) == 1
