"""Plain documents as Firestore's protocol buffers, and back.

The client library wraps every single value in a message object of its own, which costs several times the CPU of all
the rest of a commit; here the generated classes below that are filled directly. They are untyped, so this file is
the border: plain documents and instants outside, ``Any`` inside only.

``expireAt`` is ms in our documents and a timestamp in Firestore, because a TTL policy needs one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NewType, cast

from google.cloud.firestore_v1 import types
from google.protobuf import timestamp_pb2, wrappers_pb2

from dm_core.store.plain import Document, clean
from dm_core.store.selections import Selection

Instant = tuple[int, int]
"""A moment of the server's one order of time: seconds since 1970 and nanoseconds."""

Write = NewType("Write", object)
"""One write of a commit, ready to be sent."""

type Transform = tuple[Literal["increment", "maximum", "minimum"], int]
type Transforms = Mapping[str, Transform]
"""Values the server computes from the ones it has; the given one itself where it has none."""

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last a timestamp can say


def _raw(message: object) -> Any:
    """The generated class below a class of the library."""
    return cast("Any", message).pb()


_Value, _Map, _Array = _raw(types.Value), _raw(types.MapValue), _raw(types.ArrayValue)
_Document, _Write, _Mask = _raw(types.Document), _raw(types.Write), _raw(types.DocumentMask)
_Precondition = _raw(types.Precondition)
_Transform = _raw(types.DocumentTransform.FieldTransform)
_Query = _raw(types.StructuredQuery)
_Timestamp = cast("Any", timestamp_pb2.Timestamp)
_Int32 = cast("Any", wrappers_pb2.Int32Value)

_OPERATORS = {"<": 1, "==": 5, "contains": 7, "in": 8}  # StructuredQuery.FieldFilter.Operator
_AND = 1  # StructuredQuery.CompositeFilter.Operator
_IS_NULL = 3  # StructuredQuery.UnaryFilter.Operator
_DIRECTIONS = {"asc": 1, "desc": 2}  # StructuredQuery.Direction


@dataclass(frozen=True, slots=True)
class Found:
    """A document as read; ``doc`` is None if there is none. ``update_time`` is its version."""

    id: str
    doc: Document | None
    update_time: Instant = (0, 0)


def encode(value: object) -> Any:
    """A clean value as a protocol value."""
    match value:
        case str():
            return _Value(string_value=value)
        case None:
            return _Value(null_value=0)
        case bool():
            return _Value(boolean_value=value)
        case int():
            return _Value(integer_value=value)
        case float():
            return _Value(double_value=value)
        case dict():
            return _Value(map_value=_Map(fields=_encode_fields(cast("Document", value))))
        case list():
            return _Value(array_value=_Array(values=[encode(item) for item in cast("list[object]", value)]))
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be stored")


def _encode_fields(doc: Document) -> dict[str, Any]:
    return {key: encode(item) for key, item in doc.items()}


def decode(value: Any) -> object:
    """A protocol value as a plain one; timestamps become ms."""
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
        case _:
            return cast("object", getattr(value, kind))


def found_document(raw: Any) -> Found:
    """A document of an answer."""
    doc = {key: decode(value) for key, value in raw.fields.items()}
    return Found(raw.name.rsplit("/", 1)[-1], cast("Document", doc), instant(raw.update_time))


def as_instant(mark: object) -> Instant | None:
    """The instant that a version's mark is, if it is one."""
    return cast("Instant", mark) if isinstance(mark, tuple) else None


def instant(raw: Any) -> Instant:
    return (int(raw.seconds), int(raw.nanos))


def _document(name: str, doc: Document) -> Any:
    fields = _encode_fields(doc)
    expire_at = doc.get("expireAt")
    if isinstance(expire_at, int):
        seconds, ms = divmod(max(0, expire_at), 1_000)
        time = _Timestamp(seconds=min(seconds, _LAST_SECOND), nanos=ms * 1_000_000)
        fields["expireAt"] = _Value(timestamp_value=time)
    return _Document(name=name, fields=fields)


def _transforms(transforms: Transforms) -> list[Any]:
    return [_Transform(field_path=field, **{kind: encode(n)}) for field, (kind, n) in transforms.items()]


