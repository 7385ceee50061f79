"""The remembered calendar: the real client, a scripted Spond, a real SQLite file as the store's documents."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from dm_core.clients.http import HttpClient
from dm_core.clients.schedule import MAX_AGE_MS, MAX_KEPT, CachedSchedule, JoinedSchedule
from dm_core.clients.spond import SpondClient
from dm_core.errors import PlatformError, StoreUnavailable
from dm_core.settings import SpondSettings
from dm_core.store.port import DocumentCollection

if TYPE_CHECKING:
    from tests.unit.clients.conftest import Now, Platform

LOGIN, EVENTS = "/auth2/login", "/sponds/"
NOW = datetime.fromtimestamp(1_790_000_000, UTC)
WEEK = (NOW, NOW + timedelta(days=7))


class Documents:
    """Small documents in SQLite; broken when its directory is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0
        self.expiries: dict[str, int | None] = {}
        self._run("CREATE TABLE documents (name TEXT PRIMARY KEY, value TEXT)")

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        self.reads += 1
        rows = self._run("SELECT value FROM documents WHERE name = ?", f"{collection}/{key}")
        return cast("dict[str, object]", json.loads(rows[0])) if rows else None

    async def put_document(
        self, collection: DocumentCollection, key: str, value: Mapping[str, object], expire_at: int | None = None
    ) -> None:
        self.expiries[key] = expire_at
        self._run("INSERT OR REPLACE INTO documents VALUES (?, ?)", f"{collection}/{key}", json.dumps(value))

    def _run(self, statement: str, *values: str) -> list[str]:
        try:
            with closing(sqlite3.connect(self.path)) as database, database:
                return [row[0] for row in database.execute(statement, values).fetchall()]
        except sqlite3.Error as error:
            raise StoreUnavailable("no documents") from error


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return Documents(tmp_path / "documents.db")


@pytest.fixture
def spond(platform: "Platform", http: HttpClient, now: "Now") -> SpondClient:
    works(platform, "E1")
    return SpondClient(SpondSettings(platform.url, "bot@club.test", "pass-word", ("G1",)), now, http=http)


@pytest.fixture
def schedule(spond: SpondClient, documents: Documents, now: "Now") -> CachedSchedule:
    return CachedSchedule(spond.calendar("G1"), documents, "G1", now)


def works(platform: "Platform", *events: str, **more: object) -> None:
    platform.forget()
    platform.answers({"accessToken": {"token": "jwt", "expiration": "2030-01-01T00:00:00Z"}}, path=LOGIN)
    start = {"startTimestamp": "2026-09-22T16:00:00Z"}
    platform.answers([{"id": event, "heading": "Nets", **start, **more} for event in events], path=EVENTS)


def fails(platform: "Platform") -> None:
    platform.forget()
    platform.answers({"accessToken": {"token": "jwt", "expiration": "2030-01-01T00:00:00Z"}}, path=LOGIN)
    platform.answers(b"<html>", 403, path=EVENTS)


async def test_a_fresh_copy_answers_without_asking_again(
    platform: "Platform", schedule: CachedSchedule, now: "Now"
) -> None:
    first = await schedule.sessions(*WEEK)
    now.pass_seconds(599)
    later = await schedule.sessions(NOW, NOW + timedelta(days=91))

    assert [session.id for session in first.sessions] == ["E1"]
    assert (first.available, first.stale, first.fetched_at) == (True, False, 1_790_000_000_000)
    assert later.sessions == first.sessions
    assert len(platform.seen(EVENTS)) == 1


async def test_what_began_before_and_is_still_on_is_shown(platform: "Platform", schedule: CachedSchedule) -> None:
    works(platform, "camp", startTimestamp="2026-09-19T08:00:00Z", endTimestamp="2026-09-23T16:00:00Z")
    platform.answers([], path=EVENTS)

    assert [session.id for session in (await schedule.sessions(*WEEK)).sessions] == ["camp"]
    assert (await schedule.sessions(NOW + timedelta(days=3), NOW + timedelta(days=7))).sessions == ()


async def test_a_copy_that_can_not_be_renewed_for_hours_is_told(
    platform: "Platform", spond: SpondClient, documents: Documents, now: "Now"
) -> None:
    told: list[str] = []

    async def stopped(error: PlatformError) -> None:
        told.append(str(error))

    schedule = CachedSchedule(spond.calendar("G1"), documents, "G1", now, stopped=stopped)
    await schedule.sessions(*WEEK)
    fails(platform)
    for _ in range(5):
        now.pass_seconds(3_600)
        await schedule.sessions(*WEEK)
    assert told == []

    now.pass_seconds(3_600)
    view = await schedule.sessions(*WEEK)

    assert (view.available, view.stale) == (True, True)
    assert told == ["Spond: an unexpected answer (HTTP 403)"]


