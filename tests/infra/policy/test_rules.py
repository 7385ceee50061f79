"""Each rule over one bad resource, and over the good ones it must leave alone."""

from datetime import date

import pytest

from policy.resource import Limits
from policy.rules import (
    BUCKET,
    BUCKET_OBJECT,
    DATABASE,
    FUNCTION,
    RULES,
    SECRET,
    SECRET_VERSION,
    SERVICE,
    violations,
)
from tests.infra.policy.policy_samples import DIGEST, GOOD, INVOKER, LIMITS, PROJECT_MEMBER, resource

KEY = "gcp:serviceaccount/key:Key"
SECRETS = "serviceConfig/secretEnvironmentVariables"
VARIABLES = "serviceConfig/environmentVariables"
REFERENCE = {"key": "GEMINI_API_KEY", "projectId": "club-1", "secret": "s", "version": "latest"}
PROBLEMS: list[tuple[str, str, dict[str, object], str]] = [
    ("public-access", INVOKER, {"name": "dm-processor"}, "allUsers"),
    ("public-access", INVOKER, {"name": "dm-processor", "member": "allAuthenticatedUsers"}, "allAuthenticatedUsers"),
    ("public-access", INVOKER, {"role": "roles/run.developer"}, "roles/run.developer to allUsers"),
    ("public-access", "gcp:storage/bucketIAMMember:BucketIAMMember", {"member": "allUsers"}, "allUsers"),
    ("public-access", "gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding", {"members": ["allUsers"]}, "allUsers"),
    ("public-access", "gcp:cloudfunctionsv2/functionIamMember:FunctionIamMember", {"member": "allUsers"}, "allUsers"),
    ("public-access", SERVICE, {"name": "dm-processor"}, "invoker check off"),
    ("secret-values", SECRET_VERSION, {"secretData": "hush"}, "make secrets"),
    ("secret-values", FUNCTION, {f"{VARIABLES}/INSTAGRAM_ACCESS_TOKEN": "hush"}, "INSTAGRAM_ACCESS_TOKEN"),
    ("secret-values", FUNCTION, {f"{VARIABLES}/SPOND_USERNAME": "someone"}, "SPOND_USERNAME"),
    ("secret-values", FUNCTION, {f"{VARIABLES}/MAP": "AIza" + "x" * 35}, "MAP holds"),
    ("secret-values", FUNCTION, {"buildConfig/environmentVariables/PIP_PASSWORD": "hush"}, "PIP_PASSWORD"),
    (
        "secret-values",
        SERVICE,
        {"template/containers": [{"envs": [{"name": "A_SECRET", "value": "hush"}]}]},
        "A_SECRET",
    ),
    ("pinned-secret-versions", FUNCTION, {SECRETS: [REFERENCE]}, "reads version latest"),
    ("pinned-secret-versions", FUNCTION, {SECRETS: [{"key": "A"}]}, "A lacks projectId, secret, version"),
    ("pinned-secret-versions", FUNCTION, {"serviceConfig/secretVolumes": [{"mountPath": "/s"}]}, "/s follows"),
    ("database-protection", DATABASE, {"deletionPolicy": None}, "abandon"),
    ("database-protection", DATABASE, {"deletionPolicy": "ABANDON"}, "abandon"),
    ("database-protection", DATABASE, {"deletionPolicy": "DELETE"}, "PREVENT"),
    ("database-protection", DATABASE, {"deleteProtectionState": None}, "DELETE_PROTECTION_ENABLED"),
    ("database-protection", DATABASE, {"pointInTimeRecoveryEnablement": None}, "can't be restored"),
    ("regions", FUNCTION, {"location": "europe-west9"}, "europe-west9"),
    ("regions", BUCKET, {"location": "EU"}, "eu"),
    ("regions", DATABASE, {"locationId": None}, "no stated region"),
    ("labels", SECRET, {"labels": {"app": "dm-agent", "managed-by": "pulumi"}}, "lacks the label stack"),
    ("labels", FUNCTION, {"labels": None}, "lacks the labels app, managed-by, stack"),
    ("runtime", FUNCTION, {"buildConfig/runtime": "python310"}, "deprecated since 2026-10-04"),
    ("runtime", FUNCTION, {"buildConfig/runtime": "nodejs22"}, "nodejs22"),
    ("concurrency", FUNCTION, {"serviceConfig/availableCpu": "0.5"}, "16 requests at once on 0.5 CPU"),
    ("concurrency", FUNCTION, {"serviceConfig/availableCpu": None}, "state both"),
    ("concurrency", FUNCTION, {"serviceConfig/maxInstanceRequestConcurrency": None}, "state both"),
    ("content-addressed", BUCKET_OBJECT, {"name": "webhook/1763800000.zip"}, "1763800000.zip"),
    ("content-addressed", BUCKET_OBJECT, {"name": f"webhook/{DIGEST}"}, "sha256 and .zip"),
    ("content-addressed", FUNCTION, {"buildConfig/source/storageSource/object": "latest.zip"}, "go unseen"),
    ("private-bucket", BUCKET, {"uniformBucketLevelAccess": None}, "uniformBucketLevelAccess"),
    ("private-bucket", BUCKET, {"publicAccessPrevention": "inherited"}, "publicAccessPrevention"),
    ("narrow-roles", PROJECT_MEMBER, {"role": "roles/owner"}, "roles/owner"),
    ("narrow-roles", "gcp:projects/iAMBinding:IAMBinding", {"role": "roles/editor"}, "roles/editor"),
    ("narrow-roles", "gcp:storage/bucketIAMMember:BucketIAMMember", {"role": "roles/viewer"}, "roles/viewer"),
    ("narrow-roles", PROJECT_MEMBER, {"role": "roles/iam.serviceAccountUser"}, "on the one resource"),
    ("narrow-roles", PROJECT_MEMBER, {"role": "roles/secretmanager.secretAccessor"}, "on the one resource"),
    ("narrow-roles", PROJECT_MEMBER, {"condition": None}, "condition"),
    ("no-keys", KEY, {}, "makes a key"),
    ("no-keys", "gcp:storage/hmacKey:HmacKey", {}, "makes a key"),
    ("own-identity", FUNCTION, {"serviceConfig/serviceAccountEmail": None}, "runs as"),
    (
        "own-identity",
        FUNCTION,
        {"buildConfig/serviceAccount": "projects/p/serviceAccounts/1-compute@developer.gserviceaccount.com"},
        "is built as",
    ),
]


