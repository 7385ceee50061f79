"""Dates named in a text, in English, German and Spanish, held against the calendar.

Named is: a date in figures or words (``24/11``, ``Tuesday 24 November``, ``am 24.11.``), a day of the month (``the
24th``), a weekday that is not said of every week (``on Tuesday``, not ``every Tuesday``), and ``today`` or ``tomorrow``
beside a session or a time. Each must be the date of a session, a weekday beside a date must fit it, and where hours
stand beside a full date (``18:00-20:00``) a session must begin then. A date that is denied (``no nets on Wednesday``)
need not be in the calendar.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from dm_evals.checks import dates_words as words

Kind = Literal["date", "day", "weekday", "relative"]
_FLAGS: Final = re.IGNORECASE | re.VERBOSE
_FULL: Final = "|".join(words.DAYS)
_SHORT: Final = "|".join(sorted(words.SHORT_DAYS, key=len, reverse=True))
_MONTH: Final = rf"(?P<month>{'|'.join(sorted(words.MONTHS, key=len, reverse=True))})\b\.?"
_WEEKDAY: Final = rf"(?:\b(?P<weekday>{_FULL}|{_SHORT})\b\.?,?\s+\(?(?:the\s+|den\s+|dem\s+|el\s+|día\s+)?)?"
_NTH: Final = r"(?:st|nd|rd|th|\.|º)?"
_DAY_LIST: Final = rf"(?P<days>\d{{1,2}}{_NTH}(?:\s*(?:,|-|–|&|and|to|or|und|bis|oder|y|al|o)\s*\d{{1,2}}{_NTH})*)"
_YEAR: Final = r"(?:,?\s+(?:de\s+|del\s+)?(?P<year>20\d\d))?"
_NOT_DAY: Final = r"(?![\d:]|[.,]\d|\s*(?:am|pm|uhr|h|€|%|euros?|pounds?|people|players|personas)\b|\s*[-–]\s*\d)"

_ISO: Final = re.compile(r"\b(?P<year>20\d\d)-(?P<number>\d\d)-(?P<days>\d\d)\b", _FLAGS)
_DAY_MONTH: Final = re.compile(rf"{_WEEKDAY}(?<![\d:/.,]){_DAY_LIST}\s*(?:of\s+|de\s+)?{_MONTH}{_YEAR}", _FLAGS)
_MONTH_DAY: Final = re.compile(
    rf"{_WEEKDAY}\b{_MONTH}\s+(?:the\s+)?(?P<days>\d{{1,2}}(?:st|nd|rd|th)?(?:\s*(?:-|–|&|and)\s*\d{{1,2}}(?:st|nd|rd|th)?)?)"
    rf"{_NOT_DAY}{_YEAR}",
    _FLAGS,
)
_SLASHED: Final = re.compile(
    rf"{_WEEKDAY}(?<![\w/])(?P<days>\d{{1,2}})/(?P<number>\d{{1,2}})(?:/(?P<year>(?:20)?\d\d))?(?![\w/])", _FLAGS
)
_DOTTED: Final = re.compile(
    rf"{_WEEKDAY}(?<![\w.:])(?P<days>\d{{1,2}})\.\s?(?P<number>\d{{1,2}})\.?(?:(?<=\.)\s?(?P<year>20\d\d|\d\d(?!\d|:|\s)))?(?![\d:])",
    _FLAGS,
)
_WEEKDAY_DAY: Final = re.compile(
    rf"\b(?P<weekday>{_FULL}|{_SHORT})\b\.?,?\s+(?:the\s+|den\s+|dem\s+|el\s+|día\s+)?(?P<days>\d{{1,2}}){_NTH}{_NOT_DAY}",
    _FLAGS,
)
_DAY_ALONE: Final = re.compile(
    r"\bthe\s+(?P<days>\d{1,2})(?:st|nd|rd|th)\b(?!\s+(?:team|xi|eleven|session|time|floor|of|one|person|year))"
    r"|\bam\s+(?P<german>\d{1,2})\.(?![\d])|\bel\s+(?:día\s+)?(?P<spanish>\d{1,2})\b(?!\s*(?:%|:|euros|por\b))",
    _FLAGS,
)
_WEEKDAY_ALONE: Final = re.compile(rf"\b(?:(?i:(?P<weekday>{_FULL}))|(?P<short>{'|'.join(words.ALONE)}))\b")
_RELATIVE: Final = re.compile(rf"\b(?P<word>{'|'.join(sorted(words.RELATIVE, key=len, reverse=True))})\b", _FLAGS)
_NOT_RELATIVE: Final = re.compile(rf"\b(?:{words.NOT_RELATIVE})\b", _FLAGS)
_RECURRING: Final = re.compile(f"{words.RECURRING}|{words.PLURAL}", _FLAGS)
_DENIED: Final = re.compile(words.DENIED, _FLAGS)
_NO_DENIAL: Final = re.compile(words.NO_DENIAL, _FLAGS)
_COMPANY: Final = re.compile(words.COMPANY, _FLAGS)
_CLAUSES: Final = re.compile(words.CLAUSES, _FLAGS)
_HOURS: Final = re.compile(
    r"\b(\d{1,2})[:.](\d{2})\s*(?:uhr\s*)?(?:-|–|to|until|bis|a|hasta)\s*\d{1,2}[:.]\d{2}", _FLAGS
)
_FRACTIONS: Final = frozenset(("24/7", "1/2", "1/3", "2/3", "1/4", "3/4"))


@dataclass(frozen=True, slots=True)
class Mention:
    """A date as named. ``day`` is None where only a weekday is; ``weekday`` (0 is Monday) None where none is."""

    text: str
    kind: Kind
    start: int
    day: date | None
    weekday: int | None
    denied: bool
    hours: tuple[tuple[int, int], ...] = ()
    """Beginnings of the hours that stand in the same statement."""


def mentions(text: str, now: datetime) -> tuple[Mention, ...]:
    """Every date named in the text, in its order. ``now`` in the calendar's time zone."""
    return tuple(sorted(_Finder(text, now.date()).find(), key=lambda mention: mention.start))


