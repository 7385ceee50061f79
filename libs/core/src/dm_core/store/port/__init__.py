"""What the system needs of a store, in its own words. Two adapters keep it: ``firestore`` and ``sqlite``.

The thread document is the only place where concurrency is decided. Every decision of a run is a *conditional
commit*: it names the version of the thread it was made from and is applied whole or not at all. The webhook merges
without a condition, and the merge moves the version, so the next conditional commit of a run sees that something came.

    webhook   ──merge v7──────────────merge v9──▶                        (never waits, never reads)
    run A     read v7 ─ claim→v8 ─ model … ─ checkpoint@v8 ✗ read v9 ─ checkpoint→v10 ─ act ─ finish→v11
    run B        read v7 ─ claim@v7 ✗  read v8: live lease → busy
              lease: |t0 ── the function's own deadline ── platform timeout ── expires_at|

A lease that has passed ``expires_at`` belongs to nobody; ``due_at`` says when somebody must look again.
"""

from dm_core.store.port.changes import (
    CONFLICT,
    MAX_CLAIM,
    PAGE_SIZE,
    UNKNOWN_VERSION,
    UNSET,
    Conflict,
    MessageChange,
    Snapshot,
    ThreadChange,
    Unset,
    Version,
    sorted_messages,
)
from dm_core.store.port.documents import Documents, StoredDocument
from dm_core.store.port.events import BRIEF_MS, Deletion, EchoView, NewText, Recorded, ThreadEvents
from dm_core.store.port.stores import (
    AlertStore,
    ComplianceStore,
    DocumentCollection,
    DocumentStore,
    EventStore,
    OutboxStore,
    Revision,
    SmallDocuments,
    Store,
    StoredAlert,
    StoredOutbox,
    ThreadStore,
)

__all__ = [
    "BRIEF_MS",
    "CONFLICT",
    "MAX_CLAIM",
    "PAGE_SIZE",
    "UNKNOWN_VERSION",
    "UNSET",
    "AlertStore",
    "ComplianceStore",
    "Conflict",
    "Deletion",
    "DocumentCollection",
    "DocumentStore",
    "Documents",
    "EchoView",
    "EventStore",
    "MessageChange",
    "NewText",
    "OutboxStore",
    "Recorded",
    "Revision",
    "SmallDocuments",
    "Snapshot",
    "Store",
    "StoredAlert",
    "StoredDocument",
    "StoredOutbox",
    "ThreadChange",
    "ThreadEvents",
    "ThreadStore",
    "Unset",
    "Version",
    "sorted_messages",
]
