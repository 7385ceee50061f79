"""The stand-in itself: it must refuse what the real provider and Google would, or the other tests prove nothing."""

import json

import pytest

from tests.infra.engine.driver import Engine, Stack
from tests.infra.engine.provider import checks
from tests.infra.engine.provider.cloud import Cloud, Refused
from tests.infra.engine.provider.kinds import KINDS, PROJECT
from tests.infra.engine.provider.outputs import PROJECT_NUMBER
from tests.infra.engine.provider.rights import allowed
from tests.infra.engine.provider.sdk_shape import shape_of
from tests.infra.engine.provider.wire import UNKNOWN, Properties, Value
from tests.infra.engine.races import forgetful, patient

DATABASE = "gcp:firestore/database:Database"
QUEUE = "gcp:cloudtasks/queue:Queue"
FUNCTION = "gcp:cloudfunctionsv2/function:Function"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
SERVICE = "gcp:projects/service:Service"
PROJECT_RIGHT = "gcp:projects/iAMMember:IAMMember"
GOOD_DATABASE: Properties = {"name": "dm-agent", "locationId": "eur3", "type": "FIRESTORE_NATIVE"}


def cloud_with(*apis: str) -> Cloud:
    cloud = Cloud()
    for api in apis:
        cloud.create(SERVICE, {"service": f"{api}.googleapis.com"})
    return cloud


@pytest.mark.parametrize("token", KINDS)
def test_every_type_that_it_knows_is_one_of_the_sdk(token: str):
    kind, shape = KINDS[token], shape_of(token)

    assert set(kind.immutable) - {"*"} <= set(shape.types)
    assert set(kind.names) <= set(shape.types)


def test_a_good_resource_has_no_failures():
    assert checks.failures(DATABASE, GOOD_DATABASE) == []


@pytest.mark.parametrize(
    ("token", "inputs", "said"),
    [
        (DATABASE, {"name": "dm-agent", "type": "FIRESTORE_NATIVE"}, "'locationId' is missing"),
        (DATABASE, GOOD_DATABASE | {"type": "FIRESTORE"}, "Google allows DATASTORE_MODE, FIRESTORE_NATIVE"),
        (DATABASE, GOOD_DATABASE | {"deletionPolicy": "KEEP"}, "ABANDON, DELETE, PREVENT"),
        (DATABASE, GOOD_DATABASE | {"name": "X"}, "doesn't match"),
        (QUEUE, {"location": "europe-west2", "rateLimits": {"maxDispatchesPerSec": 1}}, "not a property"),
        (QUEUE, {"location": "europe-west2", "rateLimits": {"maxDispatchesPerSecond": "x"}}, "wanted float"),
        (QUEUE, {"location": "europe-west2", "retryConfig": {"minBackoff": "5"}}, "seconds such as 10s"),
        (QUEUE, {"location": "europe-west2", "desiredState": "STOPPED"}, "PAUSED"),
        (
            FUNCTION,
            {"location": "europe-west2", "serviceConfig": {"ingressSettings": "ALLOW_INTERNAL"}},
            "ALLOW_INTERNAL_ONLY",
        ),
        (
            FUNCTION,
            {
                "location": "europe-west2",
                "serviceConfig": {"secretEnvironmentVariables": [{"key": "A", "secret": "s"}]},
            },
            "'projectId' is missing",
        ),
        (DASHBOARD, {"dashboardJson": json.dumps({"displayName": "x", "mosaicLayuot": {}})}, "not in the API"),
        (DASHBOARD, {"dashboardJson": "{"}, "no JSON"),
        ("gcp:pubsub/topic:Topic", {}, "doesn't know"),
    ],
)
def test_what_google_or_the_sdk_would_refuse_is_refused_before_anything_is_done(
    token: str, inputs: Properties, said: str
):
    assert any(said in reason for _, reason in checks.failures(token, inputs)), checks.failures(token, inputs)


def test_what_is_not_known_yet_is_not_judged():
    assert checks.failures(DATABASE, GOOD_DATABASE | {"type": UNKNOWN, "name": UNKNOWN}) == []


def test_nothing_is_created_where_its_service_is_off():
    with pytest.raises(Refused, match="disabled"):
        Cloud().create(DATABASE, GOOD_DATABASE)


BUILD = f"serviceAccount:build@{PROJECT}.iam.gserviceaccount.com"
COPIES = f"projects/_/buckets/gcf-v2-sources-{PROJECT_NUMBER}-europe-west2"
SOURCE = ("storage.objects.get", (PROJECT, COPIES.replace("projects/_/buckets/", "b/")), f"{COPIES}/objects/f/s.zip")


