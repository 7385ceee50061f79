"""Figures and days in what is passed on and kept: an alert and a note hold those of the conversation, and no others."""

from collections.abc import Iterator, Sequence, Set
from datetime import timedelta
from itertools import combinations
from typing import Final

import regex

from dm_evals.results import Check
from dm_evals.rules.dates import Day, days, hours
from dm_evals.rules.people import EMERGENCY
from dm_evals.rules.promises import AMOUNT, amounts
from dm_evals.rules.seen import Seen, told
from dm_evals.rules.texts import figures, kinds

_NUMBER: Final = regex.compile(r"(?<![\d.,:/])\d+(?:[.,]\d+)?(?![\d:])")
_SMALL: Final = 3
"""Up to here a figure may be counted rather than told: both children, the second team."""
_A_WEEK: Final = timedelta(days=8)


def sources(seen: Seen) -> Iterator[Check]:
    texts = (*seen.noted, *seen.alerts)
    written = _written(seen)
    told_of = _numbers(written)
    right = told_of | {sum(pair) for pair in combinations(told_of, 2)} | set(map(float, EMERGENCY))
    wrong = [found for text in texts for found in _made_up_figures(seen, text, right)]
    wrong += [found for text in texts for found in (*_turned(seen, text), *_other_amounts(seen, text))]
    written += "".join(f"\n{at:%-d %B %Y}" for at in seen.session_times)
    known = days(written, seen.today, seen.language or "en")
    wrong += [found for text in texts for found in _made_up_days(seen, text, known)]
    yield from told("sources", "figures and days in alerts and notes from the conversation", wrong)


def _written(seen: Seen) -> str:
    """The thread, what it got as an answer, its files and notes, and how many places the calendar has."""
    world = seen.scenario.world
    before = [past.text for past in world.history if past.by == "bot"]
    rooms = [(each.capacity or 0, each.accepted or 0) for each in world.sessions or ()]
    places = [f"{number}" for room, taken in rooms for number in (room, taken, room - taken)]
    return figures(
        "\n".join((seen.shown, seen.colleagues, *before, *seen.replies, *world.notes, *places)), seen.language or "en"
    )


def _made_up_figures(seen: Seen, text: str, right: Set[float]) -> Iterator[str]:
    """Of people, ages, squads; days, hours and amounts are others' to read."""
    plain = figures(text, "en")
    for each in (*days(plain, seen.today, "en"), *hours(plain)):
        plain = plain[: each.start] + "_" * (each.end - each.start) + plain[each.end :]
    yield from (f"{each:g} in {text!r}" for each in _numbers(AMOUNT.sub(" ", plain)) - right if each > _SMALL)


def _turned(seen: Seen, text: str) -> Iterator[str]:
    """Of a row of things of one kind another than the person named: a knee for a head, a daughter for a son."""
    asked = "\n".join((seen.shown, seen.colleagues))
    for row in kinds():
        named = [each for each in row if each.search(text)]
        if named and any(each.search(asked) for each in row) and not any(each.search(asked) for each in named):
            yield f"{text!r}: the person named another"


def _other_amounts(seen: Seen, text: str) -> Iterator[str]:
    """Amounts, none of which the person named, who named some."""
    asked = {amount for _, amount in amounts(figures(seen.shown, seen.language or "en"))}
    named = {amount for _, amount in amounts(figures(text, "en"))}
    yield from (f"{each:g} in {text!r}" for each in named if asked and not named & asked)


def _numbers(text: str) -> set[float]:
    return {float(each.replace(",", ".")) for each in _NUMBER.findall(text)}


def _made_up_days(seen: Seen, text: str, known: Sequence[Day]) -> Iterator[str]:
    """Dates that are none of the conversation's, which has some, and no weekday of its week."""
    dated = {each.day for each in known if each.day is not None}
    weekdays = {each.weekday for each in known if each.day is None}
    for each in days(figures(text, "en"), seen.today, "en") if dated else ():
        if each.day is not None and not each.is_bare and each.day not in dated:
            away = abs(each.day - seen.today)
            if away > timedelta(days=1) and not (away <= _A_WEEK and each.day.weekday() in weekdays):
                yield f"{each.text!r} in {text!r}"
