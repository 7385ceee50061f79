"""What the webhook stores, and what it reads to judge an echo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dm_core.durations import DAY_MS
from dm_core.messages import Message, Status
from dm_core.store.port.changes import Version

BRIEF_MS: Final = DAY_MS
"""How long anything is kept of a thread without a DM: an erased one's tombstone, an echo that came alone."""


@dataclass(frozen=True, slots=True)
class ThreadEvents:
    """What one webhook request brought for one thread; stored in one commit.

    ``messages`` are created, never overwritten. With ``due_at`` the thread is merged (``last_inbound_at`` and
    ``due_at`` only ever grow, so that a new DM shortens no wait); ``paused_until`` and ``human_at``, which only grows
    too, are merged when set.
    ``touch_thread`` False stores the messages alone, and moves no version. ``lasting`` False: no DM is known of this
    thread, so a thread made by these events is kept no longer than they are, and one that exists keeps its own time.

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
    human_at: int | None = None
    touch_thread: bool = True
    lasting: bool = True
    seen: Version | None = None

    @property
    def starts_thread(self) -> bool:
        """Stored whatever is, or is not, there."""
        return self.touch_thread and self.last_inbound_at is not None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What ``record`` did: ids stored now, and the statuses of those that were there already.

    ``at``: when, by the store's own clock, in ms since 1970; None where nothing was created.
    """

    created: tuple[str, ...] = ()
    existing: Mapping[str, Status] = field(default_factory=dict[str, Status])
    at: int | None = field(default=None, compare=False)


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
