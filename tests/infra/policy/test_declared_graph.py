"""The rules over everything that the program declares, as it was recorded."""

from collections.abc import Callable

import pytest

from policy.resource import Resource
from policy.rules import BUCKET_OBJECT, DATABASE, FUNCTION, SECRET, violations
from tests.infra.policy.policy_samples import LIMITS
from tests.infra.recording import Graph, closed_graph, dev_graph, extreme_graph, prod_graph

STACKS = [("dev", dev_graph), ("prod", prod_graph), ("prod", closed_graph), ("dev", extreme_graph)]


def resources(graph: Graph, stack: str) -> list[Resource]:
    return [Resource(one.type, one.name, one.inputs, stack) for one in graph]


@pytest.mark.parametrize(("stack", "declared"), STACKS)
def test_no_declared_resource_breaks_a_rule(stack: str, declared: Callable[[], Graph]) -> None:
    found = [sentence for one in resources(declared(), stack) for sentence in violations(one, LIMITS)]

    assert found == []


def test_the_rules_saw_the_kinds_that_they_are_about() -> None:
    kinds = {one.kind for one in resources(prod_graph(), "prod")}

    assert {FUNCTION, DATABASE, SECRET, BUCKET_OBJECT} <= kinds


def test_the_development_stack_would_not_pass_as_production() -> None:
    found = [sentence for one in resources(dev_graph(), "prod") for sentence in violations(one, LIMITS)]

    assert any("database-protection" in sentence for sentence in found)
