"""The documents themselves, to be read."""

from dataclasses import dataclass

from dm_core.store.document_values import clean_text
from dm_core.store.port import StoredDocument, Version
from dm_core.store.selections import Selection
from dm_core.store.transactional.database import Database, Stored


@dataclass(frozen=True, slots=True)
class TransactionalDocuments:
    """See ``Documents`` of the port."""

    database: Database

    async def select(self, selection: Selection) -> tuple[StoredDocument, ...]:
        return tuple(map(_stored, await self.database.read("select", lambda tx: tx.select(selection))))

    async def get(self, collection: str, key: str, thread_id: str = "") -> StoredDocument | None:
        place = collection, clean_text(key), clean_text(thread_id)
        found = await self.database.read("get", lambda tx: tx.get(*place))
        return None if found is None else _stored(found)

    async def below(self, thread_id: str, collection: str) -> tuple[StoredDocument, ...]:
        return tuple(map(_stored, await self.database.read("below", lambda tx: tx.below(thread_id, collection))))


def _stored(found: Stored) -> StoredDocument:
    return StoredDocument(found.id, found.doc, Version(found.version))
