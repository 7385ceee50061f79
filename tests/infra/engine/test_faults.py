"""An `up` that stops midway leaves nothing that a second one doesn't mend."""

import signal

import pytest

from tests.infra.engine.driver import Stack
from tests.infra.engine.mended import assert_completed, assert_mended
from tests.infra.engine.program_host import Program
from tests.infra.engine.provider.cloud import Cloud, Disconnected, Hook, Refused

pytestmark = pytest.mark.timeout(300)  # each operation has its own deadline

ONE_AT_A_TIME = ("--parallel", "1")
"""So that nothing else is under way at the moment of the fault, which might or might not be done then."""

FOUR_AT_A_TIME = ("--parallel", "4")
"""So that some are under way at the moment of the fault, and most aren't."""


def at(cloud: Cloud, number: int, act: Hook) -> Hook:
    """A hook that acts at the create of this number, once."""
    acted: list[str] = []

    def hook(id_: str) -> None:
        if cloud.creates >= number and not acted:
            acted.append(id_)
            act(id_)

    return hook


def refuse(id_: str) -> None:
    raise Refused(f"googleapi: Error 503: {id_}: the service is unavailable, backendError")


@pytest.mark.parametrize("number", [1, 30, 60])
def test_after_a_refused_create_the_next_up_completes(stack: Stack, run: Program, number: int):
    stack.cloud.before_create = at(stack.cloud, number, refuse)

    stopped = stack.up(run)

    assert stopped.refused is not None and "backendError" in stopped.refused
    assert_completed(stack, run)


def test_after_a_killed_provider_the_next_up_completes(stack: Stack, run: Program):
    def die(id_: str) -> None:
        stack.kill_provider()
        raise Disconnected(f"nobody answers for {id_} any more")

    stack.cloud.before_create = at(stack.cloud, 30, die)

    stopped = stack.up(run, *ONE_AT_A_TIME)

    assert stopped.refused is not None
    assert_mended(stack, run)


def test_after_an_interrupt_the_next_up_completes(stack: Stack, run: Program):
    """Ctrl-C: what is under way is finished and written down, nothing else is begun."""
    interrupt = at(stack.cloud, 30, lambda _: stack.send(signal.SIGINT))

    def wait(id_: str) -> None:
        interrupt(id_)
        assert stack.cloud.creates < 30 or stack.cloud.interrupted.wait(60), "the engine didn't notice"

    stack.cloud.before_create = wait

    stopped = stack.up(run, *FOUR_AT_A_TIME)

    assert stopped.refused is not None
    assert 30 <= len(stack.cloud.things) < 60
    assert_mended(stack, run)


def test_after_a_killed_engine_the_next_up_completes_once_its_lock_is_taken_back(checkpointed: Stack, run: Program):
    """The machine dies before Google has done what it was asked: Pulumi wants to be told so."""
    stack = checkpointed

    def die(id_: str) -> None:
        stack.send(signal.SIGKILL)
        raise Disconnected(f"nobody waits for {id_} any more")

    stack.cloud.before_create = at(stack.cloud, 30, die)

    stopped = stack.up(run, *ONE_AT_A_TIME)
    assert stopped.refused is not None
    locked = stack.up(run)
    assert locked.refused is not None and "lock" in locked.refused
    stack.cancel()
    refreshed = stack.refresh("--clear-pending-creates")

    assert refreshed.refused is None, refreshed.refused
    assert_mended(stack, run)


def test_what_google_made_for_a_killed_engine_is_not_made_twice(checkpointed: Stack, run: Program):
    """The machine dies after Google has done it: `up` says what is in the way, and completes once that is gone."""
    stack = checkpointed
    made: list[str] = []

    def die(id_: str) -> None:
        made.append(id_)
        stack.send(signal.SIGKILL)

    stack.cloud.after_create = at(stack.cloud, 30, die)

    stopped = stack.up(run, *ONE_AT_A_TIME)
    assert stopped.refused is not None
    stack.cancel()
    assert stack.refresh("--clear-pending-creates").refused is None
    in_the_way = stack.up(run)
    assert in_the_way.refused is not None and f"409: {made[0]} already exists" in in_the_way.refused
    del stack.cloud.things[made[0]]

    assert_completed(stack, run)
