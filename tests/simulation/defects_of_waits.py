"""Deliberate defects of owners, waits and staleness; see ``defects_of_commits``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dm_core.errors import AccountStopped
from dm_core.processing import actions, claims, decisions, delivery, finish, freshness, recovery, run_loop, waits
from dm_core.processing.brake import Brake
from dm_core.processing.claims import Claims
from dm_core.processing.delivery import Delivery
from dm_core.processing.finish import RunCloser
from dm_core.processing.leased_thread import LeasedThread
from dm_core.runs import Action, ActionState, Run
from dm_core.settings import RunLimits
from dm_core.store.port import Snapshot, ThreadEvents
from dm_core.store.transactional import Transaction
from dm_core.store.transactional import events as stored_events
from tests.simulation.planting import Defect, Patch, always


def wake_up_of_a_dm_ends_the_wait(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def decide(snapshot: Snapshot | None, *rest: Any) -> Any:
            if snapshot is not None:
                snapshot = replace(snapshot, thread=replace(snapshot.thread, not_before=None))
            return original(snapshot, *rest)

        return decide

    patch(claims, "decide", make)


def attempts_counted_per_thread(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def take(self: Claims, snapshot: Snapshot, *rest: Any) -> Any:
            most = max((message.attempts for message in snapshot.recent), default=0)
            inherited = tuple(replace(message, attempts=most) for message in snapshot.unprocessed)
            return await original(self, replace(snapshot, unprocessed=inherited), *rest)

        return take

    patch(Claims, "_take", make)


def due_at_overwritten_while_waiting(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def merge(tx: Transaction, events: ThreadEvents, pending: int) -> None:
            original(tx, events, pending)
            found = tx.get("conversations", events.thread_id)
            if events.due_at is not None and found is not None:
                tx.put("conversations", events.thread_id, found.doc | {"dueAt": events.due_at})

        return merge

    patch(stored_events, "_merge_thread", make)


def failed_look_up_read_as_not_found(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def look_up(*values: Any, **named: Any) -> Any:
            try:
                return await original(*values, **named)
            except (delivery.LookAgain, AccountStopped):
                return None

        return look_up

    patch(Delivery, "_look_up", make)


def second_look_without_a_pause(patch: Patch) -> None:
    patch(delivery, "LOOK_AGAIN_MS", lambda _: 0)


def age_not_checked(patch: Patch) -> None:
    def stale(leased: LeasedThread, _now: int, _limits: RunLimits) -> Any:
        return freshness.came(leased)

    patch(actions, "stale", lambda _: stale)
    patch(finish, "stale", lambda _: stale)


def revision_not_compared(patch: Patch) -> None:
    patch(freshness, "came", lambda _: always(None))
    patch(run_loop, "came", lambda _: always(None))


def brake_never_on(patch: Patch) -> None:
    patch(Brake, "wait_for", lambda _: always(None))


def wait_keeps_the_attempt(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def free(self: RunCloser, run_loop: Any, *, give_back: bool, **rest: Any) -> None:
            await original(self, run_loop, give_back=False, **rest)

        return free

    patch(RunCloser, "_free", make)


class _NoQueue:
    async def schedule(self, _: Any) -> bool:
        return True


def wait_without_a_wake_up(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def wait(self: RunCloser, *values: Any, **named: Any) -> Any:
            real, self.queue = self.queue, _NoQueue()  # pyright: ignore[reportAttributeAccessIssue]
            try:
                return await original(self, *values, **named)
            finally:
                self.queue = real

        return wait

    patch(RunCloser, "wait", make)


def refusal_believed_at_once(patch: Patch) -> None:
    async def settle_refused(self: Delivery, _: LeasedThread, action: Action, error: Exception) -> Action:
        return self.ended(action, ActionState.REFUSED, type(error).__name__)

    patch(Delivery, "settle_refused", lambda _: settle_refused)


def told_wait_ignored(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def wait_ms(thread_id: str, wait_count: int, _told: float | None) -> int:
            return original(thread_id, wait_count, None)

        return wait_ms

    patch(waits, "wait_ms", make)


def calls_in_vain_count_as_turns(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def wait(self: RunCloser, *values: Any, **named: Any) -> Any:
            leased = self.leased
            leased.run = replace(leased.run, model_calls=leased.run.model_calls + 1)
            return await original(self, *values, **named)

        return wait

    patch(RunCloser, "wait", make)


def cause_not_told(patch: Patch) -> None:
    async def tell_cause(*_: Any) -> None: ...

    patch(recovery, "tell_cause", lambda _: tell_cause)
    patch(claims, "tell_cause", lambda _: tell_cause)


def outage_taken_for_the_dms_fault(patch: Patch) -> None:
    patch(Brake, "failed", lambda _: always(True))


def reply_dropped_instead_of_looked_for(patch: Patch) -> None:
    """A wait forgets the run, although something of it may have gone out."""

    def make(original: Any) -> Any:
        async def wait(self: RunCloser, *values: Any, **named: Any) -> Any:
            self.leased.run = replace(self.leased.run, turns=self.leased.run.turns[:1], actions=())
            return await original(self, *values, **named)

        return wait

    patch(RunCloser, "wait", make)


def echo_of_a_throttled_text_ignored(patch: Patch) -> None:
    async def unheard(self: Delivery, leased: LeasedThread, action: Action, *_: object) -> Action:
        return action

    def forgotten(run: Run, *_: object) -> Run:
        return run

    patch(Delivery, "came_back", lambda _: unheard)
    patch(Delivery, "_heard", lambda _: unheard)
    patch(decisions, "heard", lambda _: forgotten)


def resent_without_end(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def settle(self: Delivery, leased: LeasedThread, action: Action, deadline: int, *, wait: bool) -> Action:
            settled: Action = await original(self, leased, action, deadline, wait=wait)
            return replace(settled, resent=False)

        return settle

    patch(Delivery, "settle", make)


DEFECTS_OF_WAITS: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        wake_up_of_a_dm_ends_the_wait,
        attempts_counted_per_thread,
        due_at_overwritten_while_waiting,
        failed_look_up_read_as_not_found,
        second_look_without_a_pause,
        age_not_checked,
        revision_not_compared,
        brake_never_on,
        wait_keeps_the_attempt,
        wait_without_a_wake_up,
        refusal_believed_at_once,
        told_wait_ignored,
        calls_in_vain_count_as_turns,
        cause_not_told,
        outage_taken_for_the_dms_fault,
        reply_dropped_instead_of_looked_for,
        echo_of_a_throttled_text_ignored,
        resent_without_end,
    )
}
"""Every defect by its name."""
