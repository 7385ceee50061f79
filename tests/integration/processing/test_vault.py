"""The vault that holds the tokens fails, or is slow: no DM fails of it, and nothing is claimed without a token."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.http import Request
from dm_core.messages import Direction, Disposition, Status
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import InProcess, MovableClock
from dm_sandbox.platforms.answers import call, turn

NEWER = "IGAA-newer"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    """Its token file is a directory at first: it can't be read. The configured token is dead."""
    clock = MovableClock()
    store = SqliteStore(str(tmp_path / "threads.sqlite3"), clock)
    (tmp_path / "tokens").mkdir()
    async with InProcess(store, {"INSTAGRAM_TOKEN_FILE": str(tmp_path / "tokens")}, clock=clock) as running:
        running.instagram.tokens[:] = [NEWER]
        yield running
    await store.close()


def mend(system: InProcess, text: str = NEWER) -> None:
    """The vault can be read, and holds this."""
    path = Path(system.env["INSTAGRAM_TOKEN_FILE"])
    if path.is_dir():
        path.rmdir()
    path.write_text(text)


def break_again(system: InProcess) -> None:
    """The vault can't be read any more."""
    path = Path(system.env["INSTAGRAM_TOKEN_FILE"])
    path.unlink()
    path.mkdir()


async def test_a_vault_that_fails_once_costs_no_dm_anything(system: InProcess) -> None:
    ana, app = system.person("9001"), system.instance()
    await ana.says("hi")

    _, waiting = await system.task(ana.thread_id, app=app)
    pending = [message.status for message in await system.store.history(ana.thread_id, 5)]
    mend(system)
    system.clock.forward(400)
    _, answered = await system.task(ana.thread_id, app=app)

    assert waiting["status"] in ("error", "retry_later")
    assert pending == [Status.PENDING]
    assert answered["ending"] == "answered"
    assert len(system.instagram.sent_to("9001")) == 1


async def test_two_cold_requests_at_once_are_both_answered(system: InProcess) -> None:
    mend(system)
    ana, ben, app = system.person("9001"), system.person("9002"), system.instance()
    for person in (ana, ben):
        await person.says("hi")

    results = await asyncio.gather(*(system.task(person.thread_id, app=app) for person in (ana, ben)))

    assert [result["ending"] for _, result in results] == ["answered", "answered"]


async def test_a_token_that_was_exchanged_elsewhere_is_found_by_the_call_it_stops(system: InProcess) -> None:
    mend(system, "IGAA-old")
    system.instagram.tokens[:] = ["IGAA-old"]
    ana, ben, app = system.person("9001"), system.person("9002"), system.instance()
    await ana.says("hi")
    await system.task(ana.thread_id, app=app)
    mend(system, NEWER)
    system.instagram.tokens[:] = [NEWER]

    await ben.says("hi")
    _, result = await system.task(ben.thread_id, app=app)

    assert result["ending"] == "answered"
    assert len(system.instagram.sent_to("9002")) == 1


@pytest.mark.parametrize(
    ("begun", "disposition", "told"),
    [
        ("first part", None, ""),
        ("came back", None, ""),
        ("in doubt, came back", None, ""),
        ("in doubt", Disposition.UNCERTAIN, "can't tell whether"),
        ("nothing", Disposition.EXPIRED, "I could not answer"),
    ],
)
async def test_a_vault_that_is_down_to_the_last_try_takes_nothing_back_that_went_out(
    system: InProcess, begun: str, disposition: Disposition | None, told: str
) -> None:
    mend(system)
    ana, texts = system.person("9001"), ["One."] + ["Two."] * (begun == "first part")
    system.gemini.script([turn(*(call("send_instagram_message", text=text) for text in texts))])
    if begun == "first part":
        system.instagram.faults.add("delay", "send")
    fault = "drop_before" if begun.startswith("in doubt") else "throttle"
    system.instagram.faults.add(fault, "send", wait_minutes=60)
    await ana.says("hi")
    await system.task(ana.thread_id)
    if begun.endswith("came back"):
        await ana.echoes("mid-of-the-echo", "One.")
    break_again(system)

    system.clock.forward(13 * 3600)
    await system.task(ana.thread_id)

    found = await system.store.open(ana.thread_id)
    assert found is not None
    [message] = [each for each in found.recent if each.direction is Direction.INBOUND]
    assert (message.status, message.disposition) == (Status.PROCESSED, disposition)
    alerts = [stored.alert.text for stored in await system.store.due_alerts(system.clock() + 120_000, 9)]
    assert [told in text for text in alerts if "refuses" not in text and "tokens" not in text] == [True] * bool(told)


async def test_health_asks_no_vault(system: InProcess) -> None:
    answer = await system.instance().handle(Request("GET", "/health", headers={}, body=b""))

    assert answer.status == 200
