"""What the system needs of a store, in its own words. Two adapters keep it: ``firestore`` and ``sqlite``.

The thread document is the only place where concurrency is decided. Every decision of a run is a *conditional
commit*: it names the version of the thread it was made from and is applied whole or not at all. The webhook merges
without a condition, and the merge moves the version, so the next conditional commit of a run sees that something came.

    webhook   ──merge v7──────────────merge v9──▶                        (never waits, never reads)
    run A     read v7 ─ claim→v8 ─ model … ─ checkpoint@v8 ✗ read v9 ─ checkpoint→v10 ─ act ─ finish→v11
    run B        read v7 ─ claim@v7 ✗  read v8: live lease → busy
              lease: |t0 ── the function's own deadline ── platform timeout ── expires_at|

A lease that has passed ``expires_at`` belongs to nobody; ``due_at`` says when somebody must look again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Protocol

from dm_core.alerts import Alert, AlertCount, AlertStatus, ManagerContact
from dm_core.messages import DAY_MS, Disposition, Message, Status
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.runs import Run
from dm_core.steering import Steering
from dm_core.threads import Allowance, Lease, Note, Profile, Thread, Unconfirmed
from dm_core.usage import DayRuns, Spent

PAGE_SIZE: Final = 12
"""Newest messages read with a thread (by arrival), whatever their status. What is older the agent asks for by
``get_thread_messages``; so a DM costs the same in a thread of ten messages and of ten thousand."""

MAX_CLAIM: Final = 400
"""Most unprocessed messages one claim takes; what is left goes to the follow-up."""

BRIEF_MS: Final = DAY_MS
"""How long anything is kept of a thread without a DM: an erased one's tombstone, an echo that came alone."""


class _Unset(Enum):
    UNSET = "unset"


UNSET: Final = _Unset.UNSET
"""Leave this field as it is (None is a value: it clears)."""
Unset = Literal[_Unset.UNSET]


@dataclass(frozen=True, slots=True)
class Version:
    """An opaque version of a thread document; only the adapter that made it can read ``mark``."""

    mark: object


UNKNOWN_VERSION: Final = Version(None)
"""Matches nothing: a commit that names it is told of a conflict without asking the database."""


@dataclass(frozen=True, slots=True)
class ThreadEvents:
    """What one webhook request brought for one thread; stored in one commit.

    ``messages`` are created, never overwritten. With ``due_at`` the thread is merged (``last_inbound_at`` and
    ``due_at`` only ever grow, so that a new DM shortens no wait); ``paused_until`` is merged when set. ``touch_thread``
    False stores the messages alone, and moves no version. ``lasting`` False: no DM is known of this thread, so a thread
    made by these events is kept no longer than they are, and one that exists keeps its own time.

    Only what a person wrote (``last_inbound_at`` set) starts a thread, or starts one afresh that was erased. Everything
    else writes nothing to an erased thread, nor anything said before that to a fresh one, and leaves what goes within a
    day (``BRIEF_MS``) where there is none.
    ``seen`` is the thread's version as it was just looked at (``EchoView.version``), which saves a look.
    """

    thread_id: str
    account_id: str
    user_id: str
    now: int
    messages: tuple[Message, ...] = ()
    last_inbound_at: int | None = None
    due_at: int | None = None
    paused_until: int | None = None
    touch_thread: bool = True
    lasting: bool = True
    seen: Version | None = None

    @property
    def starts_thread(self) -> bool:
        """Stored whatever is, or is not, there."""
        return self.touch_thread and self.last_inbound_at is not None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What ``record`` did: ids stored now, and the statuses of those that were there already."""

    created: tuple[str, ...] = ()
    existing: Mapping[str, Status] = field(default_factory=dict[str, Status])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A thread as read at one version.

    ``unprocessed``: every pending or processing message (at most ``MAX_CLAIM``, oldest arrivals first taken), sorted by
    ``Message.order``. ``recent``: the newest page of any status and direction, sorted by ``Message.order``. The
    version is read no later than the messages, so a message that came in between makes the next commit conflict.
    """

    thread: Thread
    version: Version
    unprocessed: tuple[Message, ...]
    recent: tuple[Message, ...]
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class MessageChange:
    """New values of one message; the fields not named stay. ``content`` is never touched by a run."""

    id: str
    status: Status
    updated_at: int
    processed_at: int | None | Unset = UNSET
    error: str | None | Unset = UNSET
    disposition: Disposition | None | Unset = UNSET
    attempts: int | Unset = UNSET
    run_id: str | None | Unset = UNSET


