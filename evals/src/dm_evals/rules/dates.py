"""Days and hours as a text names them, in any language that CLDR has names for (dateparser's data, BSD).

    "Thursday the 26th, 6:30-8 pm"  ──▶  Day(26 November, weekday 3), Hours(18:30, 20:00)

Number words are figures already (``texts.figures``). What is no date (a figure beside pounds or people) is not taken.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cache
from importlib import import_module
from typing import Final, cast

import regex

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_RELATIVE: Final = {"0 day ago": 0, "in 1 day": 1, "in 2 day": 2}
_MORE: Final = {"tonight": 0, "this evening": 0, "esta noche": 0, "ce soir": 0, "heute abend": 0}
_NOT_TOMORROW: Final = r"(?<!guten )(?<!guten\s)(?<!por la )(?<!de la )(?<!de esta )"
_NTH: Final = r"(?:st|nd|rd|th|er|º|ª|\.)?"
_UNIT_WORDS: Final = """pounds? quid euros? pfund libras? people players? years? y\\.?o minutes? mins? hours? min\\b
stunden minuten jahre? plätze places? spaces? spots? plazas weeks? days? sessions? times metres? miles? km m\\b"""
_UNITS: Final = rf"(?!\s?(?:%|£|€|\$|GBP|EUR)|[\s-]?(?:{'|'.join(_UNIT_WORDS.split())}))"
_TO: Final = (
    r"\s?(?:-|–|—|to|till|until|til|and|bis|und|a|hasta|y|à|et|al|alle|às|tot|से|se)\s?"
    r"(?:the\s|las\s|la\s|about\s|around\s)?"
)
_END: Final = (
    r"\b(?:until|till|til|ends?|finish\w*|over\s(?:at|by)|bis|hasta|jusqu.à|fino\salle)\s"
    r"(?:at\s|by\s|about\s|a\slas\s|um\s)?$"
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day as named. ``day`` is None where only a weekday is, ``weekday`` (0: Monday) None where none is."""

    start: int
    end: int
    text: str
    day: date | None
    weekday: int | None

    @property
    def is_bare(self) -> bool:
        """A number alone, "the 13th", which may as well count something else."""
        return self.weekday is None and regex.fullmatch(r"\D*\d{1,2}\D{0,3}", self.text) is not None

    @property
    def is_relative(self) -> bool:
        """A word alone, "tomorrow" or "this Friday", with no figure of a date."""
        return regex.search(r"\d", self.text) is None

    @property
    def mismatch(self) -> bool:
        return self.day is not None and self.weekday is not None and self.day.weekday() != self.weekday

    def fits(self, other: date, today: date) -> bool:
        """A weekday alone is one of the two weeks that come."""
        if self.day is not None:
            return self.day == other
        return other.weekday() == self.weekday and timedelta(0) <= other - today <= timedelta(14)


@dataclass(frozen=True, slots=True)
class Hours:
    """A time, or a range; ``is_end``: the time at which something ends."""

    start: int
    end: int
    text: str
    begins: time | None
    ends: time | None
    loose: bool
    """Written with a clock of twelve hours, so that 6 may be 18."""

    @property
    def is_range(self) -> bool:
        return self.begins is not None and self.ends is not None

    def names(self, named: time | None, real: time) -> bool:
        if named is None:
            return True
        same = (named.hour, named.minute) == (real.hour, real.minute)
        return same or (self.loose and (named.hour % 12, named.minute) == (real.hour % 12, real.minute))


@dataclass(frozen=True, slots=True)
class _Names:
    weekdays: Mapping[str, int]
    months: Mapping[str, int]
    relative: Mapping[str, int]


@cache
def _names(language: str) -> _Names:
    """CLDR's names of a language, and the English ones besides: they are used in every chat."""
    infos = [
        cast("Mapping[str, object]", import_module(f"dateparser.data.date_translation_data.{code}").info)
        for code in dict.fromkeys((language, "en"))
    ]
    named: list[dict[str, int]] = [{}, {}]
    relative: dict[str, int] = dict(_MORE)
    for info in reversed(infos):
        for kind, table in zip((WEEKDAYS, MONTHS), named, strict=True):
            for number, key in enumerate(kind):
                table.update({word.casefold(): number for word in cast("list[str]", info[key])})
        words = cast("Mapping[str, list[str]]", info.get("relative-type", {}))
        relative |= {word.casefold(): ahead for key, ahead in _RELATIVE.items() for word in words.get(key, [])}
    relative.pop("till date", None)
    return _Names(named[0], named[1], relative)


