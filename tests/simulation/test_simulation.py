"""Ten thousand random schedules of messages and faults: every invariant holds in each of them."""

import pytest

from dm_sandbox.simulation.play import simulate
from dm_sandbox.simulation.runner import Report, run_chunk
from dm_sandbox.simulation.schedule import make_schedule
from tests.simulation.mutants import CRAFTED

SCHEDULES = 10_000
CHUNK = 250
FOUND = (1_715, 2_124, 2_422, 9_671, 104_533, 104_699, 104_939, 107_508, 108_904)
"""Seeds beyond the ten thousand that found a defect once: of the product, or of what the simulation took for one."""

OPEN = {
    1_581: "pause",
    2_834: "released",
    5_205: "pause",
    8_061: "handover",
    8_374: "early",
    8_757: "pause",
    9_153: "vain",
    9_182: "vain",
}
"""Seeds that break an invariant, and are not mended. Each still does, so whoever mends it takes it out; every other
seed must hold.

pause: a reply of the manager's that is looked up first pauses the agent from before the look-ups, up to 6 s too short
released: the draft was a reaction, and nobody can tell whether it arrived
handover: the manager's words are refused, which they are told; the reminder is withdrawn all the same
early: a tap that is read twice wakes the thread although it waits
vain: several runs at once ask for name, typing and reply before it is known that the account is refused
"""

WORN_OUT = 2_087
"""The first seed in which every attempt of a DM is used up: one in some five hundred gets there."""


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; it takes 10 s
@pytest.mark.parametrize("first", range(0, SCHEDULES, CHUNK))
def test_every_invariant_holds_in_random_schedules(first: int) -> None:
    report = run_chunk(first, CHUNK)

    assert report.failures.keys() <= OPEN.keys(), _advice(report)
    assert report.seeds == CHUNK


@pytest.mark.parametrize("seed", OPEN)
def test_what_is_open_is_still_what_is_said_of_it(seed: int) -> None:
    found = {violation.split(":")[0] for violation in map(str, simulate(make_schedule(seed)).violations)}

    assert OPEN[seed] in found, f"seed {seed} holds now: take it out of OPEN"


@pytest.mark.parametrize("seed", FOUND)
def test_what_a_schedule_found_once_stays_mended(seed: int) -> None:
    assert simulate(make_schedule(seed)).violations == ()


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; it takes 20 s
def test_schedules_reach_what_they_are_meant_to_reach() -> None:
    report = run_chunk(0, 3 * CHUNK)
    for rare in (make_schedule(WORN_OUT), CRAFTED["digest_loses_one"]):
        report.add(simulate(rare))

    assert len(report.faults) >= 45
    assert sum(name.startswith("outage:") for name in report.faults) >= 8
    wanted = {"task:busy", "task:conflict", "task:error", "task:failed", "task:retry_later", "sweep:overdue"}
    wanted |= {"run:answered", "run:human", "run:uncertain", "run:no_reply", "dm:unsent", "dm:expired", "dm:human"}
    wanted |= {"log:send_looked_up", "log:run_superseded", "log:person_erased", "commit:conflict"}
    wanted |= {"dm:refused", "alert:model", "alert:uncertain", "log:digest_made", "alert:cause", "tick:delivered"}
    wanted |= {"log:alert_undelivered", "log:run_reopened", "log:brake_applied", "alert_state:digested"}
    assert wanted <= set(report.states), wanted - set(report.states)


def _advice(report: Report) -> str:
    seed = min(report.failures.keys() - OPEN.keys())
    return f"see it with: python -m dm_sandbox.simulation --first {seed} --seeds 1"
