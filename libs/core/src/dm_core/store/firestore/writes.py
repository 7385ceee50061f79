"""The writes of a commit, each on its own condition.

``expireAt`` is ms in our documents and a timestamp in Firestore, because a TTL policy needs one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NewType

from google.cloud.firestore_v1 import types

from dm_core.google_grpc import generated
from dm_core.store.document_values import Document
from dm_core.store.firestore.protobuf import Instant, encode, fill_fields

Write = NewType("Write", object)
"""One write of a commit, ready to be sent."""

type Transform = tuple[Literal["increment", "maximum", "minimum"], int]
type Transforms = Mapping[str, Transform]
"""Values the server computes from the ones it has; the given one itself where it has none."""

MOVES: Transforms = {"revision": ("increment", 1)}
"""What moves a thread's version even if nothing else of it changes; our own commits and echoes never do it."""

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last a timestamp can say

_Write = generated(types.Write)


def _update(name: str, doc: Document, transforms: Transforms | None = None) -> Any:
    """A write of a document, filled where it stands."""
    write = _Write()
    write.update.name = name
    fields = write.update.fields
    fill_fields(fields, doc)
    expire_at = doc.get("expireAt")
    if isinstance(expire_at, int):
        seconds, ms = divmod(max(0, expire_at), 1_000)
        time = fields["expireAt"].timestamp_value
        time.seconds, time.nanos = min(seconds, _LAST_SECOND), ms * 1_000_000
    for field, (kind, n) in (transforms or {}).items():
        write.update_transforms.add(field_path=field, **{kind: encode(n)})
    return write


def _masked(write: Any, paths: Iterable[str]) -> Any:
    write.update_mask.SetInParent()
    write.update_mask.field_paths.extend(paths)
    return write


def _conditional(write: Any, unchanged_since: Instant | None) -> Write:
    """Only if the document exists, or is still as of then."""
    if unchanged_since is None:
        write.current_document.exists = True
    else:
        time = write.current_document.update_time
        time.SetInParent()
        time.seconds, time.nanos = unchanged_since
    return Write(write)


def create(name: str, doc: Document, transforms: Transforms | None = None) -> Write:
    """Create; the commit fails with Exists if the document is there."""
    write = _update(name, doc, transforms)
    write.current_document.exists = False
    return Write(write)


def put(name: str, doc: Document, *, unchanged_since: Instant | None = None) -> Write:
    """A whole document, whatever was there, or only as of ``unchanged_since``."""
    write = _update(name, doc)
    return Write(write) if unchanged_since is None else _conditional(write, unchanged_since)


def increment(name: str, field: str) -> Write:
    """Count a field of a document that exists up by one."""
    return _conditional(_masked(_update(name, {}, {field: ("increment", 1)}), ()), None)


def merge(name: str, doc: Document, transforms: Transforms | None = None) -> Write:
    """Set these fields, keep the others, create the document if need be."""
    return Write(_masked(_update(name, doc, transforms), doc))


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
    return _conditional(_masked(_update(name, doc, transforms), doc if only is None else only), unchanged_since)


def delete(name: str, *, unchanged_since: Instant | None = None) -> Write:
    """Delete, if still as of ``unchanged_since`` where given; deleting nothing is no error otherwise."""
    write = _Write(delete=name)
    return Write(write) if unchanged_since is None else _conditional(write, unchanged_since)
