"""What Google took in and then failed to finish is whole after the next plain `up`, and then nothing is left to do."""

from collections.abc import Callable

import pytest

from tests.infra.engine.deployments import DEV, PROJECT, Sources, Values, pinned, program
from tests.infra.engine.driver import Stack
from tests.infra.engine.mended import assert_completed, assert_mended
from tests.infra.engine.program_host import Program
from tests.infra.engine.provider.cloud import service_of

pytestmark = pytest.mark.timeout(300)  # each operation has its own deadline

PLACE = f"projects/{PROJECT}/locations/europe-west2"
WEBHOOK = f"{PLACE}/functions/dm-webhook"
INVOKER = f"{PLACE}/services/dm-webhook/roles/run.invoker/allUsers"


def once(id_: str, reason: str = "Build failed with status: TIMEOUT") -> Callable[[str], str | None]:
    """The operation that finishes `id_` fails the first time."""
    failed: list[str] = []

    def fails(made: str) -> str | None:
        if made != id_ or failed:
            return None
        failed.append(made)
        return reason

    return fails


def test_a_function_whose_first_build_failed_is_made_again_with_the_right_to_call_it(stack: Stack, run: Program):
    stack.cloud.operation_fails = once(WEBHOOK)

    stopped = stack.up(run)
    assert stopped.refused is not None and "Build failed" in stopped.refused
    assert WEBHOOK in stack.cloud.things and INVOKER not in stack.cloud.things
    planned = stack.preview(run)
    assert_completed(stack, run)

    assert planned.changes["Function webhook"] == "create-replacement"
    assert service_of(WEBHOOK) in stack.cloud.services
    assert INVOKER in stack.cloud.things
    assert stack.up(run).changes == {}


def test_a_function_that_fails_twice_is_made_again_twice(stack: Stack, run: Program):
    for _ in range(2):
        stack.cloud.operation_fails = once(WEBHOOK)
        assert stack.up(run).refused is not None

    assert_mended(stack, run)
    assert [what for what, _, id_ in stack.cloud.log if id_ == WEBHOOK] == [
        *("create", "delete") * 2,
        "create",
    ]


def test_a_function_whose_service_was_deleted_by_hand_is_made_again(deployed: Stack, run: Program):
    deployed.cloud.services.discard(service_of(WEBHOOK))

    assert_mended(deployed, run)
    assert service_of(WEBHOOK) in deployed.cloud.services


def test_a_function_whose_update_failed_is_built_again_and_never_taken_down(deployed: Stack, sources: Sources):
    """Its older revision still answers; the pinned version that made the update is the one that is deployed."""
    deployed.cloud.operation_fails = once(WEBHOOK)
    changed = program("dev", pinned(DEV, INSTAGRAM_APP_SECRET="3"), sources)

    assert deployed.up(changed).refused is not None
    assert deployed.cloud.things[WEBHOOK].outputs["state"] == "FAILED"
    before = len(deployed.cloud.log)
    assert_mended(deployed, changed)

    assert [(what, id_) for what, _, id_ in deployed.cloud.log[before:]] == [("update", WEBHOOK)]
    assert deployed.cloud.things[WEBHOOK].outputs["state"] == "ACTIVE"


@pytest.mark.parametrize(
    "id_", [f"{PROJECT}/cloudtasks.googleapis.com", f"{PLACE}/jobs/dm-sweep"], ids=["service", "job"]
)
def test_a_service_or_a_job_that_was_not_finished_is_whole_after_the_next_up(stack: Stack, run: Program, id_: str):
    stack.cloud.operation_fails = once(id_, "Error code 14, message: the service is currently unavailable")

    assert stack.up(run).refused is not None
    assert_mended(stack, run)


def test_a_running_deployment_is_not_reduced_to_its_secrets(deployed: Stack, sources: Sources):
    before = set(deployed.cloud.things)

    refused = deployed.up(deployment(sources, secretsOnly="true")).refused

    assert refused is not None and "dm-agent:secretsOnly would take down what runs" in refused
    assert set(deployed.cloud.things) == before


SPREAD = 2.0
"""What a right or a service needs to take effect here; a minute or so at Google."""


def deployment(sources: Sources, **changes: str) -> Program:
    values: Values = {**DEV, **changes}
    return program("dev", values, sources)


def test_the_first_up_waits_for_rights_and_services_to_spread(stack: Stack, sources: Sources):
    stack.cloud.spread_seconds = SPREAD

    done = stack.up(deployment(sources, settleSeconds="3"))

    assert done.refused is None, done.refused


def test_without_the_wait_the_first_up_would_be_refused(stack: Stack, sources: Sources):
    """That the test above can fail; nothing spreads here before the `up` is over, however slow the machine is."""
    stack.cloud.spread_seconds = 300 * SPREAD

    done = stack.up(deployment(sources, settleSeconds="0"))

    assert done.refused is not None and "it is disabled" in done.refused


def test_an_up_that_grants_nothing_waits_for_nothing(deployed: Stack, sources: Sources):
    changed = deployed.up(deployment(sources, settleSeconds="60", webhookTimeout="61"))

    assert changed.refused is None, changed.refused
    assert changed.changes == {"Function webhook": "update"}
    assert changed.seconds < 60
