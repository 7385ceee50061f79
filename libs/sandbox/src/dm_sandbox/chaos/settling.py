"""How the end is awaited: as long as something moves, and no longer."""

import asyncio
from collections.abc import Iterable

from dm_core.errors import StoreUnavailable
from dm_sandbox.chaos.ledger import Account, Ledger
from dm_sandbox.chaos.people import AcknowledgedDm

PATIENCE_SECONDS = 100.0
"""Longest time without any progress: the sweeper's grace (60 s), its wake-up, a run, and slack for a busy machine."""
_LOOK_SECONDS = 1.0


class Progress:
    """Notices when nothing moves any more. Time is only counted while ``same`` is told the same value."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._value: object = None
        self._since = asyncio.get_running_loop().time()

    def stalled(self, value: object) -> bool:
        """Whether this value has been the same for too long."""
        now = asyncio.get_running_loop().time()
        if value != self._value:
            self._value, self._since = value, now
        return now - self._since > self._patience


async def settled(ledger: Ledger, dms: Iterable[AcknowledgedDm], patience: float = PATIENCE_SECONDS) -> bool:
    """Wait until every DM has ended and every thread is at rest; False if nothing moves any more before that."""
    restless: dict[str, set[str]] = {}
    for dm in dms:
        restless.setdefault(dm.thread_id, set()).add(dm.id)
    progress, left = Progress(patience), dict[str, int]()
    while restless:
        for thread_id, ids in list(restless.items()):
            left[thread_id] = await _left(ledger, thread_id, ids)
            if not left[thread_id]:
                del restless[thread_id], left[thread_id]
        if progress.stalled(sum(left.values())):
            return False
        if restless:
            await asyncio.sleep(_LOOK_SECONDS)
    return True


async def _left(ledger: Ledger, thread_id: str, ids: set[str]) -> int:
    """How much is to be done in a thread: DMs that have not ended, and one if it is not at rest."""
    try:
        account: Account = await ledger.glance(thread_id)
    except StoreUnavailable:
        return len(ids) + 1
    ended = {message.id for message in account.messages if not message.is_unprocessed}
    return len(ids - ended) + (not account.at_rest)
