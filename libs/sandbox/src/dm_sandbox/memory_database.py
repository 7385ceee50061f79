"""A database of plain documents in this process's memory, for simulations that make thousands of threads a minute.

The documents, and the code that reads and writes them, are production's (``dm_core.store.transactional``); only what
holds them is not. Whoever checks on the database reads its documents as values: ``threads`` (without erased ones),
``messages`` and ``runs`` (by thread), ``alerts``, ``outbox``, ``deletions``, and ``quarantined`` (the documents
themselves).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from dm_core.messages import Message
from dm_core.outbox import OutboxItem
from dm_core.runs import Run
from dm_core.store.document_values import Document, as_map
from dm_core.store.message_documents import is_message, parse_message
from dm_core.store.outbox_documents import parse_outbox
from dm_core.store.port import Deletion, StoredAlert
from dm_core.store.record_documents import parse_deletion
from dm_core.store.run_documents import parse_run
from dm_core.store.selections import EVERYWHERE, Selection
from dm_core.store.thread_documents import is_erased, parse_thread
from dm_core.store.transactional import Stored, Transaction
from dm_core.store.transactional.alerts import parse_stored
from dm_core.store.usage import StoreUsage
from dm_core.threads import Thread

type Place = tuple[str, str]
"""A collection, and the thread it is below, or an empty text."""


class MemoryDatabase:
    """What several stores share, as several instances share a database. Nothing ever expires.

    ``written``: the places and ids of the documents that the last transaction wrote or deleted.
    """

    def __init__(self) -> None:
        self.places: dict[Place, dict[str, Stored]] = defaultdict(dict[str, Stored])
        self.last_version = 0
        self.written: Sequence[tuple[Place, str]] = ()
        self.threads: Mapping[str, Thread] = _Values(
            self.places["conversations", ""], lambda s: parse_thread(s.id, s.doc), lambda doc: not is_erased(doc)
        )
        self.alerts: Mapping[str, StoredAlert] = _Values(self.places["alerts", ""], parse_stored)
        self.deletions: Mapping[str, Deletion] = _Values(self.places["deletions", ""], lambda s: parse_deletion(s.doc))
        self.outbox: Mapping[str, OutboxItem] = _Values(self.places["outbox", ""], lambda s: parse_outbox(s.id, s.doc))
        self.quarantined: Mapping[str, Document] = _Values(self.places["quarantine", ""], lambda s: s.doc)
        self.messages: Mapping[str, Mapping[str, Message]] = _Below(
            self.places, "messages", lambda s: parse_message(s.doc), is_message
        )
        self.runs: Mapping[str, Mapping[str, Run]] = _Below(self.places, "runs", lambda s: parse_run(s.doc))

    def transact[T](self, work: Callable[[Transaction], T], usage: StoreUsage | None = None) -> T:
        """Run reads and writes as one step, applied whole when ``work`` returns, else not at all."""
        transaction = MemoryTransaction(self, usage or StoreUsage())
        try:
            outcome = work(transaction)
        except BaseException:
            transaction.undo()
            raise
        self.written = [(place, key) for place, key, _ in transaction.before]
        return outcome


class _Values[T](Mapping[str, T]):
    """The documents of one place as values by id, each parsed once for each of its versions."""

    def __init__(
        self,
        documents: dict[str, Stored],
        parse: Callable[[Stored], T],
        counts: Callable[[Document], bool] = lambda _: True,
    ) -> None:
        self._documents, self._parse, self._counts = documents, parse, counts
        self._parsed: dict[str, tuple[Stored, T]] = {}

    def __getitem__(self, key: str) -> T:
        stored = self._documents[key]
        if not self._counts(stored.doc):
            raise KeyError(key)
        known = self._parsed.get(key)
        if known is None or known[0] is not stored:
            known = self._parsed[key] = stored, self._parse(stored)
        return known[1]

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, stored in self._documents.items() if self._counts(stored.doc)])

    def __len__(self) -> int:
        return sum(self._counts(stored.doc) for stored in self._documents.values())


class _Below[T](Mapping[str, Mapping[str, T]]):
    """The documents of one of the threads' collections as values, by thread and id. The thread itself may not exist."""

    def __init__(
        self,
        places: dict[Place, dict[str, Stored]],
        collection: str,
        parse: Callable[[Stored], T],
        counts: Callable[[Document], bool] = lambda _: True,
    ) -> None:
        self._places, self._collection = places, collection
        self._values: Callable[[dict[str, Stored]], _Values[T]] = lambda documents: _Values(documents, parse, counts)
        self._known: dict[str, _Values[T]] = {}

    def __getitem__(self, key: str) -> Mapping[str, T]:
        documents = self._places.get((self._collection, key))
        if not documents:
            raise KeyError(key)
        if key not in self._known:
            self._known[key] = self._values(documents)
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter([key for (name, key), documents in self._places.items() if name == self._collection and documents])

    def __len__(self) -> int:
        return len(list(iter(self)))


