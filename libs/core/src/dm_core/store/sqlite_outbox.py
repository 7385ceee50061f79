"""What humans send and change, in the SQLite file: one transaction for each call of the port."""

from dm_core.alerts import Alert
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store import outbox_documents as doc
from dm_core.store import selections
from dm_core.store.alert_documents import parse_alert
from dm_core.store.documents import is_erased, parse_thread
from dm_core.store.plain import clean_text
from dm_core.store.port import CONFLICT, Conflict, StoredOutbox, Version
from dm_core.store.sqlite_file import SqliteFile, Transaction
from dm_core.threads import Thread


class SqliteOutbox:
    """The outbox store's methods; see the port."""

    _file: SqliteFile

    async def create_outbox(self, item: OutboxItem) -> bool:
        def write(tx: Transaction) -> bool:
            fresh = tx.get("outbox", item.id) is None
            if fresh:
                tx.put("outbox", item.id, doc.outbox_document(item))
            return fresh

        return await self._file.write(write)

    async def get_outbox(self, item_id: str) -> StoredOutbox | None:
        found = await self._file.read(lambda tx: tx.get("outbox", clean_text(item_id)))
        return None if found is None else StoredOutbox(doc.parse_outbox(found.id, found.doc), Version(found.version))

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        def write(tx: Transaction) -> Version | Conflict:
            found = tx.get("outbox", item.id)
            if found is None or found.version != version.mark:
                return CONFLICT
            return Version(tx.put("outbox", item.id, doc.outbox_document(item)))

        return await self._file.write(write)

    async def add_audit(self, line: AuditLine) -> None:
        await self._file.write(lambda tx: put_audit(tx, line))

    async def alert_of_message(self, wamid: str) -> Alert | None:
        selection = selections.alert_of_message(clean_text(wamid))
        found = await self._file.read(lambda tx: tx.select(selection))
        return parse_alert({"id": found[0].id, **found[0].doc}) if found else None

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        found = await self._file.read(lambda tx: tx.select(selections.newest_threads(limit, before)))
        return tuple(parse_thread(each.id, each.doc) for each in found if not is_erased(each.doc))


def put_audit(tx: Transaction, line: AuditLine) -> None:
    """Write a line; the same id twice is one line."""
    tx.put("audit", line.id, doc.audit_document(line))
