"""What the system needs of the outside platforms, in its own words.

Errors are those of ``dm_core.errors``, sorted by their owner (``clients.owners``): RetryLater (after at most three
quick tries, or at once when the platform asks for a longer wait), AccountStopped, Unreachable, Refused, Uncertain.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from dm_core.media import Media, MediaKind, NotShown
from dm_core.threads import Profile

StillWanted = Callable[[], Awaitable[bool]]
"""Whether a call is to be tried again after a rejection; False: its error stands."""

_STILL_WANTED: Final[ContextVar[StillWanted | None]] = ContextVar("still_wanted", default=None)


@contextmanager
def tried_again_if(still_wanted: StillWanted) -> Generator[None]:
    """Inside the block this is asked before each quick try of a call but the first."""
    token = _STILL_WANTED.set(still_wanted)
    try:
        yield
    finally:
        _STILL_WANTED.reset(token)


async def is_still_wanted() -> bool:
    """What the surrounding ``tried_again_if`` says; True without one."""
    still_wanted = _STILL_WANTED.get()
    return still_wanted is None or await still_wanted()


@dataclass(frozen=True, slots=True)
class PlatformMessage:
    """A message as the Conversations API tells it; ``created_at`` in ms since 1970, whole seconds."""

    mid: str
    from_id: str
    text: str
    created_at: int


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A platform token and when it ends (ms since 1970)."""

    value: str
    expires_at: int


class Instagram(Protocol):
    """One account's messaging API."""

    async def send_text(self, user_id: str, text: str) -> str:
        """Send one text of at most 1,000 UTF-8 bytes; the platform's message id."""
        ...

    async def react(self, user_id: str, mid: str, reaction: str) -> None:
        """React to a message of this person."""
        ...

    async def indicate(self, user_id: str, action: Literal["mark_seen", "typing_on", "typing_off"]) -> None:
        """Show seen or typing. One attempt, best effort; callers ignore its errors."""
        ...

    async def recent_messages(self, user_id: str, limit: int = 20) -> tuple[PlatformMessage, ...]:
        """The newest messages with this person, newest first.

        At most 20 (docs/platforms/instagram.md#conversations-api).
        """
        ...

    async def profile(self, user_id: str, now: int) -> Profile | None:
        """Name and username; None where the platform has none to give: no consent, blocked, gone."""
        ...

    async def refresh_token(self, now: int) -> AccessToken:
        """Exchange the current long-lived token for a new one (Instagram Login flavour only)."""
        ...

    async def subscribed_fields(self) -> tuple[str, ...]:
        """Webhook fields the account is subscribed to, as read back."""
        ...

    def use_token(self, token: str) -> None:
        """Use this token from now on."""
        ...


class InstagramAccounts(Protocol):
    """The accounts of this deployment."""

    def of(self, account_id: str) -> Instagram:
        """The API of this account. Raises AccountStopped when there is no token for it."""
        ...

    def each(self) -> Mapping[str, Instagram]:
        """The API of every account that has a token of its own, by the account's id."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class WhatsAppHealth:
    """What WhatsApp says of the way to the manager.

    ``can_send``: ``AVAILABLE``, ``LIMITED`` or ``BLOCKED``; ``blocked`` names what stands in the way. ``template``: its
    state (``APPROVED`` is good; ``MISSING`` and ``OTHER_LANGUAGE`` are ours), None when it could not be read or is not
    configured.
    """

    can_send: str
    blocked: tuple[str, ...] = ()
    template: str | None = None


MAX_BUTTONS_TEXT: Final = 1_024
"""How long a text above buttons may be, in UTF-16 units."""


class WhatsApp(Protocol):
    """The channel to the manager. One call is one attempt, except for ``health``.

    ``reference`` travels as ``biz_opaque_callback_data`` and comes back in every status webhook.
    """

    @property
    def template_room(self) -> int | None:
        """How long a text may be for the template, in UTF-16 units; None without a template."""
        ...

    async def send_text(self, text: str, reference: str) -> str:
        """Free text, cut to what WhatsApp takes; the message's id. Code 131047: outside the 24 h window."""
        ...

    async def send_draft(self, text: str, reference: str) -> str:
        """Free text of at most ``MAX_BUTTONS_TEXT`` above three buttons: ``send:``, ``edit:``, ``drop:`` and the
        reference; the message's id."""
        ...

    async def send_template(self, text: str, reference: str) -> str:
        """The template with the text in its variable, on one line and cut; the message's id."""
        ...

    async def answer(self, number: str, text: str, reference: str) -> str:
        """Free text to whoever just wrote from this number (digits); the message's id."""
        ...

    async def health(self) -> WhatsAppHealth:
        """Whether number, token and template live, without sending anything. Raises PlatformError."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """One event of a group's calendar. Times are aware, in UTC; no names of people. ``invites_at``: when the members
    are invited, which may be later than now."""

    id: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    cancelled: bool
    location: str | None
    accepted: int
    capacity: int | None
    invites_at: datetime | None = None

    @property
    def is_full(self) -> bool:
        return self.capacity is not None and self.accepted >= self.capacity


class Calendar(Protocol):
    """The calendar of one group."""

    async def sessions(self, start: datetime, end: datetime) -> tuple[Session, ...]:
        """Events that start in [start, end), sorted by start. Raises PlatformError when it can't tell."""
        ...


class Spond(Protocol):
    """The groups' calendars."""

    def calendar(self, group: str) -> Calendar:
        """That of ``group``, as the settings write it: an id, or an id and its subgroup's (``G1/S1``)."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Tokens(Protocol):
    """The kept tokens of the accounts."""

    async def ensure(self) -> None:
        """They are loaded and in use, once an instance; all that ask at once await one load.

        Raises RetryLater when the vault can't be read, AccountStopped when what it holds is no token.
        """
        ...


class TokenStore(Protocol):
    """Where refreshed Instagram tokens are kept: one text, as ``dm_core.instagram_tokens`` writes it."""

    async def load(self) -> str | None:
        """What was kept last, or None when nothing ever was. Raises Unavailable, AccountStopped for missing rights."""
        ...

    async def save(self, text: str) -> None:
        """Keep this from now on."""
        ...


class MediaFiles(Protocol):
    """Files of messages, from the platform's CDN."""

    async def fetch(self, urls: Sequence[str], kinds: frozenset[MediaKind], most: int) -> list[Media | NotShown]:
        """What became of each file, in order; never raises for one that can't be had. Takes some 20 s at most.

        ``kinds``: what may be shown; ``most``: bytes of all of them together. What is fetched takes room of the
        instance until it is released.
        """
        ...

    def release(self, files: Sequence[Media]) -> None:
        """These are no longer held."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
