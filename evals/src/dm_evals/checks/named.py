"""Expectations that name a fact of the profile or a session of the calendar, as matchers of what a reply says of it.

    {fact: membership.adult}         "120 pounds": 120, £120, one hundred and twenty
    {fact: bar.opens}                "12:30": 12:30, 12.30, half past twelve
    {session: next, field: end}      a time of day, in the calendar's zone
    {session: 2, field: date}        24 November, 24/11, the 24th; on the days before also its weekday

Digits of other scripts count as digits, and numbers in words are read by text2num. Names of months and days in eleven
languages are CLDR's, by Babel.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, cast
from zoneinfo import ZoneInfo

from babel.dates import get_day_names, get_month_names
from text_to_num import alpha2digit as _alpha2digit  # pyright: ignore[reportUnknownVariableType]

from dm_evals.folded import folded
from dm_evals.scenarios.scenario import Expectations, Matcher, Part, Scenario, Session

LANGUAGES: Final = ("en", "de", "es", "fr", "hi", "it", "nl", "pl", "pt", "ru", "tr")
_digits = cast("Callable[[str, str], str]", _alpha2digit)
_SPOKEN: Final = ("en", "de", "es", "fr")
_AMOUNT: Final = re.compile(r"\D{0,2}(\d+(?:\.\d+)?)(?:\s\D*)?")
_TIME: Final = re.compile(r"(\d{1,2}):(\d\d)")
_SOON: Final = ("today|tonight|this evening|heute|hoy|aujourd'hui", "tomorrow|morgen|mañana|demain")


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
            return Matcher(said=_value_pattern(value), source=f"fact {matcher.fact}, which is {value}")
        if matcher.session is None:
            return matcher
        session, field = self.session(matcher.session), matcher.field or "start"
        pattern, shown = self._of_session(session, field)
        return Matcher(said=pattern, source=f"{field} of session {matcher.session}, which is {shown}")

    def _of_session(self, session: Session, field: str) -> tuple[str, str]:
        if field in ("title", "place"):
            text = getattr(session, field) or ""
            return re.escape(folded(text)), text
        at = (session.ends if field == "end" else session.starts).astimezone(self.now.tzinfo)
        if field == "date":
            return _date_pattern(at, (at.date() - self.now.date()).days), f"{at:%A %-d %B}"
        return _time_pattern(at.hour, at.minute), f"{at:%H:%M}"


def says(text: str, pattern: str) -> bool:
    """Whether the pattern is found in the text, its numbers in figures or in words."""
    plain = folded(text)
    return any(re.search(pattern, each) for each in (plain, *(_digits(plain, lang) for lang in _SPOKEN)))


def _value_pattern(value: str) -> str:
    """A time of day, an amount, or a text that stands there as it is."""
    if time := _TIME.fullmatch(value):
        return _time_pattern(int(time.group(1)), int(time.group(2)))
    if amount := _AMOUNT.fullmatch(value):
        number = re.escape(amount.group(1))
        return rf"(?<![\d:/])(?<!\d[.,]){number}(?:[.,]00)?(?![\d:]|[.,/]\d|\s?(?:[ap]\.?m\b|uhr|h\b|%))"
    return rf"(?<!\w){re.escape(folded(value))}"


def _time_pattern(hour: int, minute: int) -> str:
    short, half = (hour - 1) % 12 + 1, "pm" if hour >= 12 else "am"
    other = rf"(?!\d|\s?{'a' if half == 'pm' else 'p'}\.?m)"
    said = [rf"0?{hour}[:.h]\s?{minute:02}{other}", rf"{short}[:.]{minute:02}{other}"]
    if minute == 0:
        said += [rf"{hour}\s?(?:uhr|h\b|heures)", rf"{short}\s?(?:{half[0]}\.?m|o'clock|baje|बजे)"]
        said += [rf"(?:at|from|until|till|um|ab|las|à)\s{short}(?![:.]?\d)", rf"0?{hour}\s?-\s?\d\d?(?![:.]?\d)"]
    said += [rf"{short}(?:[:.]{minute:02})?\s?(?:-|to|until|till)\s?\d\d?(?:[:.]\d\d)?\s?{half}"] if minute == 0 else []
    said += {30: [rf"half past {short}", rf"halb {short % 12 + 1}"], 15: [rf"quarter past {short}"]}.get(minute, [])
    return rf"(?<![\d:.])(?:{'|'.join(said)})(?!\d)"


def _date_pattern(day: datetime, ahead: int) -> str:
    number, months = rf"0?{day.day}(?:st|nd|rd|th|º|\.)?", _names("month", day.month)
    said = [
        rf"(?<!\d){number}(?!\d|:)[^.!?\n]{{0,25}}\b(?:{months})(?!\w)",
        rf"\b(?:{months})\.?\s(?:the\s)?(?:\d\d?(?:st|nd|rd|th)?(?:,|\sand|\s&)\s?)*{number}(?!\d|:)",
        rf"(?<![\d/]){number}[/.-]\s?0?{day.month}(?!\d)",
        rf"(?<!\d){day:%Y-%m-%d}",
    ]
    said += [rf"\bthe {number}(?!\d|:)"] if 0 <= ahead < 28 else []
    said += [rf"(?<!\w)(?:{_names('day', day.weekday())})(?!\w)"] if 0 <= ahead < 7 else []
    said += [rf"\b(?:{_SOON[ahead]})\b"] if ahead in (0, 1) else []
    return "|".join(said)


@cache
def _names(kind: str, number: int) -> str:
    """The month's (1 to 12) or day's (0 is Monday) names in all languages, as alternatives."""
    get = get_month_names if kind == "month" else get_day_names
    found = {
        folded(str(get(width, context, locale=language)[number])).rstrip(".")
        for language in LANGUAGES
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
    }
    return "|".join(re.escape(name) for name in sorted(found, key=len, reverse=True) if len(name) > 2)
