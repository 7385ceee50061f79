"""A request to be erased: recorded at once, carried out by the sweep.

callback ── record open ── answer              one call; whoever asks again gets the same code
sweep ───── erase, 50 threads a time ── record completed, expires after the retention
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.clock import Clock
from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.store.port import ComplianceStore, Deletion
from dm_core.telemetry import emit, hashed

SKEW_MS: Final = 300_000
"""How far ahead of ours a clock that dates a request may be."""


class RequestTooOld(Exception):
    """Its record may have expired by now, so that a replay could not be told from a new request."""


class RequestFromFuture(Exception):
    """Dated later than now."""


@dataclass(frozen=True, slots=True)
class DeletionRequests:
    """Takes requests. ``retention_ms`` is how long the record of a completed one is kept."""

    store: ComplianceStore
    clock: Clock
    retention_ms: int

    async def take(self, user_id: str, issued_at: int | None, secret: str) -> str:
        """Record a genuine request, issued at ``issued_at`` (seconds since 1970); its confirmation code.

        One code for one person and moment, however the request was written down; nobody without ``secret`` can guess
        it. A request without a date is one with every other of its day. Raises RequestTooOld, RequestFromFuture,
        StoreUnavailable.
        """
        now = self.clock()
        issued_ms = now - now % DAY_MS if issued_at is None else issued_at * 1000
        if issued_ms > now + SKEW_MS:
            raise RequestFromFuture
        if issued_at is not None and issued_ms < now - self.retention_ms:
            raise RequestTooOld
        code = hmac.digest(secret.encode(), f"deletion/{user_id}/{issued_ms}".encode(), "sha256").hex()[:32]
        if await self.store.create_deletion(Deletion(code, user_id, now)):
            emit("deletion_requested", user=hashed(user_id), code=code)
        return code


def in_turn(deletions: Sequence[Deletion], now: int) -> list[Deletion]:
    """Open deletions in the order of this minute: each comes first in its turn, so that none waits for ever behind one
    that can't be finished."""
    ordered = sorted(deletions, key=lambda deletion: (deletion.requested_at, deletion.code))
    start = now // MINUTE_MS % len(ordered) if ordered else 0
    return ordered[start:] + ordered[:start]
