"""What people do, and what the webhook's 200 to it must mean at that moment."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.http import Request
from dm_core.messages import EventKind
from dm_core.outbox import ADMIN, OutboxItem, outbox_id
from dm_core.store.transactional.outbox import create_outbox
from dm_sandbox.environment import APP_SECRET
from dm_sandbox.platforms.meta import Item, signed_request
from dm_sandbox.simulation.instances import ACCOUNT, TAKEOVER_MINUTES
from dm_sandbox.simulation.meta import echo_item
from dm_sandbox.simulation.monitor import SKEW_MS
from dm_sandbox.simulation.people import Person, Written
from dm_sandbox.simulation.schedule import START, STOP, Act, ActKind
from dm_sandbox.simulation.world import World

PHOTO: Final = {"type": "image", "payload": {"url": "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1"}}


class Acts:
    """Plays the acts of a schedule in a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def play(self, act: Act) -> None:
        """Do it now."""
        person = self._world.ledger.people[act.thread]
        self._world.journal.states[f"act:{act.kind}"] += 1
        match act.kind:
            case ActKind.SAY | ActKind.STALE | ActKind.TAP | ActKind.STOP | ActKind.START:
                for _ in range(act.count):
                    self._post(person, [self.write(person, act.kind)])
            case ActKind.SAY_AT_ONCE:
                self._post(person, [self.write(person, act.kind) for _ in range(act.count)])
            case ActKind.EDIT | ActKind.UNSEND:
                self._change(person, act)
            case ActKind.HUMAN:
                self._human(person)
            case ActKind.ERASE:
                self._erase(person)
            case ActKind.NOISE:
                self._noise(person)
            case ActKind.MANAGER_REPLY:
                self._world.manager.reply()
            case ActKind.MANAGER_WORD | ActKind.MANAGER_WORD_FOR_ALL:
                self._world.manager.say(act.word, quoted=act.kind is ActKind.MANAGER_WORD)

    def write(self, person: Person, kind: ActKind) -> Written:
        """A person writes a text; delivering it is up to the caller."""
        token = f"q{person.number}-{len(person.texts)}"
        now = self._world.clock()
        event = EventKind.POSTBACK if kind is ActKind.TAP else EventKind.MESSAGE
        mid = self._world.mids.next(ACCOUNT, person.user_id)
        stale = kind is ActKind.STALE
        sent_at = now - DAY_MS - MINUTE_MS if stale else now
        text = {ActKind.STOP: STOP, ActKind.START: START}.get(kind, f"{token} v1 hello")
        is_word = kind in (ActKind.STOP, ActKind.START)
        written = Written(token, person.thread_id, person.user_id, mid, event, sent_at, text, stale, is_word)
        self._world.platforms.hear(person.user_id, mid, text, sent_at)
        self._world.journal.note(f"person {person.number}", f"{kind} {token}")
        return self._world.ledger.add(written)

    def _post(self, person: Person, texts: list[Written]) -> None:
        def acknowledged() -> None:
            for written in texts:
                written.acknowledged_at = written.acknowledged_at or self._world.clock()
                self._check_acknowledged(written)

        label = " ".join(written.token for written in texts)
        self._world.meta.post([self.item(person, written) for written in texts], label, acknowledged)

    def item(self, person: Person, written: Written) -> Item:
        """A text as Meta delivers it."""
        base = {**self._from(person), "timestamp": written.sent_at}
        if written.kind is EventKind.POSTBACK:
            return {**base, "postback": {"mid": written.mid, "title": written.text, "payload": "PRESSED"}}
        photo = {"attachments": [PHOTO]} if written.has_photo else {}
        return {**base, "message": {"mid": written.mid, "text": written.text, **photo}}

    def _check_acknowledged(self, written: Written) -> None:
        """P1: stored, and a wake-up that will process it exists, unless the queue itself lost one: then the sweeper's.

        What the sweeper then does is checked in the end, like everything's rest.
        """
        erased_at = self._world.monitor.erased_at.get(written.thread_id)
        stored = self._world.database.messages.get(written.thread_id, {}).get(written.id)
        if stored is None:
            if erased_at is None:
                self._world.journal.wrong("lost", f"{written.token} was acknowledged and is not stored")
            return
        now = self._world.loop.time()
        woken = any(not t.delivered_at or t.fires_at > now - 60 for t in self._world.queue.waiting(written.thread_id))
        woken = woken or written.thread_id in self._world.queue.forgotten
        if stored.is_unprocessed and stored.attempts == 0 and not woken:
            self._world.journal.wrong("wake_up", f"{written.token} was acknowledged and nothing will wake its thread")

    def _change(self, person: Person, act: Act) -> None:
        """Edit or unsend one of the person's texts, if there is one."""
        texts = [written for written in person.texts if not written.is_word]
        if not texts:
            return
        written = texts[max(0, len(texts) - 1 - act.target)]
        item = self.unsend(person, written) if act.kind is ActKind.UNSEND else self.edit(person, written)
        self._world.meta.post([item], f"{act.kind} {written.token}")

    def unsend(self, person: Person, written: Written) -> Item:
        """The person takes a text back; the item that tells of it."""
        self._world.journal.note(f"person {person.number}", f"unsends {written.token}")
        written.unsent_at = self._world.clock()
        return {**self._from(person), "message": {"mid": written.mid, "is_deleted": True}}

    def edit(self, person: Person, written: Written) -> Item:
        """The person writes a text anew; the item that tells of it."""
        self._world.journal.note(f"person {person.number}", f"edits {written.token}")
        text = f"{written.token} v2 edited"
        return {**self._from(person), "message_edit": {"mid": written.mid, "text": text, "num_edit": 1}}

    def _from(self, person: Person) -> Item:
        return {"sender": {"id": person.user_id}, "recipient": {"id": ACCOUNT}, "timestamp": self._world.clock()}

    def _human(self, person: Person) -> None:
        item, acknowledged = self.human(person)
        self._world.meta.post([item], f"human to {person.number}", acknowledged)

    def human(self, person: Person) -> tuple[Item, Callable[[], None]]:
        """The owner answers in the app; its echo, which once acknowledged must have silenced the agent."""
        text = f"human {len(person.human_texts)} here for {person.number}"
        person.human_texts.add(text)
        first = self._world.clock()
        person.human_at.append(first)
        mid = self._world.platforms.human(person.user_id, text)
        self._world.journal.note("owner", f"writes to person {person.number}")

        def acknowledged() -> None:
            thread = self._world.database.threads.get(person.thread_id)
            until = thread.paused_until if thread else None
            erased = self._world.monitor.erased_at.get(person.thread_id)
            if erased is None and (until is None or until < first + TAKEOVER_MINUTES * MINUTE_MS - SKEW_MS):
                self._world.journal.wrong(
                    "pause", f"a human wrote to person {person.number}, and the agent does not pause"
                )

        return echo_item(ACCOUNT, person.user_id, mid, text, first), acknowledged

    def operator(self, person: Person) -> OutboxItem:
        """An operator's words for one person, stored as the command line stores them."""
        text, now = f"operator here for {person.number}", self._world.clock()
        person.human_texts.add(text)
        person.human_at.append(now)
        id_ = outbox_id(ADMIN, text)
        item = OutboxItem(id_, "op", text, now, now + DAY_MS, origin=ADMIN, thread_id=person.thread_id)
        self._world.monitor.write("create_outbox", lambda tx: create_outbox(tx, item, ()))
        return item

    def _erase(self, person: Person) -> None:
        person.asked_erasure = True
        payload: dict[str, object] = {
            "algorithm": "HMAC-SHA256",
            "issued_at": self._world.clock() // 1000,
            "user_id": person.user_id,
        }
        body = urlencode({"signed_request": signed_request(payload, APP_SECRET)}).encode()
        request = Request("POST", "/data-deletion", body=body, base_url="https://webhook.example")
        self._world.journal.note(f"person {person.number}", "asks to be erased")
        self._world.meta.callback(request, f"erase {person.number}")

    def _noise(self, person: Person) -> None:
        base = self._from(person)
        seen: list[Item] = [{**base, "read": {"mid": "m"}}, {**base, "reaction": {"mid": "m", "action": "react"}}]
        self._world.meta.post(seen, "noise")