def is_of_the_calendar(word: str) -> bool:
    """A month or a weekday, in full or cut short, which may be a person's name as well."""
    return word.casefold() in _names("en").months or word.casefold() in _names("en").weekdays


def _any(words: Mapping[str, int], least: int = 1) -> str:
    return "|".join(regex.escape(word) for word in sorted(words, key=len, reverse=True) if len(word) >= least)


@cache
def _day_patterns(language: str) -> tuple[regex.Pattern[str], ...]:
    names = _names(language)
    short = rf"\b(?P<weekday>{_any(names.weekdays, 2)})"
    weekday = rf"(?:{short}(?![\p{{L}}\p{{M}}])[.,]*\s?\(?(?:the\s|den\s|dem\s|el\s|le\s|día\s)?)?"
    long = _any(names.weekdays, 4)
    month = rf"(?P<month>{_any(names.months, 3)})(?![\p{{L}}\p{{M}}])\.?"
    year = r"(?:,?\s(?:de\s|del\s)?(?P<year>20\d\d))?"
    day = rf"(?<![\d:/.,£€$])(?P<day>\d{{1,2}}){_NTH}"
    each = (
        rf"{weekday}\b(?P<year>20\d\d)-(?P<number>\d\d)-(?P<day>\d\d)\b",
        rf"{weekday}{day}\s?(?:of\s|de\s|को\s)?{month}{year}",
        rf"{weekday}{day}(?=\s(?:and|&|und|y|et)\s\d{{1,2}}{_NTH}\s{month})",
        rf"{weekday}\b{month}\s(?:the\s)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:]){_UNITS}{year}",
        rf"{weekday}(?<![\w/])(?!24/7\b|[12]/[234]\b|3/4\b)(?P<day>\d{{1,2}})/(?P<number>\d{{1,2}})(?:/(?P<year>(?:20)?\d\d))?(?![\w/])",
        rf"{weekday}(?<![\w.:])(?P<day>\d{{1,2}})\.\s?(?P<number>1[0-2]|0?[1-9])\.(?:\s?(?P<year>20\d\d))?(?!\d)",
        rf"{short}[.,]*\s\(?(?:the\s|den\s|el\s|le\s)?(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?(?![\d:.h/–-]){_UNITS}"
        rf"(?!\s?(?:am|pm|uhr|{_any(names.months, 3)}|to|till|bis|a(?!\slas)|à)\b)",
        r"\b(?:the|am|el|le|den)\s(?P<day>\d{1,2})(?:st|nd|rd|th|\.(?!\d))"
        r"(?!\s(?:team|xi|eleven|floor|half|of\s(?:all|us)|person|place|fee|child|two|one|time|visit|session))",
        rf"(?<!\b(?:an?|any|some|last|ein|einem|un|letzten|vergangenen)\s)\b(?P<weekday>{long})(?![\p{{L}}\p{{M}}])(?!\s(?:pasado|dernier)\b)",
        rf"{_NOT_TOMORROW}\b(?P<relative>{_any(names.relative)})(?![\p{{L}}\p{{M}}])",
    )
    return tuple(regex.compile(one, regex.IGNORECASE) for one in each)


def days(text: str, today: date, language: str) -> tuple[Day, ...]:
    """Every day that is named, in its order; nothing is read twice."""
    names, taken, found = _names(language), list[tuple[int, int]](), list[Day]()
    for one in _day_patterns(language):
        for match in one.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            parts = match.groupdict()
            weekday = names.weekdays.get((parts.get("weekday") or "").casefold())
            day = _day(parts, names, today, weekday)
            if day is not None or weekday is not None:
                found.append(Day(match.start(), match.end(), match.group().strip(), day, weekday))
    return tuple(sorted(found, key=lambda one: one.start))


def weekdays_of(text: str, language: str) -> frozenset[int]:
    """Weekdays of any week, their plurals too (0: Monday): "Tuesdays", "dienstags", "los martes"."""
    names = {word: number for word, number in _names(language).weekdays.items() if len(word) >= 4}
    found = regex.findall(rf"\b({_any(names)})s?(?![\p{{L}}\p{{M}}])", text, regex.IGNORECASE)
    return frozenset(names[each.casefold()] for each in found)


