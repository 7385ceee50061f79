"""What the real engine does to a dev and a prod deployment at each step of their lives."""

import json
from typing import cast

import pytest

from tests.infra.engine.deployments import PROJECT
from tests.infra.engine.driver import State
from tests.infra.engine.lifecycle import Lifecycle

pytestmark = pytest.mark.timeout(600)  # a dozen operations before the first test; each has its own deadline

OBJECT = "gcp:storage/bucketObject:BucketObject"
FUNCTION = "gcp:cloudfunctionsv2/function:Function"
SECRET = "gcp:secretmanager/secret:Secret"
WEBHOOK = {"Function webhook", "BucketObject webhook-source"}
PROCESSOR = {"Function processor", "BucketObject processor-source"}


@pytest.fixture(params=["dev", "prod"])
def each(request: pytest.FixtureRequest) -> Lifecycle:
    """Both deployments, one after the other."""
    return cast("Lifecycle", request.getfixturevalue(str(request.param)))


def resources(life: Lifecycle, token: str) -> list[State]:
    return [each for each in cast("list[State]", life.state["resources"]) if each["type"] == token]


def test_secret_containers_can_be_made_before_anything_needs_a_value(dev: Lifecycle):
    done = dev.done["containers"]

    assert done.refused is None, done.refused
    assert set(done.by_type("create")) == {SECRET, "gcp:projects/service:Service"}


def test_a_preview_of_everything_succeeds_and_says_what_up_then_does(each: Lifecycle):
    preview, up = each.done["preview"], each.done["up"]

    assert preview.refused is None, preview.refused
    assert up.refused is None, up.refused
    assert preview.changes == up.changes
    assert up.by_type("create")[FUNCTION] == 2


def test_nothing_waits_for_a_second_up(each: Lifecycle):
    assert not each.state.get("pending_operations")


def test_a_tree_with_new_dates_and_modes_changes_nothing(dev: Lifecycle):
    assert dev.done["touched"].refused is None, dev.done["touched"].refused
    assert dev.done["touched"].changes == {}


def test_an_unchanged_prod_changes_nothing(prod: Lifecycle):
    assert prod.done["again"].refused is None
    assert prod.done["again"].changes == {}


def test_a_changed_core_replaces_both_objects_and_updates_both_functions(dev: Lifecycle):
    done = dev.done["core"]

    assert done.refused is None, done.refused
    assert set(done.changes) == WEBHOOK | PROCESSOR
    assert done.by_type("update") == {FUNCTION: 2}
    assert done.by_type("replace") == {OBJECT: 2}


def test_a_function_is_updated_between_the_new_object_and_the_end_of_the_old(dev: Lifecycle):
    order = [(step.op, step.label) for step in dev.done["core"].steps]

    for name in ("webhook", "processor"):
        created, updated, deleted = (
            order.index(step)
            for step in (
                ("create-replacement", f"BucketObject {name}-source"),
                ("update", f"Function {name}"),
                ("delete-replaced", f"BucketObject {name}-source"),
            )
        )
        assert created < updated < deleted


def test_a_changed_prompt_touches_the_processor_alone(dev: Lifecycle):
    assert set(dev.done["prompt"].changes) == PROCESSOR


def test_a_new_version_of_a_secret_updates_exactly_the_functions_that_read_it(dev: Lifecycle):
    assert dev.done["processor's secret"].changes == {"Function processor": "update"}
    assert set(dev.done["both functions' secret"].changes) == readers(dev, "INSTAGRAM_APP_SECRET")


def readers(life: Lifecycle, variable: str) -> set[str]:
    """The functions in the state that have `variable` as a secret."""
    return {
        f"Function {str(each['urn']).rpartition('::')[2]}"
        for each in resources(life, FUNCTION)
        if f'"key": "{variable}"' in json.dumps(each["inputs"])
    }


def test_a_refresh_finds_what_was_deployed(dev: Lifecycle):
    assert dev.done["refresh"].refused is None
    assert dev.done["refresh"].changes == {}


@pytest.mark.parametrize("step", ["renamed", "relocated", "refused destroy"])
def test_a_protected_database_is_neither_renamed_nor_moved_nor_destroyed(prod: Lifecycle, step: str):
    refused = prod.done[step].refused

    assert refused is not None
    assert "protect" in refused


def test_no_refused_step_cost_the_protected_database(prod: Lifecycle):
    assert f"projects/{PROJECT}/databases/club-agent" in prod.left


def test_an_unprotected_deployment_is_destroyed_whole(dev: Lifecycle):
    done = dev.done["destroy"]

    assert done.refused is None, done.refused
    assert [id_ for id_ in dev.left if not id_.endswith(".googleapis.com")] == []


def test_everything_is_deleted_before_what_it_needs(dev: Lifecycle):
    at = {id_: place for place, id_ in enumerate(dev.deleted)}
    wrong = [
        (id_, needed)
        for id_, needs in dev.dependencies.items()
        for needed in needs
        if id_ in at and needed in at and at[id_] > at[needed]
    ]

    assert len(at) > 20
    assert wrong == []


def test_the_services_stay_on_after_a_destroy(dev: Lifecycle):
    assert f"{PROJECT}/firestore.googleapis.com" in dev.left


def test_every_pinned_version_is_a_number_and_every_secret_a_reference(each: Lifecycle):
    for function in resources(each, FUNCTION):
        service = cast("State", cast("State", function["inputs"])["serviceConfig"])
        references = cast("list[State]", service["secretEnvironmentVariables"])

        assert references
        assert all(str(reference["version"]).isdigit() for reference in references)
        assert not {str(each["key"]) for each in references} & set(cast("State", service["environmentVariables"]))


def test_no_secret_has_a_value_in_the_state(each: Lifecycle):
    assert not [one for one in cast("list[State]", each.state["resources"]) if "secretVersion" in str(one["type"])]
    assert '"secretData"' not in each.written


def test_no_planted_secret_reaches_plan_state_history_output_or_cloud(each: Lifecycle):
    for place in (each.written, each.printed, each.told):
        assert "club-dms-test" in place or "dm-agent" in place  # else this test looks at nothing
        assert [secret for secret in each.planted if secret in place] == []
    assert '"resourcePlans"' in each.written


def test_the_outputs_are_what_the_next_steps_need(each: Lifecycle):
    assert str(each.outputs["webhookUrl"]).startswith("https://")
    assert {"webhook", "processor", "queue", "database", "dashboardUrl"} <= set(each.outputs)
