"""The lines of the audit, as writes of the commit that they are about."""

from collections.abc import Sequence

from dm_core.outbox import AuditLine
from dm_core.store.firestore import writes
from dm_core.store.firestore.client import FirestoreClient
from dm_core.store.firestore.writes import Write
from dm_core.store.outbox_documents import audit_document


def audit_writes(client: FirestoreClient, lines: Sequence[AuditLine]) -> list[Write]:
    """The same id twice is one line."""
    return [writes.put(client.name("audit", line.id), audit_document(line)) for line in lines]
