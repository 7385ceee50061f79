"""What a read of more than "these documents by their ids" is: a query that has an index, filled in.

A selection's first field carries the condition, and what is not fixed by an equality is the order.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

Operator = Literal["<", ">=", "==", "in", "contains"]
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
    HANDED_OVER = ("conversations", (("steering.handover.since", "desc"),))
    PAUSED = ("conversations", (("steering.pause.since", "desc"),))
    TAKEN_OVER = ("conversations", (("pausedUntil", "desc"),))
    STOPPED = ("conversations", (("steering.stoppedAt", "desc"),))
    BY_MODE = ("conversations", (("steering.mode", "asc"),))
    BY_USERNAME = ("conversations", (("username", "asc"),))
    BY_PERSON = ("conversations", (("userId", "asc"),))
    BY_ACCOUNT = ("conversations", (("accountId", "asc"),))
    OPEN_DELETIONS = ("deletions", (("completedAt", "asc"),))
    DUE_ALERTS = ("alerts", (("urgency", "asc"), ("dueAt", "asc")))
    NEWEST_ALERTS = ("alerts", (("createdAt", "desc"),))
    ALERTS_OF_CAUSE = ("alerts", (("cause", "asc"), ("createdAt", "desc")))
    ALERTS_OF_THREAD = ("alerts", (("threadId", "asc"),))
    ALERT_OF_MESSAGE = ("alerts", (("wamids", "asc"),))
    DIGEST_MEMBERS = ("alerts", (("digestId", "asc"),))
    DUE_OUTBOX = ("outbox", (("dueAt", "asc"),))
    OUTBOX_OF_THREAD = ("outbox", (("threadId", "asc"),))
    AUDIT_OF_THREAD = ("audit", (("threadId", "asc"),))
    NEWEST_QUARANTINED = ("quarantine", (("createdAt", "desc"),))
    QUARANTINE_OF_PERSON = ("quarantine", (("userIds", "asc"),))
    AUTOMATIC_OF_THREAD = ("automatic", (("threadIds", "asc"),))
    RUNS_OF_MESSAGE = ("runs", (("mids", "asc"),))
    NEWEST_RUNS = ("runs", (("startedAt", "desc"),))
    MESSAGE_BY_ID = ("messages", (("id", "asc"),))


EVERYWHERE: Final = frozenset({Query.MESSAGE_BY_ID})
"""Those that look below every thread. Firestore has no such index by itself, not even of one field."""


@dataclass(frozen=True, slots=True)
class Selection:
    """At most ``limit`` documents of a query. ``parent`` is the thread whose subcollection is meant, or empty.

    ``below`` bounds the first field of the order from above (exclusive); without a value a document has none of it.
    A field is a path: its words are separated by points.
    """

    query: Query
    limit: int
    parent: str = ""
    operator: Operator | None = None
    operand: object = None
    below: int | str | None = None

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
