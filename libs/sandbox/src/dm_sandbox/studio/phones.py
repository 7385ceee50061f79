"""The people who write to the account: what they do arrives as webhooks, what comes back shows on their phones."""

from collections.abc import Mapping

from dm_sandbox.platforms.mailbox import SentMessage
from dm_sandbox.platforms.record import Record
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.studio.bubbles import TYPING_MS, Bubble, Phone, Writer, bubble_from
from dm_sandbox.world import Sandbox

FIRST_NAME, FIRST_LANGUAGE = "Sam Jones", "en"


class Phones:
    """Everybody's phone, by user id; the first person is there from the start."""

    def __init__(self, sandbox: Sandbox, snapshot: Mapping[str, object] | None = None) -> None:
        self.sandbox = sandbox
        self.phones: dict[str, Phone] = {}
        for fields in map(as_object, as_list((snapshot or {}).get("people"))):
            self._restore(fields)
        if not self.phones:
            self.meet(FIRST_NAME, FIRST_LANGUAGE)
        sandbox.instagram.listen(self._shown)

    def meet(self, name: str, language: str = FIRST_LANGUAGE) -> Phone:
        """Somebody new."""
        person = self.sandbox.person(name)
        phone = self.phones[person.user_id] = Phone(person, name, language, self.sandbox.clock())
        return phone

    def named(self, name: str) -> Phone | None:
        return next((phone for phone in self.phones.values() if phone.name == name), None)

    @property
    def first(self) -> Phone:
        return next(iter(self.phones.values()))

    def snapshot(self) -> dict[str, object]:
        """As JSON values, for a restart."""
        return {"people": [phone.snapshot() for phone in self.phones.values()]}

    def show(self, phone: Phone, mid: str, kind: str, text: str, *, by: Writer = "person", **more: str) -> Bubble:
        """A message appears on a phone."""
        bubble = Bubble(mid, by, kind, text, self.sandbox.clock(), **more)  # pyright: ignore[reportArgumentType]
        phone.bubbles.append(bubble)
        if by != "person":
            phone.typing_until = 0
        return bubble

    def _restore(self, fields: Mapping[str, object]) -> None:
        """A person as they were, known to the platform, with the conversation that it shows."""
        name, user_id = str(fields.get("name")), str(fields.get("userId"))
        instagram = self.sandbox.instagram
        person = self.sandbox.person(name, user_id)
        phone = Phone(person, name, str(fields.get("language")), int(str(fields.get("madeAt") or 0)))
        phone.bubbles = [bubble_from(as_object(each)) for each in as_list(fields.get("bubbles"))]
        self.phones[user_id] = phone
        person.mids = [bubble.id for bubble in phone.bubbles if bubble.by == "person" and not bubble.unsent]
        own = [bubble.at for bubble in phone.bubbles if bubble.by == "person"]
        instagram.contacts[user_id].last_inbound_at = max(own, default=phone.made_at)
        for bubble in phone.bubbles:
            parties = (user_id, instagram.account_id) if bubble.by == "person" else (instagram.account_id, user_id)
            sent = SentMessage(bubble.id, *parties, bubble.text, bubble.at, bubble.by == "bot")
            instagram.messages.append(sent)

    def _shown(self, record: Record) -> None:
        """What the account did shows on the phone it is for, whatever its caller was told."""
        recipient = as_object(as_object(record.body).get("recipient")).get("id")
        phone = self.phones.get(str(record.facts.get("to") or recipient))
        if phone is None or not record.processed:
            return
        match record.operation:
            case "send" if record.facts.get("mid"):
                self.show(phone, record.facts["mid"], "text", record.facts.get("text", ""), by="bot")
            case "react" | "unreact":
                self._react(phone, record)
            case "typing_on" if record.ok:
                phone.typing_until = self.sandbox.clock() + TYPING_MS
            case "typing_off":
                phone.typing_until = 0
            case "mark_seen" if record.ok:
                for bubble in phone.bubbles:
                    bubble.seen = bubble.seen or bubble.by == "person"
            case _:
                pass

    def _react(self, phone: Phone, record: Record) -> None:
        bubble = phone.find(record.facts.get("mid", ""))
        if bubble is None:
            return
        if record.operation == "unreact":
            bubble.reactions.pop("bot", None)
        else:
            reaction = record.facts.get("reaction", "")
            bubble.reactions["bot"] = "❤️" if reaction == "love" else reaction
