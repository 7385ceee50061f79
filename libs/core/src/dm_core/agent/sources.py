"""What data tools look things up in: the run's own thread, the calendar, and what Instagram still has."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from dm_core.agent.plan import Situation
from dm_core.clients.port import InstagramAccounts, PlatformMessage, Session
from dm_core.durations import MINUTE_MS
from dm_core.errors import Owner, PlatformError, RetryLater
from dm_core.messages import Message, Status
from dm_core.store.port import ThreadStore
from dm_core.threads import Thread

PAUSE_MS: Final = 10_000
"""After it could not be read, the Conversations API is left alone for so long, whatever the model asks."""
_MAX_PLATFORM_PAGE: Final = 20
_CLOCK_SLACK_MS: Final = MINUTE_MS


class ScheduleView(Protocol):
    """Sessions as last seen. ``fetched_at`` and ``covered_until`` (nothing is known from there on) in ms since 1970;
    ``stale``: the calendar itself did not answer now; ``missing``: so many of the calendars could not be read."""

    @property
    def sessions(self) -> tuple[Session, ...]: ...
    @property
    def fetched_at(self) -> int | None: ...
    @property
    def available(self) -> bool: ...
    @property
    def stale(self) -> bool: ...
    @property
    def covered_until(self) -> int | None: ...
    @property
    def missing(self) -> int: ...


class Schedule(Protocol):
    """The calendar behind a cache."""

    async def sessions(self, start: datetime, end: datetime) -> ScheduleView:
        """Events that start in [start, end); aware times."""
        ...


@dataclass(frozen=True, slots=True)
class Conversations:
    """What the platform itself shows of a conversation."""

    instagram: InstagramAccounts
    _paused: dict[str, int] = field(default_factory=dict[str, int])
    """Until when an account's conversations are left alone, in ms since 1970."""

    async def newest(self, thread: Thread, now: int) -> tuple[PlatformMessage, ...]:
        """One page, newest first. Raises PlatformError."""
        if now < self._paused.get(thread.account_id, 0):
            raise RetryLater("Instagram could not be read a moment ago")
        try:
            return await self.instagram.of(thread.account_id).recent_messages(thread.user_id, _MAX_PLATFORM_PAGE)
        except PlatformError as error:
            if error.owner in (Owner.OUTAGE, Owner.ACCOUNT):
                self._paused[thread.account_id] = now + PAUSE_MS
            raise


@dataclass(frozen=True, slots=True)
class Sources:
    """What is the same for every run of a deployment."""

    schedule: Schedule
    store: ThreadStore
    conversations: Conversations
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class LookUp:
    """One call of a data tool: the run it is made in, and what can be asked."""

    situation: Situation
    sources: Sources


def known_before(thread: Thread, own: Collection[str], recent: Collection[Message]) -> bool:
    """By our own records, something passed before the run's DMs."""
    if any(message.id not in own and message.status is not Status.PENDING for message in recent):
        return True
    arrived = min((message.created_at for message in recent if message.id in own), default=None)
    return arrived is not None and 0 < thread.created_at < arrived - _CLOCK_SLACK_MS
