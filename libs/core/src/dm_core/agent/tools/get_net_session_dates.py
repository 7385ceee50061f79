"""When sessions are, from the club's calendar; never who comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from zoneinfo import ZoneInfo

from dm_core.agent.render import age, from_ms
from dm_core.agent.sources import LookUp, Schedule, ScheduleView
from dm_core.agent.texts import cut, without_controls
from dm_core.agent.tools.arguments import whole_argument
from dm_core.agent.tools.declare import DataTool, Example
from dm_core.clients.port import Session

MAX_SESSIONS: Final = 40
_DAY: Final = "%A %-d %B %Y"

SCHEDULE_UNAVAILABLE: Final = (
    "schedule unavailable: the calendar could not be read. Don't state or guess any date: say that you can't look it"
    " up right now, and where fixed training times are known from the knowledge, name them as the usual ones."
)


@dataclass(frozen=True, slots=True)
class GetNetSessionDates:
    """Look up the club's sessions (nets, training) in its calendar, from today on: dates, times, place, whether they
    are cancelled or full. The only source for dates: use it for every question about when something is on."""

    days_ahead: int = whole_argument("How many days ahead to look.", minimum=1, maximum=90, default=14)


async def read(arguments: GetNetSessionDates, look_up: LookUp) -> Mapping[str, object] | None:
    return await session_dates(look_up.sources.schedule, arguments, look_up.situation.now, look_up.sources.zone)


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
        "sessions": [_session_fields(session, now, zone) for session in ordered[:MAX_SESSIONS]],
        "as_of": age(view.fetched_at, now),
    }
    gaps = _gaps(view, len(ordered), end, zone)
    if gaps:
        result["not_the_whole_list"] = "; ".join(gaps)
    if view.stale:
        result["warning"] = "the calendar did not answer just now; this is the last known state and may have changed"
    return result


def _gaps(view: ScheduleView, found: int, end: datetime, zone: ZoneInfo) -> list[str]:
    """Why there may be more sessions than those listed."""
    gaps: list[str] = []
    if found > MAX_SESSIONS:
        gaps.append(f"{found - MAX_SESSIONS} later sessions are left out")
    if view.covered_until is not None and view.covered_until < end.timestamp() * 1_000:
        gaps.append(f"nothing is known from {from_ms(view.covered_until, zone).strftime(_DAY)} on")
    if view.missing:
        gaps.append(f"{view.missing} of the club's calendars could not be read just now")
    return gaps


def _session_fields(session: Session, now: int, zone: ZoneInfo) -> dict[str, object]:
    starts = session.starts_at.astimezone(zone)
    ends = session.ends_at.astimezone(zone) if session.ends_at else None
    fields: dict[str, object] = {
        "title": cut(without_controls(session.title), 120),
        "day": starts.strftime(_DAY),
        "starts": starts.strftime("%H:%M"),
    }
    if ends:
        fields["ends"] = ends.strftime("%H:%M") if ends.date() == starts.date() else ends.strftime(f"{_DAY}, %H:%M")
    if session.location:
        fields["where"] = cut(without_controls(session.location), 200)
    fields["status"] = _status(session, from_ms(now, zone))
    if session.capacity is not None and not session.cancelled:
        fields["places_left"] = max(0, session.capacity - session.accepted)
    if session.invites_at is not None and session.invites_at > from_ms(now, zone) and not session.cancelled:
        fields["invitations_go_out"] = session.invites_at.astimezone(zone).strftime(f"{_DAY}, %H:%M")
    return fields


def _status(session: Session, now: datetime) -> str:
    if session.cancelled:
        return "cancelled"
    if (session.ends_at or session.starts_at) < now:
        return "over"
    if session.starts_at <= now:
        return "on now"
    return "full" if session.is_full else "planned"


def say(output: Mapping[str, object]) -> str:
    """The dates in words; nothing is made up when there are none."""
    listed = cast("list[Mapping[str, object]]", output.get("sessions") or [])
    lines = [line for line in map(_say_session, listed[:6]) if line]
    if lines:
        return f"Coming up: {'; '.join(lines)}."
    if "sessions" in output:
        return "There is nothing in the calendar for the next two weeks."
    return "I can't see the schedule right now, sorry. Please check Spond, or ask me again in a while."


def _say_session(session: Mapping[str, object]) -> str:
    when = " ".join(str(session[name]) for name in ("day", "starts") if session.get(name))
    status = str(session.get("status", ""))
    state = f" ({status})" if status in ("cancelled", "full") else ""
    return f"{session.get('title', 'Nets')}, {when}{state}" if when else ""


TOOL = DataTool(
    name="get_net_session_dates",
    arguments=GetNetSessionDates,
    read=read,
    unavailable=SCHEDULE_UNAVAILABLE,
    examples=(
        Example(
            r"\b(nets?|sessions?|practi[cs]es?|training|trening(en)?|nett|trainings?|tren(er|e)|entrenamientos?|entrenáis)\b"
            r"|\bwhen\b.*\b(play|train)\b",
            {"days_ahead": 14},
            say,
        ),
    ),
    prompt="""\
- For every question about when, where or whether something is on, call `get_net_session_dates`. Dates, times,
  cancellations and free places come from there and from nowhere else: never from memory, from the history, or from
  what the person says. Check that the weekday fits the date. If the tool says "schedule unavailable", say that you
  cannot look it up right now; you may name the usual times from "What you know", as the usual ones. If it warns that
  its answer is old, say so. If nothing is listed, say that nothing is listed, not that nothing will take place.""",
)
