"""Messages of a thread as values: what a person wrote, what we wrote, and what became of it."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from dm_core.durations import DAY_MS

MAX_TEXT_CHARS = 8_000
"""Longest text kept of one message, in characters. Instagram allows 1,000 bytes; the rest is headroom."""

WINDOW_MS = DAY_MS
"""The platform's reply window: 24 h from the person's latest message, in ms."""


class EventKind(StrEnum):
    """What kind of event made a message; part of its identity, because later events reuse a ``mid``."""

    MESSAGE = "message"
    POSTBACK = "postback"
    REFERRAL = "referral"


class Direction(StrEnum):
    """Who wrote a message."""

    INBOUND = "inbound"  # the person
    OUTBOUND = "outbound"  # this agent
    HUMAN = "human"  # a person (or another tool) on the account's side


class Status(StrEnum):
    """How far a message is."""

    PENDING = "pending"  # stored, no run has it
    PROCESSING = "processing"  # claimed by the live run
    PROCESSED = "processed"  # ended well, or closed with a disposition
    FAILED = "failed"  # gave up after the allowed attempts


class Disposition(StrEnum):
    """Why a message ended other than by an ordinary answer."""

    EXPIRED = "expired"  # outside the 24 h window
    HUMAN = "human"  # a person took the thread over
    UNSENT = "unsent"  # its writer took it back
    STANDBY = "standby"  # another app owns the thread
    NO_REPLY = "no_reply"  # the agent chose not to answer
    LIMITED = "limited"  # the person used up the allowed runs
    UNCERTAIN = "uncertain"  # a reply's fate could not be settled
    HANDED_OVER = "handed_over"  # the agent could not answer, the manager was told
    REFUSED = "refused"  # the platform refused the reply for good
    OFF = "off"  # the agent is switched off
    STOPPED = "stopped"  # the person used a stop word
    AUTOMATIC = "automatic"  # sent by the account by itself: a welcome, away or FAQ message


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment: the platform's type word and, where given, its link, its title and whatever else it says."""

    type: str
    url: str | None = None
    title: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says. Every text is cleaned (no lone surrogates) and cut to a stated length.

    ``words``: texts in parts of the message this version does not know.
    """

    kind: EventKind = EventKind.MESSAGE
    text: str | None = None
    attachments: tuple[Attachment, ...] = ()
    quick_reply: str | None = None
    postback: str | None = None
    referral: str | None = None
    reply_to_mid: str | None = None
    reply_to_story: str | None = None
    unsupported: bool = False
    words: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing left to show, as after an unsend."""
        return self == Content(kind=self.kind)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread. Times are ms since 1970.

    ``sent_at`` is the platform's timestamp, ``created_at`` our arrival time; messages are ordered by the first,
    then the second. ``id`` is the document id, ``mid`` the platform's message id. Of several edits the one with the
    highest ``edit_number`` counts (the platform's ``num_edit``; 0: never edited), then the latest ``edited_at`` (by the
    platform).
    """

    id: str
    thread_id: str
    mid: str
    direction: Direction
    status: Status
    content: Content
    sent_at: int
    created_at: int
    updated_at: int
    processed_at: int | None = None
    error: str | None = None
    disposition: Disposition | None = None
    attempts: int = 0
    run_id: str | None = None
    unsent_at: int | None = None
    edited_at: int | None = None
    edit_number: int = 0
    expire_at: int = 0
    order: tuple[int, int, str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", (self.sent_at, self.created_at, self.id))

    @property
    def is_unprocessed(self) -> bool:
        return self.status in (Status.PENDING, Status.PROCESSING)


def message_id(kind: EventKind, mid: str) -> str:
    """Document id of a message: sha256 of the event kind and the whole ``mid``, in hex.

    Never a cut ``mid``: the mids of one thread share a long prefix (docs/platforms/instagram.md#webhook-shapes).
    """
    return hashlib.sha256(f"{kind}{mid}".encode()).hexdigest()
