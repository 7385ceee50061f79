"""What the profile says of any week: the usual days and hours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import time
from functools import cache
from typing import Final

import regex

from dm_evals.results import Check
from dm_evals.rules.dates import WEEKDAYS, Hours, clock, hours, weekdays_of
from dm_evals.rules.seen import Seen, told
from dm_evals.rules.texts import clauses, figures, says, sentences, unquoted, unwrapped

_OF_ANY_SESSION: Final = frozenset(("net", "session", "training", "practice"))


def usual(seen: Seen) -> Iterator[Check]:
    wrong = [found for text in seen.replies for found in _unusual(seen, text)]
    yield from told("usual", "usual days and hours as the profile has them", wrong)


@dataclass(frozen=True, slots=True)
class Regular:
    """A line of the profile with weekdays (0: Monday): what it is about, and when."""

    about: frozenset[str]
    weekdays: frozenset[int]
    times: frozenset[time]


@cache
def _regulars(knowledge: str) -> Sequence[Regular]:
    lines = ((line, weekdays_of(line, "en")) for line in unwrapped(knowledge).splitlines())
    return [Regular(_words(line.partition(":")[0]), named, _times(line)) for line, named in lines if named]


def _words(text: str) -> frozenset[str]:
    """Its longer words without the ending of a plural, but those of any session."""
    return frozenset(word.removesuffix("s") for word in regex.findall(r"\p{L}{4,}", text.casefold())) - _OF_ANY_SESSION


def _times(text: str) -> frozenset[time]:
    return frozenset(at for each in hours(text) for at in (each.begins, each.ends) if at is not None)


def _unusual(seen: Seen, text: str) -> Iterator[str]:
    """Weekdays and hours of what is usual that neither the profile nor the calendar nor the person has."""
    language = seen.language_of(text)
    plain = unquoted(clock(figures(text, language), language))
    others = weekdays_of(f"{seen.shown}\n{seen.colleagues}", seen.language or "en"), _times_elsewhere(seen)
    every = _regulars(seen.profile.knowledge)
    for sentence in sentences(plain) if every else ():
        if not says("usual", sentence.text) or says("reported", sentence.text):
            continue
        meant = every
        for clause in clauses(sentence.text):
            meant = [each for each in every if each.about & _words(clause.text)] or meant
            if not (clause.denied or clause.conditional):
                weekdays = others[0].union(*(each.weekdays for each in meant))
                times = others[1].union(*(each.times for each in meant))
                wrong = [WEEKDAYS[day] for day in weekdays_of(clause.text, language) - weekdays]
                wrong += [each.text for each in hours(clause.text) if not _is_one(each, times)]
                yield from (f"{each!r} in {clause.text.strip()!r}" for each in wrong)


def _times_elsewhere(seen: Seen) -> frozenset[time]:
    """Those of the calendar, of the person and of the profile's other lines."""
    told = frozenset(at.time() for at in seen.session_times)
    lines = [line for line in unwrapped(seen.profile.knowledge).splitlines() if not weekdays_of(line, "en")]
    return told | _times("\n".join((*lines, clock(figures(seen.shown, "en"), "en"), seen.colleagues)))


def _is_one(each: Hours, times: frozenset[time]) -> bool:
    return all(any(each.names(named, real) for real in times) for named in (each.begins, each.ends))
