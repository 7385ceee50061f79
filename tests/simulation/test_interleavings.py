"""Every order of the calls of two deliveries, one event and one crash, within a bound that takes a minute in all.

``make interleavings`` goes further: to each scenario's own bound, which is one switch more.
"""

from dataclasses import replace

import pytest

from dm_sandbox.simulation.interleavings import SCENARIOS, Scenario, explore

LEAST = 50
"""Interleavings below which a scenario explores nothing worth the name."""


@pytest.mark.timeout(600)  # a bound for a machine that is busy with something else; the longest takes 15 s
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_invariant_holds_in_every_order(scenario: Scenario) -> None:
    fewer = scenario.crashes > 0 or scenario.switches > 1
    result = explore(replace(scenario, switches=scenario.switches - fewer))

    print(result)
    assert result.failures == [], str(result)
    assert result.runs >= LEAST
