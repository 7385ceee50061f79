"""The manager's phone and WhatsApp in front of it: what was accepted, what arrived, the statuses that tell of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from dm_core.clock import Clock
from dm_core.errors import Service, Unreachable
from dm_sandbox.simulation.schedule import FaultKind

OUTSIDE_WINDOW: Final = 131047
UNDELIVERABLE: Final = 131026

StatusKind = Literal["sent", "delivered", "read", "failed"]


@dataclass(frozen=True, slots=True)
class PhoneStatus:
    """What WhatsApp will tell of one message, ``after`` so many seconds."""

    reference: str
    kind: StatusKind
    wamid: str
    after: float
    code: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """A message on the phone, by WhatsApp's id and our reference."""

    wamid: str
    reference: str
    has_buttons: bool


@dataclass(slots=True)
class Phone:
    """``window``: the manager can be written to freely. ``told``: delivers statuses to the webhook.

    ``texts`` are those on the phone, by reference; ``processed`` counts the calls that WhatsApp took (and may have
    failed to deliver later). ``shown``: in order, what can be quoted or tapped; ``sees`` is told of each. ``answers``:
    lines about what the manager wrote, by the item's id.
    """

    clock: Clock
    rng: Random
    told: Callable[[PhoneStatus], None]
    window: bool
    reached_at: dict[str, int] = field(default_factory=dict[str, int])
    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    processed: Counter[str] = field(default_factory=Counter[str])
    shown: list[Shown] = field(default_factory=list[Shown])
    answers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    sees: Callable[[Shown], None] = lambda _: None
    _messages: int = 0

    def answer(self, text: str, reference: str) -> str:
        """A line to whoever wrote; the message's id."""
        self._messages += 1
        self.answers.setdefault(reference, []).append(text)
        return f"wamid.{self._messages}"

    def take(
        self, text: str, reference: str, kind: FaultKind | None, *, template: bool, has_buttons: bool = False
    ) -> str:
        """One call; the message's id. Raises Unreachable outside the window, at once or (half of the time) later."""
        self._messages += 1
        wamid = f"wamid.{self._messages}"
        late = (
            {FaultKind.LATE_WINDOW: OUTSIDE_WINDOW, FaultKind.LATE_REFUSAL: UNDELIVERABLE}.get(kind) if kind else None
        )
        if not template and not self.window and late is None:
            if self.rng.random() < 0.5:
                raise Unreachable("simulated", window=True, service=Service.WHATSAPP, code=OUTSIDE_WINDOW)
            late = OUTSIDE_WINDOW
        self.processed[reference] += 1
        if late == OUTSIDE_WINDOW and template:
            late = None
        if late is not None:
            self._tell(reference, wamid, "failed", self.rng.uniform(0.5, 5), late)
            return wamid
        self.texts.setdefault(reference, []).append(text)
        self.reached_at.setdefault(reference, self.clock())
        self.shown.append(Shown(wamid, reference, has_buttons))
        self.sees(self.shown[-1])
        self._tell(reference, wamid, "sent", self.rng.uniform(0.1, 3))
        self._tell(reference, wamid, "delivered", self.rng.uniform(0.1, 4))
        if self.rng.random() < 0.4:
            self._tell(reference, wamid, "read", self.rng.uniform(0.1, 200))
        return wamid

    def _tell(self, reference: str, wamid: str, kind: StatusKind, after: float, code: int = 0) -> None:
        self.told(PhoneStatus(reference, kind, wamid, after, code))
