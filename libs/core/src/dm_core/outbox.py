"""What a human sends through the system, and what humans changed, as values. Times in ms since 1970.

    RECEIVED ─ read ─┬─▶ PLANNED ─ each part: started ─ POST ─ done | in doubt ─ look-ups ─▶ DONE | UNCERTAIN
                     ├─▶ DONE       a command, done
                     └─▶ REFUSED    nothing was sent or changed; ``answer`` says why

An item is worked on by whoever set ``claim_until``, or by nobody before then; its parts are actions like those of a
run, so that nothing goes out twice.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dm_core.runs import Action

ADMIN: Final = "admin"
"""The origin of what was typed at the command line: words for the one thread that it names, never a command."""


class OutboxState(StrEnum):
    """How far an item is."""

    RECEIVED = "received"  # stored as it came; nobody has read it
    PLANNED = "planned"  # its words go to a person
    DONE = "done"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"  # looked up and not found: it may have gone out


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One thing that a human wrote. ``sender``: the number's digits, or who typed it at the command line.

    ``sent_at``: when by the sender's own clock, of one delivery each a ms after the other; 0: not known. ``quoted`` is
    the WhatsApp message it answers, ``button`` the id of a button that was tapped. ``thread_id`` is empty until it is
    known whom it concerns. ``claim_id`` is of the task that set ``claim_until``. ``told_at``: when the sender was given
    the ``answer``.
    """

    id: str
    sender: str
    text: str
    created_at: int
    expire_at: int
    sent_at: int = 0
    quoted: str = ""
    button: str = ""
    origin: str = "whatsapp"
    thread_id: str = ""
    state: OutboxState = OutboxState.RECEIVED
    actions: tuple[Action, ...] = ()
    claim_until: int | None = None
    claim_id: str = ""
    answer: str = ""
    told_at: int | None = None

    @property
    def is_over(self) -> bool:
        return self.state in (OutboxState.DONE, OutboxState.REFUSED, OutboxState.UNCERTAIN)

    @property
    def due_at(self) -> int | None:
        """By when somebody must look at it; None: it is over, and its sender was told."""
        if self.is_over and (self.told_at is not None or not self.answer):
            return None
        return self.created_at if self.claim_until is None else self.claim_until


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A change that a human made: who, what, why, in which thread (empty: everywhere)."""

    id: str
    at: int
    who: str
    what: str
    expire_at: int
    why: str = ""
    thread_id: str = ""


def outbox_id(origin: str, key: str) -> str:
    """The document id of what came under this key: 64 hex digits."""
    return hashlib.sha256(f"outbox/{origin}/{key}".encode("utf-8", "replace")).hexdigest()
