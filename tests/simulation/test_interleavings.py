"""Every order of the calls of two deliveries, one event and one crash, within the stated bound."""

import pytest

from dm_sandbox.simulation.interleavings import SCENARIOS, Scenario, explore

LEAST = 100
"""Interleavings below which a scenario explores nothing worth the name."""


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; the longest takes 40 s
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_invariant_holds_in_every_order(scenario: Scenario) -> None:
    result = explore(scenario)

    print(result)
    assert result.failures == [], str(result)
    assert result.runs >= LEAST
