"""The resource types that the stand-in knows: what replaces them, which API describes them, what Google computes.

A new type in `infra/components` needs a line here. Sources: the docstrings of pulumi-gcp 10.2 (ids, computed outputs,
what forces a replacement) and Google's discovery documents.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .outputs import (
    account,
    bucket,
    bucket_object,
    database,
    function,
    job,
    metric,
    named,
    nothing,
    queue,
    repository,
    run_service,
    secret,
    service,
)
from .wire import Properties

PROJECT = "demo-project"
"""What the default provider of the stand-in is configured with when a stack says nothing."""

PLACE = ("name", "location", "project")
ALL = ("*",)


@dataclass(frozen=True)
class Kind:
    """One resource type."""

    id: str
    """A template over the inputs; `{random}` is chosen by Google at the create."""
    immutable: tuple[str, ...]
    """Inputs whose change means another resource; `*` is each."""
    api: str = ""
    """The service that has to be enabled first; empty if each project has it."""
    described: tuple[str, str] | None = None
    """Discovery document and schema."""
    enums: dict[str, tuple[str, str, str]] = field(default_factory=dict[str, tuple[str, str, str]])
    """Enums that the API keeps elsewhere: path of the input → document, schema, field."""
    names: dict[str, str] = field(default_factory=dict[str, str])
    """Input → the pattern its value has to match, from the API's documentation."""
    outputs: Callable[[Properties, str], Properties] = nothing
    """What Google adds, from the inputs and the id."""
    idempotent: bool = False
    """Creating what exists is no error (a right that's there already, a service that's on)."""
    late: bool = False
    """Takes effect late: others that forgot to wait for it are refused."""
    named: bool = True
    """Whether the provider makes up a name when there is none."""


_INDEX = ("firestore.v1", "GoogleFirestoreAdminV1IndexField")
_BUCKET_NAME = r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"
_MEMBER = r"(allUsers|allAuthenticatedUsers|(serviceAccount|user|group|domain):\S+|principal(Set)?://\S+)"
_RIGHT = {"role": r"(projects/[^/]+/|organizations/[^/]+/)?roles/[A-Za-z0-9_.]+", "member": _MEMBER}
_DATABASE = "projects/{project}/databases/{database}"


def _right(target: str, api: str) -> Kind:
    """One with a condition is another right than the same without, or with another."""
    return Kind(
        f"{target}/{{role}}/{{member}}{{when}}", ALL, api, names=_RIGHT, idempotent=True, late=True, named=False
    )


