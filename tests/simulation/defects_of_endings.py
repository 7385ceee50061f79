"""Deliberate defects of what comes meanwhile, and of how runs end; see ``defects_of_commits``."""

from collections.abc import Mapping
from typing import Any, Final

from dm_core.processing import actions, claims, finish, freshness, processor, recovery, run_loop
from dm_core.processing.finish import RunCloser
from dm_core.processing.freshness import Stale
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.sweeper import Sweeper
from dm_core.processing.task_result import Ending
from dm_core.store.port import (
    UNSET,
    MessageChange,
)
from tests.simulation.planting import Defect, Patch, always


def takeover_not_checked_at_the_checkpoint(patch: Patch) -> None:
    patch(actions, "taken_over", lambda _: always(False))
    patch(run_loop, "taken_over", lambda _: always(False))


def unsend_ignored(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def came(leased: LeasedThread) -> Stale | None:
            why = original(leased)
            return None if any(message.unsent_at for message in leased.own) else why

        return came

    patch(freshness, "came", make)
    patch(run_loop, "came", make)


def messages_closed_by_query(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def finished(self: RunCloser, *rest: Any) -> Any:
            self.leased.own, self.leased.others = (*self.leased.own, *self.leased.others), ()
            return original(self, *rest)

        return finished

    patch(RunCloser, "_finished", make)


def no_follow_up(patch: Patch) -> None:
    async def wake(*_: Any) -> None: ...

    patch(finish, "wake", lambda _: wake)


def attempts_not_counted_at_the_claim(patch: Patch) -> None:
    def change(*values: Any, attempts: Any = UNSET, **named: Any) -> MessageChange:
        return MessageChange(*values, **named)

    patch(claims, "MessageChange", lambda _: change)


def failed_without_telling_the_manager(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def closing_alerts(ending: Ending, *rest: Any) -> Any:
            return () if ending is Ending.FAILED else original(ending, *rest)

        return closing_alerts

    patch(recovery, "tell_failed", lambda _: always(None))
    patch(processor, "tell_failed", lambda _: always(None))
    patch(claims, "_closing_alerts", make)


def sweep_missing(patch: Patch) -> None:
    async def sweep(self: Sweeper) -> dict[str, object]:
        return {"status": "swept", "overdue": 0, "overdueAlerts": 0, "deletions": 0}

    patch(Sweeper, "sweep", lambda _: sweep)


def replies_not_stored_by_the_finish(patch: Patch) -> None:
    patch(finish, "_is_sent", lambda _: always(False))


def uncertain_texts_forgotten(patch: Patch) -> None:
    patch(finish, "unconfirmed", lambda _: always(()))
    patch(claims, "unconfirmed", lambda _: always(()))


DEFECTS_OF_ENDINGS: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        takeover_not_checked_at_the_checkpoint,
        unsend_ignored,
        messages_closed_by_query,
        no_follow_up,
        attempts_not_counted_at_the_claim,
        failed_without_telling_the_manager,
        sweep_missing,
        replies_not_stored_by_the_finish,
        uncertain_texts_forgotten,
    )
}
"""Every defect by its name."""
