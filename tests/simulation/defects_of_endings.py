"""Deliberate defects of what comes meanwhile, and of how runs end; see ``defects_of_commits``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from planting import Defect, Patch, always

from dm_core.processing import closing, processor
from dm_core.processing.acting import Actor
from dm_core.processing.closing import Finisher
from dm_core.processing.run import Conductor
from dm_core.processing.sweeper import Sweeper
from dm_core.store.port import (
    UNSET,
    MessageChange,
)


def takeover_not_checked_at_the_checkpoint(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def look(self: Conductor) -> Any:
            self.live.thread = replace(self.live.thread, paused_until=None)
            return await original(self)

        return look

    patch(Conductor, "_look", make)


def unsend_ignored(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def look(self: Conductor) -> Any:
            self.live.own = tuple(replace(message, unsent_at=None) for message in self.live.own)
            return await original(self)

        return look

    patch(Conductor, "_look", make)


def messages_closed_by_query(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def finished(self: Finisher, *rest: Any) -> Any:
            self.live.own, self.live.others = (*self.live.own, *self.live.others), ()
            return original(self, *rest)

        return finished

    patch(Finisher, "_finished", make)


def no_follow_up(patch: Patch) -> None:
    async def wake(*_: Any) -> None: ...

    patch(Finisher, "wake", lambda _: staticmethod(wake))


def attempts_not_counted_at_the_claim(patch: Patch) -> None:
    def change(*values: Any, attempts: Any = UNSET, **named: Any) -> MessageChange:
        return MessageChange(*values, **named)

    patch(processor, "MessageChange", lambda _: change)


def failed_without_telling_the_manager(patch: Patch) -> None:
    async def close(self: Actor, ending: Any, notice: str, error: str | None = None) -> Any:
        self.drop_open(ending)
        self.live.run = replace(self.live.run, error=error or self.live.run.error)
        return ending

    patch(Actor, "close", lambda _: close)


def sweep_missing(patch: Patch) -> None:
    async def sweep(self: Sweeper) -> dict[str, object]:
        return {"status": "swept", "overdue": 0, "deletions": 0}

    patch(Sweeper, "sweep", lambda _: sweep)


def replies_not_stored_by_the_finish(patch: Patch) -> None:
    patch(closing, "_is_sent", lambda _: always(False))


def uncertain_texts_forgotten(patch: Patch) -> None:
    patch(Finisher, "_unconfirmed", lambda _: always(()))


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
