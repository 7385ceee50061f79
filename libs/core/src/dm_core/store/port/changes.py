"""A thread as it is read, and the one conditional commit that a run changes it by."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from dm_core.alerts import Alert, AlertCount
from dm_core.messages import Disposition, Message, Status
from dm_core.outbox import AuditLine
from dm_core.runs import Run
from dm_core.steering import Steering
from dm_core.threads import Allowance, Lease, Note, Profile, Thread, Unconfirmed
from dm_core.usage import Spent

PAGE_SIZE: Final = 12
"""Newest messages read with a thread (by arrival), whatever their status. What is older the agent asks for by
``get_thread_messages``; so a DM costs the same in a thread of ten messages and of ten thousand."""


MAX_CLAIM: Final = 400
"""Most unprocessed messages one claim takes; what is left goes to the follow-up."""


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


def sorted_messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    """By platform timestamp, then arrival, then id."""
    return tuple(sorted(messages, key=lambda message: message.order))
