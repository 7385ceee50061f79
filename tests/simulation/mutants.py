"""``python -m tests.simulation.mutants``: each deliberate defect, which check catches it, after how many schedules.

A defect that survives fails the command. ``KNOWN`` names a seed that catches each at once; where a change of the
product has moved things so that it does not any more, seeds are searched from 0.
"""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Final

from dm_core.errors import Service
from dm_sandbox.simulation.play import simulate
from dm_sandbox.simulation.schedule import Act, ActKind, Fault, FaultKind, Manner, Outage, Schedule, make_schedule
from tests.simulation.defects_of_actions import DEFECTS_OF_ACTIONS
from tests.simulation.defects_of_alerts import DEFECTS_OF_ALERTS
from tests.simulation.defects_of_commits import DEFECTS_OF_COMMITS
from tests.simulation.defects_of_endings import DEFECTS_OF_ENDINGS
from tests.simulation.defects_of_the_manager import DEFECTS_OF_THE_MANAGER
from tests.simulation.defects_of_the_webhook import DEFECTS_OF_THE_WEBHOOK
from tests.simulation.defects_of_waits import DEFECTS_OF_WAITS
from tests.simulation.planting import Defect, planted_defect

DEFECTS: Final[Mapping[str, Defect]] = {
    **DEFECTS_OF_COMMITS,
    **DEFECTS_OF_ACTIONS,
    **DEFECTS_OF_ENDINGS,
    **DEFECTS_OF_THE_WEBHOOK,
    **DEFECTS_OF_WAITS,
    **DEFECTS_OF_ALERTS,
    **DEFECTS_OF_THE_MANAGER,
}
"""Every defect by its name."""

MAX_SCHEDULES: Final = 8_000
"""Schedules after which a defect counts as survived."""

