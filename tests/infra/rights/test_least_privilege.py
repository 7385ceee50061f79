"""Least privilege, over what the program declares: who may do what, and what nobody may."""

import json
from collections.abc import Callable
from typing import cast

import pytest

from tests.infra.recording import Graph, closed_graph, dev_graph, prod_graph
from tests.infra.rights.rights_table import NAMED, Right, compared, page_table, rights_of, table
from variables import ALL_SECRETS

GRAPHS = [dev_graph, prod_graph, closed_graph]
OVER_THE_PROJECT = {"roles/logging.logWriter", "roles/aiplatform.user"}


def of(graph: Graph, identity: str) -> set[tuple[str, str]]:
    return {(right.role, right.where) for right in rights_of(graph) if right.identity == identity}


def test_the_page_has_the_table_of_the_program() -> None:
    assert page_table() == table(compared()), f"docs/rights.md is out of date; its table is now:\n{table(compared())}"


def test_the_webhook_writes_its_database_enqueues_acts_as_the_tasks_and_reads_its_secrets() -> None:
    assert of(prod_graph(), "webhook") == {
        ("roles/datastore.user", "dm-agent (database, by a condition)"),
        ("roles/cloudtasks.enqueuer", "dm-processing (queue)"),
        ("roles/cloudtasks.enqueuer", "dm-alerts (queue)"),
        ("roles/iam.serviceAccountUser", "dm-tasks (identity)"),
        ("roles/secretmanager.secretAccessor", "dm-instagram-app-secret (secret)"),
        ("roles/secretmanager.secretAccessor", "dm-instagram-verify-token (secret)"),
        ("roles/secretmanager.secretAccessor", "dm-whatsapp-app-secret (secret)"),
        ("roles/secretmanager.secretAccessor", "dm-whatsapp-verify-token (secret)"),
    }


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_function_has_access_to_exactly_the_secrets_it_is_given(graph: Callable[[], Graph]) -> None:
    for function in ("webhook", "processor"):
        given = {reference["secret"] for reference in graph().secret_references(function).values()}
        readable = {
            where.removesuffix(" (secret)")
            for role, where in of(graph(), function)
            if role == "roles/secretmanager.secretAccessor"
        }

        assert readable == given and given


def test_only_the_refreshed_token_can_get_versions_and_only_where_it_is_refreshed() -> None:
    adder = "roles/secretmanager.secretVersionAdder"

    for graph, expected in ((dev_graph(), 1), (prod_graph(), 1), (closed_graph(), 0)):
        found = [right for right in rights_of(graph) if right.role == adder]
        assert found == [Right("processor", adder, "dm-instagram-access-token (secret)")] * expected


def test_a_build_reads_the_platforms_bucket_of_this_project_and_region_and_no_other() -> None:
    condition = dev_graph().one(":IAMMember", "build-source").inside("condition", "expression")
    bucket = "projects/_/buckets/gcf-v2-sources-123456789012-europe-west2"

    assert condition == f'resource.name == "{bucket}" || resource.name.startsWith("{bucket}/")'
    assert of(dev_graph(), "build") == {
        ("roles/artifactregistry.writer", "dm-functions (repository)"),
        ("roles/logging.logWriter", "the project"),
        ("roles/storage.objectViewer", "gcf-v2-sources-NUMBER-REGION (the platform's bucket, by a condition)"),
    }


@pytest.mark.parametrize("graph", GRAPHS)
def test_only_the_tasks_and_the_scheduler_call_the_processor(graph: Callable[[], Graph]) -> None:
    callers = {right.identity for right in rights_of(graph()) if right.where == "dm-processor (service)"}

    assert callers == {"tasks", "scheduler"}
    assert of(graph(), "tasks") == of(graph(), "scheduler") == {("roles/run.invoker", "dm-processor (service)")}


def test_a_reader_reads_the_database_and_nothing_else() -> None:
    assert of(prod_graph(), "a reader") == {("roles/datastore.viewer", "dm-agent (database, by a condition)")}
    assert of(dev_graph(), "a reader") == of(dev_graph(), "an operator") == set()


