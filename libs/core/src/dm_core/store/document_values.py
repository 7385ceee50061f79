"""Plain documents: the JSON-like values both adapters store, cleaned on the way in, tolerated on the way out.

A document is a dict of str, int, float, bool, None, lists and dicts. What the outside wrote may hold anything, and
must never make a write fail: lone surrogates (not UTF-8) become U+FFFD, whole numbers are held to 64 bits, and
structures of unknown shape (tool arguments, results) are kept as JSON text, because Firestore refuses arrays in
arrays, empty keys and maps deeper than 20 levels.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, cast

type Document = dict[str, object]

MAX_INT = 2**63 - 1
LAST_MS = 253_402_300_799_000
"""9999-12-31T23:59:59Z."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_RESERVED_ID = re.compile(r"__.*__", re.DOTALL)
MAX_ID_BYTES = 1_500
"""Longest document id, in UTF-8 bytes (https://firebase.google.com/docs/firestore/quotas)."""


def clean_text(text: str) -> str:
    """The text with lone surrogates replaced, so that it is valid UTF-8."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


class _Cleaned(dict[str, object]):
    """A document that ``document`` made: inside another one it is taken as it is."""


def storable(value: object) -> object:
    """A value as it may be stored. By exact type first: a checkpoint holds hundreds of values."""
    kind = type(value)
    if kind is str:
        return clean_text(cast("str", value))
    if kind in _KEPT:
        return value
    if kind is int:
        return max(-MAX_INT, min(cast("int", value), MAX_INT))
    if kind is dict:
        return {clean_text(str(key)): storable(item) for key, item in cast("dict[object, object]", value).items()}
    if kind is list or kind is tuple:
        return [storable(item) for item in cast("Sequence[object]", value)]
    return _clean_unusual(value)


_KEPT = frozenset((_Cleaned, type(None), bool, float))


def _clean_unusual(value: object) -> object:
    """A value of a derived type: an enum's member, a read-only map."""
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        return storable(int(value))
    if isinstance(value, Mapping):
        return storable(dict(cast("Mapping[object, object]", value)))
    if isinstance(value, Sequence):
        return storable(list(cast("Sequence[object]", value)))
    raise TypeError(f"a {type(value).__name__} cannot be stored")


def document(**fields: object) -> Document:
    """A cleaned document of these fields."""
    return _Cleaned((key, storable(item)) for key, item in fields.items())


class Named(Protocol):
    """A document as read, by its own name."""

    @property
    def id(self) -> str: ...
    @property
    def doc(self) -> Document | None: ...


def with_id(found: Named, key: str = "id") -> Document:
    """A document that goes by its own name, whatever stands in it."""
    return (found.doc or {}) | {key: found.id}


def is_document_id(text: str) -> bool:
    """Whether Firestore accepts this as a document's id."""
    if not text or "/" in text or text in (".", "..") or _RESERVED_ID.fullmatch(text):
        return False
    return clean_text(text) == text and len(text.encode()) <= MAX_ID_BYTES


def to_json(value: object) -> str:
    """Any structure as JSON text; what JSON does not know is named by its type."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=_json_fallback)


def _json_fallback(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    return type(value).__name__


def from_json(text: str) -> dict[str, object]:
    """The object of a JSON text; empty for anything else."""
    try:
        return as_map(cast("object", json.loads(text)))
    except ValueError:
        return {}


def as_map(value: object) -> Document:
    """The value if it is a map, else an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def maps(doc: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """The maps of a list field."""
    return [as_map(cast("object", item)) for item in as_list(doc.get(key)) if isinstance(item, dict)]


def text(doc: Mapping[str, object], key: str, default: str = "") -> str:
    value = doc.get(key)
    return value if isinstance(value, str) else default


def text_or_none(doc: Mapping[str, object], key: str) -> str | None:
    value = doc.get(key)
    return value if isinstance(value, str) else None


def texts(doc: Mapping[str, object], key: str) -> tuple[str, ...]:
    return tuple(item for item in as_list(doc.get(key)) if isinstance(item, str))


def whole(doc: Mapping[str, object], key: str, default: int = 0) -> int:
    value = doc.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def moment(doc: Mapping[str, object], key: str) -> int:
    """A time in ms since 1970 that a calendar can say."""
    return max(0, min(whole(doc, key), LAST_MS))


def whole_or_none(doc: Mapping[str, object], key: str) -> int | None:
    value = doc.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(doc: Mapping[str, object], key: str) -> bool:
    return doc.get(key) is True


def word[E: StrEnum](doc: Mapping[str, object], key: str, default: E) -> E:
    """An enum's word; ``default`` for one this version does not know."""
    value = doc.get(key)
    return next((member for member in type(default) if member.value == value), default)


def optional[T](doc: Mapping[str, object], key: str, parse: Callable[[dict[str, object]], T]) -> T | None:
    """A map field parsed, or None when it is missing."""
    value: object = doc.get(key)
    return parse(as_map(cast("object", value))) if isinstance(value, dict) else None
