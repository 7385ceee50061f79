"""Deliberate defects of claims, leases and conditional commits.

Each replaces something of the product while a test runs, and nothing for good. They prove that the simulation can fail;
each is what somebody might write who does not know why the line is there.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dm_core.errors import StoreUnavailable
from dm_core.processing import claims, leased_thread
from dm_core.processing.finish import RunCloser
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.local_leases import LocalLeases
from dm_core.processing.timing import Timing
from dm_core.store.port import (
    CONFLICT,
    UNKNOWN_VERSION,
    Conflict,
    Snapshot,
    ThreadChange,
    ThreadStore,
    Version,
)
from dm_core.store.transactional import TransactionalStore
from dm_core.store.transactional.threads import read_head
from dm_core.threads import Lease
from dm_sandbox.simulation.store_port import StorePort
from tests.simulation.planting import Defect, Patch, always


def finish_without_its_condition(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def apply(self: Any, change: ThreadChange) -> bool:
            if change.archive is not None:
                snapshot: Snapshot | None = await self._store.open(change.thread_id)
                change = change if snapshot is None else replace(change, version=snapshot.version)
            return await original(self, change)

        return apply

    patch(LeasedThread, "_apply", make)


def claim_that_ignores_a_lease(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def decide(snapshot: Snapshot | None, *rest: Any) -> Any:
            if snapshot is not None:
                snapshot = replace(snapshot, thread=replace(snapshot.thread, lease=None))
            return original(snapshot, *rest)

        return decide

    patch(claims, "decide", make)
    patch(LocalLeases, "known_answer", lambda _: always(None))


def lease_shorter_than_the_run(patch: Patch) -> None:
    def lease(run_id: str, task_name: str, expires_at: int) -> Lease:
        return Lease(run_id, task_name, expires_at - 310_000)

    patch(claims, "Lease", lambda _: lease)


def version_read_after_the_data(patch: Patch) -> None:
    async def open_(self: StorePort, thread_id: str) -> Snapshot | None:
        database = self.wire.shared.database
        early = await TransactionalStore.open(self, thread_id)
        await asyncio.sleep(self.wire.shared.rng.uniform(0, 0.5))
        now = database.transact(lambda tx: read_head(tx, thread_id))
        return None if early is None or now is None else replace(early, version=now[1])

    patch(StorePort, "open", lambda _: open_)


def unknown_version_treated_as_known(patch: Patch) -> None:
    async def settle(store: ThreadStore, change: ThreadChange) -> Version | Conflict:
        try:
            return await store.commit(change)
        except StoreUnavailable:
            snapshot = await store.open(change.thread_id)
            if snapshot is not None and snapshot.thread.commit_token == change.token:
                return snapshot.version
            return CONFLICT

    patch(leased_thread, "settle", lambda _: settle)
    patch(claims, "settle", lambda _: settle)


def lost_answer_taken_for_applied(patch: Patch) -> None:
    async def settle(store: ThreadStore, change: ThreadChange) -> Version | Conflict:
        try:
            return await store.commit(change)
        except StoreUnavailable:
            return CONFLICT if await store.open(change.thread_id) is None else UNKNOWN_VERSION

    patch(leased_thread, "settle", lambda _: settle)
    patch(claims, "settle", lambda _: settle)


def due_at_not_set_at_the_claim(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def settle(store: ThreadStore, change: ThreadChange) -> Any:
            return await original(store, replace(change, due_at=None) if change.lease else change)

        return settle

    patch(claims, "settle", make)


def pending_count_set_to_zero(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def finished(self: RunCloser, *rest: Any) -> ThreadChange:
            change: ThreadChange = original(self, *rest)
            return replace(change, pending_count=0)

        return finished

    patch(RunCloser, "_finished", make)


def run_goes_on_without_its_lease(patch: Patch) -> None:
    async def refresh(self: Any) -> None:
        snapshot: Snapshot | None = await self._store.open(self.thread.id)
        if snapshot is None:
            raise leased_thread.Superseded("erased")
        self._take(snapshot)

    patch(LeasedThread, "_refresh", lambda _: refresh)
    patch(Timing, "all_seconds", lambda _: always(100_000.0))  # else it never lives that long


DEFECTS_OF_COMMITS: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        finish_without_its_condition,
        claim_that_ignores_a_lease,
        lease_shorter_than_the_run,
        version_read_after_the_data,
        unknown_version_treated_as_known,
        lost_answer_taken_for_applied,
        due_at_not_set_at_the_claim,
        pending_count_set_to_zero,
        run_goes_on_without_its_lease,
    )
}
"""Every defect by its name."""