def problem(mention: Mention, sessions: Collection[datetime]) -> str | None:
    """What is wrong with a date, or None. ``sessions`` are starts in the calendar's time zone."""
    if mention.day is not None and mention.weekday is not None and mention.day.weekday() != mention.weekday:
        return f"{mention.text!r}: {mention.day:%-d %B %Y} is a {mention.day:%A}"
    if mention.denied:
        return None
    if mention.day is None:
        known = any(session.weekday() == mention.weekday for session in sessions)
        return None if known else f"{mention.text!r}: no session on that weekday"
    starts = {(session.hour, session.minute) for session in sessions if session.date() == mention.day}
    if not starts:
        return f"{mention.text!r}: no session on {mention.day:%A %-d %B %Y}"
    if mention.kind == "date" and mention.hours and not starts.intersection(mention.hours):
        shown = ", ".join(f"{hour:02}:{minute:02}" for hour, minute in sorted(starts))
        return f"{mention.text!r}: the session of that day begins at {shown}"
    return None


class _Finder:
    """Goes through a text from the most to the least explicit way of naming a date; nothing is read twice."""

    def __init__(self, text: str, today: date) -> None:
        self._text = text
        self._today = today
        self._taken: list[tuple[int, int]] = [found.span() for found in _NOT_RELATIVE.finditer(text)]
        borders = [0, *(found.end() for found in _CLAUSES.finditer(text)), len(text)]
        self._clauses = [(start, end, text[start:end]) for start, end in pairwise(borders) if start < end]

    def find(self) -> Iterator[Mention]:
        for pattern in (_ISO, _DAY_MONTH, _MONTH_DAY):
            yield from self._each(pattern, self._dates)
        yield from self._each(_SLASHED, self._slashed)
        yield from self._each(_DOTTED, self._dotted)
        yield from self._each(_WEEKDAY_DAY, self._days)
        yield from self._each(_DAY_ALONE, self._days)
        yield from self._each(_WEEKDAY_ALONE, self._weekdays)
        yield from self._each(_RELATIVE, self._relatives)

    def _each(
        self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], Sequence[Mention] | None]
    ) -> Iterator[Mention]:
        for found in pattern.finditer(self._text):
            if any(start < found.end() and found.start() < end for start, end in self._taken):
                continue
            read_as = read(found)
            if read_as is not None:
                self._taken.append(found.span())
                yield from read_as

    def _dates(self, found: re.Match[str]) -> Sequence[Mention] | None:
        parts = found.groupdict()
        month = int(parts["number"]) if parts.get("number") else words.MONTHS[(parts["month"] or "").lower()]
        return self._in_month(found, [int(day) for day in re.findall(r"\d+", parts["days"])], month)

    def _slashed(self, found: re.Match[str]) -> Sequence[Mention] | None:
        day, month = int(found["days"]), int(found["number"])
        if found.group() in _FRACTIONS:
            return None
        if month > 12 >= day:
            day, month = month, day
        return self._in_month(found, [day], month)

    def _dotted(self, found: re.Match[str]) -> Sequence[Mention] | None:
        """``18.30`` is a time or a price: without a full stop at the end only a weekday before makes it a date."""
        if found["weekday"] is None and not found["year"] and not found.group().endswith("."):
            return None
        return self._in_month(found, [int(found["days"])], int(found["number"]))

    def _in_month(self, found: re.Match[str], days: Sequence[int], month: int) -> Sequence[Mention] | None:
        year = found.groupdict().get("year")
        dates = [self._nearest(day, month, int(year) % 100 + 2000 if year else None) for day in days]
        weekday = self._weekday(found)
        if not dates or all(day is None for day in dates):
            return None
        return [
            self._mention(found, "date", day, weekday if index == 0 else None)
            for index, day in enumerate(dates)
            if day is not None
        ]

    def _days(self, found: re.Match[str]) -> Sequence[Mention] | None:
        """A day of a month that is not said: the next one; with a weekday the next one that fits, if one is near."""
        number = int(next(filter(None, (found.groupdict().get(name) for name in ("days", "german", "spanish"))), "0"))
        weekday = self._weekday(found)
        near = [self._today + timedelta(days=ahead) for ahead in range(62)]
        coming = [day for day in near if day.day == number]
        if not coming:
            return None
        fitting = [day for day in coming if weekday is None or day.weekday() == weekday]
        return [self._mention(found, "day", (fitting or coming)[0], weekday)]

    def _weekdays(self, found: re.Match[str]) -> Sequence[Mention]:
        if _RECURRING.search(self._clause(found.start())):
            return []
        weekday = words.DAYS[found["weekday"].lower()] if found["weekday"] else words.SHORT_DAYS[found["short"].lower()]
        return [self._mention(found, "weekday", None, weekday)]

    def _relatives(self, found: re.Match[str]) -> Sequence[Mention]:
        if found["word"] == "Morgen" or not _COMPANY.search(self._clause(found.start())):
            return []
        ahead = words.RELATIVE[" ".join(found["word"].lower().split())]
        return [self._mention(found, "relative", self._today + timedelta(days=ahead), None)]

    def _mention(self, found: re.Match[str], kind: Kind, day: date | None, weekday: int | None) -> Mention:
        clause = self._clause(found.start())
        denied = _DENIED.search(_NO_DENIAL.sub(" ", clause)) is not None
        hours = tuple((int(hour), int(minute)) for hour, minute in _HOURS.findall(clause))
        return Mention(found.group().strip(), kind, found.start(), day, weekday, denied, hours)

    def _clause(self, position: int) -> str:
        return next((clause for start, end, clause in self._clauses if start <= position < end), self._text)

    @staticmethod
    def _weekday(found: re.Match[str]) -> int | None:
        name = (found.groupdict().get("weekday") or "").lower()
        return words.DAYS.get(name, words.SHORT_DAYS.get(name))

    def _nearest(self, day: int, month: int, year: int | None) -> date | None:
        """The date; without a year the one nearest to today. None where there is no such day."""
        years = [year] if year else [self._today.year + shift for shift in (-1, 0, 1)]
        possible: list[date] = []
        for candidate in years:
            try:
                possible.append(date(candidate, month, day))
            except ValueError:
                continue
        return min(possible, key=lambda found: abs((found - self._today).days), default=None)