def test_an_operator_writes_the_database_and_makes_tasks_but_reads_no_secret_and_calls_nothing() -> None:
    operators = [one for one in prod_graph() if one.name.startswith("operator-") and one.inputs.get("role")]

    assert {one.text("member") for one in operators} == {"user:sam@club.example", "user:kim@club.example"}
    assert of(prod_graph(), "an operator") == {
        ("roles/datastore.user", "dm-agent (database, by a condition)"),
        ("roles/cloudtasks.enqueuer", "dm-processing (queue)"),
        ("roles/cloudtasks.enqueuer", "dm-alerts (queue)"),
        ("roles/iam.serviceAccountUser", "dm-tasks (identity)"),
    }


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_function_is_among_the_people_and_none_of_the_people_is_among_a_functions_callers(
    graph: Callable[[], Graph],
) -> None:
    people = [one for one in graph() if one.name.startswith(("reader-", "operator-")) and one.inputs.get("role")]

    assert [one.name for one in people if "iam.gserviceaccount.com" in one.text("member")] == []
    assert not {right.where for right in rights_of(graph()) if right.identity in ("a reader", "an operator")} & {
        "dm-processor (service)",
        "dm-webhook (service)",
    }


@pytest.mark.parametrize("graph", GRAPHS)
def test_everybody_may_call_the_webhook_only_and_only_where_it_is_public(graph: Callable[[], Graph]) -> None:
    public = graph is not closed_graph

    assert of(graph(), "everybody") == ({("roles/run.invoker", "dm-webhook (service)")} if public else set())
    assert (of(graph(), NAMED) == set()) is public


@pytest.mark.parametrize("graph", GRAPHS)
def test_nobody_has_a_basic_role_or_an_unconditional_one_over_the_project(graph: Callable[[], Graph]) -> None:
    rights = list(rights_of(graph()))

    assert not [right for right in rights if right.role in ("roles/owner", "roles/editor", "roles/viewer")]
    assert {right.role for right in rights if right.where == "the project"} <= OVER_THE_PROJECT
    assert not [right for right in rights if right.role.endswith((".admin", "Admin"))]


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_right_is_given_by_a_kind_of_resource_that_the_table_does_not_know(graph: Callable[[], Graph]) -> None:
    """A policy or a binding would replace rights that others gave, and would escape the table."""
    granting = {one.type for one in graph() if "iam" in one.type.lower() or "policyData" in one.inputs}

    assert granting and all(type_.endswith(("IamMember", "IAMMember")) for type_ in granting)


@pytest.mark.parametrize("graph", GRAPHS)
def test_there_are_no_keys_and_no_secret_versions(graph: Callable[[], Graph]) -> None:
    kinds = {one.type.rsplit(":", 1)[-1] for one in graph()}

    assert kinds & {"Key", "HmacKey", "SecretVersion", "ApiKey"} == set()


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_secret_is_a_reference_to_a_numbered_version(graph: Callable[[], Graph]) -> None:
    for function in ("webhook", "processor"):
        references = graph().secret_references(function)
        plain = graph().one(":Function", function).inside("serviceConfig", "environmentVariables")

        assert references and all(reference["version"].isdigit() for reference in references.values())
        assert isinstance(plain, dict)
        assert set(ALL_SECRETS).isdisjoint(cast("dict[str, object]", plain))


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_input_of_any_resource_carries_a_secret_value(graph: Callable[[], Graph]) -> None:
    carriers = ("secretData", "secretDataWo", "privateKey", "password", "authToken", "plaintext")

    for one in graph():
        text = json.dumps(one.inputs, default=str)
        assert [word for word in carriers if f'"{word}"' in text] == [], one.name


def test_a_production_deployment_lets_nobody_read_the_sources_from_outside() -> None:
    bucket = prod_graph().one(":Bucket")

    assert bucket.inputs["publicAccessPrevention"] == "enforced"
    assert bucket.inputs["uniformBucketLevelAccess"] is True
