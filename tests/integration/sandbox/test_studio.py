"""The studio while several things are under way at once: no order of them breaks another."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from dm_core.durations import DAY_MS
from dm_sandbox.chat import Chat
from dm_sandbox.functions.control import Control
from dm_sandbox.platforms.record import Record
from dm_sandbox.platforms.whatsapp_statuses import Statuses
from dm_sandbox.studio.acts import CannotDo
from dm_sandbox.studio.clock import StudioClock
from dm_sandbox.studio.manager import ManagerMessage
from dm_sandbox.studio.server import page_app
from dm_sandbox.studio.studio import THINKING_SECONDS, Studio
from dm_sandbox.studio.tour import STEPS, Stage
from dm_sandbox.world import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")
MORE_THAN_A_BROWSERS_CONNECTIONS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio() -> AsyncGenerator[Studio]:
    clock = StudioClock(DAY_MS)
    async with Sandbox(studio=True, clock=clock, ahead_ms=DAY_MS) as sandbox:
        assert Control.of(sandbox.environment).now.clock_offset_ms == DAY_MS, "ahead before anybody switched anything"
        studio = Studio(sandbox, clock, {})
        yield studio
        await studio.close()


def _stage(studio: Studio, name: str) -> Stage:
    phone = studio.phones.meet(name)
    return Stage(studio.sandbox, studio.acts, studio.breaker, studio.manager, phone, studio.resume)


async def test_what_is_broken_while_all_is_mended_is_shown_and_stays_broken(studio: Studio) -> None:
    await studio.set_switch("instagram_down", on=True)

    mending = asyncio.ensure_future(studio.clear())
    await asyncio.sleep(0)
    await studio.set_switch("store_down", on=True)
    assert not mending.done()
    await mending

    assert studio.state()["on"] == ["store_down"]
    assert studio.breaker.switched.store_down
    await studio.clear()


async def test_a_platform_that_is_down_comes_up_once_however_often_that_is_asked(studio: Studio) -> None:
    await studio.set_switch("instagram_down", on=True)

    await asyncio.gather(*(studio.set_switch("instagram_down", on=False) for _ in range(3)))

    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{studio.sandbox.instagram.base_url}/v25.0/me")).status_code == 401


async def test_the_page_can_mend_the_store_while_more_dms_wait_than_it_has_connections(studio: Studio) -> None:
    phone = f"/api/phone/{studio.phones.meet('Sam').user_id}"
    transport = httpx.ASGITransport(page_app(studio))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as page, asyncio.timeout(60):
        await page.post("/api/switches/store_down", json={"on": True})
        known = len(studio.sandbox.deliveries)

        for number in range(MORE_THAN_A_BROWSERS_CONNECTIONS):
            assert (await page.post(f"{phone}/text", json={"text": f"hello {number}"})).status_code == 200
        assert (await page.post("/type", json={"line": "hello from the chat"})).status_code == 200
        refused = await page.post(f"{phone}/burst", json={})
        assert {each.status for each in studio.sandbox.deliveries[known:]} <= {500}
        await page.post("/api/switches/store_down", json={"on": False})
        stored = lambda: [each for each in studio.sandbox.deliveries[known:] if each.status == 200]  # noqa: E731
        await studio.sandbox.wait_for(lambda: len(stored()) > MORE_THAN_A_BROWSERS_CONNECTIONS, 50, "every DM stored")

    assert (refused.status_code, refused.json()) == (400, {"error": "type some words first"})


async def test_a_tour_that_is_stopped_leaves_the_model_as_fast_as_it_was(studio: Studio) -> None:
    (crash,) = (play for play in STEPS if (play.__doc__ or "").startswith("A crash"))
    playing = asyncio.ensure_future(crash(_stage(studio, "Crash")))
    await studio.sandbox.wait_for(lambda: studio.sandbox.gemini.latency > THINKING_SECONDS, 20, "a slow model")

    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)

    assert studio.sandbox.gemini.latency == THINKING_SECONDS


async def test_the_tours_manager_answers_the_visitors_alert_also_if_anothers_came_last(studio: Studio) -> None:
    messages = studio.manager.messages

    def another(record: Record) -> None:
        if record.operation == "send":
            messages.append(ManagerMessage("wamid.other", False, "Ada asks for a refund", record.at))

    studio.sandbox.whatsapp.listen(another)
    await STEPS[-1](_stage(studio, "Visitor 7"))

    (own,) = (message for message in messages if message.mine)
    quoted = next(message for message in messages if message.id == own.quotes)
    assert "Visitor 7" in quoted.text


async def test_ticks_that_come_before_the_answer_to_the_call_are_shown(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    whatsapp, shown = studio.sandbox.whatsapp, list[str]()
    monkeypatch.setattr(Statuses, "tell", lambda statuses, wamid, *_: statuses.on_told(wamid, "sent"))  # pyright: ignore
    whatsapp.listen(lambda _: shown.extend(each.ticks for each in studio.manager.messages if each.text == "a tick"))
    message = {"messaging_product": "whatsapp", "to": "447700900123", "type": "text", "text": {"body": "a tick"}}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{whatsapp.base_url}/v25.0/{whatsapp.phone_number_id}/messages",
            json=message,
            headers={"authorization": f"Bearer {whatsapp.token}"},
        )

    assert (answer.status_code, shown[:1]) == (200, ["sent"])


async def test_a_line_of_the_chat_names_who_acted_not_who_is_chosen_meanwhile(studio: Studio) -> None:
    chat = Chat(studio.sandbox, studio.phones, studio.acts)
    await chat.type("/person Chatty")

    sending = asyncio.ensure_future(chat.type("/photo the pitch"))
    await asyncio.sleep(0)
    await chat.type("/person Ada")
    await sending

    assert [line.name for line in chat.lines if line.who == "person"] == ["Chatty"]


async def test_what_can_not_be_done_is_said_although_the_rest_goes_on_by_itself(studio: Studio) -> None:
    with pytest.raises(CannotDo, match="no message of the account"):
        studio.act(studio.phones.meet("Silent"), "react", {})
