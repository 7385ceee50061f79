"""The simulation can fail: every deliberate defect of the protocol is caught."""

import pytest

from dm_core.processing import finish
from dm_sandbox.simulation.play import simulate
from tests.simulation.mutants import CRAFTED, DEFECTS, KNOWN, UnknownDefect, hunt, main, planted

SCHEDULES = 1_500
"""Schedules within which each must be caught when its known seed has stopped to catch it."""


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught(name: str) -> None:
    caught = hunt(name, SCHEDULES)

    assert caught.seed is not None, str(caught)


def test_there_are_enough_of_them_and_each_has_a_known_seed() -> None:
    assert len(DEFECTS) >= 54
    assert {*KNOWN, *CRAFTED} == set(DEFECTS)


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_schedule_breaks_nothing_by_itself(name: str) -> None:
    assert simulate(CRAFTED[name]).violations == ()


def test_a_defect_is_gone_afterwards() -> None:
    before = vars(finish)["wake"]

    with planted("no_follow_up"):
        assert vars(finish)["wake"] is not before

    assert vars(finish)["wake"] is before


def test_an_unknown_defect_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no_such_thing"]) == 2
    error = capsys.readouterr().err

    assert error.startswith("mutants: no defect 'no_such_thing'; there are: ")
    assert error.count("\n") == 1
    with pytest.raises(UnknownDefect), planted("no_such_thing"):
        pass