def seasons(text: str, language: str) -> frozenset[tuple[int, int]]:
    """From month to month (0: January): "May to August", "d'octobre à mars"."""
    months = _names(language).months
    month = rf"({_any(months, 3)})(?![\p{{L}}\p{{M}}])\.?"
    to = r"\s?(?:-|–|to|until|till|through|bis|a|hasta|à|al|tot)\s?(?:the\send\sof\s|ende\s)?"
    found = regex.finditer(rf"(?<!\d{_NTH}\s?(?:of\s|de\s)?){month}{to}{month}", text, regex.IGNORECASE)
    return frozenset((months[each[1].casefold()], months[each[2].casefold()]) for each in found)


def _day(parts: Mapping[str, str | None], names: _Names, today: date, weekday: int | None) -> date | None:
    if (word := parts.get("relative")) is not None:
        return today + timedelta(days=names.relative[word.casefold()])
    if (number := parts.get("day")) is None:
        return None
    month = names.months[str(parts["month"]).casefold()] + 1 if parts.get("month") else int(parts.get("number") or 0)
    if month == 0:
        near = [day for ahead in range(62) if (day := today + timedelta(days=ahead)).day == int(number)]
        return next((day for day in near if day.weekday() == weekday), near[0] if near else None)
    year = parts.get("year")
    years = [int(year) % 100 + 2000] if year else [today.year - 1, today.year, today.year + 1]
    possible = [day for one in years if (day := _date(one, month, int(number))) is not None]
    return min(possible, key=lambda day: abs((day - today).days), default=None)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# -- hours --------------------------------------------------------------------------------------------------

_SPOKEN: Final = (
    (r"\bhalf past (\d{1,2})\b(?!:)", 0, 30),
    (r"\bhalb (\d{1,2})\b(?!:)", 1, 30),
    (r"\b(?:half|s[aā]+dhe|saade|साढ़े) (\d{1,2})\b(?!:)(?!\s?(?:of|price))", 0, 30),
    (r"\b(?:quarter past|viertel nach|kwart over) (\d{1,2})\b", 0, 15),
    (r"\b(?:quarter to|viertel vor|kwart voor) (\d{1,2})\b", 1, 45),
    (r"\b(\d{1,2})(?: heures| horas)? (?:y|et|e) (?:media|demie|mezza|meia)\b", 0, 30),
    (r"\b(\d{1,2})(?: heures)? (?:y|et|e) (?:un )?(?:cuarto|quart|quarto)\b", 0, 15),
    (r"(?<![\d:.])(\d{1,2}) ?(?:o.?clock|uhr|uur|heures|h|baje|बजे)(?!\w)(?! ?\d\d)", 0, 0),
)
"""What is said, with its hour; how many hours earlier that is, and the minutes."""
_WITH_MINUTES: Final = regex.compile(r"(?<![\d:.])(\d{1,2}) ?(?:uhr|uur|heures|h) ?([0-5]\d)\b", regex.IGNORECASE)
_FOUR: Final = r"([01]\d|2[0-3])([0-5][05])(?:\s?(?:hrs|hours|h|uhr)\b)"
_FOUR_DIGITS: Final = regex.compile(rf"(?<![\d:./£€$-]){_FOUR}", regex.IGNORECASE)
_FOUR_TO_FOUR: Final = regex.compile(
    rf"(?<![\d:./£€$-]){_FOUR}?\s?(?:-|–|to|till|until|bis|a|à)\s?{_FOUR}?(?![\d:-])", regex.IGNORECASE
)
_CLOCK: Final = (
    r"(?:(?P<h{0}>[01]?\d|2[0-4])(?:[:h](?P<m{0}>[0-5]\d)|\.(?P<d{0}>[0-5]0|[0-5]5)(?!\d|\.|\s?(?:%|£|pounds)))?"
    r"(?![\d:/])\s?(?P<a{0}>[ap]\.?m\b\.?)?)"
)
_RANGE: Final = regex.compile(rf"(?<![\d:./£€$U-]){_CLOCK.format(1)}{_TO}{_CLOCK.format(2)}{_UNITS}", regex.IGNORECASE)
_AND: Final = regex.compile(r"\s(?:and|und|y|et|e|en)\s", regex.I)
_BETWEEN: Final = regex.compile(r"\b(?:between|from|zwischen|entre|tra|tussen)\s(?:\w{2,3}\s)?$", regex.I)
"""Without it "6 and 6.30" are two times."""
_POINT: Final = regex.compile(rf"(?<![\d:./£€$U-]){_CLOCK.format(1)}{_UNITS}", regex.IGNORECASE)
_BEFORE: Final = regex.compile(
    r"\b(?:at|from|by|around|about|um|ab|von|a\slas|à|dès|alle)\s$|" + _END, regex.IGNORECASE
)

