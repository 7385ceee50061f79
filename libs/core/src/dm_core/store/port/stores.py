"""The methods of a store, by who needs them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.messages import Message
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store.port.changes import Conflict, Snapshot, ThreadChange, Version
from dm_core.store.port.documents import Documents
from dm_core.store.port.events import Deletion, EchoView, NewText, Recorded, ThreadEvents
from dm_core.threads import Profile, Thread
from dm_core.usage import DayRuns


class ThreadStore(Protocol):
    """What a run needs."""

    async def open(self, thread_id: str) -> Snapshot | None:
        """Read a thread, its unprocessed messages and its newest page; None if there is no such thread.

        Two remote reads in parallel, one more only when ``pending_count`` says the page missed something.
        Raises StoreUnavailable.
        """
        ...

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        """Apply a change on its condition; the new version, or CONFLICT. Raises StoreUnavailable: then unknown."""
        ...

    async def day_runs(self, day_start: int) -> DayRuns:
        """How many runs of the whole deployment were counted on the day that begins then (ms since 1970).

        One read. Raises StoreUnavailable.
        """
        ...

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        """The newest ``limit`` messages, sorted by ``Message.order``. Raises StoreUnavailable."""
        ...

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        """Ids of threads with ``due_at`` < ``before``, the longest overdue first. Raises StoreUnavailable."""
        ...


class EventStore(Protocol):
    """What the webhook needs. Every method raises StoreUnavailable when the answer is not sure."""

    async def record(self, events: ThreadEvents) -> Recorded:
        """Store one request's events of one thread in one commit; duplicates are reported, not rewritten.

        What is there of a message without being the message itself is taken over by it: a standby copy (whose message
        now comes to us), and the text of an edit that came first. One remote call when nothing is there.
        """
        ...

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        """One read (two documents) for judging an echo."""
        ...

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        """Erase a message's content; a pending one is closed with disposition ``unsent``.

        An unknown one leaves a tombstone (``events.messages[0]``, already closed and empty) under its id, so that a
        late arrival of the message itself stays unsent. Moves the thread's version. True if it was known.

        Every archived run that was shown the message loses its words: contents, arguments, texts, results and notes;
        the thread loses the notes that it, or the live run, saved. What of the message was quarantined is deleted. May
        be repeated, and then goes on.
        """
        ...

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        """Give a message a new text, whatever its status, and move the thread's version and revision.

        Never an older text than it has, and none to an unsent one: nothing is written then. An unknown message's text
        is kept for a day and put into the message when that is recorded; the thread is made if need be, for as long.
        True if the message was known.
        """
        ...

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
        """Give a thread back the pause it had ``before``, if it is still paused exactly until ``paused_until``; its
        version and revision move. True if it was."""
        ...

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        """Keep a raw item that was not understood, with the people it names; the same id twice is one document."""
        ...

    async def get_document(self, collection: "DocumentCollection", key: str) -> Mapping[str, object] | None:
        """A document of plain JSON values, or None."""
        ...

    async def revise_document(
        self,
        collection: "DocumentCollection",
        key: str,
        revise: "Revision",
        expire_at: int | None,
        audit: Sequence[AuditLine] = (),
    ) -> Mapping[str, object]:
        """Read a document, change it and write it, with nothing in between; what is stored afterwards. ``revise`` may
        be called more than once, and returns None to leave the document as it is. ``audit`` is written with it."""
        ...


class ComplianceStore(Protocol):
    """What deletion requests need."""

    async def create_deletion(self, deletion: Deletion, audit: Sequence[AuditLine] = ()) -> bool:
        """Create the record of a request, ``audit`` with it; False if it exists already, which is left as it is."""
        ...

    async def put_deletion(self, deletion: Deletion) -> None:
        """Write or overwrite the record of a request."""
        ...

    async def get_deletion(self, code: str) -> Deletion | None: ...

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        """Erase at most ``limit`` threads (None: all) in which this id is the person or the account; how many.

        Fewer than ``limit`` means that none is left, and that the person's limits and quarantined items are gone too.
        Each thread by itself: its lease is taken first, so that a live run loses its next commit for good; then its
        messages, runs, alerts, outgoing messages, lines of the audit, what is known of a text that paused it, and the
        person's limits go, and an empty tombstone is left for a day.
        The same commit counts the thread in the deletion ``code``, where one is named and exists. May be repeated, and
        then goes on.
        """
        ...

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        """Requests that are not completed."""
        ...


DocumentCollection = Literal["schedule", "maintenance", "automatic"]


type Revision = Callable[[Mapping[str, object]], Mapping[str, object] | None]


class SmallDocuments(Protocol):
    """Documents of plain JSON values beside the threads: the Spond cache (``schedule/{groupId}``), maintenance facts,
    and what is known of the account's automatic messages (``automatic/{hash}``)."""

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        """One document, or None."""
        ...

    async def put_document(
        self, collection: DocumentCollection, key: str, value: Mapping[str, object], expire_at: int | None = None
    ) -> None:
        """Write a whole document; ``expire_at`` in ms since 1970, None: it never expires."""
        ...


