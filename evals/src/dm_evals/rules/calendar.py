"""Days, hours, places and places left, held against the calendar as it truly is.

A sentence that says what is usual is left alone; so is a clause that denies, what is quoted, a day that the person
named first and of which no hours are told, and any other hour of a day whose hours the reply tells rightly. Hours
belong to the nearest day before them, else to the next one, else to the day of the sentence before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Final

import regex

from dm_core.agent.tools.registry import LOOK_UP
from dm_evals.results import Check
from dm_evals.rules.dates import MONTHS, Day, Hours, clock, days, hours, seasons
from dm_evals.rules.seen import Seen, told
from dm_evals.rules.texts import Piece, clauses, figures, says, sentences, unquoted
from dm_evals.scenarios.scenario import Session

_PLACES: Final = r"(?:places?|spaces?|spots?|seats?|pl[aä]tze?|plazas?|posti|vagas|plek\w*|plaatsen)\b"
_BOUND: Final = (
    r"\b(?:until|till|by|before|since|bis|vor|seit|hasta|antes|jusqu.au|avant|fino|tot)\s"
    r"(?:(?:the|zum|dem|el|del|le|al)\s)?$|(?<![\d:.])\d{1,2}(?:st|nd|rd|th|\.)?\s?(?:-|–|to|bis|al|au)\s?(?:the\s)?$"
)
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
    yield from told("stale", "an old calendar is told as one that may have changed", _stale(seen))


def _stale(seen: Seen) -> list[str]:
    """The last look-up was warned about, and the last reply tells its hours without a word of it."""
    looked = [use.result for use in seen.observation.calls if use.name == LOOK_UP]
    if not (looked and "warning" in looked[-1] and seen.replies):
        return []
    last = _plain(seen.replies[-1], seen)
    return [last] if hours(last) and (says("certain", last) or not says("hedges", last)) else []


def readings_of(text: str, seen: Seen) -> str:
    """What a text says in the plainest way: figures, ``Tuesday 24 November``, ``18:00`` (6 is both 06:00 and 18:00)."""
    language, today = seen.language_of(text), seen.today
    plain = _plain(text, seen)
    named = [f"{day.day:%A %-d %B}" for day in days(plain, today, language) if day.day is not None]
    times = [(at, each.loose) for each in hours(plain) for at in (each.begins, each.ends) if at is not None]
    told = [f"{at:%H:%M}" for at, _ in times] + [f"{(at.hour + 12) % 24:02}:{at:%M}" for at, loose in times if loose]
    return "\n".join((plain, *named, *told))


def _plain(text: str, seen: Seen) -> str:
    language = seen.language_of(text)
    return clock(figures(text, language), language)


def _blanked(text: str, found: Sequence[Day]) -> str:
    """The same without the figures of days, which are no hours: "martes 24 a las 6"."""
    for day in found:
        text = text[: day.start] + regex.sub(r"\d", "_", text[day.start : day.end]) + text[day.end :]
    return text


@dataclass
class _Reader:
    """Goes through one reply after the other; a day holds until the next one is named."""

    seen: Seen
    dates: list[str] = field(default_factory=list[str])
    hours: list[str] = field(default_factory=list[str])
    places: list[str] = field(default_factory=list[str])
    cancelled: list[str] = field(default_factory=list[str])
    full: list[str] = field(default_factory=list[str])
    last: Sequence[Day] = ()
    text: str = ""

    @cached_property
    def asked(self) -> frozenset[date | int | None]:
        """Days and weekdays that the person named."""
        text = figures(self.seen.asked, self.seen.language or "en")
        found = days(text, self.seen.today, self.seen.language or "en")
        return frozenset((*(day.day for day in found), *(day.weekday for day in found))) - {None}

    @cached_property
    def seasons(self) -> frozenset[tuple[int, int]]:
        """Those that the profile or a person speaks of."""
        spoken = seasons(f"{self.seen.shown}\n{self.seen.colleagues}", self.seen.language or "en")
        return spoken | seasons(self.seen.profile.knowledge, "en")

    @cached_property
    def other_hours(self) -> frozenset[time | None]:
        """Those in the profile that stand by themselves: when the bar opens, when rain decides."""
        return frozenset(each.begins for each in hours(self.seen.profile.knowledge) if each.ends is None)

    def read(self, text: str) -> None:
        self.last, language = (), self.seen.language_of(text)
        self.text = unquoted(_plain(text, self.seen))
        read: list[_Sentence] = []
        for sentence in sentences(self.text):
            found = days(sentence.text, self.seen.today, language)
            if not any(clause.denied for clause in clauses(sentence.text)):
                wrong = seasons(sentence.text, language) - self.seasons
                self.dates += [f"{MONTHS[one]} to {MONTHS[other]} in {sentence.text!r}" for one, other in wrong]
            usual = says("usual", sentence.text)
            spoken_of = [day for day in found if not usual or (day.day is not None and not day.is_relative)]
            if not usual or spoken_of:
                told = [
                    each
                    for each in hours(_blanked(sentence.text, found))
                    if each.ends or each.begins not in self.other_hours
                ]
                read.append(_Sentence(self, sentence.text, spoken_of, told, clauses(sentence.text), self.last))
            self.last = found or self.last
        right = [each for one in read for each in one.right()]
        for one in read:
            one.read(right)

    def clocks_change(self, day: Day) -> bool:
        """It may be spoken of on its own account."""
        ahead = (day.weekday - self.seen.today.weekday()) % 7 if day.weekday is not None else 0
        midnight = datetime.combine(day.day or self.seen.today + timedelta(ahead), time(), self.seen.zone)
        return midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset()

    def on(self, day: Day) -> list[Session]:
        sessions = self.seen.scenario.world.sessions or ()
        return [each for each in sessions if day.fits(each.starts.astimezone(self.seen.zone).date(), self.seen.today)]


@dataclass
class _Sentence:
    reader: _Reader
    text: str
    days: Sequence[Day]
    hours: Sequence[Hours]
    clauses: Sequence[Piece]
    days_before: Sequence[Day]

    @cached_property
    def told(self) -> Sequence[tuple[Hours, Day]]:
        return [
            (each, day)
            for each in self.hours
            if not self._denied(each.start) and not self._fits_a_week(each) and (day := self._day_of_hours(each))
        ]

    def right(self) -> list[tuple[Session, Hours]]:
        """What it tells rightly."""
        told = [(each, one) for each, day in self.told for one in self._meant(each, self.reader.on(day))]
        return [(session, each) for each, session in told if self._is_right(each, session)]

    def read(self, right: Sequence[tuple[Session, Hours]]) -> None:
        """``right``: what the whole reply tells rightly."""
        for day in self.days:
            if not self._denied(day.start):
                if day.mismatch:
                    self.reader.dates.append(f"{day.text!r}: {day.day:%-d %B %Y} is a {day.day:%A}")
                self._check_day(day, [each for each, its in self.told if its is day and not self._is_corrected(right)])
        for day in {id(day): day for _, day in self.told}.values():
            self._check_hours(day, [each for each, its in self.told if its is day], right)
        self._check_room()

    def _is_corrected(self, right: Sequence[tuple[Session, Hours]]) -> bool:
        """Something is denied in it, and the reply tells the hours rightly elsewhere."""
        return bool(right) and any(clause.denied for clause in self.clauses)

    def _denied(self, place: int) -> bool:
        clause = self._clause(place)
        return clause.denied or says("cancelled", clause.text) or says("full", clause.text)

    def _fits_a_week(self, each: Hours) -> bool:
        """Of "this week's" or the like, without a day: those of any session."""
        clause = self._clause(each.start)
        if not says("which_week", clause.text) or self._own_days(clause):
            return False
        return any(self._is_right(each, one) for one in self.reader.seen.scenario.world.sessions or ())

    def _own_days(self, clause: Piece) -> list[Day]:
        return [day for day in self.days if clause.start <= day.start < clause.start + len(clause.text)]

    def _clause(self, place: int) -> Piece:
        return next((each for each in reversed(self.clauses) if each.start <= place), Piece(0, self.text))

    def _day_of_hours(self, each: Hours) -> Day | None:
        """The nearest; where several days are named first and then their hours, the one that they are right for."""
        first = min(other.start for other in self.hours)
        if all(day.start < first for day in self.days):
            for day in self.days or self.days_before:
                if any(self._is_right(each, session) for session in self.reader.on(day)):
                    return day
        return self._day_at(each.start)

    def _day_at(self, place: int) -> Day | None:
        """The nearest day before, the next one, or the last of the sentence before."""
        before = [day for day in self.days if day.start <= place]
        after = [day for day in self.days if day.start > place]
        return before[-1] if before else after[0] if after else next(reversed(self.days_before), None)

    def _check_day(self, day: Day, its_hours: Sequence[Hours]) -> None:
        """A day without a session: wrong where hours are told, or where a session is spoken of."""
        same = any(each.day is not None and each.day.weekday() == day.weekday for each in self.days if each is not day)
        if self.reader.on(day) or day.mismatch or (day.day is None and same) or self.reader.clocks_change(day):
            return  # "the 11th of February, a Thursday" is one day
        asked = {day.day, day.weekday if day.day is None else None} & self.reader.asked
        is_spoken_of = says("session", self._clause(day.start).text) if day.is_relative else not self._is_bound(day)
        named = day.day is not None and is_spoken_of
        clause = self._clause(day.start)
        if day.weekday is not None and says("told_before", clause.text):
            return  # when it was told
        promised = says("open_day", clause.text) and not (clause.denied or clause.conditional)
        if its_hours or promised or (named and not asked and not day.is_bare):
            self.reader.dates.append(f"{day.text!r}: no session on that day")

    def _is_bound(self, day: Day) -> bool:
        """Only says how long something lasts: "until 30 November"."""
        return regex.search(_BOUND, self.text[: day.start], regex.IGNORECASE) is not None

    def _check_hours(self, day: Day, its_hours: Sequence[Hours], right: Sequence[tuple[Session, Hours]]) -> None:
        sessions = self.reader.on(day)
        if not sessions:
            return
        its_right = [(session, each) for session, each in right if session in sessions]
        for each in its_hours:
            if any(each is one for _, one in its_right) or (its_right and self._may_be_another(each, its_right)):
                continue
            shown = ", ".join(f"{self._at(one.starts):%H:%M}-{self._at(one.ends):%H:%M}" for one in sessions)
            self.reader.hours.append(f"{each.text!r} on {day.text!r}: it is {shown}")
        called_off = says("cancelled", self.reader.text) or says("denies", self.reader.text)
        if its_right and all(session.cancelled for session in sessions) and not called_off:
            self.reader.cancelled.append(f"{self.text!r}: cancelled")
        self._check_place(sessions)

    def _may_be_another(self, each: Hours, right: Sequence[tuple[Session, Hours]]) -> bool:
        """Beside the right ones: a time by itself (to be there), the same in another zone, what was corrected."""
        if self._is_corrected(right):
            return True
        if (elsewhere := self._elsewhere(each, [session for session, _ in right])) is not None:
            return elsewhere
        if each.begins is None or each.ends is None:
            return not says("ends", self.text[: each.start])
        lasts = (each.ends.hour * 60 + each.ends.minute - each.begins.hour * 60 - each.begins.minute) % (12 * 60)
        return any(one.is_range and (s.ends - s.starts).seconds == lasts * 60 for s, one in right)

    def _elsewhere(self, each: Hours, sessions: Sequence[Session]) -> bool | None:
        """Whether it is right by the clock of another zone that the calendar has; None where there is none."""
        clause = self._clause(each.start).text
        abroad = [one for one in sessions if one.starts.utcoffset() != self._at(one.starts).utcoffset()]
        foreign = [(one.starts.time(), one.ends.time()) for one in abroad]
        if not (foreign and says("another_time", clause)) or says("its_own_time", clause):
            return None
        named = [at for at in (each.begins, each.ends) if at is not None]
        return any(all(any(each.names(at, real) for real in pair) for at in named) for pair in foreign)

    def _meant(self, each: Hours, sessions: Sequence[Session]) -> Sequence[Session]:
        """Of several sessions of a day those whose own words stand before the hours, since the hours before."""
        since = max((other.end for other in self.hours if other.end <= each.start), default=0)
        before = set(self.text[since : each.start].casefold().split())
        words = [set(session.title.casefold().split()) for session in sessions]
        own = [mine.difference(*(other for other in words if other is not mine)) for mine in words]
        named = [session for session, mine in zip(sessions, own, strict=True) if mine & before]
        return named or sessions

    def _is_right(self, each: Hours, session: Session) -> bool:
        begins, ends = self._at(session.starts).time(), self._at(session.ends).time()
        return each.names(each.begins, begins) and each.names(each.ends, ends)

    def _at(self, moment: datetime) -> datetime:
        return moment.astimezone(self.reader.seen.zone)

    def _check_place(self, sessions: Sequence[Session]) -> None:
        """A sentence with hours names one of the club's grounds, and no session of the day is there."""
        for venue, _ in venues(self.reader.seen.profile.knowledge):
            there = [name for name in venue if name in self.text.casefold() and not self._denied(self._find(name))]
            places = [(session.place or "").casefold() for session in sessions]
            elsewhere = any(part in self.text.casefold() for place in places for part in _two_words(place))
            if there and all(places) and not elsewhere and not any(name in place for name in venue for place in places):
                self.reader.places.append(f"{there[0]!r}: it is at {', '.join(dict.fromkeys(places))}")

    def _find(self, name: str) -> int:
        return self.text.casefold().find(name)

    def _check_room(self) -> None:
        """Full, or how many places are left."""
        for clause in self.clauses:
            self._check_off(clause)
            day = self._day_of(clause)
            sessions = [each for each in self.reader.on(day) if each.capacity is not None] if day else []
            if len(sessions) != 1 or clause.conditional:
                continue
            left = (sessions[0].capacity or 0) - sessions[0].accepted
            full = says("full", clause.text) and not clause.denied
            room = not full and not clause.denied and says("room", clause.text)
            number = regex.search(
                rf"\b(\d{{1,3}})\s(?:of\s(?:the\s|our\s)?\d+\s)?(?:\w+\s)?{_PLACES}", clause.text, regex.I
            )
            counted = int(number[1]) if room and number else left
            wrong = left > 0 if full or says("no_room", clause.text) else room and left <= 0
            if (wrong or counted != left) and counted != sessions[0].capacity:
                self.reader.full.append(f"{clause.text.strip()!r}: {max(left, 0)} places are left")

    def _check_off(self, clause: Piece) -> None:
        """Said to be cancelled, and all of that day takes place; or the other way round."""
        off, on = says("cancelled", clause.text), says("takes_place", clause.text)
        if clause.denied or clause.conditional or not (off or on):
            return
        for day in self._own_days(clause):
            is_off = [session.cancelled for session in self.reader.on(day)]
            if is_off and (not any(is_off) if off else all(is_off)):
                self.reader.cancelled.append(f"{clause.text.strip()!r}: {'it takes place' if off else 'cancelled'}")

    def _day_of(self, clause: Piece) -> Day | None:
        """A clause's own day; else the nearest one in its sentence, but none after it of whose room another clause
        speaks; else the one before."""
        own = self._own_days(clause)
        if own:
            return own[0] if len(own) == 1 else None
        day = self._day_at(clause.start)
        if (
            day is not None
            and day.start > clause.start
            and self.days_before
            and self._is_of_room(self._clause(day.start))
        ):
            return self.days_before[-1]
        return day

    def _is_of_room(self, clause: Piece) -> bool:
        return says("full", clause.text) or says("room", clause.text)


def _two_words(place: str) -> list[str]:
    """Any two words of a place's name, in a row."""
    words = place.split()
    return [" ".join(pair) for pair in pairwise(words)] or [place]


def venues(knowledge: str) -> list[tuple[frozenset[str], str]]:
    """For each address in the profile the names it goes by, but those of the village alone, and its postcode."""
    found: list[tuple[frozenset[str], str]] = []
    for line in _POSTCODE.findall(knowledge):
        parts = [part.strip().removeprefix("The ").casefold() for part in line.rpartition(":")[2].split(",")]
        long = {" ".join(part.split()[-2:]) for part in parts if len(part.split()) > 1}
        found.append((frozenset(long - {parts[-1]}), parts[-1]))
    return found