def create(name: str, doc: Document, transforms: Transforms | None = None) -> Write:
    """Create; the commit fails with Exists if the document is there."""
    return Write(
        _Write(
            update=_document(name, doc),
            update_transforms=_transforms(transforms or {}),
            current_document=_Precondition(exists=False),
        )
    )


def put(name: str, doc: Document, *, unchanged_since: Instant | None = None) -> Write:
    """A whole document, whatever was there, or only as of ``unchanged_since``."""
    if unchanged_since is None:
        return Write(_Write(update=_document(name, doc)))
    return Write(_Write(update=_document(name, doc), current_document=_condition(unchanged_since)))


def increment(name: str, field: str) -> Write:
    """Count a field of a document that exists up by one."""
    raw = _Write(
        update=_document(name, {}), update_mask=_Mask(field_paths=[]), current_document=_Precondition(exists=True)
    )
    raw.update_transforms.extend(_transforms({field: ("increment", 1)}))
    return Write(raw)


def merge(name: str, doc: Document, transforms: Transforms | None = None) -> Write:
    """Set these fields, keep the others, create the document if need be."""
    return Write(
        _Write(
            update=_document(name, doc),
            update_mask=_Mask(field_paths=list(doc)),
            update_transforms=_transforms(transforms or {}),
        )
    )


def update(
    name: str,
    doc: Document,
    transforms: Transforms | None = None,
    *,
    unchanged_since: Instant | None = None,
    only: Iterable[str] | None = None,
) -> Write:
    """Set these fields of a document that exists, still as of ``unchanged_since`` where given.

    ``only``: field paths to set, when they are fewer than the document's fields (``message.text``).
    """
    return Write(
        _Write(
            update=_document(name, doc),
            update_mask=_Mask(field_paths=list(doc if only is None else only)),
            update_transforms=_transforms(transforms or {}),
            current_document=_condition(unchanged_since),
        )
    )


def delete(name: str, *, unchanged_since: Instant | None = None) -> Write:
    """Delete, if still as of ``unchanged_since`` where given; deleting nothing is no error otherwise."""
    if unchanged_since is None:
        return Write(_Write(delete=name))
    return Write(_Write(delete=name, current_document=_condition(unchanged_since)))


def _condition(unchanged_since: Instant | None) -> Any:
    if unchanged_since is None:
        return _Precondition(exists=True)
    seconds, nanos = unchanged_since
    return _Precondition(update_time=_Timestamp(seconds=seconds, nanos=nanos))


def query(selection: Selection) -> Any:
    """A selection as a structured query."""
    orders = [
        _Query.Order(field=_Query.FieldReference(field_path=field), direction=_DIRECTIONS[direction])
        for field, direction in selection.order
    ]
    return _Query(
        where=_filter(selection),
        order_by=orders,
        limit=_Int32(value=selection.limit),
        from_=[_Query.CollectionSelector(collection_id=selection.collection)],
    )


def _filter(selection: Selection) -> Any:
    if selection.operator is None:
        return None
    field = _Query.FieldReference(field_path=selection.field)
    if selection.operand is None:
        return _Query.Filter(unary_filter=_Query.UnaryFilter(field=field, op=_IS_NULL))
    condition = _compared(selection.field, selection.operator, selection.operand)
    if selection.below is None:
        return condition
    bound = _compared(selection.order[0][0], "<", selection.below)
    both = _Query.CompositeFilter(op=_AND, filters=[condition, bound])
    return _Query.Filter(composite_filter=both)


def _compared(field: str, operator: str, operand: object) -> Any:
    name = _Query.FieldReference(field_path=field)
    condition = _Query.FieldFilter(field=name, op=_OPERATORS[operator], value=encode(clean(operand)))
    return _Query.Filter(field_filter=condition)


def names_only(collection: str, limit: int) -> Any:
    """The first documents of a collection by name, without their fields; needs no index of its own."""
    name = _Query.FieldReference(field_path="__name__")
    return _Query(
        select=_Query.Projection(fields=[name]),
        limit=_Int32(value=limit),
        from_=[_Query.CollectionSelector(collection_id=collection)],
    )
