"""What humans send and change, in this process's memory: the part of ``memory_database`` that keeps it."""

from dataclasses import dataclass, field

from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store.outbox_documents import outbox_document, parse_outbox
from dm_core.store.port import CONFLICT, Conflict, StoredOutbox, Version


@dataclass(slots=True)
class MemoryOutbox:
    """Items by id with their versions, and the lines of the audit."""

    items: dict[str, StoredOutbox] = field(default_factory=dict[str, StoredOutbox])
    audit: dict[str, AuditLine] = field(default_factory=dict[str, AuditLine])
    last_version: int = 0

    def create(self, item: OutboxItem) -> bool:
        fresh = item.id not in self.items
        if fresh:
            self._put(item)
        return fresh

    def save(self, item: OutboxItem, version: Version) -> Version | Conflict:
        found = self.items.get(item.id)
        return CONFLICT if found is None or found.version != version else self._put(item)

    def erase(self, thread_id: str) -> None:
        self.items = {key: stored for key, stored in self.items.items() if stored.item.thread_id != thread_id}

    def _put(self, item: OutboxItem) -> Version:
        """Write it whole, as a document could hold it."""
        self.last_version += 1
        stored = StoredOutbox(parse_outbox(item.id, outbox_document(item)), Version(self.last_version))
        self.items[item.id] = stored
        return stored.version
