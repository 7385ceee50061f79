"""The names under which Pulumi knows what an earlier revision deployed."""

from pathlib import Path

from tests.infra.recording import Graph, Registered, closed_graph, dev_graph, prod_graph

DEPLOYED = Path(__file__).with_name("deployed_names.txt")
REMADE = ("gcp:monitoring/", "gcp:logging/", "gcp:projects/service:Service")
"""What is made anew without loss."""


def known_as(graph: Graph, resource: Registered) -> str:
    """The part of its URN that Pulumi goes by: the types of its parents, its own, its name."""
    types, parent = [resource.type], graph.resources.get(resource.parent)
    while parent is not None:
        types.insert(0, parent.type)
        parent = graph.resources.get(parent.parent)
    return f"{'$'.join(one for one in types if one != 'pulumi:pulumi:Stack')}::{resource.name}"


def test_an_upgrade_finds_everything_under_the_name_it_had() -> None:
    """Of another name, type or parent, a right is taken away after it was "made" (https://github.com/pulumi/pulumi-gcp/issues/2463),
    a secret or a queue loses what is in it, and what has a fixed name is refused. Whoever renames gives an alias, and
    changes the line in deployed_names.txt; whoever takes something out says so in the changelog."""
    graphs = (dev_graph(), prod_graph(), closed_graph())
    declared = {
        known_as(graph, one)
        for graph in graphs
        for one in graph
        if one.type.startswith("gcp:") and not one.type.startswith(REMADE)
    }

    deployed = set(DEPLOYED.read_text().splitlines())
    assert sorted(deployed - declared) == [], "renamed or gone"
    assert sorted(declared - deployed) == [], "new: add a line each"
