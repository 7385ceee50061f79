"""Carries out the open deletions, some threads at a time."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from dm_core.clock import Clock
from dm_core.erasing.requests import in_turn
from dm_core.errors import described
from dm_core.store.port import ComplianceStore, Deletion
from dm_core.telemetry import emit, hashed

MAX_THREADS: Final = 50
"""Most threads erased in one go, so that a sweep ends within its minute however many threads an account has."""

MAX_OPEN: Final = 1_000
"""Most open deletions looked at."""

PAGE: Final = 5
"""Threads erased by one call of the store."""

PAGE_SECONDS: Final = 10.0
"""Longest time for one call; what it did stays done, and the next sweep goes on."""

TOTAL_SECONDS: Final = 30.0
"""After this long no further call is made."""


@dataclass(slots=True)
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
    page_seconds: float = PAGE_SECONDS

    async def go_on(self, max_threads: int = MAX_THREADS) -> Progress:
        """Erase at most so many threads. One deletion that fails keeps no other from its turn.

        Raises StoreUnavailable when the open ones can't be read.
        """
        progress = Progress()
        ends_at = asyncio.get_running_loop().time() + TOTAL_SECONDS
        for deletion in in_turn(await self.store.open_deletions(MAX_OPEN), self.clock()):
            try:
                await self._erase(deletion, progress, max_threads, ends_at)
            except Exception as error:  # whatever it is, the others have their turn, and this one again in a minute
                progress.stuck += 1
                emit("deletion_stuck", "ERROR", code=deletion.code, error=described(error))
        return progress

    async def carry_out(self, deletion: Deletion) -> Deletion:
        """Erase one person's threads, all of them; the completed record. Raises StoreUnavailable: the sweep goes on."""
        while await self._page(deletion, PAGE) == PAGE:
            pass
        return await self._complete(deletion)

    async def _page(self, deletion: Deletion, size: int) -> int:
        """Erase so many threads; how many there were."""
        async with asyncio.timeout(self.page_seconds):
            return await self.store.erase_person(deletion.user_id, size, deletion.code)

    async def _erase(self, deletion: Deletion, progress: Progress, max_threads: int, ends_at: float) -> None:
        """Page by page, until nothing is left of it or its go is over. The store counts, so a crash loses no count."""
        while progress.threads < max_threads and asyncio.get_running_loop().time() < ends_at:
            page = min(PAGE, max_threads - progress.threads)
            erased = await self._page(deletion, page)
            progress.threads += erased
            if erased < page:
                await self._complete(deletion)
                progress.completed += 1
                return

    async def _complete(self, deletion: Deletion) -> Deletion:
        current = await self.store.get_deletion(deletion.code) or deletion
        now = self.clock()
        done = replace(current, completed_at=now, expire_at=now + self.retention_ms)
        await self.store.put_deletion(done)
        emit("person_erased", user=hashed(deletion.user_id), code=deletion.code, threads=done.threads)
        return done
