"""Expectations that name a fact of the profile or a session of the calendar, as matchers of what a reply says of it.

    {fact: membership.adult}         "120 pounds": 120, £120, one hundred and twenty
    {fact: bar.opens}                "12:30": 12:30, 12.30, half past twelve
    {session: next, field: end}      a time of day, in the calendar's zone
    {session: 2, field: date}        24 November, 24/11, the 24th; on the days before also its weekday

Days and hours are read as the calendar's rules read them (``rules/dates.py``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import combinations
from typing import cast
from zoneinfo import ZoneInfo

from dm_evals.folded import folded
from dm_evals.rules.dates import clock, days, hours
from dm_evals.rules.texts import SPOKEN, figures
from dm_evals.scenarios.scenario import Expectations, Matcher, Meant, Part, Scenario, Session


class Unknown(Exception):
    """An expectation names what is not there; the message says what."""


@dataclass(frozen=True, slots=True)
class Named:
    """What names stand for: the profile's facts; the calendar's sessions, seen from ``now`` in its own zone."""

    facts: Mapping[str, str]
    sessions: tuple[Session, ...]
    now: datetime

    @classmethod
    def of(cls, scenario: Scenario, facts: Mapping[str, str], zone: str) -> "Named":
        return cls(facts, scenario.world.sessions or (), scenario.now.astimezone(ZoneInfo(zone)))

    def resolved(self, expect: Expectations) -> Expectations:
        """With every name replaced by what a reply must say. Raises Unknown."""
        return cast("Expectations", self._walked(expect))

    def session(self, which: int | str) -> Session:
        """``next``: the first that begins from now on and is not cancelled; a number: as listed, from 1."""
        if isinstance(which, int):
            if which <= len(self.sessions):
                return self.sessions[which - 1]
            raise Unknown(f"there is no session {which}: the calendar has {len(self.sessions)}")
        coming = [each for each in self.sessions if each.starts >= self.now and not each.cancelled]
        if not coming:
            raise Unknown("there is no next session: none that is not cancelled begins after now")
        return min(coming, key=lambda each: each.starts)

    def _walked(self, node: object) -> object:
        if isinstance(node, Matcher):
            return self._matcher(node)
        if isinstance(node, Part):
            return node.model_copy(update={name: self._walked(getattr(node, name)) for name in node.model_fields_set})
        if isinstance(node, tuple):
            return tuple(self._walked(each) for each in cast("tuple[object, ...]", node))
        if isinstance(node, dict):
            return {key: self._walked(each) for key, each in cast("dict[str, object]", node).items()}
        return node

    def _matcher(self, matcher: Matcher) -> Matcher:
        if matcher.fact is not None:
            if matcher.fact not in self.facts:
                raise Unknown(f"the profile has no fact {matcher.fact}")
            value = self.facts[matcher.fact]
            return Matcher(said=_meant(value), source=f"fact {matcher.fact}, which is {value}")
        if matcher.session is None:
            return matcher
        session, field = self.session(matcher.session), matcher.field or "start"
        meant, shown = self._of_session(session, field)
        return Matcher(said=meant, source=f"{field} of session {matcher.session}, which is {shown}")

    def _of_session(self, session: Session, field: str) -> tuple[Meant, str]:
        if field in ("title", "place"):
            text = getattr(session, field) or ""
            return text, text
        at = (session.ends if field == "end" else session.starts).astimezone(self.now.tzinfo)
        return ((at.date(), self.now.date()), f"{at:%A %-d %B}") if field == "date" else (at.time(), f"{at:%H:%M}")


def says(text: str, meant: Meant) -> bool:
    """Whether a text says it, in whatever way and in any of the languages that are read."""
    plain = folded(text)
    if isinstance(meant, str):
        return any(re.search(rf"(?<!\w){part}", plain) for part in _parts(folded(meant)))
    return any(_says(clock(figures(plain, language), language), meant, language) for language in SPOKEN)


def _parts(name: str) -> list[str]:
    """Any two words of a longer name, in their order, stand for it: "the school hall"."""
    words = [re.escape(word) for word in name.split() if len(word) > 3]
    return [rf"{one}\W+(?:\w+\W+){{0,2}}{other}" for one, other in combinations(words, 2)] or [re.escape(name)]


def _says(plain: str, meant: time | float | tuple[date, date], language: str) -> bool:
    if isinstance(meant, float | int):
        number = r"(?<![\d:/])(?<!\d[.,])(\d+(?:\.\d+)?)(?![\d:]|[.,/]\d|\s?(?:[ap]\.?m\b|uhr|h\b|%))"
        return any(float(found) == meant for found in re.findall(number, plain))
    if isinstance(meant, tuple):
        return any(each.fits(*meant) for each in days(plain, meant[1], language))
    named = {at for each in hours(plain, points=True) for at in (each.begins, each.ends) if each.names(at, meant)}
    full_hour = meant.minute == 0 and re.search(
        rf"(?<![\d:.,/£€$])(?:{meant.hour}|{meant.hour % 12})(?![\d:/]|[.,]\d|\s?[ap]\.?m)", plain
    )
    return bool(named - {None} or full_hour)


def _meant(value: str) -> Meant:
    """A time of day, an amount, or a text that stands there as it is."""
    if re.fullmatch(r"\d{1,2}:\d\d", value):
        return time.fromisoformat(value.zfill(5))
    amount = re.fullmatch(r"\D{0,2}(\d+(?:\.\d+)?)(?:\s\D*)?", value)
    return float(amount[1]) if amount else value