KINDS: dict[str, Kind] = {
    "gcp:projects/service:Service": Kind(
        "{project}/{service}",
        ("service", "project"),
        names={"service": r"[a-z0-9-]+\.googleapis\.com"},
        outputs=service,
        idempotent=True,
        late=True,
    ),
    "gcp:projects/iAMMember:IAMMember": _right("{project}", "cloudresourcemanager.googleapis.com"),
    "gcp:projects/iAMCustomRole:IAMCustomRole": Kind(
        "projects/{project}/roles/{roleId}", ("roleId", "project"), "iam.googleapis.com", ("iam.v1", "Role")
    ),
    "gcp:firestore/database:Database": Kind(
        "projects/{project}/databases/{name}",
        ("name", "locationId", "project", "databaseEdition", "cmekConfig"),
        "firestore.googleapis.com",
        ("firestore.v1", "GoogleFirestoreAdminV1Database"),
        names={"name": r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]"},
        outputs=database,
    ),
    "gcp:firestore/index:Index": Kind(
        _DATABASE + "/collectionGroups/{collection}/indexes/{random}",
        ALL,
        "firestore.googleapis.com",
        ("firestore.v1", "GoogleFirestoreAdminV1Index"),
        outputs=named,
    ),
    "gcp:firestore/field:Field": Kind(
        _DATABASE + "/collectionGroups/{collection}/fields/{field}",
        ("database", "collection", "field", "project"),
        "firestore.googleapis.com",
        enums={
            "indexConfig.indexes.order": (*_INDEX, "order"),
            "indexConfig.indexes.arrayConfig": (*_INDEX, "arrayConfig"),
            "indexConfig.indexes.queryScope": ("firestore.v1", "GoogleFirestoreAdminV1Index", "queryScope"),
        },
        outputs=named,
        idempotent=True,
    ),
    "gcp:firestore/backupSchedule:BackupSchedule": Kind(
        _DATABASE + "/backupSchedules/{random}",
        ("database", "project", "dailyRecurrence", "weeklyRecurrence"),
        "firestore.googleapis.com",
        ("firestore.v1", "GoogleFirestoreAdminV1BackupSchedule"),
        outputs=named,
    ),
    "gcp:cloudtasks/queue:Queue": Kind(
        "projects/{project}/locations/{location}/queues/{name}",
        PLACE,
        "cloudtasks.googleapis.com",
        ("cloudtasks.v2", "Queue"),
        enums={"desiredState": ("cloudtasks.v2", "Queue", "state")},
        names={"name": r"[A-Za-z0-9-]{1,100}"},
        outputs=queue,
    ),
    "gcp:cloudtasks/queueIamMember:QueueIamMember": _right(
        "projects/{project}/locations/{location}/queues/{name}", "cloudtasks.googleapis.com"
    ),
    "gcp:secretmanager/secret:Secret": Kind(
        "projects/{project}/secrets/{secretId}",
        ("secretId", "replication", "project"),
        "secretmanager.googleapis.com",
        ("secretmanager.v1", "Secret"),
        names={"secretId": r"[A-Za-z0-9_-]{1,255}"},
        outputs=secret,
    ),
    "gcp:secretmanager/secretIamMember:SecretIamMember": _right("{secretId}", "secretmanager.googleapis.com"),
    "gcp:serviceaccount/account:Account": Kind(
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
        ("accountId", "project"),
        "iam.googleapis.com",
        ("iam.v1", "ServiceAccount"),
        names={"accountId": r"[a-z]([-a-z0-9]{4,28}[a-z0-9])"},
        outputs=account,
    ),
    "gcp:serviceaccount/iAMMember:IAMMember": _right("{serviceAccountId}", "iam.googleapis.com"),
    "gcp:cloudfunctionsv2/function:Function": Kind(
        "projects/{project}/locations/{location}/functions/{name}",
        PLACE,
        "cloudfunctions.googleapis.com",
        ("cloudfunctions.v2", "Function"),
        names={"name": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"},
        outputs=function,
    ),
    "gcp:cloudrunv2/service:Service": Kind(
        "projects/{project}/locations/{location}/services/{name}",
        PLACE,
        "run.googleapis.com",
        ("run.v2", "GoogleCloudRunV2Service"),
        outputs=run_service,
    ),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": _right(
        "projects/{project}/locations/{location}/services/{name}", "run.googleapis.com"
    ),
    "gcp:storage/bucket:Bucket": Kind(
        "{name}",
        ("name", "location", "project"),
        names={"name": _BUCKET_NAME, "publicAccessPrevention": "enforced|inherited"},
        outputs=bucket,
    ),
    "gcp:storage/bucketObject:BucketObject": Kind(
        "{bucket}-{name}", ("name", "bucket", "source", "content"), outputs=bucket_object
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _right("b/{bucket}", ""),
    "gcp:artifactregistry/repository:Repository": Kind(
        "projects/{project}/locations/{location}/repositories/{repositoryId}",
        ("repositoryId", "location", "project", "format", "mode"),
        "artifactregistry.googleapis.com",
        ("artifactregistry.v1", "Repository"),
        names={"repositoryId": r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"},
        outputs=repository,
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": _right(
        "projects/{project}/locations/{location}/repositories/{repository}", "artifactregistry.googleapis.com"
    ),
    "gcp:cloudscheduler/job:Job": Kind(
        "projects/{project}/locations/{region}/jobs/{name}",
        ("name", "region", "project"),
        "cloudscheduler.googleapis.com",
        ("cloudscheduler.v1", "Job"),
        names={"name": r"[A-Za-z0-9_-]{1,500}", "schedule": r"\S+( \S+){4}|every .+"},
        outputs=job,
    ),
    "gcp:logging/metric:Metric": Kind(
        "{name}",
        ("name", "bucketName", "project"),
        "logging.googleapis.com",
        ("logging.v2", "LogMetric"),
        outputs=metric,
    ),
    "gcp:monitoring/alertPolicy:AlertPolicy": Kind(
        "projects/{project}/alertPolicies/{random}",
        ("project",),
        "monitoring.googleapis.com",
        ("monitoring.v3", "AlertPolicy"),
        outputs=named,
    ),
    "gcp:monitoring/dashboard:Dashboard": Kind(
        "projects/{project}/dashboards/{random}", ("project",), "monitoring.googleapis.com"
    ),
    "gcp:monitoring/notificationChannel:NotificationChannel": Kind(
        "projects/{project}/notificationChannels/{random}",
        ("project",),
        "monitoring.googleapis.com",
        ("monitoring.v3", "NotificationChannel"),
        outputs=named,
    ),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": Kind(
        "projects/{project}/uptimeCheckConfigs/{random}",
        ("project", "monitoredResource"),
        "monitoring.googleapis.com",
        ("monitoring.v3", "UptimeCheckConfig"),
        outputs=named,
    ),
    "gcp:billing/budget:Budget": Kind(
        "billingAccounts/{billingAccount}/budgets/{random}",
        ("billingAccount",),
        "billingbudgets.googleapis.com",
        ("billingbudgets.v1", "GoogleCloudBillingBudgetsV1Budget"),
        outputs=named,
    ),
}
