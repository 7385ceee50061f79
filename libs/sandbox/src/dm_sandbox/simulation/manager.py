"""The manager at the phone: decides drafts, answers alerts by quoting them, and steers by words.

What is written is kept as it was meant, so that the invariants can hold it against what became of it. Own randomness:
a manager who does nothing changes no other draw.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from dm_core.alerts import DRAFT
from dm_core.clock import Clock
from dm_core.outbox import outbox_id
from dm_core.steering import Mode
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.outbox import Outbox
from dm_sandbox.simulation.people import Ledger
from dm_sandbox.simulation.phone import Phone, Shown

Kind = Literal["reply", "edit", "word"]
WORDS: Final = ("pause", "resume", "done", "off", "on", "list", "help")
RELEASING: Final = ("send", "edit")


@dataclass(slots=True)
class Wrote:
    """One message of the manager's. ``alert_id``: what it quotes, or whose button it is; times in ms since 1970."""

    mid: str
    kind: Kind
    text: str
    alert_id: str
    at: int
    acknowledged_at: int | None = None

    @property
    def item_id(self) -> str:
        return outbox_id("whatsapp", self.mid)


Post = Callable[[dict[str, object], str, Callable[[], None]], None]


@dataclass(slots=True)
class Manager:
    """``wrote``: all of it, in order. ``post`` delivers one message to the webhook."""

    loop: asyncio.AbstractEventLoop
    rng: Random
    clock: Clock
    journal: Journal
    ledger: Ledger
    alerts: Outbox
    phone: Phone
    post: Post
    mode: Mode = Mode.AUTO
    wrote: list[Wrote] = field(default_factory=list[Wrote])
    _plans: int = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is left that the manager means to do."""
        return not self._plans

    def released(self, alert_id: str) -> bool:
        """The manager has said that this draft may go out, in its words or in others."""
        return any(each.alert_id == alert_id and each.text in RELEASING for each in self.wrote)

    def sees(self, shown: Shown) -> None:
        """A message is on the phone: a draft is decided, mostly soon and mostly once."""
        alert = self.alerts.alerts.get(shown.reference)
        if alert is None or alert.cause != DRAFT:
            return
        word = self.rng.choice(("send",) * 6 + ("edit", "edit", "drop", ""))
        if not word:
            return
        delay = self.rng.choice((self.rng.uniform(0.5, 20), self.rng.uniform(5, 200), self.rng.uniform(600, 9_000)))
        self._later(delay, lambda: self._decide(shown, word))
        if self.rng.random() < 0.2:
            again = self.rng.choice((word, "send", "drop"))
            self._later(delay + self.rng.uniform(0.1, 40), lambda: self._decide(shown, again))

    def reply(self) -> None:
        """Quote the newest alert and write to its person; with nothing on the phone, write all the same."""
        shown = self._newest()
        text = f"manager {len(self.wrote)} here"
        alert = self.alerts.alerts.get(shown.reference) if shown is not None else None
        if alert is not None and alert.thread_id and alert.thread_id in {p.thread_id for p in self.ledger.people}:
            person = self.ledger.person_of(alert.thread_id)
            person.human_texts.add(text)
            person.human_at.append(self.clock())
        self._write("reply", text, shown, quoted=True)

    def say(self, word: str, *, quoted: bool) -> None:
        """A word about the conversation of the newest alert, or about all of them."""
        self._write("word", word, self._newest(), quoted=quoted)

    def _decide(self, shown: Shown, word: str) -> None:
        self._write("word", word, shown, quoted=True, tapped=shown.has_buttons and self.rng.random() < 0.8)
        if word == "edit":
            text = f"edited {len(self.wrote)} by hand"
            self._later(self.rng.choice((0.1, 3.0, 30.0)), lambda: self._write("edit", text, shown, quoted=False))

    def _newest(self) -> Shown | None:
        return next((each for each in reversed(self.phone.shown) if each.reference in self.alerts.alerts), None)

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        def now() -> None:
            self._plans -= 1
            act()

        self._plans += 1
        self.loop.call_later(delay, now)

    def _write(self, kind: Kind, text: str, shown: Shown | None, *, quoted: bool, tapped: bool = False) -> None:
        mid = f"wamid.m{len(self.wrote)}"
        wrote = Wrote(mid, kind, text, shown.reference if shown is not None else "", self.clock())
        self.wrote.append(wrote)
        self.phone.window = True
        self.journal.states[f"manager:{kind}"] += 1
        self.journal.note("manager", f"{'taps' if tapped else 'writes'} {text!r}{' (quoting)' if quoted else ''}")
        message: dict[str, object] = {"from": MANAGER_NUMBER, "id": mid, "timestamp": str(self.clock() // 1000)}
        if quoted and shown is not None:
            message["context"] = {"id": shown.wamid}
        if tapped and shown is not None:
            reply = {"id": f"{text}:{shown.reference}", "title": text.capitalize()}
            message |= {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}
        else:
            message |= {"type": "text", "text": {"body": text}}

        def acknowledged() -> None:
            wrote.acknowledged_at = wrote.acknowledged_at or self.clock()

        self.post(message, f"manager {text!r}", acknowledged)
