"""Deliberate defects of drafts, the manager's messages, handovers, switches and stop words; see
``defects_of_commits``."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from dm_core.agent.rules import Rules
from dm_core.errors import PlatformError, StoreUnavailable
from dm_core.messages import WINDOW_MS
from dm_core.processing import actions, drafts, finish
from dm_core.processing.alert_ticks import AlertTicks
from dm_core.processing.outbox import order, steps
from dm_core.processing.outbox.drafts import CAME, DraftWords
from dm_core.processing.outbox.outbox import Outbox
from dm_core.processing.outbox.sending import Sending
from dm_core.processing.sweeper import Sweeper
from dm_core.processing.switches import SwitchReader
from dm_core.runs import Action
from dm_core.steering import Mode, Steering, Switches
from dm_core.store.transactional import TransactionalStore
from dm_core.store.transactional import outbox as stored_outbox
from dm_core.threads import Thread
from dm_core.webhook.manager import ManagerMessages
from tests.simulation.planting import Defect, Patch, always


def draft_sent_undecided(patch: Patch) -> None:
    patch(actions, "acts_undecided", lambda _: always(False))


def undecided_draft_expires_with_the_window(patch: Patch) -> None:
    def expires_at(thread: Thread) -> int:
        return thread.last_inbound_at + WINDOW_MS

    patch(drafts, "expires_at", lambda _: expires_at)


def draft_sent_although_something_came(patch: Patch) -> None:
    def heedless(original: Any) -> Any:
        async def refusal(self: DraftWords, *rest: Any) -> str | None:
            why = await original(self, *rest)
            return None if why == CAME else why

        return refusal

    def ageless(original: Any) -> Any:
        def stale(leased: Any, *rest: Any) -> Any:
            return None if leased.run.newest_draft else original(leased, *rest)

        return stale

    patch(DraftWords, "_refusal", heedless)
    patch(actions, "stale", ageless)


def released_draft_lost_in_silence(patch: Patch) -> None:
    patch(drafts, "not_sent", lambda _: always(()))


def reply_in_doubt_taken_for_unsent(patch: Patch) -> None:
    async def settled(self: Sending, leased: Any, action: Action, *, wait: bool) -> Action:
        del wait
        return await self._keep(leased, replace(action, started_at=None))  # pyright: ignore[reportPrivateUsage]

    patch(Sending, "_settled", lambda _: settled)


def item_saved_without_its_condition(patch: Patch) -> None:
    async def save(self: Any, item: Any, _: Any) -> Any:
        def write(tx: Any) -> Any:
            found = stored_outbox.get_outbox(tx, item.id)
            return stored_outbox.save_outbox(tx, item, found.version) if found else None

        return await self._database.write("save_outbox", write)

    patch(TransactionalStore, "save_outbox", lambda _: save)


def outbox_never_swept(patch: Patch) -> None:
    async def nothing(_: Sweeper) -> int:
        return 0

    patch(Sweeper, "_outbox", lambda _: nothing)


def answer_to_the_manager_given_up_at_once(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def answer(self: Outbox, held: Any) -> None:
            with suppress(PlatformError):
                await original(self, held)
                return
            await held.save(replace(held.item, told_at=self.clock(), claim_until=None))

        return answer

    patch(Outbox, "_answer", make)


def reply_takes_nothing_over(patch: Patch) -> None:
    async def take_over(_: Outbox, __: Thread) -> None: ...

    patch(Outbox, "_take_over", lambda _: take_over)


def later_message_of_the_managers_overtakes(patch: Patch) -> None:
    patch(order, "precedes", lambda _: always(False))


def managers_message_acknowledged_although_not_stored(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def take(self: ManagerMessages, items: Any) -> None:
            with suppress(StoreUnavailable):
                await original(self, items)

        return take

    patch(ManagerMessages, "take", make)


def handover_not_kept(patch: Patch) -> None:
    patch(finish, "handed_over_by", lambda _: always(None))


def handover_without_its_reminder(patch: Patch) -> None:
    patch(finish, "reminder_of", lambda _: always(()))


def reminder_withdrawn_unseen(patch: Patch) -> None:
    patch(AlertTicks, "_is_due_for", lambda _: always(False))


def pause_by_word_ignored(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def taken_over(thread: Thread, message: Any) -> Any:
            return original(replace(thread, steering=replace(thread.steering, pause=None)), message)

        return taken_over

    patch(Thread, "taken_over", make)


def off_ignored(patch: Patch) -> None:
    def mode_of(self: Switches, steering: Steering) -> Mode:
        mode = steering.mode or self.mode
        return Mode.AUTO if mode is Mode.OFF else mode

    patch(Switches, "mode_of", lambda _: mode_of)


def switches_read_once(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def current(self: Any) -> Switches:
            return self._known if self._read_at else await original(self)

        return current

    patch(SwitchReader, "current", make)


def stop_word_ignored(patch: Patch) -> None:
    patch(Rules, "stopped_at", lambda _: always(None))


def stop_word_forgotten(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def steering_after(*args: Any, **named: Any) -> Any:
            return replace(original(*args, **named), stopped_at=None)

        return steering_after

    patch(finish, "steering_after", make)


def resume_without_a_pause_leaves_all_to_humans(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def switched(switches: Switches, command: Any, by: str, now: int) -> Switches:
            after = original(switches, command, by, now)
            return replace(after, resumed_at=now) if command.value == "resume" else after

        return switched

    patch(steps, "_switched", make)


DEFECTS_OF_THE_MANAGER: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        draft_sent_undecided,
        undecided_draft_expires_with_the_window,
        draft_sent_although_something_came,
        released_draft_lost_in_silence,
        reply_in_doubt_taken_for_unsent,
        item_saved_without_its_condition,
        outbox_never_swept,
        answer_to_the_manager_given_up_at_once,
        reply_takes_nothing_over,
        later_message_of_the_managers_overtakes,
        managers_message_acknowledged_although_not_stored,
        handover_not_kept,
        handover_without_its_reminder,
        reminder_withdrawn_unseen,
        pause_by_word_ignored,
        off_ignored,
        switches_read_once,
        stop_word_ignored,
        stop_word_forgotten,
        resume_without_a_pause_leaves_all_to_humans,
    )
}
