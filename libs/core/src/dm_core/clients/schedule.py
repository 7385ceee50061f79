"""The group's calendar with a memory: fresh when Spond answers, the last good copy with its age when it doesn't.

    memory ─ fresh? ─▶ store (another instance's copy) ─ fresh? ─▶ Spond ─▶ memory + store
                                                           └ fails: no question for a minute, the old copy up to 7 days,
                                                             then "schedule unavailable"

The model must never be left to invent dates, and no reply may wait long for a calendar.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dm_core.clients.http_response import fields, items, string
from dm_core.clients.port import Calendar, Session, Spond
from dm_core.clock import Clock
from dm_core.durations import DAY_MS, HOUR_MS
from dm_core.errors import AccountStopped, DmAgentError, PlatformError, Refused, RetryLater, described
from dm_core.store.port import SmallDocuments
from dm_core.telemetry import emit

MAX_AGE_MS: Final = 7 * DAY_MS
"""A copy older than this is not shown any more."""
AHEAD: Final = timedelta(days=100)
"""How far a copy reaches: the longest question of the agent's tool (90 days) plus the age of the oldest copy shown."""
MAX_KEPT: Final = 400
"""Most sessions kept in the document (at most 2 KB each; a Firestore document holds 1 MiB)."""
LONGEST_BREAK_SECONDS: Final = 600.0
LASTING_MS: Final = 6 * HOUR_MS
"""A copy that could not be renewed for so long is told, whatever the reason."""
BEHIND: Final = timedelta(days=8)
"""How far back a copy reaches: what began then (a camp, a tour) may still be on."""

Stopped = Callable[[PlatformError], Awaitable[None]]
"""Told that a person should see to the calendar. Never raises."""

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """What is known of a time range. Times in ms since 1970.

    ``available`` False: nothing is known, say so. ``stale``: Spond could not be asked, this is how it was at
    ``fetched_at``. ``covered_until``: nothing is known of what starts at or after it. ``missing``: so many further
    calendars of the business could not be read.
    """

    sessions: tuple[Session, ...]
    fetched_at: int | None
    stale: bool
    available: bool
    covered_until: int | None = None
    missing: int = 0


UNAVAILABLE: Final = ScheduleView((), None, stale=False, available=False)


@dataclass(frozen=True, slots=True)
class _Copy:
    """What Spond said at one time about what starts in [covered_from, covered_until). Times in ms since 1970."""

    fetched_at: int
    covered_from: int
    covered_until: int
    sessions: tuple[Session, ...]


class CachedSchedule:
    """One group's. Asks Spond at most once per ``fresh_seconds``, and not for ``break_seconds`` after a failure.

    Its copy is kept in ``schedule/{group}``, with ``_`` before a subgroup.
    """

    def __init__(
        self,
        calendar: Calendar | None,
        documents: SmallDocuments,
        group_id: str,
        clock: Clock,
        fresh_seconds: float = 600,
        *,
        break_seconds: float = 60,
        timeout_seconds: float = 8,
        stopped: Stopped | None = None,
    ) -> None:
        self._calendar = calendar
        self._documents = documents
        self._key = group_id.replace("/", "_")
        self._clock = clock
        self._fresh_ms = int(fresh_seconds * 1_000)
        self._break_seconds = break_seconds
        self._timeout = timeout_seconds
        self._stopped = stopped
        self._one_at_a_time = asyncio.Lock()
        self._copy: _Copy | None = None
        self._closed_until = 0

    async def sessions(self, start: datetime, end: datetime) -> ScheduleView:
        """Sessions that start in [start, end) (aware), or are on then, sorted by start. Never raises for an outside
        failure."""
        if self._calendar is None:
            return UNAVAILABLE
        if not self._is_good(start, end):
            try:
                async with asyncio.timeout(self._timeout), self._one_at_a_time:
                    await self._renew(self._calendar, start, end)
            except TimeoutError:
                if not self._is_good(start, end):  # else only the store was slow to keep it
                    self._break(TimeoutError())
        return self._view(start, end)

    async def _renew(self, calendar: Calendar, start: datetime, end: datetime) -> None:
        if self._is_good(start, end):
            return
        await self._recall()
        if self._is_good(start, end) or self._clock() < self._closed_until:
            return
        now = _moment(self._clock())
        first = min(_midnight(now), _midnight(start)) - BEHIND
        last = max(_midnight(now) + AHEAD, end) + 2 * _DAY  # to spare: the next question's end is a little later
        try:
            found = await calendar.sessions(first, last)
        except PlatformError as error:
            self._break(error)
            if self._stopped is not None and (isinstance(error, AccountStopped) or self._lasts(error)):
                await self._stopped(error)
            return
        self._copy = _Copy(_ms(now), _ms(first), _ms(last), found)
        await self._keep(self._copy)

    def _lasts(self, error: PlatformError) -> bool:
        """What is shown is old; or nothing is, and not for a passing fault: addresses and forms change
        (docs/platforms/spond.md#events)."""
        if self._copy is None:
            return isinstance(error, Refused)
        return self._clock() - self._copy.fetched_at >= LASTING_MS

    def _is_good(self, start: datetime, end: datetime) -> bool:
        """The copy is fresh and knows the whole range."""
        copy = self._copy
        return (
            copy is not None
            and self._clock() - copy.fetched_at < self._fresh_ms
            and copy.covered_from <= _ms(start)
            and _ms(end) <= copy.covered_until
        )

    def _view(self, start: datetime, end: datetime) -> ScheduleView:
        copy = self._copy
        age = 0 if copy is None else self._clock() - copy.fetched_at
        if copy is None or age > MAX_AGE_MS or not copy.covered_from <= _ms(start) < copy.covered_until:
            return UNAVAILABLE
        inside = tuple(s for s in copy.sessions if s.starts_at < end and start <= (s.ends_at or s.starts_at))
        return ScheduleView(
            inside, copy.fetched_at, age >= self._fresh_ms, available=True, covered_until=copy.covered_until
        )

    def _break(self, error: Exception) -> None:
        """Ask nothing for a while; longer when the platform said so."""
        asked = (error.wait_seconds or 0.0) if isinstance(error, RetryLater) else 0.0
        seconds = max(self._break_seconds, min(asked, LONGEST_BREAK_SECONDS))
        self._closed_until = self._clock() + int(seconds * 1_000)
        emit("schedule_not_renewed", "WARNING", error=described(error), waitSeconds=seconds)

    async def _recall(self) -> None:
        """Take the kept copy if it is newer than the one in memory."""
        try:
            document = await self._documents.get_document("schedule", self._key)
        except DmAgentError as error:
            emit("schedule_not_recalled", "WARNING", error=described(error))
            return
        kept = _from_document(document)
        if kept is not None and kept.fetched_at <= self._clock() and kept.fetched_at > self._fetched_at:
            self._copy = kept

    async def _keep(self, copy: _Copy) -> None:
        try:
            expire_at = copy.fetched_at + MAX_AGE_MS
            await self._documents.put_document("schedule", self._key, _to_document(copy), expire_at)
        except DmAgentError as error:
            emit("schedule_not_kept", "WARNING", error=described(error))

    @property
    def _fetched_at(self) -> int:
        return -1 if self._copy is None else self._copy.fetched_at


