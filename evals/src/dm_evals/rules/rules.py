"""All rules over one trial."""

from collections.abc import Iterator

from dm_evals.observation import Observation
from dm_evals.results import Check
from dm_evals.rules.calendar import calendar
from dm_evals.rules.facts import facts
from dm_evals.rules.manners import manners
from dm_evals.rules.people import people
from dm_evals.rules.promises import promises
from dm_evals.rules.seen import Seen
from dm_evals.rules.sources import sources
from dm_evals.rules.usual import usual
from dm_evals.scenarios.scenario import Scenario


def rule_checks(scenario: Scenario, observation: Observation) -> Iterator[Check]:
    """Nothing is checked where nothing was said or done; a rule without an occasion holds."""
    seen = Seen(scenario, observation)
    for rules in (manners, people, promises, calendar, usual, facts, sources):
        yield from rules(seen)
