"""What this store needs of a database: plain documents, and functions on them that nothing comes between."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dm_core.store.document_values import Document
from dm_core.store.selections import Selection


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as read, and its version. The document may be the database's own: it is never changed in place."""

    id: str
    version: int
    doc: Document


class Transaction(Protocol):
    """What can be done with documents inside one transaction. ``parent`` is a thread's id, or empty."""

    def get(self, collection: str, key: str, parent: str = "") -> Stored | None: ...

    def select(self, selection: Selection) -> list[Stored]:
        """The documents of a selection, in its order."""
        ...

    def below(self, parent: str, collection: str) -> list[Stored]:
        """Every document of a thread's subcollection."""
        ...

    def put(self, collection: str, key: str, doc: Document, parent: str = "") -> int:
        """Write a whole document, whatever was there; its new version, which no document ever had before."""
        ...

    def delete(self, collection: str, key: str) -> None: ...

    def delete_below(self, parent: str) -> None:
        """Delete everything in a thread's subcollections."""
        ...


class Database(Protocol):
    """Runs functions, each in a transaction of its own. ``operation`` is the port's method, for errors and simulations.

    Raises StoreUnavailable for everything that the database cannot do.
    """

    async def read[T](self, operation: str, work: Callable[[Transaction], T]) -> T:
        """Run reads that see one state of the database."""
        ...

    async def write[T](self, operation: str, work: Callable[[Transaction], T]) -> T:
        """Run reads and writes that nothing comes between; applied whole when ``work`` returns, else not at all."""
        ...

    async def close(self) -> None: ...
