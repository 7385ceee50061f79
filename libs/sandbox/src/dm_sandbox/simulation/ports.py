"""The ports of one instance: every call goes over the network to what all instances share.

Sites are named as in ``schedule.SITES``: ``<function>.store.commit``, ``instagram.send``, …
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self

from dm_core.agent.model import ToolDeclaration
from dm_core.clients.port import AccessToken, PlatformMessage, Session
from dm_core.errors import Uncertain
from dm_core.media import Media, MediaKind, NotShown
from dm_core.queue.port import WakeUp
from dm_core.runs import ActionKind, ModelTurn, Turn
from dm_core.threads import Profile
from dm_sandbox.simulation.monitor import current_execution, noting_failure
from dm_sandbox.simulation.schedule import Fault, FaultKind
from dm_sandbox.simulation.wire import ACT, LOOK, MEDIA, MODEL, QUEUE, SPOND, VAULT, Wire


@dataclass(frozen=True, slots=True)
class QueuePort:
    wire: Wire

    async def schedule(self, wake_up: WakeUp) -> bool:
        self.wire.shared.monitor.schedules(current_execution(), wake_up)
        site = f"{self.wire.function}.queue.schedule"
        return await self.wire.call(site, QUEUE, lambda _: self.wire.shared.queue.create(wake_up))

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ModelPort:
    wire: Wire

    async def generate(self, turns: Sequence[Turn], tools: Sequence[ToolDeclaration], system: str) -> ModelTurn:  # noqa: ARG002
        execution, shared, asked = current_execution(), self.wire.shared, tuple(turns)
        seen = shared.monitor.asked(execution, asked)

        def answer(fault: Fault | None) -> ModelTurn:
            return shared.model.answer(execution.thread_id, asked, fault.manner if fault else None)

        with noting_failure(execution):
            turn = await self.wire.call("processor.model.generate", MODEL, answer)
        shared.monitor.answered(execution, turn, seen)
        return turn

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InstagramPort:
    """The monitor is asked before each effect whether this run may cause it."""

    wire: Wire

    async def send_text(self, user_id: str, text: str) -> str:
        execution, platforms = current_execution(), self.wire.shared.platforms
        self.wire.shared.monitor.about_to(execution, ActionKind.SEND, user_id, text)
        try:
            with noting_failure(execution):
                return await self.wire.call("instagram.send", ACT, lambda _: platforms.send(user_id, text))
        except Uncertain:
            self.wire.shared.monitor.ended_in_doubt(execution, user_id, text)
            raise

    async def react(self, user_id: str, mid: str, reaction: str) -> None:
        self.wire.shared.monitor.about_to(current_execution(), ActionKind.REACT, user_id, f"{mid} {reaction}")
        platforms = self.wire.shared.platforms
        await self.wire.call("instagram.react", ACT, lambda _: platforms.react(user_id, mid, reaction))

    async def indicate(self, user_id: str, action: Literal["mark_seen", "typing_on", "typing_off"]) -> None:  # noqa: ARG002
        await self.wire.call("instagram.indicate", ACT, lambda _: None)

    async def recent_messages(self, user_id: str, limit: int = 20) -> tuple[PlatformMessage, ...]:
        def look(fault: Fault | None) -> tuple[PlatformMessage, ...]:
            lag = fault.seconds if fault is not None and fault.kind is FaultKind.LAG else 0.0
            return self.wire.shared.platforms.recent(user_id, limit, lag)

        found = await self.wire.call("instagram.recent", LOOK, look)
        self.wire.shared.monitor.looks(user_id)
        return found

    async def profile(self, user_id: str, now: int) -> Profile | None:
        return await self.wire.call("instagram.profile", LOOK, lambda _: Profile("A person", user_id, now))

    async def refresh_token(self, now: int) -> AccessToken:
        return AccessToken("token", now)

    async def subscribed_fields(self) -> tuple[str, ...]:
        return ("messages",)

    def use_token(self, token: str) -> None: ...


PICTURE: Final = Media(MediaKind.PICTURE, "image/png", "0" * 64, b"a picture")


@dataclass(frozen=True, slots=True)
class MediaPort:
    """Every file is the same picture. Where the real one would only say that it has none, this one raises too."""

    wire: Wire

    async def fetch(self, urls: Sequence[str], kinds: frozenset[MediaKind], most: int) -> list[Media | NotShown]:  # noqa: ARG002
        return await self.wire.call("media.fetch", MEDIA, lambda _: [PICTURE for _ in urls])

    def release(self, files: Sequence[Media]) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SpondPort:
    """One group with one session, tomorrow."""

    wire: Wire

    def calendar(self, group: str) -> Self:  # noqa: ARG002 (the port's argument)
        return self

    async def sessions(self, start: datetime, end: datetime) -> tuple[Session, ...]:  # noqa: ARG002
        tomorrow = start + timedelta(days=2, hours=18)
        session = Session("s1", "Nets", tomorrow.astimezone(UTC), None, False, None, 3, 12)
        return await self.wire.call("spond.sessions", SPOND, lambda _: (session,))

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class VaultPort:
    """No token was ever refreshed."""

    wire: Wire

    async def load(self) -> str | None:
        try:
            return await self.wire.call("vault.load", VAULT, lambda _: None)
        except BaseException:  # a time-out cancels it
            current_execution().failure = None  # from here on it is the vault's, whatever made us look there
            raise

    async def save(self, text: str) -> None: ...