@dataclass(frozen=True, slots=True)
class ThreadChange:
    """One conditional commit: applied whole if the thread is still at ``version``, else not at all.

    ``token`` is written into the thread, so that "did my write happen?" can be answered after a lost answer: a
    later read shows the token exactly if the commit was applied and no other run has committed since.
    ``upserts`` are whole messages written whatever was there (our own replies, under the platform's id). ``alerts``
    are created with it; one that exists already is left as it is, and stops nothing. ``counts_run`` counts one run
    more on the day (UTC) of ``now``, whatever the count was: claims of many threads at once lose none.
    """

    thread_id: str
    version: Version
    token: str
    now: int
    lease: Lease | None | Unset = UNSET
    run: Run | None | Unset = UNSET
    due_at: int | None | Unset = UNSET
    not_before: int | None | Unset = UNSET
    wait_count: int | Unset = UNSET
    paused_until: int | None | Unset = UNSET
    pending_count: int | Unset = UNSET
    profile: Profile | Unset = UNSET
    notes: tuple[Note, ...] | Unset = UNSET
    unconfirmed: tuple[Unconfirmed, ...] | Unset = UNSET
    messages: tuple[MessageChange, ...] = ()
    upserts: tuple[Message, ...] = ()
    archive: Run | None = None
    archive_expire_at: int = 0
    allowance: Allowance | Unset = UNSET
    alerts: tuple[Alert, ...] = ()
    alert_count: AlertCount | Unset = UNSET
    spent: Spent | Unset = UNSET
    counts_run: bool = False
    steering: Steering | Unset = UNSET
    audit: tuple[AuditLine, ...] = ()


class Conflict(Enum):
    """The thread was no longer at the named version (or is gone); nothing was written."""

    CONFLICT = "conflict"


CONFLICT: Final = Conflict.CONFLICT


@dataclass(frozen=True, slots=True)
class EchoView:
    """What is needed to tell our own echo from a human's reply; one read.

    ``paused_until`` and ``last_inbound_at`` (0: never) are the thread's; ``version`` is for ``ThreadEvents.seen``.
    """

    known: bool
    """Nothing is to be written: a message with this id is stored already, and not only as a standby copy, or its thread
    was erased."""
    ours: tuple[str, ...]
    """Texts that may be on their way: planned or done in the live run, or unconfirmed since an ended one."""
    mids: tuple[str, ...]
    """Platform ids the live run recorded."""
    paused_until: int | None = None
    last_inbound_at: int = 0
    version: Version | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NewText:
    """The text an edit gives a message. Of several the one with the highest ``number`` counts, then the latest ``at``
    (the platform's time, ms since 1970)."""

    text: str
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """A person's request to be erased, readable by its confirmation code. Times in ms since 1970.

    ``threads`` counts what was erased so far. Only a completed one ever expires (``expire_at`` 0: never).
    """

    code: str
    user_id: str
    requested_at: int
    completed_at: int | None = None
    threads: int = 0
    expire_at: int = 0


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
        the thread loses the notes that it, or the live run, saved. May be repeated, and then goes on.
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
        self, collection: "DocumentCollection", key: str, revise: "Revision", expire_at: int
    ) -> Mapping[str, object]:
        """Read a document, change it and write it, with nothing in between; what is stored afterwards. ``revise`` may
        be called more than once, and returns None to leave the document as it is."""
        ...


