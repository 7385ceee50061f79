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
    return {id_ for id_ in stack.cloud.things if member in id_}


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


@pytest.mark.parametrize(
    "changes",
    [
        {"webhookName": "dm-another"},
        {"processorName": "dm-another"},
        {"databaseName": "another"},
        {"queueName": "other"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_named_anew_has_every_right_again(deployed: Stack, sources: Sources, changes: dict[str, str]):
    program_of = changed(sources, **changes)

    done = deployed.up(program_of)

    assert done.refused is None, done.refused
    assert {str(each["id"]) for each in deployed.resources if each.get("id")} == set(deployed.cloud.things)
    assert deployed.up(program_of).changes == {}


GET_FUNCTION = "gcp:cloudfunctionsv2/getFunction:getFunction"
GET_SERVICE = "gcp:cloudrunv2/getService:getService"
DENIED = "googleapi: Error 403: Permission 'run.services.get' denied on resource 'projects/314041592653', forbidden"
BUSY = "googleapi: Error 503: The service is currently unavailable., backendError"
OFF = "googleapi: Error 403: Cloud Functions API has not been used in project 1 before or it is disabled., forbidden"


@pytest.mark.parametrize("answer", [DENIED, BUSY])
def test_what_runs_is_not_taken_down_because_it_can_not_be_seen(deployed: Stack, sources: Sources, answer: str):
    before = set(deployed.cloud.things)
    deployed.cloud.look_up_fails[GET_FUNCTION] = answer

    refused = deployed.up(changed(sources, secretsOnly="true")).refused

    assert refused is not None and "can't be seen whether anything runs" in refused
    assert "Error" in refused and set(deployed.cloud.things) == before


def test_in_a_new_project_whose_services_are_off_nothing_runs(stack: Stack, sources: Sources):
    stack.cloud.look_up_fails[GET_FUNCTION] = OFF

    assert stack.up(changed(sources, secretsOnly="true")).refused is None
    assert stack.cloud.ids("gcp:secretmanager/secret:Secret")


@pytest.mark.parametrize("answer", [DENIED, BUSY])
def test_a_function_whose_service_can_not_be_seen_is_not_made_anew(deployed: Stack, run: Program, answer: str):
    """That would take it down; a project's number may have a 404 in it."""
    deployed.cloud.look_up_fails[GET_SERVICE] = answer

    done = deployed.up(run)

    assert (done.refused, done.changes) == (None, {})


def test_a_secret_that_is_pinned_and_not_needed_now_keeps_its_values(stack: Stack, sources: Sources):
    """A container is deleted with every version in it: after a month on Vertex AI the key would be gone."""
    stack.cloud.values_follow = False
    assert stack.up(changed(sources, secretsOnly="true")).refused is None
    secrets = stack.cloud.ids("gcp:secretmanager/secret:Secret")
    stack.cloud.versions = {(id_, version) for id_ in secrets for version in ("1", "2")}
    assert stack.up(changed(sources)).refused is None

    on_vertex = stack.up(changed(sources, model="vertex"))

    assert on_vertex.refused is None, on_vertex.refused
    assert stack.cloud.ids("gcp:secretmanager/secret:Secret") == secrets
    assert on_vertex.by_type("delete") == {"gcp:secretmanager/secretIamMember:SecretIamMember": 1}


def test_another_prefix_costs_a_protected_stack_no_secret(deployed: Stack, sources: Sources):
    """Everything is named by it. The database keeps its name here, as after `make switch`, so it would not object."""
    kept = {"protectData": "true", "databaseName": "dm-agent"}
    assert deployed.up(changed(sources, **kept)).refused is None
    secrets = deployed.cloud.ids("gcp:secretmanager/secret:Secret")

    refused = deployed.preview(changed(sources, prefix="club", **kept)).refused  # which `up` begins with

    assert refused is not None and "protected" in refused
    assert all(secret.rpartition("/")[2] in refused for secret in secrets)
    assert deployed.up(changed(sources)).refused is None  # unprotected again, as for a teardown
    assert deployed.destroy().refused is None