_AFTER: Final = regex.compile(
    r"\s?(?:tonight|this\s(?:evening|afternoon|morning)|in\sthe\s(?:evening|morning)|(?:abends|de\sla\starde|du\ssoir)\b)",
    regex.I,
)


def clock(text: str, language: str) -> str:
    """Times of day as a clock shows them: half past six, 18 Uhr 30, 1800 hrs, seis y media, noon."""
    for said, back, minutes in _SPOKEN:
        earlier = back or (language == "nl" and said.startswith(r"\b(?:half|"))  # half zeven is 6:30

        def written(found: regex.Match[str], earlier: int = int(earlier), minutes: int = minutes) -> str:
            hour = int(found[1])
            return f"{(hour - 2) % 12 + 1 if earlier else hour}:{minutes:02}"

        text = regex.sub(said, written, text, flags=regex.IGNORECASE)
    text = _FOUR_DIGITS.sub(r"\1:\2", _FOUR_TO_FOUR.sub(r"\1:\2-\3:\4", _WITH_MINUTES.sub(r"\1:\2", text)))
    return regex.sub(r"\b(?:midday|noon|mittag|mediodía|midi)\b", "12:00", text, flags=regex.IGNORECASE)


def hours(text: str, *, points: bool = False) -> tuple[Hours, ...]:
    """Every time and range of times in what ``clock`` made of a text.

    A bare figure is one only in company: a range, or a word such as "at".

    ``points``: 12.30 is one by itself, which may as well be an amount.
    """
    return tuple(sorted(_hours(text, points=points), key=lambda each: each.start))


def _hours(text: str, *, points: bool) -> Iterator[Hours]:
    taken: list[tuple[int, int]] = []
    for match in _RANGE.finditer(text):
        one, other = _time(match, 1, match["a2"] or ""), _time(match, 2, "")
        written = any(match[group] for group in ("m1", "m2", "d1", "d2", "a1", "a2"))
        listed = _AND.search(match.group()) and not _BETWEEN.search(text[: match.start()])
        if one and other and not listed and (written or 0 < (other.hour - one.hour) % 12 <= 6):
            taken.append(match.span())
            yield Hours(match.start(), match.end(), match.group(), one, other, _loose(match, "1") or _loose(match, "2"))
    for match in _POINT.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in taken):
            continue
        before = text[: match.start()]
        written = any(match[group] for group in ("m1", "a1", *(["d1"] if points else [])))
        if (written or _BEFORE.search(before) or _AFTER.match(text[match.end() :])) and (at := _time(match, 1, "")):
            ends = regex.search(_END, before, regex.IGNORECASE) is not None
            yield Hours(
                match.start(),
                match.end(),
                match.group(),
                None if ends else at,
                at if ends else None,
                _loose(match, "1"),
            )


def _time(match: regex.Match[str], number: int, half: str) -> time | None:
    hour, minute = int(match[f"h{number}"]), int(match[f"m{number}"] or match[f"d{number}"] or 0)
    half = (match[f"a{number}"] or half).casefold()
    if half[:1] in ("a", "p"):
        hour = hour % 12 + 12 * half.startswith("p") if hour <= 12 else hour
    return time(hour % 24, minute)


def _loose(match: regex.Match[str], number: str) -> bool:
    """``09:30`` and ``18:00`` are of a clock of 24 hours, ``6:30`` and ``6`` may be either."""
    hour = match[f"h{number}"]
    return int(hour) < 13 and not hour.startswith("0") and not match[f"a{number}"]
