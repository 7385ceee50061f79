"""Every read that is more than "these documents by their ids", once for both adapters.

A selection fills in one ``Query`` of the port: its first field carries the condition, and what is not fixed by an
equality is the order. Adapters compile it and nothing else, so the code, the indexes declared in ``infra`` and the
indexes of the SQLite file cannot drift apart.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from dm_core.messages import Status
from dm_core.store.port import MAX_CLAIM

Operator = Literal["<", "==", "in", "contains"]
Order = tuple[tuple[str, str], ...]


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
    DUE_OUTBOX = ("outbox", (("dueAt", "asc"),))
    OUTBOX_OF_THREAD = ("outbox", (("threadId", "asc"),))
    QUARANTINE_OF_PERSON = ("quarantine", (("userIds", "asc"),))
    RUNS_OF_MESSAGE = ("runs", (("mids", "asc"),))


@dataclass(frozen=True, slots=True)
class Selection:
    """At most ``limit`` documents of a query. ``parent`` is the thread whose subcollection is meant, or empty.

    ``below`` bounds the first field of the order from above (exclusive); without a value a document has none of it.
    """

    query: Query
    limit: int
    parent: str = ""
    operator: Operator | None = None
    operand: object = None
    below: int | None = None

    @property
    def collection(self) -> str:
        """The last word of the collection's path."""
        return self.query.value[0]

    @property
    def field(self) -> str:
        """The field the condition is about."""
        return self.query.value[1][0][0]

    @property
    def order(self) -> Order:
        """Fields and directions of the order: all of them, without one that an equality fixes."""
        fields: Order = self.query.value[1]
        return fields[1:] if self.operator in ("==", "in", "contains") else fields


def newest(thread_id: str, limit: int) -> Selection:
    """The newest messages of a thread by arrival."""
    return Selection(Query.RECENT, limit, thread_id)


def unprocessed(thread_id: str) -> Selection:
    """Pending and processing messages of a thread, the oldest arrivals first."""
    statuses = [Status.PENDING.value, Status.PROCESSING.value]
    return Selection(Query.UNPROCESSED, MAX_CLAIM, thread_id, "in", statuses)


def overdue(before: int, limit: int) -> Selection:
    """Threads somebody should have looked at, the longest overdue first."""
    return Selection(Query.OVERDUE, limit, operator="<", operand=before)


def last_inbound() -> Selection:
    """The thread with the newest DM."""
    return Selection(Query.LAST_INBOUND, 1)


def newest_threads(limit: int, before: int | None) -> Selection:
    """Threads by their newest DM, the latest first."""
    return Selection(Query.LAST_INBOUND, limit, operator=None if before is None else "<", operand=before)


def alert_of_message(wamid: str) -> Selection:
    """The alert that went out as this WhatsApp message."""
    return Selection(Query.ALERT_OF_MESSAGE, 1, operator="contains", operand=wamid)


def of_person(user_id: str, limit: int) -> Selection:
    return Selection(Query.BY_PERSON, limit, operator="==", operand=user_id)


def of_account(account_id: str, limit: int) -> Selection:
    return Selection(Query.BY_ACCOUNT, limit, operator="==", operand=account_id)


def open_deletions(limit: int) -> Selection:
    """Requests that are not completed."""
    return Selection(Query.OPEN_DELETIONS, limit, operator="==", operand=None)


def due_alerts(urgency: str, before: int, limit: int) -> Selection:
    """Alerts of one urgency that somebody should send or look at, the longest due first."""
    return Selection(Query.DUE_ALERTS, limit, operator="==", operand=urgency, below=before)


def alerts_of(thread_id: str, limit: int) -> Selection:
    return Selection(Query.ALERTS_OF_THREAD, limit, operator="==", operand=thread_id)


def due_outbox(before: int, limit: int) -> Selection:
    """What humans wrote and nobody has seen to, the longest due first."""
    return Selection(Query.DUE_OUTBOX, limit, operator="<", operand=before)


def outbox_of(thread_id: str, limit: int) -> Selection:
    """Outgoing messages of a thread that are not the agent's."""
    return Selection(Query.OUTBOX_OF_THREAD, limit, operator="==", operand=thread_id)


def quarantine_of(user_id: str, limit: int) -> Selection:
    """Quarantined items that name a person."""
    return Selection(Query.QUARANTINE_OF_PERSON, limit, operator="contains", operand=user_id)


def runs_of_message(thread_id: str, mid: str, limit: int) -> Selection:
    """Archived runs of a thread that were shown a message and still have words."""
    return Selection(Query.RUNS_OF_MESSAGE, limit, thread_id, "contains", mid)


def digest_members(digest_id: str, limit: int) -> Selection:
    return Selection(Query.DIGEST_MEMBERS, limit, operator="==", operand=digest_id)
