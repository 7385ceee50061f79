"""A person on Instagram, for tests and for the chat: what they do arrives at the webhook as Meta would send it.

Every method returns once the webhook has answered; ``sender.deliveries`` holds the answers. With ``platform`` given the
simulator learns of it too: the person is known, the 24-hour window opens, the conversation shows the message.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from dm_core.clock import Clock, system_clock
from dm_sandbox import corpus
from dm_sandbox.corpus import case, items
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.meta import Item, Mids, WebhookSender, envelope


class Person:
    """One person who writes to one account. ``user_id`` is the IGSID: scoped to this account."""

    def __init__(
        self,
        webhook_url: str,
        app_secret: str,
        account_id: str,
        user_id: str,
        name: str | None = None,
        username: str | None = None,
        platform: Instagram | None = None,
        clock: Clock = system_clock,
        sender: WebhookSender | None = None,
    ) -> None:
        self.account_id, self.user_id, self.name, self.clock = account_id, user_id, name, clock
        self.sender = sender or WebhookSender(webhook_url, app_secret, clock)
        self.platform = platform
        self._mids = platform.mids if platform else Mids()
        self.mids: list[str] = []
        if platform:
            platform.meet(user_id, name, username)

    @property
    def thread_id(self) -> str:
        return f"{self.account_id}_{self.user_id}"

    # --- messages -----------------------------------------------------------------------------------------------

    async def says(self, text: str, **message: object) -> str:
        """A text; ``message`` adds fields to it, such as ``referral``. Returns its mid."""
        return await self._writes({"text": text, **message}, text)

    async def says_late(self, text: str, ago_ms: int) -> str:
        """A text that the platform dates so long ago."""
        return await self._writes({"text": text}, text, timestamp=self.clock() - ago_ms)

    async def says_at_once(self, *texts: str) -> list[str]:
        """Several texts in one POST, as Meta batches them."""
        items = [self._message({"text": text}, text) for text in texts]
        mids = self.mids[-len(texts) :]
        await self._post(items)
        return mids

    async def taps(self, title: str, payload: str) -> str:
        """A quick reply."""
        return await self._writes({"text": title, "quick_reply": {"payload": payload}}, title)

    async def sends_photo(self, url: str = "https://lookaside.fbsbx.com/photo", text: str | None = None) -> str:
        return await self.sends_attachment("image", {"url": url}, text)

    async def sends_voice(self, url: str = "https://lookaside.fbsbx.com/voice") -> str:
        return await self.sends_attachment("audio", {"url": url})

    async def shares_post(self, url: str = "https://cdn.example/post", title: str = "A post") -> str:
        return await self.sends_attachment("ig_post", {"url": url, "title": title, "ig_post_media_id": "1813"})

    async def mentions_in_story(self, url: str = "https://cdn.example/story") -> str:
        return await self.sends_attachment("story_mention", {"url": url})

    async def sends_file(self, kind: str, data: bytes, text: str | None = None, content_type: str = "") -> str:
        """A file that is really there: ``kind`` as the platform calls it (image, audio, video, ig_post …). Its mid."""
        return await self.sends_files([(kind, data)], text, content_type)

    async def sends_files(
        self, files: Sequence[tuple[str, bytes]], text: str | None = None, content_type: str = ""
    ) -> str:
        """Several files in one message."""
        assert self.platform is not None, "files are on the platform's servers"  # noqa: S101
        cdn = self.platform.cdn
        attachments = [
            {"type": kind, "payload": {"url": cdn.put(data, content_type or "application/octet-stream")}}
            for kind, data in files
        ]
        return await self._writes({"attachments": attachments} | ({"text": text} if text else {}), text or "")

    async def sends_attachment(self, kind: str, payload: Mapping[str, object], text: str | None = None) -> str:
        """Any attachment, known to us or not."""
        message: dict[str, object] = {"attachments": [{"type": kind, "payload": dict(payload)}]}
        return await self._writes(message | ({"text": text} if text else {}), text or "")

    async def sends(self, name: str) -> object:
        """Any kind of the corpus (``share/ig_post``), in its own envelope, from this person and of now; the body."""
        body = self._own(case(name).body, {})
        for item in items(body):
            self._is_heard(item)
        await self.sender.deliver(body)
        return body

    async def sends_unsupported(self) -> str:
        """Something the API does not show."""
        return await self._writes({"is_unsupported": True}, "")

    async def replies_to(self, mid: str, text: str) -> str:
        """An inline reply."""
        return await self._writes({"text": text, "reply_to": {"mid": mid}}, text)

    async def replies_to_story(self, text: str, url: str = "https://cdn.example/story", story: str = "1788") -> str:
        return await self._writes({"text": text, "reply_to": {"story": {"url": url, "id": story}}}, text)

    async def comes_from_ad(self, text: str, title: str = "Winter nets") -> str:
        """A first text with the ad it came from."""
        context = {"ad_title": title, "photo_url": "https://cdn.example/ad"}
        referral = {"ref": "ad", "ad_id": "6045246247433", "source": "ADS", "type": "OPEN_THREAD"}
        return await self.says(text, referral={**referral, "ads_context_data": context})

    async def presses(self, title: str, payload: str) -> str:
        """A postback: an ice breaker or a menu entry."""
        mid = self._next()
        if self.platform:
            self.platform.hear(self.user_id, mid, title)
        await self._post([self._item({"postback": {"mid": mid, "title": title, "payload": payload}})])
        return mid

    async def opens_link(self, ref: str) -> None:
        """An ig.me link into a thread that exists."""
        referral = {"ref": ref, "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD"}
        await self._post([self._item({"referral": referral})])

    # --- later events -------------------------------------------------------------------------------------------

    async def unsends(self, mid: str) -> None:
        await self._post([self._item({"message": {"mid": mid, "is_deleted": True}})])

    async def edits(self, mid: str, text: str, times: int = 1) -> None:
        await self._post([self._item({"message_edit": {"mid": mid, "text": text, "num_edit": times}})])

    async def reacts(self, mid: str, emoji: str = "❤️", reaction: str = "love") -> None:
        """To one of the account's messages."""
        change = {"mid": mid, "action": "react", "reaction": reaction, "emoji": emoji}
        await self._post([self._item({"reaction": change})])

    async def unreacts(self, mid: str) -> None:
        await self._post([self._item({"reaction": {"mid": mid, "action": "unreact"}})])

    async def sees(self, mid: str) -> None:
        await self._post([self._item({"read": {"mid": mid}})])

    # --- the account's side -------------------------------------------------------------------------------------

    async def human_replies(self, text: str, mid: str = "") -> str:
        """The account's owner answers this person in the app; its echo arrives at the webhook. Returns its mid."""
        mid = mid or self.next_mid()
        if self.platform:
            self.platform.human_sends(self.user_id, text, mid, echo=False)
        await self._post([self.echo(mid, text)])
        return mid

    async def standby(self, text: str) -> str:
        """A text while another app owns the thread."""
        item = self._message({"text": text}, text)
        mid = self.mids[-1]
        await self.sender.deliver(envelope(self.account_id, [item], self.clock(), "standby"))
        return mid

    def echo(self, mid: str, text: str) -> Item:
        """The echo of a message of the account, without ``app_id``, as on Instagram."""
        return {
            "sender": {"id": self.account_id},
            "recipient": {"id": self.user_id},
            "timestamp": self.clock(),
            "message": {"mid": mid, "text": text, "is_echo": True},
        }

    async def echoes(self, mid: str, text: str) -> None:
        """What the account sent comes back to the webhook."""
        await self._post([self.echo(mid, text)])

    async def repeats(self, mid: str, text: str) -> None:
        """Meta delivers an earlier text a second time."""
        await self._post([self._item({"message": {"mid": mid, "text": text}})])

    async def close(self) -> None:
        await self.sender.close()

    # --- inside -------------------------------------------------------------------------------------------------

    def _own(self, value: object, mids: dict[str, str]) -> object:
        """A body of the corpus as this person's own: people, times and mids are exchanged, the rest stays."""
        if isinstance(value, list):
            return [self._own(each, mids) for each in cast("list[object]", value)]
        if not isinstance(value, dict):
            return value
        people = {corpus.ACCOUNT: self.account_id, corpus.PERSON: self.user_id}
        own: dict[str, object] = {}
        for key, part in cast("dict[str, object]", value).items():
            if key == "id" and str(part) in people:
                own[key] = people[str(part)]
            elif key == "mid" and isinstance(part, str):
                own[key] = mids.get(part) or mids.setdefault(part, self._next())
            elif key == "timestamp":
                own[key] = self.clock()
            else:
                own[key] = self._own(part, mids)
        return own

    def _is_heard(self, item: Item) -> None:
        """The platform shows what this person sent, and its window opens."""
        part = item.get("message") or item.get("postback")
        if not self.platform or not isinstance(part, dict) or item.get("sender") != {"id": self.user_id}:
            return
        said = cast("dict[str, object]", part)
        if not said.get("is_deleted"):
            self.platform.hear(self.user_id, str(said.get("mid")), str(said.get("text") or said.get("title") or ""))

    async def _writes(self, message: Mapping[str, object], text: str, **of_item: object) -> str:
        item = self._message(message, text)
        mid = self.mids[-1]
        await self._post([{**item, **of_item}])
        return mid

    def _message(self, message: Mapping[str, object], text: str) -> Item:
        mid = self._next()
        if self.platform:
            self.platform.hear(self.user_id, mid, text)
        return self._item({"message": {"mid": mid, **message}})

    def _item(self, event: Mapping[str, object]) -> Item:
        sender, recipient = {"id": self.user_id}, {"id": self.account_id}
        return {"sender": sender, "recipient": recipient, "timestamp": self.clock(), **event}

    def next_mid(self) -> str:
        """An id for a message of this conversation."""
        return self._mids.next(self.account_id, self.user_id)

    def _next(self) -> str:
        self.mids.append(self.next_mid())
        return self.mids[-1]

    async def _post(self, items: list[Item]) -> None:
        await self.sender.deliver(envelope(self.account_id, items, self.clock()))
