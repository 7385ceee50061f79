"""What a change of a running stack's configuration must leave as it is."""

import pytest

from tests.infra.engine.deployments import DEV, Sources, program
from tests.infra.engine.driver import Stack
from tests.infra.engine.program_host import Program

pytestmark = pytest.mark.timeout(300)  # each operation has its own deadline

SAM, KIM = "user:sam@club.example", "user:kim@club.example"
LISTS = ("webhookInvokers", "readers", "operators")


def changed(sources: Sources, **changes: str) -> Program:
    return program("dev", {**DEV, **changes}, sources)


def held_by(stack: Stack, member: str) -> set[str]:
    """The rights that somebody has at Google."""
    return {id_ for id_ in stack.cloud.things if id_.endswith(member)}


def with_members(sources: Sources, members: str) -> Program:
    return changed(sources, public="false", **dict.fromkeys(LISTS, members))


def test_whoever_moves_up_a_list_keeps_every_right(stack: Stack, sources: Sources):
    """A right that is replaced by the same right is first made, which changes nothing, and then deleted
    (https://github.com/pulumi/pulumi-gcp/issues/2463)."""
    assert stack.up(with_members(sources, f"{SAM},{KIM}")).refused is None
    before = held_by(stack, KIM)

    done = stack.up(with_members(sources, KIM))

    assert done.refused is None, done.refused
    assert len(before) == 6
    assert (held_by(stack, SAM), held_by(stack, KIM)) == (set(), before)
    assert set(done.changes.values()) == {"delete"}
