"""What only an operator asks for, read from the documents of either store and given back as values."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.alerts import Alert
from dm_core.messages import EventKind, Message, message_id
from dm_core.outbox import AuditLine
from dm_core.runs import Run
from dm_core.steering import Mode
from dm_core.store import queries
from dm_core.store.alert_documents import parse_alert
from dm_core.store.document_values import Document, text, texts, whole, with_id
from dm_core.store.message_documents import is_message, parse_message
from dm_core.store.outbox_documents import parse_audit
from dm_core.store.port import Store, StoredDocument, Version, sorted_messages
from dm_core.store.run_documents import parse_run
from dm_core.store.selections import Query, Selection
from dm_core.store.thread_documents import is_erased, parse_thread
from dm_core.telemetry import hashed
from dm_core.threads import Thread

MANY: Final = 10_000
"""Most documents that are read of what one thread or one person has of a kind."""
PAGE: Final = 500
"""Threads asked for at once where all of a time are wanted."""
AT_ONCE: Final = 32
"""Threads of which something is read at the same time."""
LOOKED_THROUGH: Final = 1_000
"""Threads or items, the newest ones, among which one is looked for that no query finds."""
SHORTEST_BEGINNING: Final = 6
"""Hex digits of an id that are enough to look for it."""


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """A run that ended, and when (ms since 1970)."""

    run: Run
    ended_at: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A piece of a webhook that was not understood. ``created_at`` in ms since 1970."""

    id: str
    raw: str
    reason: str
    user_ids: tuple[str, ...]
    created_at: int
    version: Version


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads of a store. Every method raises StoreUnavailable; limits are numbers of documents."""

    store: Store

    # -- threads

    async def waiting(self, limit: int) -> tuple[Thread, ...]:
        """Threads at which somebody must look again: DMs are open, or a run is."""
        return await self._threads(queries.waiting(limit))

    async def handed_over(self, limit: int) -> tuple[Thread, ...]:
        """Threads that were handed over and not released, the latest first; a human may have answered since."""
        return await self._threads(queries.steered_since(Query.HANDED_OVER, limit))

    async def paused(self, now: int, limit: int) -> tuple[Thread, ...]:
        """Threads left to humans: paused until somebody resumes them, or for a while, because a human wrote."""
        paused = await self._threads(queries.steered_since(Query.PAUSED, limit))
        taken_over = await self._threads(queries.steered_since(Query.TAKEN_OVER, limit, now + 1))
        return _each_once((*paused, *taken_over))

    async def stopped(self, limit: int) -> tuple[Thread, ...]:
        """Threads whose person used a stop word, the latest first."""
        return await self._threads(queries.steered_since(Query.STOPPED, limit))

    async def off_or_draft(self, limit: int) -> tuple[Thread, ...]:
        """Threads with a mode of their own in which the agent sends nothing by itself."""
        return await self._threads(queries.of_modes((Mode.OFF.value, Mode.DRAFT.value), limit))

    async def failed(self, limit: int) -> tuple[Thread, ...]:
        """Threads with DMs that were given up. The manager was told of each, and those alerts lead here."""
        alerts = await self._alerts(queries.alerts_of_cause("failed", limit))
        ids = dict.fromkeys(alert.thread_id for alert in alerts if alert.thread_id)
        found = [thread for thread_id in ids if (thread := await self.store.get_thread(thread_id))]
        messages = await of_each(found, lambda thread: self.failed_messages(thread.id))
        return tuple(thread for thread, failed in zip(found, messages, strict=True) if failed)

    async def named(self, username: str, limit: int = 10) -> tuple[Thread, ...]:
        """Threads of whoever had this @username when it was last read."""
        return await self._threads(queries.named(username.removeprefix("@").casefold(), limit))

    async def of_person(self, user_id: str, limit: int = 10) -> tuple[Thread, ...]:
        """The threads of a person, one for each account."""
        return await self._threads(queries.of_person(user_id, limit))

    async def logged_as(self, word: str) -> tuple[Thread, ...]:
        """Of the newest threads those that the functions' log, and so an alarm, calls so."""
        newest = await self.store.newest_threads(LOOKED_THROUGH)
        return tuple(thread for thread in newest if hashed(thread.id) == word)

    async def is_account(self, account_id: str) -> bool:
        """There are threads of this account."""
        return bool(await self.store.documents.select(queries.of_account(account_id, 1)))

    async def active(self, since: int) -> tuple[Thread, ...]:
        """All threads whose newest DM came at or after ``since`` (ms since 1970), the latest first."""
        found: dict[str, Thread] = {}
        before: int | None = None
        while True:
            page = await self._threads(queries.active(since, PAGE, before))
            fresh = {thread.id: thread for thread in page if thread.id not in found}
            found |= fresh
            if len(page) < PAGE:
                return tuple(found.values())
            before = page[-1].last_inbound_at + bool(fresh)  # those of the same ms come once more

    # -- messages and runs

    async def messages(self, reference: str) -> tuple[Message, ...]:
        """Messages of any thread: by the beginning of our id, or by the platform's whole one."""
        if re.fullmatch(rf"[0-9a-f]{{{SHORTEST_BEGINNING},64}}", reference):
            return await self._messages(queries.messages_by_beginning(reference, 10))
        return await self._messages(queries.messages_by_id([message_id(kind, reference) for kind in EventKind]))

    async def messages_since(self, thread_id: str, since: int) -> tuple[Message, ...]:
        """A thread's messages that arrived at or after ``since`` (ms since 1970), in their order."""
        return await self._messages(queries.newest_since(thread_id, MANY, since))

    async def failed_messages(self, thread_id: str) -> tuple[Message, ...]:
        """A thread's DMs that were given up, in their order."""
        return await self._messages(queries.failed(thread_id))

    async def run(self, thread_id: str, run_id: str) -> ArchivedRun | None:
        """One archived run."""
        found = await self.store.documents.get("runs", run_id, thread_id)
        return None if found is None else _archived(found)

    async def runs_since(self, thread_id: str, since: int) -> tuple[ArchivedRun, ...]:
        """A thread's archived runs that started at or after ``since`` (ms since 1970), the latest first."""
        return tuple(map(_archived, await self.store.documents.select(queries.newest_runs(thread_id, MANY, since))))

    # -- alerts, audit, quarantine

    async def newest_alerts(self, limit: int) -> tuple[Alert, ...]:
        """Alerts, the latest first."""
        return await self._alerts(queries.newest_alerts(limit))

    async def alerts_of(self, thread_id: str, limit: int = MANY) -> tuple[Alert, ...]:
        """A thread's alerts, the oldest first."""
        found = await self._alerts(queries.alerts_of(thread_id, limit))
        return tuple(sorted(found, key=lambda alert: alert.created_at))

    async def audit_of(self, thread_id: str) -> tuple[AuditLine, ...]:
        """What humans changed in a thread, the oldest first."""
        found = await self.store.documents.select(queries.audit_of(thread_id, MANY))
        return tuple(sorted((parse_audit(each.id, each.doc) for each in found), key=lambda line: line.at))

    async def switching(self, thread_id: str) -> tuple[AuditLine, ...]:
        """What humans changed in a thread and in the whole deployment, the oldest first."""
        return tuple(sorted((*await self.audit_of(""), *await self.audit_of(thread_id)), key=lambda line: line.at))

    async def newest_quarantined(self, limit: int) -> tuple[Quarantined, ...]:
        """Quarantined items, the latest first."""
        return tuple(map(_quarantined, await self.store.documents.select(queries.newest_quarantined(limit))))

    async def quarantined(self, item_id: str) -> Quarantined | None:
        """One quarantined item, by its id or the beginning that the log has of it."""
        if (found := await self.store.documents.get("quarantine", item_id)) is not None:
            return _quarantined(found)
        newest = await self.newest_quarantined(LOOKED_THROUGH) if len(item_id) >= SHORTEST_BEGINNING else ()
        begun = [item for item in newest if item.id.startswith(item_id)]
        return begun[0] if len(begun) == 1 else None

    def parsed(self, found: Iterable[StoredDocument]) -> tuple[Message, ...]:
        """Documents as messages, in their order."""
        return sorted_messages([parse_message(with_id(each)) for each in found if is_message(each.doc)])

    # -- everything of a person

    async def everything_of(self, user_id: str, thread_ids: Iterable[str] = ()) -> Mapping[str, Sequence[Document]]:
        """Every document of a person, by collection: what an erasure deletes, and nothing else.

        Also what is below and about ``thread_ids``: an erased thread is not found by its person any more.
        """
        documents = self.store.documents
        threads = await documents.select(queries.of_person(user_id, MANY))
        found: dict[str, list[Document]] = {"conversations": _plain(threads), "messages": [], "runs": []}
        beside = {
            "alerts": queries.alerts_of,
            "outbox": queries.outbox_of,
            "audit": queries.audit_of,
            "automatic": queries.automatic_of,
        }
        found |= {collection: [] for collection in beside}
        for thread_id in sorted({*(thread.id for thread in threads), *thread_ids}):
            for collection in ("messages", "runs"):
                found[collection] += _plain(await documents.below(thread_id, collection))
            for collection, select in beside.items():
                found[collection] += _plain(await documents.select(select(thread_id, MANY)))
        found["quarantine"] = _plain(await documents.select(queries.quarantine_of(user_id, MANY)))
        limits = await documents.get("limits", user_id)
        return found | {"limits": _plain((limits,) if limits else ())}

    # -- below

    async def _threads(self, selection: Selection) -> tuple[Thread, ...]:
        found = await self.store.documents.select(selection)
        return tuple(parse_thread(each.id, each.doc) for each in found if not is_erased(each.doc))

    async def _messages(self, selection: Selection) -> tuple[Message, ...]:
        return self.parsed(await self.store.documents.select(selection))

    async def _alerts(self, selection: Selection) -> tuple[Alert, ...]:
        found = await self.store.documents.select(selection)
        return tuple(parse_alert(with_id(each)) for each in found)


async def of_each[T](threads: Iterable[Thread], read: Callable[[Thread], Awaitable[T]]) -> list[T]:
    """What is read of each thread, in their order, some at once: one after the other a thousand take a minute."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(thread: Thread) -> T:
        async with slots:
            return await read(thread)

    return await asyncio.gather(*map(one, threads))


def _each_once(threads: Iterable[Thread]) -> tuple[Thread, ...]:
    return tuple({thread.id: thread for thread in threads}.values())


def _archived(found: StoredDocument) -> ArchivedRun:
    return ArchivedRun(parse_run(found.doc), whole(found.doc, "endedAt"))


def _quarantined(found: StoredDocument) -> Quarantined:
    doc = found.doc
    return Quarantined(
        found.id, text(doc, "raw"), text(doc, "reason"), texts(doc, "userIds"), whole(doc, "createdAt"), found.version
    )


def _plain(found: Iterable[StoredDocument]) -> list[Document]:
    return [with_id(each) for each in found]
