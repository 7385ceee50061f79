"""Data tools: what they tell, and that nothing they meet stops the run."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dm_core.agent.agent import Agent, Situation
from dm_core.agent.guards import Guards
from dm_core.agent.profile import BusinessProfile
from dm_core.clients.port import PlatformMessage, Session
from dm_core.errors import PlatformError, RetryLater, StoreUnavailable
from dm_core.messages import Content, Message, Status
from dm_core.runs import ToolCall, ToolResult
from dm_core.settings import RunLimits
from dm_core.store.port import ThreadEvents
from dm_core.store.sqlite import SqliteStore
from dm_core.threads import Note, Thread
from dm_sandbox.one_account import OneAccount
from tests.unit.agent.agent_stage import NOW, Calendar, Inbox, MakeAgent, View, dm, reply, situation

TODAY = datetime(2026, 11, 24, 18, 5, tzinfo=UTC)


def nets(hours: float, title: str = "Senior nets", **changes: object) -> Session:
    session = Session("s", title, TODAY + timedelta(hours=hours), None, False, None, 0, None)
    return replace(session, **changes)


async def read(agent: Agent, name: str, arguments: Mapping[str, object], where: Situation | None = None) -> ToolResult:
    return await agent.read(where or situation([dm(9)]), ToolCall(name, arguments, "c1"))


async def record(store: SqliteStore, *messages: Message) -> None:
    events = ThreadEvents("178414_9001", "178414", "9001", NOW, messages, last_inbound_at=NOW, due_at=NOW)
    await store.record(events)


async def test_sessions_are_told_in_the_clubs_time_with_their_state_and_age(make_agent: MakeAgent) -> None:
    calendar = Calendar(
        (
            nets(24, "Junior\u202e training", ends_at=TODAY + timedelta(hours=26), location="Mill Lane"),
            nets(-1, ends_at=TODAY + timedelta(hours=1)),
            nets(48, accepted=12, capacity=12),
            nets(72, cancelled=True),
            nets(24 * 20),
        )
    )

    result = await read(make_agent(calendar), "get_net_session_dates", {"days_ahead": 14})

    assert (result.id, result.error) == ("c1", None)
    assert result.output["as_of"] == "12 minutes ago"
    assert result.output["today"] == "Tuesday 24 November 2026"
    assert "warning" not in result.output
    assert result.output["sessions"] == [
        {
            "title": "Senior nets",
            "day": "Tuesday 24 November 2026",
            "starts": "17:05",
            "ends": "19:05",
            "status": "on now",
        },
        {
            "title": "Junior training",
            "day": "Wednesday 25 November 2026",
            "starts": "18:05",
            "ends": "20:05",
            "where": "Mill Lane",
            "status": "planned",
        },
        {
            "title": "Senior nets",
            "day": "Thursday 26 November 2026",
            "starts": "18:05",
            "status": "full",
            "places_left": 0,
        },
        {"title": "Senior nets", "day": "Friday 27 November 2026", "starts": "18:05", "status": "cancelled"},
    ]


async def test_summer_time_is_the_clubs_not_utc(make_agent: MakeAgent) -> None:
    july = replace(situation([dm(9)]), now=NOW - 140 * 86_400_000)
    calendar = Calendar((nets(-140 * 24 + 2),))

    result = await read(make_agent(calendar), "get_net_session_dates", {"days_ahead": 1}, july)

    assert "'starts': '21:05'" in str(result.output["sessions"])
    assert calendar.asked[0][0].isoformat() == "2026-07-07T00:00:00+01:00"


async def test_a_list_that_is_not_whole_says_so(make_agent: MakeAgent) -> None:
    many = Calendar(tuple(nets(hours) for hours in range(1, 46)), covered_until=NOW + 3 * 86_400_000, missing=1)

    result = await read(make_agent(many), "get_net_session_dates", {"days_ahead": 7})

    gaps = str(result.output["not_the_whole_list"])
    assert "5 later sessions" in gaps
    assert "nothing is known from" in gaps
    assert "1 of the club's calendars" in gaps


async def test_a_session_whose_invitations_go_out_later_says_when(make_agent: MakeAgent) -> None:
    later = replace(nets(48), invites_at=datetime.fromtimestamp(NOW / 1000 + 86_400, UTC))

    result = await read(make_agent(Calendar((later,))), "get_net_session_dates", {})

    assert "invitations_go_out" in str(result.output["sessions"])
    assert "not_the_whole_list" not in result.output


async def test_a_stale_schedule_says_so(make_agent: MakeAgent) -> None:
    calendar = Calendar((nets(24),), fetched_at=NOW - 2 * 86_400_000, stale=True)

    result = await read(make_agent(calendar), "get_net_session_dates", {})

    assert result.output["as_of"] == "2 days ago"
    assert "did not answer" in str(result.output["warning"])


@pytest.mark.parametrize(
    "calendar",
    [Calendar(available=False), Calendar(error=PlatformError("403")), Calendar(error=StoreUnavailable("down"))],
)
async def test_without_a_schedule_no_date_may_be_guessed(make_agent: MakeAgent, calendar: Calendar) -> None:
    result = await read(make_agent(calendar), "get_net_session_dates", {"days_ahead": 7})

    assert result.output == {}
    assert str(result.error).startswith("schedule unavailable")


class _Endless(Calendar):
    async def sessions(self, start: datetime, end: datetime) -> View:  # noqa: ARG002
        await asyncio.Event().wait()
        return self.view


async def test_a_tool_that_hangs_is_given_up(make_agent: MakeAgent) -> None:
    result = await read(make_agent(_Endless(), read_seconds=0.01), "get_net_session_dates", {"days_ahead": 7})

    assert "schedule unavailable" in str(result.error)


async def test_thread_messages_come_from_the_store_then_from_the_platform(
    make_agent: MakeAgent, store: SqliteStore
) -> None:
    await record(
        store, dm(5, "stored"), reply(6, "answer"), replace(dm(7, "waits"), status=Status.PENDING), dm(9, "now")
    )
    at = dm(1).sent_at
    inbox = Inbox(
        (
            PlatformMessage("mid-9", "9001", "now", dm(9).sent_at),
            PlatformMessage("mid-2", "178414", "old answer", at + 1),
            PlatformMessage("mid-1", "9001", "old question", at),
        )
    )

    result = await read(make_agent(inbox=inbox), "get_thread_messages", {"limit": 10}, situation([dm(9)]))

    messages = result.output["messages"]
    assert isinstance(messages, list)
    assert [(m["from"], m["text"]) for m in messages] == [  # type: ignore[index]
        ("person", "old question"),
        ("you", "old answer"),
        ("person", "stored"),
        ("you", "answer"),
        ("person", "now"),
    ]
    assert messages[-1]["handle"] == "m1"


async def test_thread_messages_without_the_platform_are_those_we_have(
    make_agent: MakeAgent, store: SqliteStore
) -> None:
    await record(store, dm(9, "now"), dm(8, content=Content()))
    inbox = Inbox(error=RetryLater("slow down", wait_seconds=60))

    result = await read(make_agent(inbox=inbox), "get_thread_messages", {"limit": "5"})

    assert "could not be read" in str(result.output["notice"])
    assert "[message unsent]" in str(result.output["messages"])


async def test_a_long_history_is_cut_to_the_newest(make_agent: MakeAgent, store: SqliteStore) -> None:
    await record(store, *(dm(n, f"number {n} " + "x" * 1_500) for n in range(20)))

    result = await read(make_agent(), "get_thread_messages", {"limit": 20})

    assert "number 19" in str(result.output["messages"])
    assert "number 0 " not in str(result.output["messages"])
    assert len(str(result.output)) < 14_000


async def test_a_store_that_fails_is_told_not_raised(
    club: BusinessProfile, system_md: str, limits: RunLimits, tmp_path: Path
) -> None:
    unreadable = SqliteStore(str(tmp_path), lambda: NOW)  # a folder
    agent = Agent(club, system_md, Guards(), limits, Calendar(), unreadable, OneAccount(Inbox()))

    result = await read(agent, "get_thread_messages", {"limit": 5})

    assert "unavailable just now" in str(result.error)
    await unreadable.close()


@pytest.mark.parametrize(
    ("before", "created_at", "seen", "new"),
    [
        ((), 0, (), True),
        ((reply(1, "hi"),), 0, (), False),
        ((), NOW - 86_400_000 * 100, (), False),
        ((), 0, (PlatformMessage("mid-old", "9001", "hi", NOW - 86_400_000),), False),
        ((), 0, (PlatformMessage("mid-9", "9001", "hi", dm(9).sent_at // 1000 * 1000),), True),
    ],
)
async def test_the_first_contact_is_known_from_all_there_is(
    make_agent: MakeAgent,
    before: tuple[Message, ...],
    created_at: int,
    seen: tuple[PlatformMessage, ...],
    new: bool,
) -> None:
    where = situation([dm(9)], before, thread=Thread("178414_9001", "178414", "9001", created_at=created_at))

    result = await read(make_agent(inbox=Inbox(seen)), "is_new_thread", {}, where)

    assert result.output == {"is_new_thread": new}


async def test_notes_are_those_saved_and_those_of_this_run(make_agent: MakeAgent) -> None:
    where = situation([dm(9)], thread=replace(Thread("178414_9001", "178414", "9001"), notes=(Note("plays U11", NOW),)))
    where = replace(where, run=replace(where.run, notes=("has a sister", "plays U11")))

    result = await read(make_agent(), "get_notes", {}, where)

    assert result.output == {
        "notes": [
            {"text": "plays U11", "saved": "Tue 24 Nov 2026 18:05"},
            {"text": "has a sister", "saved": "just now"},
        ]
    }


async def test_only_data_tools_are_read(make_agent: MakeAgent) -> None:
    for name in ("send_instagram_message", "no_such_tool"):
        assert (await read(make_agent(), name, {"text": "x"})).error
    assert (await read(make_agent(), "get_thread_messages", {"limit": 99})).error
