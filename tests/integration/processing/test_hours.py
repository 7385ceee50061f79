"""The agent knows when a human can be expected, where the deployer says so."""

from pathlib import Path

from tests.integration.processing.profiles import folder_with, replies, running

HOURS = '[week]\n\n[closed]\nen = "Nobody reads this at night."\n'


async def test_the_model_is_told_when_a_human_can_be_expected(tmp_path: Path) -> None:
    async with running(tmp_path, folder_with(tmp_path, files={"hours.toml": HOURS})) as system:
        system.gemini.script(replies("Soon."))
        await system.person().says("When does somebody answer?")
        await system.task(system.person().thread_id)

    shown = str(system.gemini.requests[0].contents[0])
    assert "open_now" in shown
    assert "Nobody reads this at night." in shown
    assert "promise no answer before" in shown


async def test_without_hours_nothing_is_said_of_them(tmp_path: Path) -> None:
    async with running(tmp_path, folder_with(tmp_path)) as system:
        system.gemini.script(replies("Soon."))
        await system.person().says("When does somebody answer?")
        await system.task(system.person().thread_id)

    assert "open_now" not in str(system.gemini.requests[0].contents[0])
