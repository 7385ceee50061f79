"""A service goes down and comes back: nothing is lost, nothing is said twice, little is asked in vain."""

import pytest

from dm_core.errors import Service
from dm_core.messages import Disposition
from dm_sandbox.simulation.outages import ORDEALS, Fared, Ordeal, endure
from dm_sandbox.simulation.schedule import FaultKind

SHORT = [ordeal for ordeal in ORDEALS if ordeal.threads * ordeal.seconds <= 12_000]
"""Longer ones are left to ``python -m dm_sandbox.simulation outages``."""


def good(fared: Fared) -> None:
    print(fared)
    assert fared.violations == ()
    assert (fared.answered, fared.twice, fared.late) == (fared.dms, 0, 0), str(fared)
    assert fared.rate < 1.0, str(fared)


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; the longest takes 10 s
@pytest.mark.parametrize("ordeal", SHORT, ids=str)
def test_every_dm_is_answered_once_soon_after_the_return(ordeal: Ordeal) -> None:
    good(endure(ordeal))


def test_what_nobody_could_answer_in_twelve_hours_expires_and_the_manager_is_told() -> None:
    fared = endure(Ordeal(Service.MODEL, FaultKind.DOWN, 13 * 3_600.0, 3))

    assert fared.violations == ()
    assert fared.answered == 0
    assert fared.endings == {Disposition.EXPIRED: 3}
    assert fared.alerts == {"expired": 3}