class JoinedSchedule:
    """The calendars of all a business's groups as one: each with its own copy, none waits for another's failure."""

    def __init__(self, schedules: Sequence[CachedSchedule]) -> None:
        self._schedules = schedules

    @classmethod
    def of(
        cls,
        spond: Spond | None,
        groups: Sequence[str],
        documents: SmallDocuments,
        clock: Clock,
        stopped: Stopped | None = None,
    ) -> "JoinedSchedule":
        """Those of ``groups``, over one client; without a client nothing is ever available."""
        if spond is None:
            return cls(())
        calendars = ((spond.calendar(group), group) for group in groups)
        return cls(
            [CachedSchedule(calendar, documents, group, clock, stopped=stopped) for calendar, group in calendars]
        )

    async def sessions(self, start: datetime, end: datetime) -> ScheduleView:
        """As ``CachedSchedule.sessions``; a session in several groups comes once. As old as the oldest copy."""
        views = await asyncio.gather(*(schedule.sessions(start, end) for schedule in self._schedules))
        known = [view for view in views if view.available]
        if not known:
            return UNAVAILABLE
        found = {session.id: session for view in known for session in view.sessions}
        return ScheduleView(
            sessions=tuple(sorted(found.values(), key=lambda session: (session.starts_at, session.id))),
            fetched_at=min(view.fetched_at or 0 for view in known),
            stale=any(view.stale for view in known),
            available=True,
            covered_until=min((view.covered_until for view in known if view.covered_until is not None), default=None),
            missing=len(views) - len(known),
        )


def _to_document(copy: _Copy) -> Mapping[str, object]:
    """Plain JSON values; when there are too many sessions, the copy covers less."""
    kept, dropped = copy.sessions[:MAX_KEPT], copy.sessions[MAX_KEPT:]
    return {
        "fetchedAt": copy.fetched_at,
        "coveredFrom": copy.covered_from,
        "coveredUntil": _ms(dropped[0].starts_at) if dropped else copy.covered_until,
        "sessions": [
            {
                "id": session.id,
                "title": session.title,
                "startsAt": _ms(session.starts_at),
                "endsAt": None if session.ends_at is None else _ms(session.ends_at),
                "cancelled": session.cancelled,
                "location": session.location,
                "accepted": session.accepted,
                "capacity": session.capacity,
                "invitesAt": None if session.invites_at is None else _ms(session.invites_at),
            }
            for session in kept
        ],
    }


def _from_document(document: Mapping[str, object] | None) -> _Copy | None:
    """None for a document that is not whole: a session lost in reading would look cancelled."""
    if document is None:
        return None
    fetched_at, first, last = (_whole(document.get(name)) for name in ("fetchedAt", "coveredFrom", "coveredUntil"))
    sessions = [_session(fields(entry)) for entry in items(document.get("sessions"))]
    if fetched_at is None or first is None or last is None or None in sessions:
        return None
    return _Copy(fetched_at, first, last, tuple(session for session in sessions if session is not None))


def _session(entry: Mapping[str, object]) -> Session | None:
    session_id = string(entry.get("id"))
    starts_at, ends_at, invites_at = (_whole(entry.get(name)) for name in ("startsAt", "endsAt", "invitesAt"))
    if session_id is None or starts_at is None:
        return None
    return Session(
        id=session_id,
        title=string(entry.get("title")) or "",
        starts_at=_moment(starts_at),
        ends_at=None if ends_at is None else _moment(ends_at),
        cancelled=entry.get("cancelled") is True,
        location=string(entry.get("location")),
        accepted=_whole(entry.get("accepted")) or 0,
        capacity=_whole(entry.get("capacity")),
        invites_at=None if invites_at is None else _moment(invites_at),
    )


def _whole(value: object) -> int | None:
    """A whole number from 0 to a time in the year 9999."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 253_370_000_000_000 else None


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
