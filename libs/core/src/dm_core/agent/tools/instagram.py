"""Tools bound to the thread on Instagram. None takes a recipient: a run can only act on the thread it is in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

import regex

from dm_core.agent.render import message_fields
from dm_core.agent.texts import graphemes
from dm_core.agent.tools.declare import text_argument, whole_argument
from dm_core.clients.port import InstagramAccounts, PlatformMessage
from dm_core.errors import Owner, PlatformError, RetryLater
from dm_core.messages import Content, Direction, Message, Status
from dm_core.store.port import ThreadStore
from dm_core.threads import Thread

MAX_RESULT_CHARS: Final = 12_000
"""Longest list of messages given to the model, in characters; the newest are kept."""
MAX_REACTION_CODE_POINTS: Final = 8
_MAX_PLATFORM_PAGE: Final = 20
_CLOCK_SLACK_MS: Final = 60_000
PAUSE_MS: Final = 10_000
"""After it could not be read, the Conversations API is left alone for so long, whatever the model asks."""

_REACTION_WORDS: Final[Mapping[str, str]] = {
    "love": "love",
    "heart": "love",
    "❤": "love",
    "❤️": "love",
    "like": "👍",
    "thumbs_up": "👍",
    "laugh": "😂",
    "haha": "😂",
    "wow": "😮",
    "sad": "😢",
    "angry": "😡",
}
"""Every flavour takes ``love``, some take any emoji, none takes other words (docs/platforms/instagram.md#sending)."""
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3")


@dataclass(frozen=True, slots=True)
class SendInstagramMessage:
    """Send a message to the person you are talking with. This is the only way they see your answer. Usually one call
    is enough; a text above 1,000 bytes is split into several messages."""

    text: str = text_argument("The message as the person will read it: plain text, no markdown.", max_chars=20_000)


@dataclass(frozen=True, slots=True)
class ReactToInstagramMessage:
    """React with an emoji to one of the person's messages, for instance to a thank-you that needs no words. A reaction
    does not answer a question."""

    message_id: str = text_argument("Handle of the person's message, such as m3.", max_chars=40)
    reaction: str = text_argument('"love" or a single emoji.', max_chars=40)


@dataclass(frozen=True, slots=True)
class GetThreadMessages:
    """Read the newest messages of this conversation, further back than those you were shown. Use it when the person
    refers to something you can't see."""

    limit: int = whole_argument("How many messages, counted from the newest.", minimum=1, maximum=50, default=30)


@dataclass(frozen=True, slots=True)
class IsNewThread:
    """Find out whether this is the first contact with this person."""


def normal_reaction(reaction: str) -> str | None:
    """The reaction as the platform takes it, or None if it is no reaction."""
    if word := _REACTION_WORDS.get(reaction.strip(": ").lower()):
        return word
    is_emoji = len(graphemes(reaction)) == 1 and _EMOJI.search(reaction) is not None
    return reaction if is_emoji and len(reaction) <= MAX_REACTION_CODE_POINTS else None


@dataclass(frozen=True, slots=True)
class ThreadReader:
    """Reads the run's own thread: our store first, the Conversations API for what is older."""

    store: ThreadStore
    instagram: InstagramAccounts
    zone: ZoneInfo
    paused: dict[str, int] = field(default_factory=dict[str, int])
    """Until when an account's conversations are left alone, in ms since 1970."""

    async def messages(
        self, thread: Thread, own: Collection[str], handles: Mapping[str, str], limit: int, now: int
    ) -> dict[str, object]:
        """The newest ``limit`` messages, oldest first. DMs that wait for a later run are left out.

        Raises StoreUnavailable.
        """
        stored = await self.store.history(thread.id, limit)
        shown = [message for message in stored if message.status is not Status.PENDING or message.id in own]
        notice = None
        if len(stored) < limit:
            try:
                older = await self._older(thread, stored, now)
                shown = [*older, *shown][-limit:]
            except PlatformError:
                notice = "older messages could not be read just now"
        by_mid = {mid: handle for handle, mid in handles.items()}
        lines, omitted = _newest([message_fields(message, by_mid, self.zone) for message in shown])
        result: dict[str, object] = {"messages": lines}
        if omitted:
            result["omitted_older"] = omitted
        if notice:
            result["notice"] = notice
        return result

    async def is_new(
        self, thread: Thread, own: Collection[str], recent: Collection[Message], now: int
    ) -> dict[str, object]:
        """Whether nothing passed between account and person before the run's own DMs. Raises StoreUnavailable."""
        if known_before(thread, own, recent):
            return {"is_new_thread": False}
        first = min((message.sent_at for message in recent if message.id in own), default=None)
        if first is None:  # a burst larger than the page
            return {"is_new_thread": False}
        mids = {message.mid for message in recent}
        try:
            seen = await self._listed(thread, now)
        except PlatformError:
            return {"is_new_thread": True, "notice": "by our own records; Instagram's could not be read just now"}
        earlier = any(m.mid not in mids and m.created_at < first - first % 1000 for m in seen)
        return {"is_new_thread": not earlier}

    async def _listed(self, thread: Thread, now: int) -> tuple[PlatformMessage, ...]:
        """What the platform shows of the conversation, newest first. Raises PlatformError."""
        if now < self.paused.get(thread.account_id, 0):
            raise RetryLater("Instagram could not be read a moment ago")
        try:
            return await self.instagram.of(thread.account_id).recent_messages(thread.user_id, _MAX_PLATFORM_PAGE)
        except PlatformError as error:
            if error.owner in (Owner.OUTAGE, Owner.ACCOUNT):
                self.paused[thread.account_id] = now + PAUSE_MS
            raise

    async def _older(self, thread: Thread, stored: Collection[Message], now: int) -> list[Message]:
        """What the platform still has from before our oldest message."""
        seen = await self._listed(thread, now)
        mids = {message.mid for message in stored}
        oldest = min((message.sent_at for message in stored), default=None)
        older = [m for m in seen if m.mid not in mids and (oldest is None or m.created_at < oldest)]
        return [_as_message(thread, m) for m in sorted(older, key=lambda m: m.created_at)]


def known_before(thread: Thread, own: Collection[str], recent: Collection[Message]) -> bool:
    """By our own records, something passed before the run's DMs."""
    if any(message.id not in own and message.status is not Status.PENDING for message in recent):
        return True
    arrived = min((message.created_at for message in recent if message.id in own), default=None)
    return arrived is not None and 0 < thread.created_at < arrived - _CLOCK_SLACK_MS


def _as_message(thread: Thread, seen: PlatformMessage) -> Message:
    """A message of the Conversations API; who on our side wrote it is not told there."""
    inbound = seen.from_id == thread.user_id
    return Message(
        id=seen.mid,
        thread_id=thread.id,
        mid=seen.mid,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        status=Status.PROCESSED,
        content=Content(text=seen.text or None, unsupported=not seen.text),
        sent_at=seen.created_at,
        created_at=seen.created_at,
        updated_at=seen.created_at,
    )


def _newest(lines: list[dict[str, object]]) -> tuple[list[dict[str, object]], int]:
    """The newest that fit, and how many did not."""
    used, start = 0, len(lines)
    while start and used + len(str(lines[start - 1])) <= MAX_RESULT_CHARS:
        start -= 1
        used += len(str(lines[start]))
    return lines[start:], start
