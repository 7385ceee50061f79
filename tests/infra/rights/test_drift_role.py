"""The role of the nightly drift job: it sees everything that is declared, and no data."""

import re
from pathlib import Path
from typing import cast

import pytest
import yaml

from tests.infra.recording import prod_graph

ROLE = Path(__file__).resolve().parents[3] / "infra" / "roles" / "drift.yaml"

SEEN_BY = {
    "gcp:artifactregistry/repository:Repository": "artifactregistry.repositories.get",
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": "artifactregistry.repositories.getIamPolicy",
    "gcp:cloudfunctionsv2/function:Function": "cloudfunctions.functions.get",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "run.services.getIamPolicy",
    "gcp:cloudscheduler/job:Job": "cloudscheduler.jobs.get",
    "gcp:cloudtasks/queue:Queue": "cloudtasks.queues.get",
    "gcp:cloudtasks/queueIamMember:QueueIamMember": "cloudtasks.queues.getIamPolicy",
    "gcp:firestore/backupSchedule:BackupSchedule": "datastore.backupSchedules.get",
    "gcp:firestore/database:Database": "datastore.databases.getMetadata",
    "gcp:firestore/field:Field": "datastore.indexes.get",
    "gcp:firestore/index:Index": "datastore.indexes.get",
    "gcp:logging/metric:Metric": "logging.logMetrics.get",
    "gcp:monitoring/alertPolicy:AlertPolicy": "monitoring.alertPolicies.get",
    "gcp:monitoring/dashboard:Dashboard": "monitoring.dashboards.get",
    "gcp:monitoring/notificationChannel:NotificationChannel": "monitoring.notificationChannels.get",
    "gcp:projects/iAMMember:IAMMember": "resourcemanager.projects.getIamPolicy",
    "gcp:projects/service:Service": "serviceusage.services.get",
    "gcp:secretmanager/secret:Secret": "secretmanager.secrets.get",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "secretmanager.secrets.getIamPolicy",
    "gcp:serviceaccount/account:Account": "iam.serviceAccounts.get",
    "gcp:serviceaccount/iAMMember:IAMMember": "iam.serviceAccounts.getIamPolicy",
    "gcp:storage/bucket:Bucket": "storage.buckets.get",
}
"""By Google's pages of each service's roles and permissions (https://cloud.google.com/iam/docs/roles-permissions)."""

ELSEWHERE = {
    "gcp:billing/budget:Budget": "a right on the billing account, not on the project",
    "gcp:storage/bucketObject:BucketObject": "a right on the bucket of the sources alone",
}


def permissions() -> list[str]:
    return cast("list[str]", yaml.safe_load(ROLE.read_text())["includedPermissions"])


def test_it_sees_each_kind_of_resource_that_is_declared() -> None:
    kinds = {one.type for one in prod_graph() if one.type.startswith("gcp:")}

    assert kinds == set(SEEN_BY) | set(ELSEWHERE)
    assert set(SEEN_BY.values()) <= set(permissions())


def test_it_only_looks() -> None:
    assert [one for one in permissions() if not re.search(r"\.(get|list|getIamPolicy|getMetadata)$", one)] == []


@pytest.mark.parametrize(
    "data",
    ["datastore.entities", "secretmanager.versions", "storage.objects", "logging.logEntries", "cloudtasks.tasks"],
)
def test_it_reads_no_data(data: str) -> None:
    assert [one for one in permissions() if one.startswith(f"{data}.")] == []


def test_it_has_nothing_that_it_does_not_need() -> None:
    """A list beside a get, and what the program looks for by itself (a function's service)."""
    needed = {one.rsplit(".", 1)[0] for one in SEEN_BY.values()} | {"run.services"}

    assert {one.rsplit(".", 1)[0] for one in permissions()} == needed