@pytest.mark.parametrize(("rule", "kind", "changes", "said"), PROBLEMS)
def test_a_bad_resource_breaks_exactly_its_rule(rule: str, kind: str, changes: dict[str, object], said: str) -> None:
    found = violations(resource(kind, changes), LIMITS)

    assert len(found) == 1
    assert found[0].startswith(f"{rule}: it ")
    assert said in found[0]


@pytest.mark.parametrize("kind", GOOD)
def test_a_correct_resource_breaks_no_rule(kind: str) -> None:
    assert violations(resource(kind), LIMITS) == []


def test_each_rule_has_a_resource_that_breaks_it() -> None:
    assert {rule.name for rule in RULES} == {name for name, *_ in PROBLEMS}


def test_a_database_outside_production_may_be_deleted() -> None:
    unprotected: dict[str, object] = {"deletionPolicy": "DELETE", "deleteProtectionState": None}

    assert violations(resource(DATABASE, unprotected, stack="dev"), LIMITS) == []
    assert violations(resource(DATABASE, unprotected, stack="club-prod"), LIMITS)


def test_a_runtime_is_refused_from_the_day_after_its_last() -> None:
    kind, changes = FUNCTION, {"buildConfig/runtime": "python311"}

    assert violations(resource(kind, changes), Limits(date(2027, 10, 24))) == []
    assert violations(resource(kind, changes), Limits(date(2027, 10, 25)))


def test_the_webhook_is_known_by_its_logical_name_while_its_service_is_unknown() -> None:
    unknown: dict[str, object] = {"name": None}

    assert violations(resource(INVOKER, unknown, name="dm-webhook-public"), LIMITS) == []
    assert violations(resource(INVOKER, unknown, name="dm-processor-public"), LIMITS)


def test_a_name_that_only_contains_webhook_as_part_of_a_word_is_not_the_webhook() -> None:
    assert violations(resource(INVOKER, {"name": "dm-webhooks"}), LIMITS)


def test_an_organisation_narrows_the_regions() -> None:
    narrowed = Limits(LIMITS.today, regions=frozenset({"europe-west3"}))

    assert "europe-west2" in violations(resource(DATABASE), narrowed)[0]
