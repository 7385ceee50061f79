"""A failing schedule is made small, and stays failing."""

from collections.abc import Callable

import pytest

from dm_sandbox.simulation.play import simulate
from dm_sandbox.simulation.runner import fails_like, story
from dm_sandbox.simulation.schedule import Act, ActKind, Fault, FaultKind, Schedule, make_schedule
from dm_sandbox.simulation.shrink import UnknownPart, only, part_names, shrink
from tests.simulation.mutants import planted

MANY = Schedule(
    seed=0,
    threads=1,
    acts=tuple(Act(float(n), 0, ActKind.SAY) for n in range(9)),
    faults=tuple(Fault("instagram.send", n, FaultKind.FAIL) for n in range(1, 8)),
    quiet_at=60.0,
)


def needs(*parts: str) -> Callable[[Schedule], bool]:
    """Fails as long as these parts are in it."""
    wanted = only(MANY, parts)
    return lambda schedule: set(wanted.acts) <= set(schedule.acts) and set(wanted.faults) <= set(schedule.faults)


@pytest.mark.parametrize("parts", [("a4",), ("f0",), ("a0", "a8", "f3"), ("f2", "f6"), part_names(MANY), ()])
def test_exactly_what_is_needed_is_left(parts: tuple[str, ...]) -> None:
    shrunk = shrink(MANY, needs(*parts))

    assert set(shrunk.parts) == set(parts)
    assert needs(*parts)(shrunk.schedule)


def test_a_real_failure_shrinks_to_one_that_replays_with_its_timeline() -> None:
    with planted("uncertain_treated_as_done"):
        failing = next(o for o in map(simulate, map(make_schedule, range(2_000))) if o.violations)
        shrunk = shrink(failing.schedule, fails_like(failing))
        again = simulate(only(failing.schedule, shrunk.parts), traced=True)

    assert len(shrunk.parts) <= 3
    assert again.violations[0].check == failing.violations[0].check
    told = story(again, shrunk.parts)
    assert f"--seed {failing.schedule.seed} --only {','.join(shrunk.parts)}" in told
    assert "✗" in told


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(UnknownPart, match=r"schedule 0 has no part 'a9' .*a0\.\.a8 and f0\.\.f6"):
        only(MANY, ("a1", "a9"))
