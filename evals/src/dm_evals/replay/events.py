"""One event of a scenario, at the webhook as Meta would send it."""

from collections.abc import Awaitable, Callable, Mapping

from dm_evals.replay.files import GONE, send_files
from dm_evals.scenarios.scenario import Event, EventKind
from dm_sandbox.person import Person


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
        mid = await (send_files(who, event) if event.files else self._kinds[event.kind](who, event))
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
