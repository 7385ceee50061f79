"""Resources as a correct program declares them, and a way to spoil one property."""

from collections.abc import Mapping
from datetime import date
from typing import Final, cast

from policy.resource import Limits, Resource
from policy.rules import (
    BUCKET,
    BUCKET_OBJECT,
    DATABASE,
    FUNCTION,
    SECRET,
    SERVICE,
)

DIGEST: Final = "ab" * 32
LABELS: Final = {"app": "dm-agent", "managed-by": "pulumi", "stack": "prod"}
LIMITS: Final = Limits(today=date(2026, 11, 22))
INVOKER: Final = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
PROJECT_MEMBER: Final = "gcp:projects/iAMMember:IAMMember"

Values = dict[str, object]


def account(name: str) -> str:
    return f"{name}@club-1.iam.gserviceaccount.com"


GOOD: Final[Mapping[str, Values]] = {
    FUNCTION: {
        "name": "dm-processor",
        "location": "europe-west2",
        "labels": LABELS,
        "buildConfig": {
            "runtime": "python313",
            "serviceAccount": f"projects/club-1/serviceAccounts/{account('dm-build')}",
            "environmentVariables": {"GOOGLE_PYTHON_PACKAGE_MANAGER": "pip"},
            "source": {"storageSource": {"bucket": "b", "object": f"processor/{DIGEST}.zip"}},
        },
        "serviceConfig": {
            "availableCpu": "1",
            "maxInstanceRequestConcurrency": 16.0,
            "serviceAccountEmail": account("dm-processor"),
            "environmentVariables": {
                "FIRESTORE_DATABASE": "dm",
                "INSTAGRAM_TOKEN_SECRET": "projects/club-1/secrets/dm-instagram-access-token",
            },
            "secretEnvironmentVariables": [
                {"key": "GEMINI_API_KEY", "projectId": "club-1", "secret": "dm-gemini-api-key", "version": "3"}
            ],
        },
    },
    SERVICE: {"name": "dm-webhook", "location": "europe-west2", "labels": LABELS, "invokerIamDisabled": True},
    INVOKER: {"name": "dm-webhook", "role": "roles/run.invoker", "member": "allUsers"},
    DATABASE: {
        "locationId": "europe-west2",
        "deletionPolicy": "PREVENT",
        "deleteProtectionState": "DELETE_PROTECTION_ENABLED",
        "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_ENABLED",
    },
    BUCKET: {
        "location": "EUROPE-WEST2",
        "labels": LABELS,
        "uniformBucketLevelAccess": True,
        "publicAccessPrevention": "enforced",
    },
    BUCKET_OBJECT: {"name": f"webhook/{DIGEST}.zip"},
    SECRET: {"secretId": "dm-gemini-api-key", "labels": LABELS},
    PROJECT_MEMBER: {
        "role": "roles/datastore.user",
        "member": f"serviceAccount:{account('dm-webhook')}",
        "condition": {"title": "one database", "expression": 'resource.name == "projects/club-1/databases/dm"'},
    },
}


def resource(kind: str, changes: Mapping[str, object] | None = None, name: str = "it", stack: str = "prod") -> Resource:
    """A correct resource, some properties changed (``{"serviceConfig/availableCpu": "0.5"}``); None takes one out."""
    properties = _copy(GOOD.get(kind, {}))
    for path, value in (changes or {}).items():
        *outer, last = path.split("/")
        inner = properties
        for key in outer:
            inner = cast("Values", inner.setdefault(key, {}))
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    return Resource(kind, name, properties, stack)


def _copy(values: Mapping[str, object]) -> Values:
    return {key: _copy(cast("Values", value)) if isinstance(value, dict) else value for key, value in values.items()}
