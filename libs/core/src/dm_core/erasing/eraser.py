"""Carries out the open deletions, some threads at a time."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from dm_core.clock import Clock
from dm_core.erasing.requests import in_turn
from dm_core.store.port import ComplianceStore, Deletion
from dm_core.telemetry import emit, hashed

MAX_THREADS: Final = 50
"""Most threads erased in one go, so that a sweep ends within its minute however many threads an account has."""

MAX_OPEN: Final = 1_000
"""Most open deletions looked at."""

DELETION_SECONDS: Final = 10.0
"""Longest time for one deletion in one go; it is gone on with by the next."""

TOTAL_SECONDS: Final = 30.0
"""After this long no further deletion is begun."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one go did: threads erased, deletions completed, and deletions that could not be gone on with."""

    threads: int = 0
    completed: int = 0
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class Eraser:
    """Goes on with open deletions. ``retention_ms`` is how long the record of a completed one is kept."""

    store: ComplianceStore
    clock: Clock
    retention_ms: int
    deletion_seconds: float = DELETION_SECONDS

    async def go_on(self, max_threads: int = MAX_THREADS) -> Progress:
        """Erase at most so many threads. One deletion that fails keeps no other from its turn.

        Raises StoreUnavailable when the open ones can't be read.
        """
        progress = Progress()
        ends_at = asyncio.get_running_loop().time() + TOTAL_SECONDS
        for deletion in in_turn(await self.store.open_deletions(MAX_OPEN), self.clock()):
            if progress.threads >= max_threads or asyncio.get_running_loop().time() >= ends_at:
                break
            progress = await self._try(deletion, max_threads, progress)
        return progress

    async def _try(self, deletion: Deletion, max_threads: int, before: Progress) -> Progress:
        try:
            async with asyncio.timeout(self.deletion_seconds):
                erased, completed = await self._erase(deletion, max_threads - before.threads)
        except Exception as error:  # whatever it is, the others have their turn, and this one again in a minute
            emit("deletion_stuck", "ERROR", code=deletion.code, error=type(error).__name__)
            return replace(before, stuck=before.stuck + 1)
        return replace(before, threads=before.threads + erased, completed=before.completed + completed)

    async def _erase(self, deletion: Deletion, limit: int) -> tuple[int, bool]:
        """Threads erased, and whether that was all. The store counts them, so a crash loses none of the count."""
        erased = await self.store.erase_person(deletion.user_id, limit, deletion.code)
        if erased >= limit:
            return erased, False
        current = await self.store.get_deletion(deletion.code) or deletion
        now = self.clock()
        done = replace(current, completed_at=now, expire_at=now + self.retention_ms)
        await self.store.put_deletion(done)
        emit("person_erased", user=hashed(deletion.user_id), code=deletion.code, threads=done.threads)
        return erased, True