async def test_an_old_copy_is_renewed(platform: "Platform", schedule: CachedSchedule, now: "Now") -> None:
    await schedule.sessions(*WEEK)
    works(platform, "E1", "E2", cancelled=True)
    now.pass_seconds(600)

    view = await schedule.sessions(*WEEK)

    assert [(session.id, session.cancelled) for session in view.sessions] == [("E1", True), ("E2", True)]
    assert view.fetched_at == now()


async def test_another_instance_uses_the_kept_copy(
    platform: "Platform", schedule: CachedSchedule, spond: SpondClient, documents: Documents, now: "Now"
) -> None:
    works(platform, "E1", maxAccepted=1, responses={"acceptedIds": ["p"]}, endTimestamp="2026-09-22T18:00:00Z")
    first = await schedule.sessions(*WEEK)

    view = await CachedSchedule(spond.calendar("G1"), documents, "G1", now).sessions(*WEEK)

    assert view == first
    assert view.sessions[0].is_full
    assert len(platform.seen(EVENTS)) == 1


async def test_a_spond_that_is_down_leaves_the_last_good_copy_with_its_age(
    platform: "Platform", schedule: CachedSchedule, spond: SpondClient, documents: Documents, now: "Now"
) -> None:
    await schedule.sessions(*WEEK)
    fails(platform)
    now.pass_seconds(3_600)

    for remembered in (schedule, CachedSchedule(spond.calendar("G1"), documents, "G1", now)):
        view = await remembered.sessions(*WEEK)
        assert [session.id for session in view.sessions] == ["E1"]
        assert (view.available, view.stale, view.fetched_at) == (True, True, now() - 3_600_000)


async def test_a_copy_over_a_week_old_is_not_shown(platform: "Platform", schedule: CachedSchedule, now: "Now") -> None:
    await schedule.sessions(*WEEK)
    fails(platform)

    now.pass_seconds(7 * 86_400)
    assert (await schedule.sessions(*WEEK)).available
    now.pass_seconds(61)
    view = await schedule.sessions(*WEEK)

    assert (view.available, view.sessions, view.fetched_at) == (False, (), None)


async def test_after_a_failure_spond_is_left_alone_for_a_minute(
    platform: "Platform", schedule: CachedSchedule, now: "Now"
) -> None:
    fails(platform)
    for _ in range(3):
        assert not (await schedule.sessions(*WEEK)).available

    works(platform, "E1")
    now.pass_seconds(59)
    assert not (await schedule.sessions(*WEEK)).available
    assert len(platform.seen(EVENTS)) == 1
    now.pass_seconds(1)

    assert (await schedule.sessions(*WEEK)).available
    assert len(platform.seen(EVENTS)) == 2


async def test_a_wait_that_spond_asks_for_is_kept(platform: "Platform", schedule: CachedSchedule, now: "Now") -> None:
    platform.forget()
    platform.answers({"accessToken": {"token": "jwt"}}, path=LOGIN)
    platform.answers({}, 429, {"Retry-After": "200"}, path=EVENTS)

    await schedule.sessions(*WEEK)
    now.pass_seconds(199)
    await schedule.sessions(*WEEK)
    assert len(platform.seen(EVENTS)) == 1
    now.pass_seconds(1)
    await schedule.sessions(*WEEK)

    assert len(platform.seen(EVENTS)) == 2


async def test_callers_at_once_ask_once(platform: "Platform", schedule: CachedSchedule) -> None:
    views = await asyncio.gather(*(schedule.sessions(*WEEK) for _ in range(20)))

    assert all(view.available for view in views)
    assert len(platform.seen(EVENTS)) == 1


async def test_nobody_waits_longer_than_the_timeout(
    platform: "Platform", spond: SpondClient, documents: Documents, now: "Now"
) -> None:
    platform.forget()
    platform.stalls()
    schedule = CachedSchedule(spond.calendar("G1"), documents, "G1", now, timeout_seconds=0.15)

    async with asyncio.timeout(5):
        views = await asyncio.gather(*(schedule.sessions(*WEEK) for _ in range(3)))

    assert not any(view.available for view in views)
    assert len(platform.requests) <= 1


