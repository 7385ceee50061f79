"""``python -m tests.simulation.mutants``: each deliberate defect, which check catches it, after how many schedules.

A defect that survives fails the command. ``KNOWN`` names a seed that catches each at once; where a change of the
product has moved things so that it does not any more, seeds are searched from 0.
"""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

from defects_of_actions import DEFECTS_OF_ACTIONS
from defects_of_alerts import DEFECTS_OF_ALERTS
from defects_of_commits import DEFECTS_OF_COMMITS
from defects_of_endings import DEFECTS_OF_ENDINGS
from defects_of_the_webhook import DEFECTS_OF_THE_WEBHOOK
from defects_of_waits import DEFECTS_OF_WAITS
from planting import Defect, planted_defect

from dm_core.errors import Service
from dm_sandbox.simulation.play import simulate
from dm_sandbox.simulation.schedule import Act, ActKind, Fault, FaultKind, Manner, Outage, Schedule, make_schedule

DEFECTS: Final[Mapping[str, Defect]] = {
    **DEFECTS_OF_COMMITS,
    **DEFECTS_OF_ACTIONS,
    **DEFECTS_OF_ENDINGS,
    **DEFECTS_OF_THE_WEBHOOK,
    **DEFECTS_OF_WAITS,
    **DEFECTS_OF_ALERTS,
}
"""Every defect by its name."""

MAX_SCHEDULES: Final = 8_000
"""Schedules after which a defect counts as survived."""

KNOWN: Final[Mapping[str, int]] = {
    "finish_without_its_condition": 16,
    "claim_that_ignores_a_lease": 6,
    "lease_shorter_than_the_run": 229,
    "version_read_after_the_data": 8,
    "unknown_version_treated_as_known": 60,
    "lost_answer_taken_for_applied": 41,
    "due_at_not_set_at_the_claim": 0,
    "pending_count_set_to_zero": 0,
    "run_goes_on_without_its_lease": 188,
    "checkpoint_after_the_act": 0,
    "started_marker_not_stored": 0,
    "uncertain_treated_as_failed": 11,
    "uncertain_treated_as_done": 6,
    "timed_out_send_tried_again": 12,
    "deadline_not_checked": 379,
    "resumed_run_asks_again_under_a_new_id": 11,
    "resumed_run_forgets_its_turns": 18,
    "failed_run_dropped_although_it_acted": 67,
    "sends_without_a_limit": 4,
    "guards_switched_off": 19,
    "handles_resolved_by_the_models_word": 243,
    "takeover_not_checked_at_the_checkpoint": 26,
    "unsend_ignored": 60,
    "messages_closed_by_query": 0,
    "no_follow_up": 1135,
    "attempts_not_counted_at_the_claim": 29,
    "failed_without_telling_the_manager": 6,
    "replies_not_stored_by_the_finish": 0,
    "uncertain_texts_forgotten": 284,
    "task_named_by_the_thread_alone": 0,
    "acknowledged_although_the_store_failed": 3,
    "duplicates_wake_nobody": 15,
    "messages_known_by_a_cut_mid": 0,
    "echo_judged_by_its_app_id": 0,
    "sweep_missing": 172,
    "late_wake_up_not_repeated": 5098,
}
"""A seed that catches each defect."""


def _said(*times: float) -> tuple[Act, ...]:
    return tuple(Act(at, 0, ActKind.SAY) for at in times)


def _crafted(
    acts: tuple[Act, ...], *troubles: Fault | Outage, threads: int = 1, manner: Manner | None = None
) -> Schedule:
    faults = tuple(trouble for trouble in troubles if isinstance(trouble, Fault))
    outages = tuple(trouble for trouble in troubles if isinstance(trouble, Outage))
    quiet = max(acts[-1].at, *(outage.end for outage in outages), 0.0) + 4_000.0
    return Schedule(1, threads, acts, faults, quiet, outages=outages, manner=manner or Manner.REPLY)


_SLOW_STORE: Final = tuple(Fault("webhook.store.record", n, FaultKind.SLOW, 9.7) for n in range(1, 9))
CRAFTED: Final[Mapping[str, Schedule]] = {
    "late_wake_up_not_repeated": _crafted(_said(*(37.0 * n + 1 for n in range(8))), *_SLOW_STORE),
    "failed_without_telling_the_manager": _crafted(
        _said(1.0), *(Fault("processor.model.generate", n, FaultKind.DIE_BEFORE) for n in range(1, 13))
    ),
    "deadline_not_checked": _crafted(_said(1.0), Fault("processor.store.commit", 2, FaultKind.FREEZE_AFTER, 400.0)),
    "no_follow_up": _crafted(_said(1.0, 22.0), Fault("instagram.send", 1, FaultKind.SLOW, 40.0)),
    "uncertain_texts_forgotten": _crafted(
        _said(1.0),
        Fault("instagram.send", 1, FaultKind.DENIED),
        Fault("meta.echo", 1, FaultKind.DELAY, 30.0),
    ),
    "brake_never_on": Schedule(
        1,
        40,
        tuple(Act(n / 40, n, ActKind.SAY) for n in range(40)),
        (),
        160.0,
        outages=(Outage(Service.MODEL, 0.0, 60.0, FaultKind.DOWN),),
        manner=Manner.REPLY,
    ),
}
"""Schedules made for defects that random ones meet too seldom."""


class UnknownDefect(ValueError):
    """There is no defect of this name."""


@dataclass(frozen=True, slots=True)
class Caught:
    """How a defect was found; ``seed`` None if it was not."""

    name: str
    schedules: int
    seed: int | None = None
    check: str = ""
    case: str = ""

    def __str__(self) -> str:
        if self.seed is None:
            return f"SURVIVED  {self.name}: {self.schedules} schedules"
        return (
            f"caught    {self.name}: by '{self.check}' after {self.schedules} schedules (seed {self.seed}): {self.case}"
        )


def planted(name: str) -> AbstractContextManager[None]:
    """The product with this defect, inside the block. Raises UnknownDefect."""
    if name not in DEFECTS:
        raise UnknownDefect(f"no defect {name!r}; there are: {', '.join(DEFECTS)}")
    return planted_defect(DEFECTS[name])


def hunt(name: str, limit: int = MAX_SCHEDULES) -> Caught:
    """Run schedules with the defect until one fails: the known seed first, then from 0 on."""
    known = (KNOWN[name],) if name in KNOWN else ()
    crafted = (CRAFTED[name],) if name in CRAFTED else ()
    with planted(name):
        for number, schedule in enumerate((*crafted, *map(make_schedule, (*known, *range(limit)))), 1):
            outcome = simulate(schedule)
            if outcome.violations:
                first = outcome.violations[0]
                return Caught(name, number, schedule.seed, first.check, first.case)
    return Caught(name, limit)


def main(names: Sequence[str]) -> int:
    """0 when every defect was caught, 1 when one survived, 2 for an unknown name."""
    unknown = [name for name in names if name not in DEFECTS]
    if unknown:
        print(f"mutants: no defect {unknown[0]!r}; there are: {', '.join(DEFECTS)}", file=sys.stderr)
        return 2
    survived = 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for caught in pool.map(hunt, names or tuple(DEFECTS)):
            print(caught, flush=True)
            survived += caught.seed is None
    print(f"{survived} survived" if survived else "every defect was caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
