"""One event of a scenario, at the webhook as Meta would send it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dm_evals.scenarios.scenario import Event, EventKind, File
from dm_sandbox.media_samples import picture, spoken, video, voice
from dm_sandbox.person import Person

POINTING: Final = frozenset((EventKind.SAY, EventKind.UNSEND, EventKind.EDIT))
"""Kinds that may point to a message (``to``)."""


GONE: Final = "https://lookaside.fbsbx.com/gone"
_TYPES: Final[Mapping[EventKind, str]] = {
    EventKind.PHOTO: "image",
    EventKind.VOICE: "audio",
    EventKind.VIDEO: "video",
    EventKind.STORY_MENTION: "story_mention",
}


def made(kind: EventKind, file: File) -> bytes:
    """The bytes of a file, the same each time."""
    if file.heic:
        return b"\x00\x00\x00\x18ftypheic" + bytes(500)
    if kind is EventKind.VOICE:
        data = voice(file.seconds) if file.seconds else spoken(file.says)
    elif kind is EventKind.VIDEO:
        data = video(file.shows, round(file.seconds) or 3)
    else:
        data = picture(file.shows)
    return data[: len(data) // 2] if file.broken else data


class NotWrittenYet(Exception):
    """An event points to a message that is not there."""


class ScenarioEvents:
    """What the person and the club do. ``mids``: the platform's ids of the messages that have a name."""

    def __init__(self, person: Person) -> None:
        self.mids: dict[str, str] = {}
        self._person = person
        self._kinds: Mapping[EventKind, Callable[[Event], Awaitable[str | None]]] = {
            EventKind.SAY: self._say,
            EventKind.PHOTO: lambda event: self._file(event) or person.sends_photo(text=event.text or None),
            EventKind.VOICE: lambda event: self._file(event) or person.sends_voice(),
            EventKind.VIDEO: lambda event: self._file(event) or person.sends_attachment("video", {"url": GONE}),
            EventKind.SHARE: self._share,
            EventKind.STORY_REPLY: self._story_reply,
            EventKind.STORY_MENTION: lambda event: self._file(event) or person.mentions_in_story(),
            EventKind.STICKER: lambda _: person.sends_attachment("like_heart", {}),
            EventKind.UNSUPPORTED: lambda _: person.sends_unsupported(),
            EventKind.TAP: lambda event: person.taps(event.text, event.text),
            EventKind.PRESS: lambda event: person.presses(event.text, event.text),
            EventKind.UNSEND: self._unsend,
            EventKind.EDIT: self._edit,
            EventKind.HUMAN: lambda event: person.human_replies(event.text),
            EventKind.AUTOMATIC: lambda event: person.human_replies(event.text),
        }

    async def happen(self, event: Event) -> None:
        """Returns once the webhook has answered. Raises NotWrittenYet."""
        mid = await self._kinds[event.kind](event)
        if event.id is not None and mid is not None:
            self.mids[event.id] = mid

    async def _say(self, event: Event) -> str:
        fields = {} if event.to is None else {"reply_to": {"mid": self._target(event)}}
        mid = await self._person.says(event.text, **fields)
        for _ in range(event.repeat - 1):
            await self._person.repeats(mid, event.text)
        return mid

    def _file(self, event: Event) -> Awaitable[str] | None:
        """The message with its files; None without any."""
        if not event.files:
            return None
        files = [(_TYPES[event.kind], made(event.kind, file)) for file in event.files]
        return self._person.sends_files(files, event.text or None)

    async def _share(self, event: Event) -> str:
        title = event.text or "A post"
        if not event.files:
            return await self._person.shares_post(title=title)
        return await self._person.shares_post(self._put(event), title)

    async def _story_reply(self, event: Event) -> str:
        return await self._person.replies_to_story(event.text, *([self._put(event)] if event.files else []))

    def _put(self, event: Event) -> str:
        assert self._person.platform is not None, "a scenario's person has a platform"  # noqa: S101
        return self._person.platform.cdn.put(made(event.kind, event.files[0]))

    async def _unsend(self, event: Event) -> None:
        await self._person.unsends(self._target(event))

    async def _edit(self, event: Event) -> None:
        await self._person.edits(self._target(event), event.text)

    def _target(self, event: Event) -> str:
        mid = self.mids.get(event.to or "")
        if mid is None:
            raise NotWrittenYet(f"{event.kind} points to {event.to!r}, which was not written yet")
        return mid


def shown(event: Event) -> str:
    """The event in words, for people."""
    if event.kind in (EventKind.SAY, EventKind.HUMAN):
        return event.text
    words = f"[{event.kind.replace('_', ' ')}{f' of {event.to}' if event.to else ''}]"
    return f"{words} {event.text}".strip()
