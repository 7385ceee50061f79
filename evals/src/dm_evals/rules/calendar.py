"""Days, hours, places and places left, held against the calendar as it truly is.

A sentence that says what is usual is left alone; so is a clause that denies, what is quoted, and a day that the person
named first and of which no hours are told. Hours belong to the nearest day before them, else to the next one, else to
the day of the sentence before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import regex

from dm_evals.results import Check
from dm_evals.rules.dates import Day, Hours, days, hours
from dm_evals.rules.seen import Seen, told
from dm_evals.rules.texts import Piece, clauses, figures, pattern, says, sentences, unquoted
from dm_evals.scenarios.scenario import Session

_POSTCODE: Final = regex.compile(r"[^.\n]*\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b")


def calendar(seen: Seen) -> Iterator[Check]:
    if seen.scenario.world.sessions is None and not seen.replies:
        return
    reader = _Reader(seen)
    for text in seen.replies:
        reader.read(text)
    names = (
        ("dates", "days of the calendar only, with their weekdays", reader.dates),
        ("hours", "hours of the calendar: beginning and end", reader.hours),
        ("places", "where the calendar says", reader.places),
        ("cancelled", "nothing that is cancelled takes place", reader.cancelled),
        ("full", "room where there is room, and as much", reader.full),
    )
    for name, expected, wrong in names:
        yield from told(name, expected, wrong)


def readings_of(text: str, seen: Seen) -> str:
    """What a text says in the plainest way: figures, ``Tuesday 24 November``, ``18:00`` (6 is both 06:00 and 18:00)."""
    language, today = seen.language_of(text), _Reader(seen).today
    plain = figures(text, language)
    named = [f"{day.day:%A %-d %B}" for day in days(plain, today, language) if day.day is not None]
    clock = [(at, each.loose) for each in hours(plain) for at in (each.begins, each.ends) if at is not None]
    told = [f"{at:%H:%M}" for at, _ in clock] + [f"{(at.hour + 12) % 24:02}:{at:%M}" for at, loose in clock if loose]
    return "\n".join((plain, *named, *told))


@dataclass
class _Reader:
    """Goes through one reply after the other; a day holds until the next one is named."""

    seen: Seen
    dates: list[str] = field(default_factory=list[str])
    hours: list[str] = field(default_factory=list[str])
    places: list[str] = field(default_factory=list[str])
    cancelled: list[str] = field(default_factory=list[str])
    full: list[str] = field(default_factory=list[str])
    _last: Day | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.seen.observation.time_zone)

    @cached_property
    def today(self) -> date:
        now = self.seen.observation.now
        return (datetime.fromisoformat(now) if now else self.seen.scenario.now).astimezone(self.zone).date()

    @cached_property
    def asked(self) -> frozenset[date | int | None]:
        """Days and weekdays that the person named."""
        text = figures(self.seen.asked, self.seen.language or "en")
        found = days(text, self.today, self.seen.language or "en")
        return frozenset((*(day.day for day in found), *(day.weekday for day in found))) - {None}

    def read(self, text: str) -> None:
        self._last = None
        language = self.seen.language_of(text)
        for sentence in sentences(unquoted(figures(text, language))):
            found = days(sentence.text, self.today, language)
            self.dates += [f"{day.text!r}: {day.day:%-d %B %Y} is a {day.day:%A}" for day in found if day.mismatch]
            if not says("usual", sentence.text):
                _Sentence(self, sentence.text, found, hours(sentence.text), clauses(sentence.text)).read()
            self._last = found[-1] if found else self._last

    def on(self, day: Day) -> list[Session]:
        sessions = self.seen.scenario.world.sessions or ()
        return [each for each in sessions if day.fits(each.starts.astimezone(self.zone).date(), self.today)]


@dataclass
class _Sentence:
    reader: _Reader
    text: str
    days: Sequence[Day]
    hours: Sequence[Hours]
    clauses: Sequence[Piece]

    def read(self) -> None:
        told = [
            (each, day) for each in self.hours if not self._denied(each.start) and (day := self._day_at(each.start))
        ]
        for day in self.days:
            if not self._denied(day.start):
                self._check_day(day, [each for each, its in told if its is day])
        for day in {id(day): day for _, day in told}.values():
            self._check_hours(day, [each for each, its in told if its is day])
        self._check_room()

    def _denied(self, place: int) -> bool:
        clause = self._clause(place)
        return clause.denied or says("cancelled", clause.text) or says("full", clause.text)

    def _clause(self, place: int) -> Piece:
        return next((each for each in reversed(self.clauses) if each.start <= place), Piece(0, self.text))

    def _day_at(self, place: int) -> Day | None:
        """The nearest day before, the next one, or that of the sentence before."""
        before = [day for day in self.days if day.start <= place]
        after = [day for day in self.days if day.start > place]
        return before[-1] if before else after[0] if after else self.reader._last  # pyright: ignore[reportPrivateUsage]

    def _check_day(self, day: Day, its_hours: Sequence[Hours]) -> None:
        """A day without a session: wrong where hours are told, or where a full date or a session is spoken of."""
        same = any(each.day is not None and each.day.weekday() == day.weekday for each in self.days if each is not day)
        if self.reader.on(day) or day.mismatch or (day.day is None and same):
            return  # "the 11th of February, a Thursday" is one day
        asked = {day.day, day.weekday if day.day is None else None} & self.reader.asked
        named = day.day is not None and (not day.text.isalpha() or says("session", self._clause(day.start).text))
        if its_hours or (named and not asked):
            self.reader.dates.append(f"{day.text!r}: no session on that day")

    def _check_hours(self, day: Day, its_hours: Sequence[Hours]) -> None:
        sessions = self.reader.on(day)
        if not sessions:
            return
        right = [each for each in its_hours if any(self._is_right(each, session) for session in sessions)]
        for each in its_hours:
            is_range = each.begins is not None and each.ends is not None
            if each not in right and (is_range or not right):
                shown = ", ".join(f"{self._at(one.starts):%H:%M}-{self._at(one.ends):%H:%M}" for one in sessions)
                self.reader.hours.append(f"{each.text!r} on {day.text!r}: it is {shown}")
        if right and all(session.cancelled for session in sessions) and not says("cancelled", self.text):
            self.reader.cancelled.append(f"{self.text!r}: cancelled")
        self._check_place(sessions)

    def _is_right(self, each: Hours, session: Session) -> bool:
        begins, ends = self._at(session.starts).time(), self._at(session.ends).time()
        return each.names(each.begins, begins) and each.names(each.ends, ends)

    def _at(self, moment: datetime) -> datetime:
        return moment.astimezone(self.reader.zone)

    def _check_place(self, sessions: Sequence[Session]) -> None:
        """A sentence with hours names one of the club's grounds, and no session of the day is there."""
        for venue in _venues(self.reader.seen.profile.knowledge):
            there = [name for name in venue if name in self.text.casefold() and not self._denied(self._find(name))]
            places = [(session.place or "").casefold() for session in sessions]
            if there and all(places) and not any(name in place for name in venue for place in places):
                self.reader.places.append(f"{there[0]!r}: it is at {', '.join(dict.fromkeys(places))}")

    def _find(self, name: str) -> int:
        return self.text.casefold().find(name)

    def _check_room(self) -> None:
        """Full, or how many places are left."""
        for clause in self.clauses:
            day = self._day_of(clause)
            sessions = [each for each in self.reader.on(day) if each.capacity is not None] if day else []
            if len(sessions) != 1 or clause.conditional:
                continue
            left = (sessions[0].capacity or 0) - sessions[0].accepted
            number = regex.search(
                rf"\b(\d{{1,3}})\s(?:\w+\s){{0,2}}?{pattern('room').pattern}", clause.text, regex.I | regex.X
            )
            full = says("full", clause.text) is not clause.denied if says("full", clause.text) else None
            room = not clause.denied if full is None and says("room", clause.text) else None
            wrong = (full is True and left > 0) or (room is True and left <= 0) or (room is False and left > 0)
            if wrong or (number and not clause.denied and int(number[1]) != left):
                self.reader.full.append(f"{clause.text.strip()!r}: {max(left, 0)} places are left")

    def _day_of(self, clause: Piece) -> Day | None:
        """A clause's own day; else the nearest one before it, or after it, in the sentence; else the one before."""
        own = [day for day in self.days if clause.start <= day.start < clause.start + len(clause.text)]
        return own[0] if len(own) == 1 else None if own else self._day_at(clause.start)


def _venues(knowledge: str) -> list[frozenset[str]]:
    """For each address with a postcode in the profile: the names it goes by, but those of the village alone."""
    found: list[frozenset[str]] = []
    for line in _POSTCODE.findall(knowledge):
        parts = [part.strip().removeprefix("The ").casefold() for part in line.rpartition(":")[2].split(",")]
        long = {" ".join(part.split()[-2:]) for part in parts if len(part.split()) > 1}
        found.append(frozenset(long))
    return found
