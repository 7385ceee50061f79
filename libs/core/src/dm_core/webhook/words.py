"""Every text that JSON of any shape carries, known kinds and future ones alike.

The list of kinds grows on the platform's side, so the keys are not listed: all of them count, at any depth, but those
that hold addresses, ids and other machines' words. See docs/architecture.md#what-a-message-carries.
"""

import re
from collections.abc import Iterator
from typing import Final

from dm_core.webhook.fields import JsonObject, as_list, as_object, text

MAX_WORDS_CHARS: Final = 2_000
"""Most characters kept of all the texts of one attachment, and of all a message says beside its text."""

MAX_WORDS: Final = 30
"""Most texts kept of one attachment: ten cards with a title, a subtitle and a button."""

_MAX_VALUES: Final = 2_000
"""Most values looked at: no person sees more, and a body may hold millions."""

_MACHINE_KEYS: Final = re.compile(
    r"(?:.*_)?(?:id|ids|mid|mids|url|urls|uri|uris|link|type|hash|sha256|token|signature|metadata|payload)"
    r"|.*[a-z](?:Id|Ids|Url|Urls|Uri|Type|Hash|Token)"
    r"|is_\w+|webview_\w+|messenger_extensions|timestamp|width|height|image_aspect_ratio|sharable"
)
_MACHINE_PARTS: Final = frozenset({"nlp", "tags"})
"""Structures in which a platform's own analysis of the text stands, not words of a person."""

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://\S*|data:\S*", re.IGNORECASE)
_TOKEN: Final = re.compile(r"(?=\S*[0-9])[\x21-\x7e]{32,}|[0-9]{10,}")
"""One unbroken run of characters with digits, or a long number: an id."""


def words_of(value: object, known: tuple[str | None, ...] = ()) -> tuple[str, ...]:
    """The texts of a JSON value in their order, each once and none of ``known``, within the two limits above."""
    seen = set(known)
    found: list[str] = []
    left = MAX_WORDS_CHARS
    for given in _texts(value):
        said = text(" ".join(given[: left * 2].split()), left)
        if said is None or said in seen or not _is_for_people(said):
            continue
        seen.add(said)
        found.append(said)
        left -= len(said)
        if len(found) == MAX_WORDS or left <= 0:
            break
    return tuple(found)


def _texts(value: object) -> Iterator[str]:
    """Depth first, in the order given; without recursion, because depth is the sender's choice."""
    waiting = [value]
    for _ in range(_MAX_VALUES):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif (fields := as_object(value)) is not None:
            waiting += reversed(list(_inside(fields)))
        elif (items := as_list(value)) is not None:
            waiting += reversed(items[:_MAX_VALUES])


def _inside(fields: JsonObject) -> Iterator[object]:
    """The values that may be for people: under a machine's key only what is itself a structure is looked into."""
    for key, value in fields.items():
        is_structure = isinstance(value, dict | list) and key not in _MACHINE_PARTS
        if is_structure or not (_MACHINE_KEYS.fullmatch(key) or key in _MACHINE_PARTS):
            yield value


def _is_for_people(said: str) -> bool:
    return not _ADDRESS.fullmatch(said) and not _TOKEN.fullmatch(said)
