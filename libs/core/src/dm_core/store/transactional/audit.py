"""The lines of the audit."""

from collections.abc import Sequence

from dm_core.outbox import AuditLine
from dm_core.store.outbox_documents import audit_document
from dm_core.store.transactional.database import Transaction


def put_audit(tx: Transaction, lines: Sequence[AuditLine]) -> None:
    """Write lines; the same id twice is one line."""
    for line in lines:
        tx.put("audit", line.id, audit_document(line))