class ComplianceStore(Protocol):
    """What deletion requests need."""

    async def create_deletion(self, deletion: Deletion) -> bool:
        """Create the record of a request; False if it exists already, which is left as it is."""
        ...

    async def put_deletion(self, deletion: Deletion) -> None:
        """Write or overwrite the record of a request."""
        ...

    async def get_deletion(self, code: str) -> Deletion | None: ...

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        """Erase at most ``limit`` threads (None: all) in which this id is the person or the account; how many.

        Fewer than ``limit`` means that none is left, and that the person's limits and quarantined items are gone too.
        Each thread by itself: its lease is taken first, so that a live run loses its next commit for good; then its
        messages, runs, alerts, outgoing messages and the person's limits go, and an empty tombstone is left for a day.
        The same commit counts the thread in the deletion ``code``, where one is named and exists. May be repeated, and
        then goes on.
        """
        ...

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        """Requests that are not completed."""
        ...


DocumentCollection = Literal["schedule", "maintenance", "automatic"]
type Revision = Callable[[Mapping[str, object]], Mapping[str, object] | None]


class DocumentStore(Protocol):
    """Small documents beside the threads: the Spond cache (``schedule/{groupId}``), maintenance facts, and what is
    known of the account's automatic messages (``automatic/{hash}``)."""

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        """A document of plain JSON values, or None."""
        ...

    async def put_document(self, collection: DocumentCollection, key: str, value: Mapping[str, object]) -> None:
        """Write a whole document of plain JSON values."""
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

    async def create_outbox(self, item: OutboxItem) -> bool:
        """Store what a human wrote; False if it is there already, which is success too."""
        ...

    async def get_outbox(self, item_id: str) -> StoredOutbox | None: ...

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        """Write an item that is still at ``version``; CONFLICT also when it is gone (its person was erased)."""
        ...

    async def add_audit(self, line: AuditLine) -> None:
        """A line about what concerns no thread alone; the same id twice is one line."""
        ...

    async def alert_of_message(self, wamid: str) -> Alert | None:
        """The alert, or digest, that went out as this WhatsApp message."""
        ...

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        """Threads by their newest DM, the latest first; only those whose newest came ``before`` (ms since 1970)."""
        ...


class Store(ThreadStore, EventStore, ComplianceStore, DocumentStore, AlertStore, OutboxStore, Protocol):
    """All of it; what an adapter implements."""

    async def close(self) -> None:
        """Release connections. The store is not used afterwards."""
        ...


class Query(Enum):
    """Every query that needs an index, named once; ``infra`` declares what this lists.

    Each value: collection group, then the fields with their direction. Single-field ones are automatic in
    Firestore but listed, so that an exemption can't break them unseen.
    """

    RECENT = ("messages", (("createdAt", "desc"),))
    UNPROCESSED = ("messages", (("status", "asc"), ("createdAt", "asc")))
    OVERDUE = ("conversations", (("dueAt", "asc"),))
    LAST_INBOUND = ("conversations", (("lastInboundAt", "desc"),))
    BY_PERSON = ("conversations", (("userId", "asc"),))
    BY_ACCOUNT = ("conversations", (("accountId", "asc"),))
    OPEN_DELETIONS = ("deletions", (("completedAt", "asc"),))
    DUE_ALERTS = ("alerts", (("urgency", "asc"), ("dueAt", "asc")))
    ALERTS_OF_THREAD = ("alerts", (("threadId", "asc"),))
    ALERT_OF_MESSAGE = ("alerts", (("wamids", "asc"),))
    DIGEST_MEMBERS = ("alerts", (("digestId", "asc"),))
    OUTBOX_OF_THREAD = ("outbox", (("threadId", "asc"),))
    QUARANTINE_OF_PERSON = ("quarantine", (("userIds", "asc"),))
    RUNS_OF_MESSAGE = ("runs", (("mids", "asc"),))


def sorted_messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    """By platform timestamp, then arrival, then id."""
    return tuple(sorted(messages, key=lambda message: message.order))
