"""The club's calendar: when sessions are, never who comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from dm_core.agent.render import age, from_ms
from dm_core.agent.texts import clean, cut
from dm_core.agent.tools.declare import whole_argument
from dm_core.clients.port import Session

MAX_SESSIONS: Final = 40
_DAY: Final = "%A %-d %B %Y"

UNAVAILABLE: Final = (
    "schedule unavailable: the calendar could not be read. Don't state or guess any date: say that you can't look it"
    " up right now, and where fixed training times are known from the knowledge, name them as the usual ones."
)


@dataclass(frozen=True, slots=True)
class GetNetSessionDates:
    """Look up the club's sessions (nets, training) in its calendar, from today on: dates, times, place, whether they
    are cancelled or full. The only source for dates: use it for every question about when something is on."""

    days_ahead: int = whole_argument("How many days ahead to look.", minimum=1, maximum=90, default=14)


class ScheduleView(Protocol):
    """Sessions as last seen. ``fetched_at`` and ``covered_until`` (nothing is known from there on) in ms since 1970;
    ``stale``: the calendar itself did not answer now; ``missing``: so many of the calendars could not be read."""

    @property
    def sessions(self) -> tuple[Session, ...]: ...
    @property
    def fetched_at(self) -> int | None: ...
    @property
    def available(self) -> bool: ...
    @property
    def stale(self) -> bool: ...
    @property
    def covered_until(self) -> int | None: ...
    @property
    def missing(self) -> int: ...


class Schedule(Protocol):
    """The calendar behind a cache."""

    async def sessions(self, start: datetime, end: datetime) -> ScheduleView:
        """Events that start in [start, end); aware times."""
        ...


async def session_dates(
    schedule: Schedule, arguments: GetNetSessionDates, now: int, zone: ZoneInfo
) -> Mapping[str, object] | None:
    """What the model is told, in the club's time; None when the schedule is unavailable.

    From the start of today, so that "is there training today?" has an answer while it is on.
    """
    today = from_ms(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    end = today + timedelta(days=arguments.days_ahead + 1)
    view = await schedule.sessions(today, end)
    if not view.available:
        return None
    ordered = sorted(view.sessions, key=lambda session: session.starts_at)
    result: dict[str, object] = {
        "today": today.strftime(_DAY),
        "until": (today + timedelta(days=arguments.days_ahead)).strftime(_DAY),
        "sessions": [_told(session, now, zone) for session in ordered[:MAX_SESSIONS]],
        "as_of": age(view.fetched_at, now),
    }
    gaps = _gaps(view, len(ordered), end, zone)
    if gaps:
        result["not_the_whole_list"] = "; ".join(gaps)
    if view.stale:
        result["warning"] = "the calendar did not answer just now; this is the last known state and may have changed"
    return result


def _gaps(view: ScheduleView, found: int, end: datetime, zone: ZoneInfo) -> list[str]:
    """Why there may be more sessions than those told."""
    gaps: list[str] = []
    if found > MAX_SESSIONS:
        gaps.append(f"{found - MAX_SESSIONS} later sessions are left out")
    if view.covered_until is not None and view.covered_until < end.timestamp() * 1_000:
        gaps.append(f"nothing is known from {from_ms(view.covered_until, zone).strftime(_DAY)} on")
    if view.missing:
        gaps.append(f"{view.missing} of the club's calendars could not be read just now")
    return gaps


def _told(session: Session, now: int, zone: ZoneInfo) -> dict[str, object]:
    starts = session.starts_at.astimezone(zone)
    ends = session.ends_at.astimezone(zone) if session.ends_at else None
    told: dict[str, object] = {
        "title": cut(clean(session.title), 120),
        "day": starts.strftime(_DAY),
        "starts": starts.strftime("%H:%M"),
    }
    if ends:
        told["ends"] = ends.strftime("%H:%M") if ends.date() == starts.date() else ends.strftime(f"{_DAY}, %H:%M")
    if session.location:
        told["where"] = cut(clean(session.location), 200)
    told["status"] = _status(session, from_ms(now, zone))
    if session.capacity is not None and not session.cancelled:
        told["places_left"] = max(0, session.capacity - session.accepted)
    if session.invites_at is not None and session.invites_at > from_ms(now, zone) and not session.cancelled:
        told["invitations_go_out"] = session.invites_at.astimezone(zone).strftime(f"{_DAY}, %H:%M")
    return told


def _status(session: Session, now: datetime) -> str:
    if session.cancelled:
        return "cancelled"
    if (session.ends_at or session.starts_at) < now:
        return "over"
    if session.starts_at <= now:
        return "on now"
    return "full" if session.is_full else "planned"
