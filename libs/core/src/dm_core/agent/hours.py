"""When a human of the business can be expected: the deployer's ``profile/hours.toml``.

    [week]                                  # a day not named is closed
    tuesday = ["18:00-20:00"]
    saturday = ["09:00-12:00", "13:00-17:00"]

    [holidays]                              # a day by its date: closed, or with hours of its own
    2026-12-25 = []
    "2026-12-24" = ["09:00-12:00"]

    [closed]                                # what to say when closed, a line a language; may be left out
    en = "We read messages on Tuesdays and Saturdays."

Times are local ones of the profile's time zone; ``24:00`` ends a day, and an end before its start is on the next day.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, cast
from zoneinfo import ZoneInfo

from dm_core.agent.disclosure import NO_LINES, Lines
from dm_core.agent.languages import language_key
from dm_core.errors import Misconfigured

FILE: Final = "hours.toml"
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LOOK_AHEAD_DAYS: Final = 60
"""How far ahead the next opening is looked for."""

_SPAN: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])\s*[-–]\s*([01]?[0-9]|2[0-4]):([0-5][0-9])")
_DAY_MINUTES: Final = 24 * 60

type Span = tuple[int, int]
"""Minutes since midnight; the end may be above 24 h, where it is on the next day."""


@dataclass(frozen=True, slots=True)
class Expected:
    """``open_until`` is set while somebody is there, else ``opens_at`` says when (None: not in the next weeks)."""

    open_until: datetime | None = None
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """``week`` by the day's number (Monday is 0), ``holidays`` by the date, which stand above the week."""

    week: Mapping[int, tuple[Span, ...]]
    holidays: Mapping[date, tuple[Span, ...]]
    closed: Lines = NO_LINES

    def expected(self, now: datetime) -> Expected:
        """Whether somebody is there at this local time, and until or from when."""
        until = None
        for start, end in self._spans(now.date() - timedelta(days=1), LOOK_AHEAD_DAYS):
            beginning, ending = _at(start, now), _at(end, now)
            if until is not None and beginning <= until < ending:
                until = ending  # goes on without a gap
            elif beginning <= now < ending:
                until = ending
            elif until is None and beginning > now:
                return Expected(opens_at=beginning)
            elif until is not None and beginning > until:
                break
        return Expected(open_until=until)

    def _spans(self, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
        """Spans of the following days in order, as local times without a zone."""
        for number in range(days + 1):
            day = first + timedelta(days=number)
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone is put to it later
            for start, end in self.holidays.get(day, self.week.get(day.weekday(), ())):
                yield midnight + timedelta(minutes=start), midnight + timedelta(minutes=end)


def _at(local: datetime, now: datetime) -> datetime:
    return local.replace(tzinfo=now.tzinfo)


def told(hours: Hours, now: datetime) -> dict[str, object]:
    """What the model is told: whether a human is there, until or from when, and the line for when none is."""
    expected = hours.expected(now)
    if expected.open_until is not None:
        return {"open_now": True, "until": _written(expected.open_until)}
    opens_at = _written(expected.opens_at) if expected.opens_at else "not known"
    lines = {"say_when_closed": dict(hours.closed.lines)} if hours.closed else {}
    return {"open_now": False, "next_from": opens_at, **lines}


def _written(at: datetime) -> str:
    return at.strftime("%A %-d %B %Y, %H:%M")


def parse_hours(place: str, text: str) -> Hours:
    """Read ``hours.toml``. Raises Misconfigured: one line that names the file and the key."""
    try:
        values: Mapping[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{place} is not valid TOML: {' '.join(str(error).split())}") from error
    for key, value in values.items():
        if key not in ("week", "holidays", "closed"):
            raise Misconfigured(f"{place}: {key} is unknown (known: closed, holidays, week)")
        if not isinstance(value, dict):
            raise Misconfigured(f"{place}: {key} must be a table: [{key}]")
    tables = cast("Mapping[str, Mapping[str, object]]", values)
    week = {_weekday(place, day): _spans(place, f"week.{day}", spans) for day, spans in tables.get("week", {}).items()}
    holidays = {
        _date(place, day): _spans(place, f"holidays.{day}", spans) for day, spans in tables.get("holidays", {}).items()
    }
    closed = tuple(_line(place, language, line) for language, line in tables.get("closed", {}).items())
    return Hours(week, holidays, Lines(closed))


def _weekday(place: str, name: str) -> int:
    if name.lower() not in DAYS:
        raise Misconfigured(f"{place}: week.{name} is no day (known: {', '.join(DAYS)})")
    return DAYS.index(name.lower())


def _date(place: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Misconfigured(f"{place}: holidays.{text} is no date, such as 2026-12-25") from None


def _spans(place: str, key: str, value: object) -> tuple[Span, ...]:
    """Hours of one day, in order. Raises Misconfigured also where two overlap."""
    wanted = 'must be a list of hours, such as ["09:00-12:00", "13:00-17:00"]'
    if not isinstance(value, list):
        raise Misconfigured(f"{place}: {key} {wanted}")
    spans: list[Span] = []
    for item in cast("list[object]", value):
        found = _SPAN.fullmatch(item.strip()) if isinstance(item, str) else None
        if found is None:
            raise Misconfigured(f"{place}: {key} {wanted}")
        start, end = (int(found[n]) * 60 + int(found[n + 1]) for n in (1, 3))
        if start >= _DAY_MINUTES or end > _DAY_MINUTES or start == end:
            raise Misconfigured(f"{place}: {key} holds {found[0]}, which is no span of a day")
        spans.append((start, end if end > start else end + _DAY_MINUTES))
    spans.sort()
    if any(later < end for (_, end), (later, _) in pairwise(spans)):
        raise Misconfigured(f"{place}: {key} has hours that overlap")
    return tuple(spans)


def _line(place: str, language: str, line: object) -> tuple[str, str]:
    if not isinstance(line, str) or not line.strip() or "\n" in line:
        raise Misconfigured(f"{place}: closed.{language} must be a text of one line")
    return language_key(language), line.strip()


def local(now: int, zone: ZoneInfo) -> datetime:
    """A time in ms since 1970 as the business's clock shows it."""
    return datetime.fromtimestamp(now / 1000, zone)
