"""What is stored, as plain documents: what an operator's tool looks at, and nothing that runs ever asks for."""

from dataclasses import dataclass
from typing import Protocol

from dm_core.store.document_values import Document
from dm_core.store.port.changes import Version
from dm_core.store.selections import Selection


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as read, and its version."""

    id: str
    doc: Document
    version: Version


class Documents(Protocol):
    """Reads what ``store/queries.py`` names. Every method raises StoreUnavailable."""

    async def select(self, selection: Selection) -> tuple[StoredDocument, ...]:
        """The documents of a selection, in its order."""
        ...

    async def get(self, collection: str, key: str, thread_id: str = "") -> StoredDocument | None:
        """One document; with ``thread_id``, of that thread's subcollection. Anything may be asked for."""
        ...

    async def below(self, thread_id: str, collection: str) -> tuple[StoredDocument, ...]:
        """Every document of a thread's subcollection, however many there are."""
        ...
