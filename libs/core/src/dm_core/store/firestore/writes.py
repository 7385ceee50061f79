"""The writes of a commit, each on its own condition.

``expireAt`` is ms in our documents and a timestamp in Firestore, because a TTL policy needs one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NewType, cast

from google.cloud.firestore_v1 import types
from google.protobuf import timestamp_pb2

from dm_core.store.document_values import Document
from dm_core.store.firestore.protobuf import Instant, encode, encode_fields, generated_class

Write = NewType("Write", object)
"""One write of a commit, ready to be sent."""

type Transform = tuple[Literal["increment", "maximum", "minimum"], int]
type Transforms = Mapping[str, Transform]
"""Values the server computes from the ones it has; the given one itself where it has none."""

MOVES: Transforms = {"revision": ("increment", 1)}
"""What moves a thread's version even if nothing else of it changes; our own commits and echoes never do it."""

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last a timestamp can say

_Value = generated_class(types.Value)
_Document, _Write, _Mask = (
    generated_class(types.Document),
    generated_class(types.Write),
    generated_class(types.DocumentMask),
)
_Precondition = generated_class(types.Precondition)
_Transform = generated_class(types.DocumentTransform.FieldTransform)
_Timestamp = cast("Any", timestamp_pb2.Timestamp)


def _document(name: str, doc: Document) -> Any:
    fields = encode_fields(doc)
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
