"""The functions as the platform will run them."""

import re

from tests.infra.recording import Graph, dev_graph, extreme_graph, prod_graph, registered
from tests.infra.stacks import dev, sources


def differing(one: Graph, other: Graph) -> set[str]:
    """Names of the resources whose inputs are not the same in two graphs."""
    urns = set(one.resources) | set(other.resources)
    found = {urn for urn in urns if one.resources.get(urn) is None or other.resources.get(urn) is None}
    found |= {urn for urn in urns - found if one.resources[urn].inputs != other.resources[urn].inputs}
    return {urn.split("::")[-1] for urn in found}


def test_a_source_object_is_named_by_its_digest() -> None:
    names = {one.name: one.inputs["name"] for one in dev_graph().of(":BucketObject")}

    assert names == {"webhook-source": f"webhook/{'a' * 64}.zip", "processor-source": f"processor/{'b' * 64}.zip"}
    for function in dev_graph().of(":Function"):
        stored = function.inside("buildConfig", "source", "storageSource", "object")
        assert stored == names[f"{function.name}-source"]


def test_another_source_changes_its_object_and_function_and_nothing_else() -> None:
    changed = registered(dev(), sources(processor="c" * 64))

    assert differing(dev_graph(), changed) == {"processor", "processor-source"}
    assert {one.urn: one.dependencies for one in changed} == {one.urn: one.dependencies for one in dev_graph()}


def test_a_function_is_built_as_its_own_identity_with_a_named_installer() -> None:
    for function in prod_graph().of(":Function"):
        assert str(function.inside("buildConfig", "serviceAccount")).endswith(
            "dm-build@club-dms-test.iam.gserviceaccount.com"
        )
        assert function.inside("buildConfig", "environmentVariables") == {"GOOGLE_PYTHON_PACKAGE_MANAGER": "pip"}
        assert function.inside("buildConfig", "dockerRepository") is not None
        assert function.inside("buildConfig", "entryPoint") == function.name


def test_each_function_runs_as_its_own_identity() -> None:
    emails = {one.name: one.inside("serviceConfig", "serviceAccountEmail") for one in prod_graph().of(":Function")}

    assert emails == {name: f"dm-{name}@club-dms-test.iam.gserviceaccount.com" for name in ("webhook", "processor")}


def test_an_image_of_many_requests_has_a_whole_cpu() -> None:
    for function in prod_graph().of(":Function"):
        concurrency = function.inside("serviceConfig", "maxInstanceRequestConcurrency")

        assert isinstance(concurrency, float) and concurrency > 1
        assert int(str(function.inside("serviceConfig", "availableCpu"))) >= 1


def test_the_processor_is_told_its_own_address_and_the_webhook_the_same() -> None:
    addresses = {
        str(one.inside("serviceConfig", "environmentVariables", "PROCESS_MESSAGE_URL"))
        for one in prod_graph().of(":Function")
    }

    assert addresses == {"https://dm-processor-123456789012.europe-west2.run.app"}
    assert prod_graph().outputs["processorUrl"] == addresses.pop()


def test_the_address_has_a_host_label_that_dns_allows() -> None:
    label = str(extreme_graph().outputs["processorUrl"]).removeprefix("https://").split(".")[0]

    assert len(label) > 40 and len(label) <= 63


def test_preview_knows_the_same_graph_before_anything_exists() -> None:
    preview = registered(dev(), preview=True)

    assert set(preview.resources) == set(dev_graph().resources)


def test_labels_say_whose_it_is() -> None:
    labelled = [one for one in prod_graph() if one.type.endswith((":Function", ":Secret", ":Bucket", ":Repository"))]

    assert len(labelled) >= 10
    for one in labelled:
        assert one.inputs["labels"] == {
            "app": "dm-agent",
            "managed-by": "pulumi",
            "stack": "prod",
            "team": "bookings",
        }


def test_no_name_is_made_from_an_account() -> None:
    """Another account must not need another queue or database."""
    accounts = ("17841400000000001", "17841400000000002")
    named = [
        one.name
        for one in prod_graph()
        for key, value in one.inputs.items()
        if re.search("name|Id$", key) and any(account in str(value) for account in accounts)
    ]

    assert named == []


def test_before_the_first_secret_only_services_and_containers_are_made() -> None:
    graph = registered(dev(secretsOnly="true", secretVersions="{}"))

    kinds = {one.type for one in graph if one.type.startswith("gcp:")}
    assert kinds == {"gcp:projects/service:Service", "gcp:secretmanager/secret:Secret"}
    assert "make secrets" in str(graph.outputs["next"])
