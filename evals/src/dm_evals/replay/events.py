"""One event of a scenario, at the webhook as Meta would send it.

Its files are bytes made here, the same each time, on the stand-in for Meta's CDN.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dm_evals.scenarios.scenario import Event, EventKind, File
from dm_sandbox.media_samples import picture, spoken, video, voice
from dm_sandbox.person import Person

GONE: Final = "https://lookaside.fbsbx.com/gone"
"""Where a file was."""
_TYPES: Final[Mapping[EventKind, str]] = {
    EventKind.PHOTO: "image",
    EventKind.VOICE: "audio",
    EventKind.VIDEO: "video",
    EventKind.STORY_MENTION: "story_mention",
}


class NotWrittenYet(Exception):
    """An event points to a message that is not there."""


class ScenarioEvents:
    """What the person and the club do. ``mids``: the platform's ids of the messages that have a name."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self.mids: dict[str, str] = {}
        self._people = people
        self._kinds: Mapping[EventKind, Callable[[Person, Event], Awaitable[str | None]]] = {
            EventKind.SAY: self._say,
            EventKind.PHOTO: lambda who, event: who.sends_photo(text=event.text or None),
            EventKind.VOICE: lambda who, _: who.sends_voice(),
            EventKind.VIDEO: lambda who, _: who.sends_attachment("video", {"url": GONE}),
            EventKind.SHARE: lambda who, event: who.shares_post(title=event.text or "A post"),
            EventKind.STORY_REPLY: lambda who, event: who.replies_to_story(event.text),
            EventKind.STORY_MENTION: lambda who, _: who.mentions_in_story(),
            EventKind.STICKER: lambda who, _: who.sends_attachment("like_heart", {}),
            EventKind.UNSUPPORTED: lambda who, _: who.sends_unsupported(),
            EventKind.TAP: lambda who, event: who.taps(event.text, event.text),
            EventKind.PRESS: lambda who, event: who.presses(event.text, event.text),
            EventKind.UNSEND: lambda who, event: who.unsends(self._target(event)),
            EventKind.EDIT: lambda who, event: who.edits(self._target(event), event.text),
            EventKind.HUMAN: lambda who, event: who.human_replies(event.text),
            EventKind.AUTOMATIC: lambda who, event: who.human_replies(event.text),
        }

    async def happen(self, event: Event) -> None:
        """Returns once the webhook has answered. Raises NotWrittenYet."""
        who = self._people[event.by or ""]
        mid = await (_send_files(who, event) if event.files else self._kinds[event.kind](who, event))
        if event.id is not None and mid is not None:
            self.mids[event.id] = mid

    async def _say(self, who: Person, event: Event) -> str:
        fields = {} if event.to is None else {"reply_to": {"mid": self._target(event)}}
        mid = await who.says(event.text, **fields)
        for _ in range(event.repeat - 1):
            await who.repeats(mid, event.text)
        return mid

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


async def _send_files(person: Person, event: Event) -> str:
    """The event's message with its files; its id."""
    made = [_made(event.kind, file) for file in event.files]
    if event.kind in _TYPES:
        return await person.sends_files([(_TYPES[event.kind], data) for data in made], event.text or None)
    assert person.platform is not None, "a scenario's person has a platform"  # noqa: S101
    url = person.platform.cdn.put(made[0])
    if event.kind is EventKind.SHARE:
        return await person.shares_post(url, event.text or "A post")
    return await person.replies_to_story(event.text, url)


def _made(kind: EventKind, file: File) -> bytes:
    if file.heic:
        return b"\x00\x00\x00\x18ftypheic" + bytes(500)
    if kind is EventKind.VOICE:
        data = voice(file.seconds) if file.seconds else spoken(file.says)
    elif kind is EventKind.VIDEO:
        data = video(file.shows, round(file.seconds) or 3)
    else:
        data = picture(file.shows)
    return data[: len(data) // 2] if file.broken else data
