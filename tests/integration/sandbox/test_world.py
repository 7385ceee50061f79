"""The sandbox as a whole: chat, takeover, and nothing left behind."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from dm_sandbox.chat import Chat
from dm_sandbox.world import Sandbox, StillWaiting


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


async def test_when_the_owner_answers_the_bot_stays_silent(sandbox: Sandbox) -> None:
    chat = Chat(sandbox)

    await chat.type("/human Hi Sam, I'll take it from here")
    await chat.type("how much is membership?")
    await sandbox.wait_for(lambda: sandbox.queue.counters.dispatched > 0, 10, "a wake-up")
    await sandbox.wait_for(lambda: sandbox.queue.pending == 0, 10, "the end of the wake-up")

    assert sandbox.instagram.sent == []
    assert sandbox.gemini.requests == []


async def test_commands_are_explained_and_never_crash(sandbox: Sandbox) -> None:
    chat = Chat(sandbox)

    for line in ("/edit", "/unsend", "/react", "/human", "/fault", "/fault instagram nonsense", "/what", "  "):
        await chat.type(line)
    await chat.type("/fault instagram throttle send")
    await chat.type("/person Ada")

    assert chat.person.name == "Ada"
    assert [fault.kind for fault in sandbox.instagram.faults.pending] == ["throttle"]


async def test_waiting_in_vain_shows_the_last_events_and_the_end_stops_everything() -> None:
    async with Sandbox() as sandbox:
        urls = (sandbox.webhook.url, sandbox.processor.url, sandbox.instagram.base_url)
        with pytest.raises(StillWaiting, match="a miracle did not happen within"):
            await sandbox.wait_for(lambda: False, 0.1, "a miracle")

    async with httpx.AsyncClient(trust_env=False) as client:
        for url in urls:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{url}/health")


async def test_a_function_that_cannot_start_says_why_and_nothing_is_left() -> None:
    sandbox = Sandbox(extra={"INSTAGRAM_APP_SECRET": ""})

    with pytest.raises(Exception, match="INSTAGRAM_APP_SECRET is missing"):
        await sandbox.__aenter__()

    with pytest.raises(RuntimeError):
        _ = sandbox.queue.pending
