"""What a webhook brings, as values. One item of a payload is exactly one event."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from dm_core.messages import Content
from dm_core.threads import thread_id


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """The thread an event belongs to."""

    account_id: str
    user_id: str

    @property
    def thread_id(self) -> str:
        return thread_id(self.account_id, self.user_id)


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A person wrote, tapped or came by a link: a DM. ``standby`` when another app owns the thread."""

    thread_key: ThreadKey
    mid: str
    content: Content
    sent_at: int
    standby: bool = False


@dataclass(frozen=True, slots=True)
class Echo:
    """The account wrote: we, a human in the app, or another tool."""

    thread_key: ThreadKey
    mid: str
    content: Content
    sent_at: int
    standby: bool = False


@dataclass(frozen=True, slots=True)
class Unsend:
    """A message was taken back by its writer, the account (``by_account``) or the person."""

    thread_key: ThreadKey
    mid: str
    sent_at: int
    by_account: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """A message has a new text. ``number`` counts the edits of one message, where the platform says (``num_edit``)."""

    thread_key: ThreadKey
    mid: str
    text: str
    sent_at: int
    number: int


class IgnoredKind(StrEnum):
    """What is understood and needs nothing done; only counted."""

    REACTION = "reaction"
    READ = "read"
    DELIVERY = "delivery"
    OPTIN = "optin"
    HANDOVER = "handover"
    SELF = "self"  # the account's test message to itself
    EDIT = "edit"  # num_edit 0, without text or without a sender: comes with ordinary messages
    OTHER_FIELD = "other_field"  # comments, mentions and the like


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, nothing to do."""

    kind: IgnoredKind


@dataclass(frozen=True, slots=True)
class Unknown:
    """Authentic but not understood. ``raw`` is the item as ASCII JSON (cut), ``reason`` our words, never theirs;
    ``user_ids`` the people it names, as far as they can be told."""

    raw: str
    reason: str
    user_ids: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The id it is kept under: the same thing twice is kept once."""
        return sha256(self.raw.encode()).hexdigest()


ThreadEvent = InboundMessage | Echo | Unsend | Edit
Event = ThreadEvent | Ignored | Unknown
