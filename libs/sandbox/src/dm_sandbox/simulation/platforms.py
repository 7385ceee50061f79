"""Instagram as it is from the inside: what it accepted, in the order of its own clock (for WhatsApp see ``phone``).

This record is the truth that invariants are checked against: what a person sees, whatever we believe.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dm_core.clients.port import PlatformMessage
from dm_core.clock import Clock
from dm_core.runs import ActionKind
from dm_sandbox.platforms.meta import Mids


@dataclass(frozen=True, slots=True)
class Effect:
    """Something the person ``user_id`` saw; ``at`` in ms since 1970.

    ``mark`` is what tells one effect from another: a text, or a reaction's message and emoji.
    """

    at: int
    kind: ActionKind
    user_id: str
    text: str
    mark: str
    mid: str


class Watcher(Protocol):
    """Who is told of every effect the moment it happens."""

    def happened(self, effect: Effect) -> None: ...


@dataclass(slots=True)
class Platforms:
    """``written`` is told of every text the account sends, so that its echo can be delivered."""

    account_id: str
    clock: Clock
    mids: Mids
    watcher: Watcher
    written: Callable[[Effect], None]
    effects: list[Effect] = field(default_factory=list[Effect])
    _conversations: dict[str, list[PlatformMessage]] = field(default_factory=dict[str, list[PlatformMessage]])

    def hear(self, user_id: str, mid: str, text: str, at: int) -> None:
        """A person wrote."""
        self._list(user_id, PlatformMessage(mid, user_id, text, at))

    def human(self, user_id: str, text: str) -> str:
        """The owner wrote in the app."""
        mid = self.mids.next(self.account_id, user_id)
        self._list(user_id, PlatformMessage(mid, self.account_id, text, self.clock()))
        return mid

    def sent_before(self, user_id: str, mid: str, text: str) -> None:
        """The account sent this before the simulation began to look."""
        self._list(user_id, PlatformMessage(mid, self.account_id, text, self.clock()))

    def send(self, user_id: str, text: str) -> str:
        mid = self.mids.next(self.account_id, user_id)
        self._list(user_id, PlatformMessage(mid, self.account_id, text, self.clock()))
        self.written(self._happen(ActionKind.SEND, user_id, text, text, mid))
        return mid

    def react(self, user_id: str, mid: str, reaction: str) -> None:
        self._happen(ActionKind.REACT, user_id, reaction, f"{mid} {reaction}", mid)

    def recent(self, user_id: str, limit: int, lag: float) -> tuple[PlatformMessage, ...]:
        """The newest messages as they were ``lag`` seconds ago, newest first; times in whole seconds."""
        until = self.clock() - lag * 1000
        known = [message for message in self._conversations.get(user_id, []) if message.created_at <= until]
        shown = [
            PlatformMessage(m.mid, m.from_id, m.text, m.created_at // 1000 * 1000) for m in known[-min(limit, 20) :]
        ]
        return tuple(reversed(shown))

    def _list(self, user_id: str, message: PlatformMessage) -> None:
        self._conversations.setdefault(user_id, []).append(message)

    def _happen(self, kind: ActionKind, user_id: str, text: str, mark: str, mid: str) -> Effect:
        effect = Effect(self.clock(), kind, user_id, text, mark, mid)
        self.effects.append(effect)
        self.watcher.happened(effect)
        return effect
