"""What is made before what: the edges that nothing implies and a deployment fails without."""

import pytest
from recording import Graph, Registered, dev_graph, prod_graph

BUILD_RIGHTS = ("build-logs", "build-images", "build-source")


def functions(graph: Graph) -> list[Registered]:
    found = graph.of("gcp:cloudfunctionsv2/function:Function")
    assert {one.name for one in found} == {"webhook", "processor"}
    return found


@pytest.fixture(params=[dev_graph, prod_graph], ids=["dev", "prod"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return request.param()


def test_a_function_waits_for_every_service(graph: Graph) -> None:
    services = {one.urn for one in graph.of("gcp:projects/service:Service")}

    for function in functions(graph):
        assert services <= function.dependencies


def test_everything_that_google_makes_waits_for_every_service(graph: Graph) -> None:
    services = {one.urn for one in graph.of("gcp:projects/service:Service")}
    others = [one for one in graph if one.type.startswith("gcp:") and one.urn not in services]

    assert len(services) >= 13
    assert [one.name for one in others if not services <= one.dependencies] == []


def test_a_function_waits_for_the_rights_of_its_build(graph: Graph) -> None:
    rights = {one.urn for one in graph if one.name in BUILD_RIGHTS}
    assert len(rights) == 3

    for function in functions(graph):
        assert rights <= function.dependencies


def test_a_function_waits_for_its_access_to_each_of_its_secrets(graph: Graph) -> None:
    for function in functions(graph):
        access = {
            one.urn
            for one in graph.of("gcp:secretmanager/secretIamMember:SecretIamMember")
            if one.name.startswith(f"{function.name}-")
        }

        assert access and access <= function.dependencies


@pytest.mark.parametrize("right", ["database", "enqueue", "act-as"])
def test_a_function_waits_for_its_other_rights(graph: Graph, right: str) -> None:
    for function in functions(graph):
        found = {one.urn for one in graph if one.name == f"{function.name}-{right}"}

        assert len(found) == 1 and found <= function.dependencies


def test_a_function_waits_for_the_database_and_its_indexes(graph: Graph) -> None:
    database = {one.urn for one in graph.of(":Database")} | {one.urn for one in graph.of("gcp:firestore/index:Index")}
    assert len(database) >= 2

    for function in functions(graph):
        assert database <= function.dependencies


def test_the_webhook_waits_for_the_processor_and_never_the_other_way(graph: Graph) -> None:
    webhook, processor = graph.one(":Function", "webhook"), graph.one(":Function", "processor")

    assert processor.urn in graph.needs(webhook)
    assert webhook.urn not in graph.needs(processor)


def test_no_resource_needs_itself(graph: Graph) -> None:
    assert [one.name for one in graph if one.urn in graph.needs(one)] == []


def test_schedules_wait_for_the_right_to_call_the_processor(graph: Graph) -> None:
    right = graph.one(":ServiceIamMember", "processor-called-by-scheduler")
    jobs = graph.of("gcp:cloudscheduler/job:Job")

    assert jobs
    assert [job.name for job in jobs if right.urn not in graph.needs(job)] == []


def test_the_right_to_call_is_made_anew_with_its_function(graph: Graph) -> None:
    for right in graph.of("gcp:cloudrunv2/serviceIamMember:ServiceIamMember"):
        function = graph.one(":Function", right.name.split("-")[0])

        assert right.replace_with == {function.urn}


def test_every_resource_has_a_component_above_it(graph: Graph) -> None:
    loose = [one.name for one in graph if one.type.startswith("gcp:") and "dmagent:gcp:" not in one.parent]

    assert loose == []


def test_what_is_replaced_does_not_lose_its_name_to_another() -> None:
    """Mocks make no names up, Pulumi does: each resource that Google names has the name we gave it."""
    named = ("Database", "Queue", "Function", "Bucket", "BucketObject")
    unnamed = [
        one.urn for one in prod_graph() if one.type.endswith(tuple(f":{t}" for t in named)) and "name" not in one.inputs
    ]

    assert unnamed == []
