"""Files of an event: bytes made here, the same each time, on the stand-in for Meta's CDN."""

from collections.abc import Mapping
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


async def send_files(person: Person, event: Event) -> str:
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
