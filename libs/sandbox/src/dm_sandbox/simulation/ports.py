"""The ports of one instance: every call goes over the network to what all instances share.

Sites are named as in ``schedule.SITES``: ``<function>.store.commit``, ``instagram.send``, …
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Self, cast

from dm_core.agent.model import ToolDeclaration
from dm_core.clients.port import AccessToken, PlatformMessage, Session
from dm_core.messages import Message
from dm_core.queue.port import WakeUp
from dm_core.runs import ActionKind, ModelTurn, Turn
from dm_core.store.document_values import clean_text, to_json
from dm_core.store.port import (
    CONFLICT,
    Conflict,
    Deletion,
    DocumentCollection,
    EchoView,
    NewText,
    Recorded,
    Revision,
    Snapshot,
    ThreadChange,
    ThreadEvents,
    Version,
)
from dm_core.threads import Profile
from dm_core.usage import DayRuns
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.simulation.alert_ports import AlertStorePort
from dm_sandbox.simulation.monitor import current_execution, noting_failure
from dm_sandbox.simulation.schedule import Fault, FaultKind
from dm_sandbox.simulation.wire import ACT, LOOK, MODEL, QUEUE, READ, SPOND, VAULT, WRITE, Wire


@dataclass(frozen=True, slots=True)
class StorePort(AlertStorePort):
    """The store, over the network. The monitor looks at the database after every write."""

    @property
    def _database(self) -> MemoryDatabase:
        return self.wire.shared.database

    async def open(self, thread_id: str) -> Snapshot | None:
        database, rng = self._database, self.wire.shared.rng
        if rng.random() >= self.wire.shared.torn_reads:

            def read() -> Snapshot | None:
                head = database.thread(thread_id)
                return None if head is None else database.snapshot(head)

            return await self.wire.store("open", READ, read)
        head = await self.wire.store("open", READ, lambda: database.thread(thread_id))
        await asyncio.sleep(rng.uniform(0, 0.05))
        return None if head is None else database.snapshot(head)

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        if not isinstance(change.version.mark, int):
            return CONFLICT
        execution, monitor = current_execution(), self.wire.shared.monitor
        return await self.wire.store("commit", WRITE, lambda: monitor.commit(execution, change))

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        return await self.wire.store("history", READ, lambda: self._database.newest(thread_id, limit))

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        return await self.wire.store("documents", READ, lambda: self._database.overdue(before, limit))

    async def day_runs(self, day_start: int) -> DayRuns:
        def read() -> DayRuns:
            return DayRuns(day_start, self._database.day_runs[day_start])

        return await self.wire.store("documents", READ, read)

    async def record(self, events: ThreadEvents) -> Recorded:
        return await self.wire.store("record", WRITE, lambda: self.wire.shared.monitor.record(events))

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        return await self.wire.store("echo_view", READ, lambda: self._database.echo_view(thread_id, message_id))

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        def write() -> bool:
            known = self._database.unsend(events, message_id)
            self.wire.shared.monitor.look_at(events.thread_id)
            return known

        return await self.wire.store("change", WRITE, write)

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        return await self.wire.store("change", WRITE, lambda: self._database.edit(events, message_id, new))

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:  # noqa: ARG002
        return await self._document(lambda: self._database.lift_pause(thread_id, paused_until, before))

    async def quarantine(
        self,
        item_id: str,
        raw: str,  # noqa: ARG002
        reason: str,
        now: int,  # noqa: ARG002
        expire_at: int,  # noqa: ARG002
        user_ids: Sequence[str] = (),  # noqa: ARG002
    ) -> None:
        await self.wire.store("change", WRITE, lambda: self.wire.shared.monitor.quarantined(item_id, reason))

    async def revise_document(
        self,
        collection: DocumentCollection,
        key: str,
        revise: Revision,
        expire_at: int,  # noqa: ARG002
    ) -> Mapping[str, object]:
        return await self._document(lambda: self._database.revise_document(collection, key, revise))

    async def put_deletion(self, deletion: Deletion) -> None:
        await self._document(lambda: self._database.deletions.update({deletion.code: deletion}))

    async def get_deletion(self, code: str) -> Deletion | None:
        return await self._document(lambda: self._database.deletions.get(clean_text(code)))

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        return await self._document(lambda: self._database.open_deletions(limit))

    async def create_deletion(self, deletion: Deletion) -> bool:
        return await self._document(lambda: self._database.create_deletion(deletion))

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        return await self._document(lambda: self.wire.shared.monitor.erase(user_id, limit, code))

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        kept = await self._document(lambda: self._database.documents.get((collection, key)))
        return None if kept is None else cast("dict[str, object]", json.loads(kept))

    async def put_document(self, collection: DocumentCollection, key: str, value: Mapping[str, object]) -> None:
        kept = to_json(value)
        await self._document(lambda: self._database.documents.update({(collection, key): kept}))

    async def last_inbound_at(self) -> int | None:
        return await self._document(self._database.last_inbound_at)

    async def _document[T](self, work: Callable[[], T]) -> T:
        return await self.wire.store("change" if self.wire.function == "webhook" else "documents", WRITE, work)

    async def close(self) -> None: ...


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
            return shared.brain.answer(execution.thread_id, asked, fault.manner if fault else None)

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
        with noting_failure(execution):
            return await self.wire.call("instagram.send", ACT, lambda _: platforms.send(user_id, text))

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
        except Exception:
            current_execution().failure = None  # from here on it is the vault's, whatever made us look there
            raise

    async def save(self, text: str) -> None: ...
