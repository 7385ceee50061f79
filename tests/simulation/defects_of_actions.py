"""Deliberate defects of what a run does outside; see ``defects_of_commits``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dm_core.agent.guards import Guards
from dm_core.agent.plan import PlannedTurn, Situation
from dm_core.agent.tools import react_to_instagram_message
from dm_core.errors import Uncertain
from dm_core.processing.actions import ActionExecutor
from dm_core.processing.claims import Claims
from dm_core.processing.delivery import Delivery
from dm_core.processing.finish import RunCloser
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.timing import Timing
from dm_core.runs import Action, ActionState, Run
from dm_core.store.port import ThreadChange
from tests.simulation.planting import Defect, Patch, always


def checkpoint_after_the_act(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def apply(self: Any, change: ThreadChange) -> bool:
            if isinstance(change.run, Run) and any(action.in_doubt for action in change.run.actions):
                self.run = change.run
                return True
            return await original(self, change)

        return apply

    patch(LeasedThread, "_apply", make)


def started_marker_not_stored(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def about_to_start(self: ActionExecutor, run: Run, key: str, turn: int) -> Any:
            made = original(self, run, key, turn)
            return replace(made, run=run) if isinstance(made, ThreadChange) else made

        return about_to_start

    patch(ActionExecutor, "about_to_start", make)


def uncertain_treated_as_failed(patch: Patch) -> None:
    async def settle(self: Delivery, leased: LeasedThread, action: Action, deadline: int, *, wait: bool) -> Action:
        return replace(action, started_at=None)

    patch(Delivery, "settle", lambda _: settle)


def uncertain_treated_as_done(patch: Patch) -> None:
    async def settle(self: Delivery, leased: LeasedThread, action: Action, deadline: int, *, wait: bool) -> Action:
        return replace(action, state=ActionState.DONE, platform_id=f"assumed {action.key}")

    patch(Delivery, "settle", lambda _: settle)


def timed_out_send_tried_again(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def call(self: Delivery, leased: LeasedThread, action: Action) -> Any:
            try:
                return await original(self, leased, action)
            except Uncertain:
                return await original(self, leased, action)

        return call

    patch(Delivery, "_call", make)


def deadline_not_checked(patch: Patch) -> None:
    def check_time(self: ActionExecutor) -> int:
        return self.clock() + 60_000

    patch(ActionExecutor, "check_time", lambda _: check_time)

    def make(original: Any) -> Any:
        async def perform(self: ActionExecutor, action: Action) -> Any:
            return await original(self, replace(action, started_at=self.clock()))

        return perform

    patch(Timing, "all_seconds", lambda _: always(100_000.0))
    patch(ActionExecutor, "_perform", make)


def resumed_run_asks_again_under_a_new_id(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def resumed(run: Run, task_name: str) -> Run:
            again: Run = original(run, task_name)
            return replace(again, id=f"{again.id}-{task_name[-6:]}", turns=again.turns[:1], actions=())

        return staticmethod(resumed)

    patch(Claims, "_resumed", make)


def resumed_run_forgets_its_turns(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def resumed(run: Run, task_name: str) -> Run:
            again: Run = original(run, task_name)
            return replace(again, turns=again.turns[:1], actions=())

        return staticmethod(resumed)

    patch(Claims, "_resumed", make)


def failed_run_dropped_although_it_acted(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def free(self: RunCloser, run: Run, **rest: Any) -> None:
            await original(self, replace(run, ending="dropped"), **rest)

        return free

    patch(RunCloser, "_free", make)


def sends_without_a_limit(patch: Patch) -> None:
    patch(PlannedTurn, "sends_used", lambda _: always(0))


def guards_switched_off(patch: Patch) -> None:
    patch(Guards, "refusal", lambda _: always(None))


def handles_resolved_by_the_models_word(patch: Patch) -> None:
    def believed(situation: Situation, handle: str) -> str:
        return situation.run.handles.get(handle, handle)

    patch(react_to_instagram_message, "target", lambda _: believed)


DEFECTS_OF_ACTIONS: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        checkpoint_after_the_act,
        started_marker_not_stored,
        uncertain_treated_as_failed,
        uncertain_treated_as_done,
        timed_out_send_tried_again,
        deadline_not_checked,
        resumed_run_asks_again_under_a_new_id,
        resumed_run_forgets_its_turns,
        failed_run_dropped_although_it_acted,
        sends_without_a_limit,
        guards_switched_off,
        handles_resolved_by_the_models_word,
    )
}
"""Every defect by its name."""