async def test_a_broken_store_breaks_no_answer(
    platform: "Platform", schedule: CachedSchedule, documents: Documents, now: "Now"
) -> None:
    documents.path = documents.path.parent / "gone" / "documents.db"

    view = await schedule.sessions(*WEEK)
    now.pass_seconds(600)
    again = await schedule.sessions(*WEEK)

    assert [session.id for session in view.sessions] == ["E1"]
    assert again.fetched_at == now()
    assert len(platform.seen(EVENTS)) == 2


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"fetchedAt": "x", "coveredFrom": 0, "coveredUntil": 10**14, "sessions": []},
        {"fetchedAt": 1_789_999_999_000, "coveredFrom": 0, "coveredUntil": 9 * 10**12, "sessions": ["odd"]},
        {"fetchedAt": 1_789_999_999_000, "coveredFrom": 0, "coveredUntil": 9 * 10**12, "sessions": [{"id": "only"}]},
        {"fetchedAt": 1_790_000_000_001, "coveredFrom": 0, "coveredUntil": 9 * 10**12, "sessions": []},
    ],
)
async def test_a_kept_copy_that_is_not_whole_or_of_the_future_is_ignored(
    schedule: CachedSchedule, documents: Documents, document: dict[str, object]
) -> None:
    await documents.put_document("schedule", "G1", document)

    view = await schedule.sessions(*WEEK)

    assert [session.id for session in view.sessions] == ["E1"]


async def test_a_range_beyond_the_copy_is_asked_for(platform: "Platform", schedule: CachedSchedule) -> None:
    await schedule.sessions(*WEEK)

    far = await schedule.sessions(NOW + timedelta(days=150), NOW + timedelta(days=160))

    assert far.available
    assert len(platform.seen(EVENTS)) == 2


async def test_a_kept_copy_stays_small_and_says_how_far_it_reaches(
    platform: "Platform", schedule: CachedSchedule, documents: Documents
) -> None:
    platform.forget()
    platform.answers({"accessToken": {"token": "jwt"}}, path=LOGIN)
    starts = [NOW + timedelta(hours=number) for number in range(99)]
    for page in range(40):
        events = [
            {
                "id": f"{page}-{number}",
                "heading": "🏏" * 200,
                "startTimestamp": (start + timedelta(days=page)).isoformat(),
            }
            for number, start in enumerate(starts)
        ]
        platform.answers([*events, events[0]] if page < 6 else events, path=EVENTS)

    view = await schedule.sessions(NOW, NOW + timedelta(days=99))
    kept = await documents.get_document("schedule", "G1")

    assert len(view.sessions) > MAX_KEPT
    assert kept is not None
    assert len(cast("list[object]", kept["sessions"])) == MAX_KEPT
    assert cast("int", kept["coveredUntil"]) < cast("int", view.covered_until)
    assert len(json.dumps(kept, ensure_ascii=False).encode()) < 1_000_000


async def test_a_business_without_spond_has_no_schedule(documents: Documents, now: "Now") -> None:
    view = await CachedSchedule(None, documents, "", now).sessions(*WEEK)

    assert not view.available
    assert documents.reads == 0


def joined(spond: SpondClient, documents: Documents, now: "Now", *groups: str) -> JoinedSchedule:
    return JoinedSchedule.of(spond, groups, documents, now)


async def test_several_groups_are_one_calendar_with_a_document_each(
    platform: "Platform", spond: SpondClient, documents: Documents, now: "Now"
) -> None:
    works(platform, "E1")
    start = {"startTimestamp": "2026-09-22T15:00:00Z"}
    platform.answers([{"id": "E2", **start}, {"id": "E1", **start}], path=EVENTS)

    view = await joined(spond, documents, now, "G1", "G2/S1").sessions(*WEEK)

    assert sorted(session.id for session in view.sessions) == ["E1", "E2"]
    assert (view.available, view.stale, view.missing) == (True, False, 0)
    assert {request.query["groupId"] for request in platform.seen(EVENTS)} == {"G1", "G2"}
    for key in ("G1", "G2_S1"):
        assert await documents.get_document("schedule", key) is not None
        assert documents.expiries[key] == now() + MAX_AGE_MS, "gone when nobody would show it any more"


async def test_a_group_that_cannot_be_read_is_said_to_be_missing(
    platform: "Platform", spond: SpondClient, documents: Documents, now: "Now"
) -> None:
    await CachedSchedule(spond.calendar("G1"), documents, "G1", now).sessions(*WEEK)
    fails(platform)

    view = await joined(spond, documents, now, "G1", "G2").sessions(*WEEK)

    assert [session.id for session in view.sessions] == ["E1"]
    assert (view.available, view.missing) == (True, 1)


async def test_without_any_calendar_nothing_is_available(documents: Documents, now: "Now") -> None:
    assert not (await JoinedSchedule.of(None, ("G1",), documents, now).sessions(*WEEK)).available