class MemoryTransaction:
    """See ``Transaction``. ``usage`` counts what is read; ``before`` is what each document was that is written."""

    def __init__(self, database: MemoryDatabase, usage: StoreUsage) -> None:
        self._database, self._usage = database, usage
        self.before: list[tuple[Place, str, Stored | None]] = []

    def get(self, collection: str, key: str, parent: str = "") -> Stored | None:
        self._usage.reads += 1
        return self._database.places[collection, parent].get(key)

    def select(self, selection: Selection) -> list[Stored]:
        places = self._database.places
        if selection.query in EVERYWHERE:
            everywhere = [documents for (name, _), documents in places.items() if name == selection.collection]
            documents = [stored for place in everywhere for stored in place.values()]
        else:
            documents = list(places[selection.collection, selection.parent].values())
        found = [stored for stored in documents if _is_selected(selection, stored.doc)]
        for field, direction in reversed(selection.order):
            found.sort(key=lambda stored: cast("int", _value(stored.doc, field)))
            if direction == "desc":
                found.reverse()
        page = found[: selection.limit]
        self._usage.reads += max(1, len(page))
        return page

    def below(self, parent: str, collection: str) -> list[Stored]:
        found = sorted(self._database.places[collection, parent].values(), key=lambda stored: stored.id)
        self._usage.reads += max(1, len(found))
        return found

    def put(self, collection: str, key: str, doc: Document, parent: str = "") -> int:
        self._database.last_version += 1
        documents = self._database.places[collection, parent]
        self.before.append(((collection, parent), key, documents.get(key)))
        documents[key] = Stored(key, self._database.last_version, doc)
        return self._database.last_version

    def delete(self, collection: str, key: str) -> None:
        self._delete((collection, ""), key)

    def delete_below(self, parent: str) -> None:
        for place in (("messages", parent), ("runs", parent)):
            for key in list(self._database.places[place]):
                self._delete(place, key)

    def _delete(self, place: Place, key: str) -> None:
        self.before.append((place, key, self._database.places[place].pop(key, None)))

    def undo(self) -> None:
        """Give back what every document was before."""
        for place, key, stored in reversed(self.before):
            if stored is not None:
                self._database.places[place][key] = stored
            else:
                self._database.places[place].pop(key, None)


def _is_selected(selection: Selection, doc: Document) -> bool:
    """Whether a document meets the condition and has what it is put in order by."""
    value, operand = _value(doc, selection.field), selection.operand
    match selection.operator:
        case "in":
            selected = value in cast("list[object]", operand)
        case "==":
            selected = value == operand
        case "contains":
            selected = operand in cast("list[object]", value or [])
        case "<":
            selected = value is not None and cast("int", value) < cast("int", operand)
        case ">=":
            selected = value is not None and cast("int", value) >= cast("int", operand)
        case None:
            selected = value is not None
    if not selected or selection.below is None:
        return selected
    bound = _value(doc, selection.order[0][0])
    return bound is not None and cast("int", bound) < cast("int", selection.below)


def _value(doc: Document, path: str) -> object:
    """What a document has at a path, None for nothing."""
    value: object = doc
    for word in path.split("."):
        value = as_map(value).get(word)
    return value
