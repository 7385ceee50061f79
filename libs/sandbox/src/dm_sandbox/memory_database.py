"""A database of plain documents in this process's memory, for simulations that make thousands of threads a minute.

The documents, and the code that reads and writes them, are production's (``dm_core.store.transactional``); only what
holds them is not. Whoever checks on the database reads its documents as values: ``threads``, ``messages``, ``runs``, …
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import cast

from dm_core.messages import Message
from dm_core.runs import Run
from dm_core.store.document_values import Document
from dm_core.store.message_documents import is_message, parse_message
from dm_core.store.port import Deletion, StoredAlert
from dm_core.store.queries import Selection
from dm_core.store.record_documents import parse_deletion
from dm_core.store.run_documents import parse_run
from dm_core.store.thread_documents import is_erased, parse_thread
from dm_core.store.transactional import Stored, Transaction
from dm_core.store.transactional.alerts import parse_stored
from dm_core.store.usage import StoreUsage
from dm_core.threads import Thread

type Place = tuple[str, str]
"""A collection, and the thread it is below, or an empty text."""


class MemoryDatabase:
    """What several stores share, as several instances share a database. Nothing ever expires."""

    def __init__(self) -> None:
        self.places: dict[Place, dict[str, Stored]] = defaultdict(dict[str, Stored])
        self.last_version = 0
        self._values: dict[tuple[Place, str], tuple[Stored, object]] = {}

    def transact[T](self, work: Callable[[Transaction], T], usage: StoreUsage | None = None) -> T:
        """Run reads and writes as one step, applied whole when ``work`` returns, else not at all."""
        transaction = MemoryTransaction(self, usage or StoreUsage())
        try:
            return work(transaction)
        except BaseException:
            transaction.undo()
            raise

    @property
    def threads(self) -> dict[str, Thread]:
        """By id, without erased ones."""
        found = self.places["conversations", ""].items()
        return {
            id_: self._value(("conversations", ""), stored, lambda stored: parse_thread(stored.id, stored.doc))
            for id_, stored in found
            if not is_erased(stored.doc)
        }

    @property
    def messages(self) -> dict[str, dict[str, Message]]:
        """By thread and id, in the order of arrival. A thread need not exist itself."""
        return self._below("messages", lambda stored: parse_message(stored.doc), is_message)

    @property
    def runs(self) -> dict[str, dict[str, Run]]:
        """Archived ones, by thread and id."""
        return self._below("runs", lambda stored: parse_run(stored.doc))

    @property
    def alerts(self) -> dict[str, StoredAlert]:
        place = "alerts", ""
        return {id_: self._value(place, stored, parse_stored) for id_, stored in self.places[place].items()}

    @property
    def deletions(self) -> dict[str, Deletion]:
        return {id_: parse_deletion(stored.doc) for id_, stored in self.places["deletions", ""].items()}

    @property
    def quarantined(self) -> dict[str, Document]:
        """The documents of items that were not understood."""
        return {id_: stored.doc for id_, stored in self.places["quarantine", ""].items()}

    def _below[T](
        self,
        collection: str,
        parse: Callable[[Stored], T],
        counts: Callable[[Mapping[str, object]], bool] = lambda _: True,
    ) -> dict[str, dict[str, T]]:
        found: dict[str, dict[str, T]] = {}
        for place, documents in list(self.places.items()):
            if place[0] == collection and documents:
                kept = ((id_, stored) for id_, stored in documents.items() if counts(stored.doc))
                found[place[1]] = {id_: self._value(place, stored, parse) for id_, stored in kept}
        return found

    def _value[T](self, place: Place, stored: Stored, parse: Callable[[Stored], T]) -> T:
        """A document as a value, parsed once for each of its versions."""
        known = self._values.get((place, stored.id))
        if known is not None and known[0] is stored:
            return cast("T", known[1])
        value = parse(stored)
        self._values[place, stored.id] = stored, value
        return value


class MemoryTransaction:
    """See ``Transaction``. ``usage`` counts what is read."""

    def __init__(self, database: MemoryDatabase, usage: StoreUsage) -> None:
        self._database, self._usage = database, usage
        self._before: list[tuple[dict[str, Stored], str, Stored | None]] = []

    def get(self, collection: str, key: str, parent: str = "") -> Stored | None:
        self._usage.reads += 1
        return self._database.places[collection, parent].get(key)

    def select(self, selection: Selection) -> list[Stored]:
        documents = self._database.places[selection.collection, selection.parent].values()
        found = [stored for stored in documents if _is_selected(selection, stored.doc)]
        for field, direction in reversed(selection.order):
            found.sort(key=lambda stored: cast("int", stored.doc[field]))
            if direction == "desc":
                found.reverse()
        page = found[: selection.limit]
        self._usage.reads += max(1, len(page))
        return page

    def put(self, collection: str, key: str, doc: Document, parent: str = "") -> int:
        self._database.last_version += 1
        documents = self._database.places[collection, parent]
        self._before.append((documents, key, documents.get(key)))
        documents[key] = Stored(key, self._database.last_version, doc)
        return self._database.last_version

    def delete(self, collection: str, key: str) -> None:
        self._delete(self._database.places[collection, ""], key)

    def delete_below(self, parent: str) -> None:
        for collection in ("messages", "runs"):
            documents = self._database.places[collection, parent]
            for key in list(documents):
                self._delete(documents, key)

    def _delete(self, documents: dict[str, Stored], key: str) -> None:
        self._before.append((documents, key, documents.pop(key, None)))

    def undo(self) -> None:
        """Give back what every document was before."""
        for documents, key, stored in reversed(self._before):
            if stored is not None:
                documents[key] = stored
            else:
                documents.pop(key, None)


def _is_selected(selection: Selection, doc: Document) -> bool:
    """Whether a document meets the condition and has what it is put in order by."""
    value, operand = doc.get(selection.field), selection.operand
    match selection.operator:
        case "in":
            selected = value in cast("list[object]", operand)
        case "==":
            selected = value == operand
        case "contains":
            selected = operand in cast("list[object]", value or [])
        case "<":
            selected = isinstance(value, int) and value < cast("int", operand)
        case None:
            selected = value is not None
    if not selected or selection.below is None:
        return selected
    bound = doc.get(selection.order[0][0])
    return isinstance(bound, int) and bound < selection.below
