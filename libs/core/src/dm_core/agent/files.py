"""Which files of the conversation the model is shown, and the lines that say whose they are. Pure.

A file stands behind the text of the turn that shows its message, after a line that names message and place:

    {"attached_to": "m3", "place": 1, "is": "photo"}       then the picture
    {"attached_to": "m3", "place": 2, "is": "photo", "not_shown": "its link has expired"}
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.agent.render import HOSTED, STORY_REPLY, data_line, kind
from dm_core.clients.media.cdn import media_url
from dm_core.media import MediaKind, NotShown
from dm_core.messages import Message

_NEVER: Final = frozenset(("template", "ephemeral", "like_heart"))
"""Types whose address, if they have one, is no file of the person's."""
_EXPECTED: Final[Mapping[str, MediaKind]] = {
    "image": MediaKind.PICTURE,
    "sticker": MediaKind.PICTURE,
    "audio": MediaKind.VOICE,
    "video": MediaKind.VIDEO,
}


@dataclass(frozen=True, slots=True)
class File:
    """One file of a message. ``place`` counts from 1 in the message's ``media``, ``is_a`` is its word there.

    ``expected``: what the platform says it is, None where that may be anything.
    """

    mid: str
    place: int
    is_a: str
    url: str
    expected: MediaKind | None = None


def files_of(message: Message) -> tuple[File, ...]:
    """Everything of a message that may be looked at; nothing of one that was taken back."""
    content = message.content
    if message.unsent_at is not None:
        return ()
    found: list[File] = []
    story = content.reply_to_story
    if story and media_url(story):
        found.append(File(message.mid, 1, STORY_REPLY, story))
    for place, attachment in enumerate(content.attachments, start=2 if story else 1):
        url = attachment.url
        hosted = attachment.type in HOSTED - _NEVER
        if url and (hosted or media_url(url)) and attachment.type not in _NEVER:
            found.append(File(message.mid, place, kind(attachment), url, _EXPECTED.get(attachment.type)))
    return tuple(found)


def shows_files(new: Sequence[Message], recent: Iterable[Message], handles: Mapping[str, str]) -> tuple[str, ...]:
    """The messages whose files belong to a turn that shows ``new``: those, each after the one that it replies to."""
    by_mid = {message.mid: message for message in (*recent, *new)}
    shown = frozenset(handles.values())
    mids: dict[str, None] = {}
    for message in new:
        for mid in (message.content.reply_to_mid or "", message.mid):
            if mid in shown and mid in by_mid and files_of(by_mid[mid]):
                mids.setdefault(mid)
    return tuple(mids)


def label(file: File, handle: str, not_shown: NotShown | None = None) -> str:
    """The line before a file, or in its place."""
    fields = {"attached_to": handle, "place": file.place, "is": file.is_a}
    return data_line(fields if not_shown is None else {**fields, "not_shown": not_shown.value})
