"""What the event store's queries and documents need of Firestore, as plain data.

dm_core is the truth (its ``Query`` enum and its documents); a test compares the two, because neither the emulator nor
a type checker would notice a missing index.
"""

from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["ASCENDING", "DESCENDING"]


@dataclass(frozen=True, slots=True)
class CompositeIndex:
    """An index over several fields of one collection, within one parent."""

    collection: str
    fields: tuple[tuple[str, Direction], ...]

    @property
    def name(self) -> str:
        return "-".join((self.collection, *(field for field, _ in self.fields)))


COMPOSITES: Final = (
    CompositeIndex("messages", (("status", "ASCENDING"), ("createdAt", "ASCENDING"))),
    CompositeIndex("alerts", (("urgency", "ASCENDING"), ("dueAt", "ASCENDING"))),
    CompositeIndex("alerts", (("cause", "ASCENDING"), ("createdAt", "DESCENDING"))),
)
"""Queries over one field need none: Firestore keeps those by itself, unless an exemption below takes them away."""

EVERYWHERE: Final = (("messages", "id"),)
"""Fields asked across all threads: the one kind of index over a single field that Firestore does not keep by itself."""

EXPIRING: Final = (
    "conversations",
    "messages",
    "runs",
    "quarantine",
    "schedule",
    "limits",
    "alerts",
    "automatic",
    "outbox",
    "audit",
    "deletions",
)
"""Collections whose documents carry ``expireAt``. It is no query's field, and an index over a time that only grows
would make every write hit the same place: so it is exempt as well."""

UNINDEXED: Final = (
    ("conversations", "run"),
    ("conversations", "notes"),
    ("conversations", "unconfirmed"),
    ("conversations", "profile"),
    ("messages", "message"),
    ("alerts", "text"),
    ("alerts", "handledWamids"),
    ("runs", "turns"),
    ("runs", "actions"),
    ("runs", "results"),
    ("runs", "handles"),
    ("quarantine", "raw"),
    ("schedule", "json"),
    ("maintenance", "json"),
)
"""Large or deep fields that no query asks: an index entry for each of their leaves would be paid on every write, and a
live run would meet the limit of 40,000 entries a document. A map's exemption holds for what is inside it."""
