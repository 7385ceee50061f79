"""The documents themselves on Firestore, to be read."""

from dataclasses import dataclass

from dm_core.store.document_values import is_document_id
from dm_core.store.firestore.client import FirestoreClient
from dm_core.store.firestore.protobuf import Found
from dm_core.store.port import StoredDocument, Version
from dm_core.store.selections import Selection
from dm_core.store.thread_documents import parse_thread_id


@dataclass(frozen=True, slots=True)
class FirestoreDocuments:
    """See ``Documents`` of the port."""

    client: FirestoreClient

    async def select(self, selection: Selection) -> tuple[StoredDocument, ...]:
        return _stored((await self.client.select(selection)).found)

    async def get(self, collection: str, key: str, thread_id: str = "") -> StoredDocument | None:
        if not is_document_id(key) or (thread_id and parse_thread_id(thread_id) is None):
            return None
        parent = ("conversations", thread_id) if thread_id else ()
        return next(iter(_stored(await self.client.get(self.client.name(*parent, collection, key)))), None)

    async def below(self, thread_id: str, collection: str) -> tuple[StoredDocument, ...]:
        if parse_thread_id(thread_id) is None:
            return ()
        return _stored(await self.client.all(collection, "conversations", thread_id))


def _stored(found: "list[Found] | tuple[Found, ...]") -> tuple[StoredDocument, ...]:
    return tuple(StoredDocument(f.id, f.doc, Version(f.update_time)) for f in found if f.doc is not None)
