"""What is made before what: the edges that nothing implies and a deployment fails without."""

import pytest

from tests.infra.recording import Graph, Registered, dev_graph, prod_graph, registered
from tests.infra.stacks import dev

BUILD_RIGHTS = ("build-logs", "build-images", "build-source")


def functions(graph: Graph) -> list[Registered]:
    found = graph.of("gcp:cloudfunctionsv2/function:Function")
    assert {one.name for one in found} == {"webhook", "processor"}
    return found


@pytest.fixture(params=[dev_graph, prod_graph], ids=["dev", "prod"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return request.param()


def services(graph: Graph) -> dict[str, str]:
    """The enabled services by URN."""
    enabled = graph.of("gcp:projects/service:Service")
    return {one.urn: one.text("service").removesuffix(".googleapis.com") for one in enabled}


def serving(one: Registered) -> set[str]:
    """The services that a resource of this type is made in, by its type's name."""
    module = one.type.split(":")[1].split("/")[0]
    if one.type.startswith("gcp:projects/iAM"):
        return {"cloudresourcemanager"}
    return {
        "serviceaccount": {"iam"},
        "cloudrunv2": {"run"},
        "cloudfunctionsv2": {"cloudfunctions", "cloudbuild", "run"},
        "billing": {"billingbudgets"},
    }.get(module, {module})


def test_everything_that_google_makes_waits_for_the_service_it_is_made_in(graph: Graph) -> None:
    enabled = services(graph)
    others = [one for one in graph if one.type.startswith("gcp:") and one.urn not in enabled]

    without = [
        (one.name, serving(one))
        for one in others
        if not serving(one) <= {enabled[urn] for urn in graph.needs(one) if urn in enabled}
    ]
    assert len(others) > 80
    assert without == []


def test_nothing_waits_for_a_service_without_need(graph: Graph) -> None:
    """An edge that is not needed makes an `up` slower, and hides the one that is missing."""
    enabled = services(graph)
    needed: set[str] = set()

    for one in (one for one in graph if one.urn not in enabled):
        direct = {enabled[urn] for urn in one.dependencies if urn in enabled}
        needed |= direct
        assert direct <= serving(one) | ({"aiplatform"} if one in functions(graph) else set()), one.name
    assert needed == set(enabled.values())


def test_whatever_is_first_made_in_a_service_waits_for_it_to_spread(graph: Graph) -> None:
    for service in graph.of("gcp:projects/service:Service"):
        assert service.hooks["after_create"] == ("services-made",)
    for type_ in (":Account", ":Database", ":Queue", ":Secret", ":Bucket", ":Repository", ":Metric", ":AlertPolicy"):
        for one in graph.of(type_):
            assert one.hooks["before_create"] == ("services-settled",), one.name


def test_a_function_waits_for_its_rights_to_spread_and_a_schedule_for_the_right_to_call(graph: Graph) -> None:
    for one in functions(graph):
        assert one.hooks["before_create"] == one.hooks["before_update"] == ("rights-settled",)
    for one in graph.of(":Job"):
        assert one.hooks["before_create"] == one.hooks["before_update"] == ("calls-settled",)


def test_every_right_says_when_it_was_granted(graph: Graph) -> None:
    """Apart: the right to call the processor is made just before the webhook, which does not need it."""
    rights = [one for one in graph if "role" in one.inputs]
    calls = [one for one in rights if one.inputs["role"] == "roles/run.invoker"]

    assert len(calls) >= 3 and len(rights) > 15
    for one in rights:
        assert one.hooks["after_create"] == (("calls-made",) if one in calls else ("rights-made",)), one.name


def test_apart_from_firestores_chain_no_more_than_six_are_made_one_after_the_other(graph: Graph) -> None:
    """Services, identities, rights, processor, webhook, who may call it: an `up` is as long as that and no longer."""
    chain = (":Index", ":Field")
    others = [one for one in graph if one.type.startswith("gcp:") and not one.type.endswith(chain)]

    assert max(graph.depth(one, chain) for one in others) <= 6


def test_a_stack_that_waits_for_nothing_has_no_hooks() -> None:
    graph = registered(dev(settleSeconds="0"))

    assert [one.name for one in graph if any(one.hooks.values())] == []


def test_firestores_indexes_and_fields_are_changed_one_after_the_other(graph: Graph) -> None:
    changes = [one for one in graph if one.type in ("gcp:firestore/index:Index", "gcp:firestore/field:Field")]
    at = {one.urn: place for place, one in enumerate(changes)}

    assert len(changes) > 15
    for place, one in enumerate(changes):
        assert max((at[urn] for urn in one.dependencies if urn in at), default=-1) == place - 1
    assert all(one.inputs["skipWait"] is True for one in graph.of("gcp:firestore/field:Field"))


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


def test_a_function_is_deleted_before_it_is_replaced(graph: Graph) -> None:
    """Its name is fixed: a second one beside it would be refused as there already."""
    assert all(function.delete_first for function in functions(graph))


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
