"""What a command works with, and whom it means: a thread, a person or a message, by whatever an operator types."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from dm_admin.late import Late
from dm_admin.reads import Reads
from dm_admin.settings import AdminSettings, accounts_problem
from dm_core.clock import Clock, Ids
from dm_core.messages import Message
from dm_core.outbox import ADMIN, AuditLine
from dm_core.plain_text import shown
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.store.port import Store
from dm_core.store.thread_documents import parse_thread_id
from dm_core.threads import Thread

ALL: Final = "all"
"""What an operator types for the whole deployment."""
MAX_WHY_CHARS: Final = 500
_LOGGED: Final = re.compile(r"[0-9a-f]{12}")
"""What the functions' log calls a thread."""


class Refused(Exception):
    """Nothing was changed; the text is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A change: what it would do, and how it is done. ``act`` gives back what was done, in words."""

    would: str
    act: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator, and what they work on. ``operator`` is who types; ``queue`` None: no task can be made from here."""

    reads: Reads
    queue: Late[WakeUpQueue] | None
    alert_queue: Late[AlertQueue] | None
    settings: AdminSettings
    operator: str
    clock: Clock
    ids: Ids

    @property
    def store(self) -> Store:
        return self.reads.store

    def line(self, what: str, why: str, thread_id: str = "") -> AuditLine:
        """What the audit keeps of a change that is made now."""
        now = self.clock()
        who, expire_at = f"{ADMIN}:{self.operator}", now + self.settings.retention_ms
        return AuditLine(self.ids(), now, who, what, expire_at, shown(why, MAX_WHY_CHARS), thread_id)

    async def thread(self, reference: str) -> Thread:
        """The thread of an id, a person's id, a @username or a log's word for it. Raises Refused, StoreUnavailable."""
        if (parts := parse_thread_id(reference)) is None or not parts[0].isdecimal():
            return self._own(await self._of_person(reference), reference)
        if problem := accounts_problem(self.settings, parts[0]):
            raise Refused(f"{shown(reference, 80)} {problem}")
        found = await self.store.get_thread(reference)
        return self._own((found,) if found else (), reference)

    async def person(self, reference: str) -> str:
        """The id of the person that is meant, also where nothing is known of them but an id. Raises Refused."""
        if reference.isdecimal() and not await self.reads.of_person(reference):
            await self._must_be_a_person(reference)
            return reference
        return (await self.thread(reference)).user_id

    async def message(self, reference: str) -> Message:
        """One message, by the beginning of its id or by the platform's. Raises Refused, StoreUnavailable."""
        found = await self.reads.messages(reference)
        message = next(iter(found), None)
        if message is None:
            raise Refused(f"no message is known as {shown(reference, 80)}: `dm-admin show THREAD` lists their ids")
        if len(found) > 1:
            raise Refused(f"{len(found)} messages begin with {reference}: type more of the id")
        if problem := accounts_problem(self.settings, message.thread_id.partition("_")[0]):
            raise Refused(f"message {message.id[:12]} {problem}")
        return message

    async def _of_person(self, reference: str) -> tuple[Thread, ...]:
        look_up = self.reads.of_person if reference.isdecimal() else self.reads.named
        if not (found := await look_up(reference)) and _LOGGED.fullmatch(reference):
            return await self.reads.logged_as(reference)
        return found

    def _own(self, threads: tuple[Thread, ...], reference: str) -> Thread:
        """The one of them that is this deployment's."""
        name = shown(reference, 80)
        problems = {thread.id: accounts_problem(self.settings, thread.account_id) for thread in threads}
        own = [thread for thread in threads if problems[thread.id] is None]
        if len(own) == 1:
            return own[0]
        if own:
            listed = ", ".join(thread.id for thread in own)
            raise Refused(f"{name} is ambiguous: it can be {listed}; name one by its id")
        if threads:
            raise Refused(f"{name} {problems[threads[0].id]}")
        raise Refused(
            f"no thread is known as {name}: `dm-admin threads` lists them, `--search` looks for part of a name"
        )

    async def _must_be_a_person(self, user_id: str) -> None:
        if user_id in self.settings.account_ids or await self.reads.is_account(user_id):
            raise Refused(f"{user_id} is the account itself, not a person who writes to it: name a person")
