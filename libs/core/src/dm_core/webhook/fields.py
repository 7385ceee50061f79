"""Reading untrusted JSON field by field: every function takes any value and never raises.

Ids are strings on the platform, although one table of its documentation calls them numbers; times come in ms or in
seconds, as number or as string (docs/platforms/instagram.md#webhook-shapes).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from dm_core.store.document_values import is_document_id

JsonObject = Mapping[str, object]

MAX_URL_CHARS: Final = 2_048
"""Longest link kept; a longer one is dropped whole, because a cut one leads nowhere."""

MAX_MID_CHARS: Final = 1_024
"""Longest platform message id accepted; real ones are some 170 characters."""

MAX_PEOPLE: Final = 50
"""Most people looked for in what was not understood."""

_PARTIES: Final = re.compile(r"(?:sender|recipient|from|to|user|participant|contact)s?(?:_?id)?s?|wa_id", re.IGNORECASE)
_MAX_VALUES: Final = 5_000
_IDENTIFIER: Final = re.compile(r"[0-9A-Za-z._-]{1,128}")
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,10})?")
_URL: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MID: Final = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]+")

_SECONDS_END: Final = 10**11
"""Numbers below are seconds (until the year 5138), numbers from here on ms (since 1973)."""

_EARLIEST_MS: Final = 1_072_915_200_000
"""2004-01-01, in ms: a message cannot be older than the platform; what says so is not a time."""


def as_object(value: object) -> JsonObject | None:
    """The value if it is a JSON object."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> Sequence[object] | None:
    """The value if it is a JSON array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def flag(value: object) -> bool:
    """Whether a flag is set; a string is accepted, because an echo taken for a DM would be answered."""
    return value is True or value == 1 or value in ("true", "True", "1")


def identifier(value: object) -> str | None:
    """An account's or person's id, as a string; one that no document can be named by is none: its thread could not be
    read."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**30 else None
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        return None
    return value if is_document_id(value) else None


def identifier_of(value: object) -> str | None:
    """The id inside a ``sender`` or ``recipient``."""
    party = as_object(value)
    return identifier(party.get("id")) if party else None


def people_in(value: object) -> tuple[str, ...]:
    """The ids of everybody named as a sender, recipient or the like anywhere in a value, each once, the first
    ``MAX_PEOPLE``; in whatever form, because it is looked for in what was not understood."""
    waiting, found = [value], dict[str, None]()
    for _ in range(_MAX_VALUES):
        if not waiting or len(found) == MAX_PEOPLE:
            break
        part = waiting.pop()
        if (fields := as_object(part)) is not None:
            for key, party in fields.items():
                found |= dict.fromkeys(_named(party) if _PARTIES.fullmatch(key) else ())
            waiting += reversed(list(fields.values()))
        elif (items := as_list(part)) is not None:
            waiting += reversed(items[:_MAX_VALUES])
    return tuple(found)[:MAX_PEOPLE]


def _named(party: object) -> Iterator[str]:
    """The ids that a party is written as: an object with its ``id``, the id itself where it is a number (another word
    there is nobody's id), or a list of either."""
    for each in as_list(party) or (party,):
        plain = identifier(each)
        if found := identifier_of(each) or (plain if plain and plain.isdecimal() else None):
            yield found


def message_mid(value: object) -> str | None:
    """A platform message id, whole or not at all."""
    return value if isinstance(value, str) and len(value) <= MAX_MID_CHARS and _MID.fullmatch(value) else None


def text(value: object, limit: int) -> str | None:
    """A text, cleaned and cut to ``limit`` characters; None when there is none.

    Lone surrogates become U+FFFD and NULs go: neither can be stored or sent on as UTF-8.
    """
    if not isinstance(value, str):
        return None
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value[: limit * 2].replace("\0", ""))[:limit] or None


def text_or_number(value: object, limit: int) -> str | None:
    """A text; also one that was written as a number, as the platform does with ids at times."""
    return text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value, limit)


def web_url(value: object) -> str | None:
    """An http(s) link of bearable length."""
    link = text(value, MAX_URL_CHARS + 1)
    return link if link and len(link) <= MAX_URL_CHARS and _URL.fullmatch(link) else None


def number(value: object) -> float | None:
    """A number that is not negative, given as a number or as a string of digits."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**21:
        return None
    return value


def time_ms(value: object, now: int, otherwise: object = None) -> int:
    """A time in ms since 1970, in whichever unit it came, never later than ``now``; when it is missing or absurd
    ``otherwise``, else now."""
    for given in map(number, (value, otherwise)):
        ms = 0 if given is None else int(given * 1000 if given < _SECONDS_END else given)
        if ms >= _EARLIEST_MS:
            return min(ms, now)
    return now
