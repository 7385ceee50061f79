"""Everything a person, or the business, can do with a phone, by name. Each arrives at the webhook as Meta sends it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Final

from dm_core.durations import HOUR_MS
from dm_sandbox.media_routes import made_for
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.studio.bubbles import Bubble, Phone
from dm_sandbox.studio.phones import Phones

LATE_HOURS: Final = 25
MAX_BURST: Final = 10

Fields = Mapping[str, object]


class CannotDo(Exception):
    """It makes no sense now; the message says why."""


class Acts:
    """Does what the page's buttons say."""

    def __init__(self, phones: Phones) -> None:
        self.phones = phones
        self._acts: Mapping[str, Callable[[Phone, Fields], Awaitable[None]]] = {
            "text": self._text,
            "burst": self._burst,
            "photo": self._photo,
            "voice": self._voice,
            "video": self._video,
            "share": self._share,
            "story_reply": self._story_reply,
            "story_mention": self._story_mention,
            "quick_reply": self._quick_reply,
            "ice_breaker": self._ice_breaker,
            "ad": self._ad,
            "react": self._react,
            "edit": self._edit,
            "unsend": self._unsend,
            "resend": self._resend,
            "late": self._late,
            "human": self._human,
        }

    async def do(self, phone: Phone, act: str, fields: Fields) -> None:
        """Raises CannotDo."""
        known = self._acts.get(act)
        if known is None:
            raise CannotDo(f"{act!r} is not one of {', '.join(self._acts)}")
        await known(phone, fields)

    async def _text(self, phone: Phone, fields: Fields) -> None:
        person, text, quoted = phone.person, _words(fields), str(fields.get("reply_to") or "")
        says = partial(person.replies_to, quoted, text) if quoted else partial(person.says, text)
        await self._shown_first(phone, "text", text, says, reply_to=quoted)

    async def _burst(self, phone: Phone, fields: Fields) -> None:
        """Line by line, each after the time it takes to type it."""
        lines = [line.strip() for line in _words(fields).splitlines() if line.strip()]
        for number, line in enumerate(lines[:MAX_BURST]):
            if number:
                await asyncio.sleep(min(2.5, 0.4 + 0.04 * len(line)))
            await self._text(phone, {"text": line})

    async def _photo(self, phone: Phone, fields: Fields) -> None:
        text = str(fields.get("text") or "").strip()
        await self._file(phone, "photo", text)

    async def _voice(self, phone: Phone, _: Fields) -> None:
        await self._file(phone, "voice")

    async def _video(self, phone: Phone, _: Fields) -> None:
        await self._file(phone, "video")

    async def _share(self, phone: Phone, _: Fields) -> None:
        title = "Season opener: Saturday at two"
        await self._shown_first(phone, "share", "", partial(phone.person.shares_post, title=title), about=title)

    async def _file(self, phone: Phone, kind: str, text: str = "") -> None:
        """A file that is made here, and can be fetched as from the platform's servers."""
        made = made_for(phone.person, kind, text or "Sent from the studio")
        send = partial(phone.person.sends_attachment, made.word, {"url": made.url}, text or None)
        await self._shown_first(phone, kind, text, send, media=made.path)

    async def _story_reply(self, phone: Phone, fields: Fields) -> None:
        text = _words(fields, "That looks great!")
        send = partial(phone.person.replies_to_story, text)
        await self._shown_first(phone, "story_reply", text, send, about="your story")

    async def _story_mention(self, phone: Phone, _: Fields) -> None:
        send, about = phone.person.mentions_in_story, "mentioned you in a story"
        await self._shown_first(phone, "story_mention", "", send, about=about)

    async def _quick_reply(self, phone: Phone, fields: Fields) -> None:
        title = _words(fields, "Yes, please")
        await self._shown_first(phone, "quick_reply", title, partial(phone.person.taps, title, "STUDIO_REPLY"))

    async def _ice_breaker(self, phone: Phone, fields: Fields) -> None:
        title = _words(fields, "How do I join?")
        await self._shown_first(phone, "ice_breaker", title, partial(phone.person.presses, title, "STUDIO_ICE_BREAKER"))

    async def _ad(self, phone: Phone, fields: Fields) -> None:
        text, title = _words(fields, "Is this still on?"), "Winter nets"
        send = partial(phone.person.comes_from_ad, text, title)
        await self._shown_first(phone, "ad", text, send, about=f"your ad “{title}”")

    async def _react(self, phone: Phone, fields: Fields) -> None:
        bubble, emoji = self._chosen(phone, fields) or phone.newest_theirs, str(fields.get("emoji") or "❤️")
        if bubble is None or bubble.by == "person":
            raise CannotDo("there is no message of the account to react to yet")
        if bubble.reactions.pop("person", "") == emoji:
            await phone.person.unreacts(bubble.id)
            return
        bubble.reactions["person"] = emoji
        await phone.person.reacts(bubble.id, emoji)

    async def _edit(self, phone: Phone, fields: Fields) -> None:
        bubble = self._own(phone, fields)
        bubble.text, bubble.edits = _words(fields), bubble.edits + 1
        await phone.person.edits(bubble.id, bubble.text, bubble.edits)

    async def _unsend(self, phone: Phone, fields: Fields) -> None:
        bubble = self._own(phone, fields)
        bubble.unsent, bubble.text, bubble.media, bubble.about = True, "", "", ""
        if bubble.id in phone.person.mids:
            phone.person.mids.remove(bubble.id)
        await phone.person.unsends(bubble.id)

    async def _resend(self, phone: Phone, _: Fields) -> None:
        """Meta delivers this person's newest webhook once more."""
        for entry in reversed(self.phones.sandbox.log.entries):
            if entry.kind == "delivered" and entry.person == phone.user_id and "echo" not in entry.words:
                await self.phones.sandbox.sender.post(as_object(entry.record).get("payload"))
                return
        raise CannotDo("nothing was delivered for this person yet")

    async def _late(self, phone: Phone, fields: Fields) -> None:
        text, ago = _words(fields, "Sorry, this got stuck"), LATE_HOURS * HOUR_MS
        send = partial(phone.person.says_late, text, ago)
        await self._shown_first(phone, "late", text, send, about=f"dated {LATE_HOURS} hours ago")

    async def _human(self, phone: Phone, fields: Fields) -> None:
        """Somebody of the business answers in the app."""
        text = _words(fields)
        mid = phone.person.next_mid()
        self.phones.show(phone, mid, "text", text, by="human")
        await phone.person.human_replies(text, mid)

    async def _shown_first(
        self, phone: Phone, kind: str, text: str, send: Callable[[], Coroutine[None, None, str]], **more: str
    ) -> None:
        """It is on the phone before the webhook has answered, with all that it shows, under the id it is sent with."""
        bubble = self.phones.show(phone, "", kind, text, by="person", **more)
        sending = asyncio.eager_task_factory(asyncio.get_running_loop(), send())  # up to its first wait
        bubble.id = phone.person.mids[-1]
        bubble.id = await sending

    def _chosen(self, phone: Phone, fields: Fields) -> Bubble | None:
        mid = str(fields.get("mid") or "")
        found = phone.find(mid) if mid else None
        if mid and found is None:
            raise CannotDo("there is no such message on this phone")
        return found

    def _own(self, phone: Phone, fields: Fields) -> Bubble:
        bubble = self._chosen(phone, fields) or phone.newest_own
        if bubble is None or bubble.by != "person" or bubble.unsent:
            raise CannotDo("there is no message of this person's own to change")
        return bubble


def _words(fields: Fields, otherwise: str = "") -> str:
    """The text that was typed. Raises CannotDo when there is none."""
    words = fields.get("text")
    lines = words if isinstance(words, str) else "\n".join(str(each) for each in as_list(words))
    if not lines.strip() and not otherwise:
        raise CannotDo("type some words first")
    return lines.strip() or otherwise
