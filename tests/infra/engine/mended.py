"""What a deployment has to be like after the `up` that follows a fault."""

from tests.infra.engine.driver import Stack
from tests.infra.engine.program_host import Program


def assert_completed(stack: Stack, run: Program) -> None:
    """A second `up` completes, and knows of all that there is."""
    mended = stack.up(run)
    assert mended.refused is None, mended.refused
    assert not stack.pending
    assert {str(each["id"]) for each in stack.resources if each.get("id")} == set(stack.cloud.things)


def assert_mended(stack: Stack, run: Program) -> None:
    """A second `up` completes, and a third has nothing to do."""
    assert_completed(stack, run)
    third = stack.up(run)
    assert third.refused is None, third.refused
    assert third.changes == {}