class DocumentStore(SmallDocuments, Protocol):
    """These documents, changed under a condition too, and what the watchdog asks."""

    async def revise_document(
        self,
        collection: DocumentCollection,
        key: str,
        revise: Revision,
        expire_at: int | None,
        audit: Sequence[AuditLine] = (),
    ) -> Mapping[str, object]:
        """As ``EventStore.revise_document``."""
        ...

    async def last_inbound_at(self) -> int | None:
        """The newest ``last_inbound_at`` of any thread, for the watchdog; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as read, and the version of its document."""

    alert: Alert
    version: Version


class AlertStore(Protocol):
    """The outbox to the manager. Every method raises StoreUnavailable when the answer is not sure.

    Whoever sends claims first: a save whose alert has ``claim_until``, on the version that was read. A status that
    comes meanwhile moves the version, so the save that follows the call conflicts, reads again and knows of it.
    """

    async def create_alert(self, alert: Alert) -> bool:
        """Create an alert outside a thread's commit; False if it exists already, which is success too."""
        ...

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        """An alert by its id, which may come from outside: anything may be asked for."""
        ...

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        """Alerts with ``due_at`` < ``before``: urgent ones first, then the longest due; at most ``limit`` of either."""
        ...

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        """Write an alert that is still at ``version``; CONFLICT also when it is gone."""
        ...

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        """One commit: create the digest and write ``members``, each still at its version. Else nothing of it."""
        ...

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        """The alerts that travel in this digest, the oldest first."""
        ...

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        """One commit: write the digest and ``members``, each still at its version. Else nothing of it."""
        ...

    async def record_status(self, status: AlertStatus) -> bool:
        """Write a status into the fields of its kind and no other; False if there is no such alert.

        A failure makes the alert due again, at ``status.at``.
        """
        ...

    async def manager_contact(self) -> ManagerContact:
        """What is known of the way to the manager's phone."""
        ...

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        """Merge these times; None leaves a field, and none ever goes back."""
        ...

    async def get_thread(self, thread_id: str) -> Thread | None:
        """The thread's own document alone; one read. None if there is none, or if it was erased."""
        ...

    async def thread_profile(self, thread_id: str) -> Profile | None:
        """The profile kept in a thread; one document read."""
        ...


@dataclass(frozen=True, slots=True)
class StoredOutbox:
    """An item as read, and the version of its document."""

    item: OutboxItem
    version: Version


class OutboxStore(Protocol):
    """What humans send and change. Every method raises StoreUnavailable when the answer is not sure.

    A change of a thread is a ``ThreadChange`` with ``audit``: the line is written by the same conditional commit.
    """

    async def create_outbox(self, item: OutboxItem, audit: Sequence[AuditLine] = ()) -> bool:
        """Store what a human wrote, ``audit`` with it; False if it is there already, which is success too."""
        ...

    async def get_outbox(self, item_id: str) -> StoredOutbox | None: ...

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        """Write an item that is still at ``version``; CONFLICT also when it is gone (its person was erased)."""
        ...

    async def due_outbox(self, before: int, limit: int) -> tuple[str, ...]:
        """Ids of items with ``due_at`` < ``before``, the longest overdue first."""
        ...

    async def add_audit(self, line: AuditLine) -> None:
        """A line about what concerns no thread alone; the same id twice is one line."""
        ...

    async def drop_quarantined(self, item_id: str, version: Version, audit: Sequence[AuditLine]) -> bool:
        """Delete a quarantined item that is still at this version, and write ``audit``; False if it is not."""
        ...

    async def alert_of_message(self, wamid: str) -> Alert | None:
        """The alert, or digest, that went out as this WhatsApp message."""
        ...

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        """Threads by their newest DM, the latest first; only those whose newest came ``before`` (ms since 1970)."""
        ...


class Store(ThreadStore, EventStore, ComplianceStore, DocumentStore, AlertStore, OutboxStore, Protocol):
    """All of it; what an adapter implements."""

    @property
    def documents(self) -> Documents:
        """The documents themselves, to be read."""
        ...

    async def close(self) -> None:
        """Release connections. The store is not used afterwards."""
        ...
