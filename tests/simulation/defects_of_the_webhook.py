"""Deliberate defects of the webhook and of wake-ups; see ``defects_of_commits``."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from dm_core.errors import StoreUnavailable
from dm_core.messages import EventKind, message_id
from dm_core.queue import wakeup
from dm_core.queue.port import WakeUp
from dm_core.queue.wakeup import NAME_DIGITS
from dm_core.store.port import EchoView
from dm_core.webhook import batches, ingest, takeover
from dm_core.webhook.automatic import AutomaticTexts
from dm_core.webhook.echoes import Author
from dm_core.webhook.events import Echo
from dm_core.webhook.ingest import Ingest
from dm_core.webhook.work import RequestWork
from tests.simulation.planting import Defect, Patch, always


def task_named_by_the_thread_alone(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def wake_up(self: Any, k: int) -> WakeUp:
            return replace(original(self, k), name=self.digest[:NAME_DIGITS])

        return wake_up

    patch(wakeup._Buckets, "wake_up", make)  # pyright: ignore[reportPrivateUsage]


def acknowledged_although_the_store_failed(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def record(self: RequestWork, *rest: Any) -> int:
            try:
                return await original(self, *rest)
            except StoreUnavailable:
                return self.planning()

        return record

    patch(RequestWork, "record", make)


def late_wake_up_not_repeated(patch: Patch) -> None:
    patch(Ingest, "_is_off", lambda _: always(False))


def duplicates_wake_nobody(patch: Patch) -> None:
    """First store, then schedule, and only for what was new."""

    def make(original: Any) -> Any:
        async def both(first: Any, second: Any) -> Any:
            stored = await first
            await second
            return stored, None

        return both

    def inbound(original: Any) -> Any:
        async def run_(self: Ingest, batch: Any) -> None:
            work = self.work
            known = work.counts["duplicates"]
            lazy = _Later(work.queue, lambda: work.counts["duplicates"] == known)
            await original(replace(self, work=replace(work, queue=lazy)), batch)

        return run_

    patch(ingest, "both", make)
    patch(Ingest, "_inbound", inbound)


class _Later:
    """A queue that is only asked if something was new."""

    def __init__(self, queue: Any, wanted: Callable[[], bool]) -> None:
        self._queue, self._wanted = queue, wanted

    async def schedule(self, wake_up: WakeUp) -> bool:
        return self._wanted() and await self._queue.schedule(wake_up)


def messages_known_by_a_cut_mid(patch: Patch) -> None:
    def cut(kind: EventKind, mid: str) -> str:
        return message_id(kind, mid[:100])

    patch(batches, "message_id", lambda _: cut)


def echo_judged_by_its_app_id(patch: Patch) -> None:
    """Echoes of replies sent by API come without one, like those of the app."""

    def author_of(_: Echo, view: EchoView, __: AutomaticTexts) -> Author:
        return Author.KNOWN if view.known else Author.HUMAN

    patch(takeover, "author_of", lambda _: author_of)


DEFECTS_OF_THE_WEBHOOK: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        task_named_by_the_thread_alone,
        acknowledged_although_the_store_failed,
        late_wake_up_not_repeated,
        duplicates_wake_nobody,
        messages_known_by_a_cut_mid,
        echo_judged_by_its_app_id,
    )
}
"""Every defect by its name."""