KNOWN: Final[Mapping[str, int]] = {
    "uncertain_treated_as_failed": 12,
    "uncertain_treated_as_done": 6,
    "timed_out_send_tried_again": 12,
    "started_marker_not_stored": 0,
    "checkpoint_after_the_act": 0,
    "failed_run_dropped_although_it_acted": 4,
    "finish_without_its_condition": 19,
    "claim_that_ignores_a_lease": 6,
    "lease_shorter_than_the_run": 120,
    "version_read_after_the_data": 8,
    "unknown_version_treated_as_known": 639,
    "lost_answer_taken_for_applied": 16,
    "due_at_not_set_at_the_claim": 0,
    "pending_count_set_to_zero": 11,
    "resumed_run_asks_again_under_a_new_id": 4,
    "resumed_run_forgets_its_turns": 44,
    "sends_without_a_limit": 63,
    "guards_switched_off": 240,
    "handles_resolved_by_the_models_word": 4,
    "takeover_not_checked_at_the_checkpoint": 26,
    "unsend_ignored": 12,
    "messages_closed_by_query": 0,
    "attempts_not_counted_at_the_claim": 73,
    "replies_not_stored_by_the_finish": 0,
    "task_named_by_the_thread_alone": 0,
    "acknowledged_although_the_store_failed": 88,
    "duplicates_wake_nobody": 44,
    "messages_known_by_a_cut_mid": 0,
    "echo_judged_by_its_app_id": 4,
    "sweep_missing": 3,
    "wake_up_of_a_dm_ends_the_wait": 20,
    "attempts_counted_per_thread": 79,
    "due_at_overwritten_while_waiting": 13,
    "failed_look_up_read_as_not_found": 155,
    "second_look_without_a_pause": 6,
    "age_not_checked": 36,
    "revision_not_compared": 0,
    "wait_keeps_the_attempt": 73,
    "wait_without_a_wake_up": 4,
    "refusal_believed_at_once": 86,
    "told_wait_ignored": 36,
    "calls_in_vain_count_as_turns": 73,
    "cause_not_told": 97,
    "outage_taken_for_the_dms_fault": 73,
    "reply_dropped_instead_of_looked_for": 115,
    "alert_written_after_the_act": 3,
    "alerts_forgotten_at_a_start_over": 17,
    "alerts_never_swept": 3,
    "alarm_stored_before_it_is_raised": 89,
    "statuses_overwrite_each_other": 0,
    "claim_without_its_condition": 1_656,
    "outcome_saved_over_a_status": 28,
    "limit_holds_urgent_ones_back": 1_327,
    "late_refusal_ignored": 20,
    "draft_sent_undecided": 6,
    "undecided_draft_expires_with_the_window": 42,
    "draft_sent_although_something_came": 50,
    "released_draft_lost_in_silence": 107,
    "reply_in_doubt_taken_for_unsent": 11,
    "item_saved_without_its_condition": 67,
    "outbox_never_swept": 197,
    "answer_to_the_manager_given_up_at_once": 69,
    "reply_takes_nothing_over": 9,
    "handover_not_kept": 0,
    "handover_without_its_reminder": 0,
    "reminder_withdrawn_unseen": 0,
    "off_ignored": 53,
    "switches_read_once": 363,
    "stop_word_ignored": 17,
    "stop_word_forgotten": 73,
    "resume_without_a_pause_leaves_all_to_humans": 28,
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
_MANY_ALERTS: Final = _crafted(_said(*(30.0 * n + 1 for n in range(14))), manner=Manner.REPLY_AND_NOTIFY)
_SLEEPER: Final = _crafted(
    _said(1.0, 335.0, 345.0, 355.0, 365.0), Fault("processor.store.commit", 2, FaultKind.FREEZE_AFTER, 400.0)
)
CRAFTED: Final[Mapping[str, Schedule]] = {
    "late_wake_up_not_repeated": _crafted(_said(*(37.0 * n + 1 for n in range(8))), *_SLOW_STORE),
    "failed_without_telling_the_manager": _crafted(
        _said(1.0), *(Fault("processor.model.generate", n, FaultKind.DIE_BEFORE) for n in range(1, 13))
    ),
    "deadline_not_checked": _SLEEPER,
    "run_goes_on_without_its_lease": _SLEEPER,
    "digest_loses_one": _MANY_ALERTS,
    "limit_drops_what_is_above_it": _MANY_ALERTS,
    "alert_sent_without_end": _crafted(
        _said(1.0),
        *(Fault("whatsapp.send", n, FaultKind.LOST) for n in range(1, 12)),
        *(Fault("whatsapp.status", n, FaultKind.LOST) for n in range(1, 60)),
        manner=Manner.REPLY_AND_NOTIFY,
    ),
    "alert_under_another_id_each_time": _crafted(
        _said(1.0),
        Fault("processor.store.commit", 2, FaultKind.LOST),
        Fault("processor.store.open", 2, FaultKind.FAIL),
        manner=Manner.REPLY_AND_NOTIFY,
    ),
    "managers_message_acknowledged_although_not_stored": _crafted(
        (Act(1.0, 0, ActKind.SAY), Act(60.0, 0, ActKind.MANAGER_REPLY)),
        Fault("webhook.store.outbox", 1, FaultKind.FAIL),
        manner=Manner.REPLY_AND_NOTIFY,
    ),
    "later_message_of_the_managers_overtakes": _crafted(
        (
            Act(1.0, 0, ActKind.SAY),
            Act(60.0, 0, ActKind.MANAGER_REPLY),
            Act(61.5, 0, ActKind.MANAGER_REPLY),
        ),
        Fault("processor.store.outbox", 1, FaultKind.SLOW, 5.0),
        manner=Manner.REPLY_AND_NOTIFY,
    ),
    "pause_by_word_ignored": _crafted(
        (
            Act(1.0, 0, ActKind.SAY),
            Act(60.0, 0, ActKind.MANAGER_WORD, word="pause"),
            Act(120.0, 0, ActKind.SAY),
        ),
        manner=Manner.REPLY_AND_NOTIFY,
    ),
    "echo_of_a_throttled_text_ignored": _crafted(
        _said(1.0), Fault("instagram.send", 1, FaultKind.THROTTLE_AFTER, 30.0)
    ),
    "resent_without_end": replace(
        _crafted(_said(1.0), *(Fault("instagram.send", n, FaultKind.FAIL) for n in range(1, 9))),
        uncertain_sends="resend",
    ),
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
