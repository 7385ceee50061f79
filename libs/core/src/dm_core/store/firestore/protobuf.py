"""Plain documents as Firestore's protocol buffers, and back.

The client library wraps every single value in a message object of its own, which costs several times the CPU of all
the rest of a commit; here, and in ``writes`` and ``structured_query``, the generated classes below that are filled
directly. They are untyped, so these files are the border: plain documents and instants outside, ``Any`` inside only.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, cast

from google.cloud.firestore_v1 import types

from dm_core.google_grpc import generated
from dm_core.store.document_values import Document

Instant = tuple[int, int]
"""A moment of the server's one order of time: seconds since 1970 and nanoseconds."""


_Value = generated(types.Value)


@dataclass(frozen=True, slots=True)
class Found:
    """A document as read; ``doc`` is None if there is none. ``update_time`` is its version."""

    id: str
    doc: Document | None
    update_time: Instant = (0, 0)


def encode(value: object) -> Any:
    """A clean value as a protocol value."""
    encoded = _Value()
    fill(encoded, value)
    return encoded


def fill(target: Any, value: object) -> None:
    """Put a clean value into a protocol value where it stands: one made first and put in is copied at every level.

    By exact type first, the most frequent before the others: a commit holds hundreds of values.
    """
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif value is None:
        target.null_value = 0
    elif kind is int:
        target.integer_value = value
    elif kind is list:
        target.array_value.SetInParent()
        values = target.array_value.values
        for item in cast("list[object]", value):
            fill(values.add(), item)
    elif isinstance(value, dict):
        target.map_value.SetInParent()
        fill_fields(target.map_value.fields, cast("Document", value))
    else:
        _fill_seldom(target, value)


def _fill_seldom(target: Any, value: object) -> None:
    match value:
        case bool():
            target.boolean_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case int():
            target.integer_value = value
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be stored")


def fill_fields(fields: Any, doc: Document) -> None:
    """Put each field into a protocol map."""
    for key, item in doc.items():
        fill(fields[key], item)


def decode(value: Any) -> object:
    """A protocol value as a plain one; timestamps become ms. What only other programs write is kept readable."""
    kind = value.WhichOneof("value_type")
    match kind:
        case "map_value":
            return {key: decode(item) for key, item in value.map_value.fields.items()}
        case "array_value":
            return [decode(item) for item in value.array_value.values]
        case "timestamp_value":
            return value.timestamp_value.ToMilliseconds()
        case "null_value" | None:
            return None
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
        case "geo_point_value":
            return {"latitude": value.geo_point_value.latitude, "longitude": value.geo_point_value.longitude}
        case _:
            return cast("object", getattr(value, kind))


def found_document(raw: Any) -> Found:
    """A document of an answer."""
    doc = {key: decode(value) for key, value in raw.fields.items()}
    return Found(raw.name.rsplit("/", 1)[-1], cast("Document", doc), instant(raw.update_time))


def as_instant(mark: object) -> Instant | None:
    """The instant that a version's mark is, if it is one."""
    return cast("Instant", mark) if isinstance(mark, tuple) else None


def milliseconds(at: Instant) -> int:
    """A time in ms since 1970."""
    return at[0] * 1000 + at[1] // 1_000_000


def instant(raw: Any) -> Instant:
    return (int(raw.seconds), int(raw.nanos))