def granted(token: str, **inputs: Value) -> Cloud:
    """A cloud in which the build's identity has one right."""
    cloud = cloud_with("cloudresourcemanager", "iam")
    cloud.create("gcp:serviceaccount/account:Account", {"accountId": "build"})
    cloud.create("gcp:storage/bucket:Bucket", {"name": "our-sources", "location": "EU"})
    cloud.create(token, {"role": "roles/storage.objectViewer", "member": BUILD, **inputs})
    return cloud


def test_a_build_reads_the_platforms_copy_by_a_right_on_the_project():
    assert allowed(granted(PROJECT_RIGHT), BUILD, *SOURCE)


def test_a_right_on_the_bucket_that_was_uploaded_to_is_not_enough_for_a_build():
    assert not allowed(granted("gcp:storage/bucketIAMMember:BucketIAMMember", bucket="our-sources"), BUILD, *SOURCE)


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        (f'resource.name == "{COPIES}" || resource.name.startsWith("{COPIES}/")', True),
        (f'resource.name.startsWith("{COPIES}/") && resource.name.endswith(".zip")', None),
        (f'resource.name.startsWith("{COPIES}/") && resource.name.endsWith(".zip")', True),
        (f'resource.name == "{COPIES}"', False),
        (f'resource.name.startsWith("{COPIES}0/")', False),
    ],
)
def test_a_condition_decides_by_the_objects_name(expression: str, reads: bool | None):
    cloud = granted(PROJECT_RIGHT, condition={"title": "t", "expression": expression})

    if reads is None:
        with pytest.raises(ValueError, match="IAM would refuse"):
            allowed(cloud, BUILD, *SOURCE)
    else:
        assert allowed(cloud, BUILD, *SOURCE) is reads


def test_a_right_has_no_effect_before_it_has_spread():
    cloud = granted(PROJECT_RIGHT)
    cloud.spread_seconds = 60

    assert not allowed(cloud, BUILD, *SOURCE)


def test_changes_of_one_databases_configuration_that_meet_are_refused():
    cloud = cloud_with("firestore")
    cloud.create(DATABASE, GOOD_DATABASE)
    cloud.busy.add("projects/demo-project/databases/dm-agent")

    with pytest.raises(Refused, match="409: Aborted due to cross-transaction contention"):
        cloud.create("gcp:firestore/field:Field", {"database": "dm-agent", "collection": "runs", "field": "turns"})


def test_what_exists_is_not_created_again():
    cloud = cloud_with("firestore")
    cloud.create(DATABASE, GOOD_DATABASE)

    with pytest.raises(Refused, match="409"):
        cloud.create(DATABASE, GOOD_DATABASE)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"deletionPolicy": "PREVENT"}, "deletion_policy"),
        ({"deletionPolicy": "DELETE", "deleteProtectionState": "DELETE_PROTECTION_ENABLED"}, "protection is enabled"),
    ],
)
def test_a_protected_database_is_not_deleted(held: Properties, said: str):
    cloud = cloud_with("firestore")
    id_, outputs = cloud.create(DATABASE, GOOD_DATABASE | held)

    with pytest.raises(Refused, match=said):
        cloud.delete(DATABASE, id_, outputs)
    assert id_ in cloud.things


def test_an_abandoned_database_stays_and_blocks_its_name():
    cloud = cloud_with("firestore")
    id_, outputs = cloud.create(DATABASE, GOOD_DATABASE | {"deletionPolicy": "ABANDON"})

    cloud.delete(DATABASE, id_, outputs)

    with pytest.raises(Refused, match="409"):
        cloud.create(DATABASE, GOOD_DATABASE)


def test_a_full_bucket_is_not_deleted():
    cloud = Cloud()
    id_, outputs = cloud.create("gcp:storage/bucket:Bucket", {"name": "some-bucket", "location": "EU"})
    cloud.create("gcp:storage/bucketObject:BucketObject", {"bucket": id_, "name": "a.zip", "content": "x"})

    with pytest.raises(Refused, match="containing objects"):
        cloud.delete("gcp:storage/bucket:Bucket", id_, outputs)


def test_before_a_create_only_the_computed_is_unknown():
    known = Cloud().preview(
        QUEUE, {"location": "europe-west2", "name": "q", "rateLimits": {"maxDispatchesPerSecond": 9}}
    )

    assert known["name"] == "q"
    assert known["rateLimits"] == {"maxDispatchesPerSecond": 9, "maxBurstSize": UNKNOWN}


def test_a_resource_that_does_not_wait_for_its_service_is_refused_each_time(engine: Engine):
    """The race that a cloud loses once in a hundred is lost always here."""

    stack = Stack.new(engine, "edges", Cloud())

    refused, accepted = stack.up(forgetful), stack.up(patient)

    assert refused.refused is not None and "disabled" in refused.refused
    assert accepted.refused is None, accepted.refused
    # Whether the service was made beside the refused queue is the engine's own race.
    assert accepted.changes["Queue queue"] == "create"
