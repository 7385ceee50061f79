"""What the system needs of the outside platforms, in its own words.

Errors are those of ``dm_core.errors``, sorted by their owner (``clients.owners``): RetryLater (after at most three
quick tries, or at once when the platform asks for a longer wait), AccountStopped, Unreachable, Refused, Uncertain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from dm_core.threads import Profile


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
        """The newest messages with this person, newest first; at most 20 (facts/meta.md section 4.1)."""
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


class WhatsApp(Protocol):
    """The channel to the manager."""

    async def notify(self, text: str, reference: str) -> str:
        """Write to the manager: free text, else the template when outside the 24 h window; the message's id.

        ``reference`` travels as ``biz_opaque_callback_data`` and comes back in every status webhook.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """One event of the group's calendar. Times are aware, in UTC; no names of people."""

    id: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    cancelled: bool
    location: str | None
    accepted: int
    capacity: int | None

    @property
    def is_full(self) -> bool:
        return self.capacity is not None and self.accepted >= self.capacity


class Spond(Protocol):
    """The group's calendar."""

    async def sessions(self, start: datetime, end: datetime) -> tuple[Session, ...]:
        """Events that start in [start, end), sorted by start. Raises PlatformError when it can't tell."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class TokenVault(Protocol):
    """Where refreshed Instagram tokens are kept: one text, as ``dm_core.tokens`` writes it."""

    async def load(self) -> str | None:
        """What was kept last, or None when nothing ever was. Raises Unavailable, AccountStopped for missing rights."""
        ...

    async def save(self, text: str) -> None:
        """Keep this from now on."""
        ...
