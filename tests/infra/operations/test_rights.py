"""``make doctor`` asks Google which rights are missing, one call for each kind of resource, before anything is made."""

import re

import pytest

from operations import rights
from operations.stacks import INFRA
from tests.infra.operations.fake_machine import GOOD, ROOT, Machine
from tests.infra.recording import prod_graph

BUDGET = {
    **GOOD,
    "dm-agent:budgetMonthly": "50",
    "dm-agent:billingAccount": "012345-6789AB-CDEF01",
    "gcp:userProjectOverride": "true",
    "gcp:billingProject": "club-dms-test",
}

NEEDS = {
    "gcp:artifactregistry/repository:Repository": "artifactregistry.repositories.create",
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": "artifactregistry.repositories.setIamPolicy",
    "gcp:billing/budget:Budget": "billing.budgets.create",
    "gcp:cloudfunctionsv2/function:Function": "cloudfunctions.functions.create",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "run.services.setIamPolicy",
    "gcp:cloudscheduler/job:Job": "cloudscheduler.jobs.create",
    "gcp:cloudtasks/queue:Queue": "cloudtasks.queues.create",
    "gcp:cloudtasks/queueIamMember:QueueIamMember": "cloudtasks.queues.setIamPolicy",
    "gcp:firestore/backupSchedule:BackupSchedule": "datastore.backupSchedules.create",
    "gcp:firestore/database:Database": "datastore.databases.create",
    "gcp:firestore/field:Field": "datastore.indexes.update",
    "gcp:firestore/index:Index": "datastore.indexes.create",
    "gcp:logging/metric:Metric": "logging.logMetrics.create",
    "gcp:monitoring/alertPolicy:AlertPolicy": "monitoring.alertPolicies.create",
    "gcp:monitoring/dashboard:Dashboard": "monitoring.dashboards.create",
    "gcp:monitoring/notificationChannel:NotificationChannel": "monitoring.notificationChannels.create",
    "gcp:projects/iAMMember:IAMMember": "resourcemanager.projects.setIamPolicy",
    "gcp:projects/service:Service": "serviceusage.services.enable",
    "gcp:secretmanager/secret:Secret": "secretmanager.secrets.create",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "secretmanager.secrets.setIamPolicy",
    "gcp:serviceaccount/account:Account": "iam.serviceAccounts.create",
    "gcp:serviceaccount/iAMMember:IAMMember": "iam.serviceAccounts.setIamPolicy",
    "gcp:storage/bucket:Bucket": "storage.buckets.create",
    "gcp:storage/bucketObject:BucketObject": "storage.objects.create",
}
"""By Google's pages of each service's roles and permissions (https://cloud.google.com/iam/docs/roles-permissions)."""


def line(output: str) -> str:
    found = re.search(r"^(?:OK|PROBLEM) +rights: .*(?:\n    run: .*(?:\n      .*)*)?$", output, re.MULTILINE)
    assert found is not None, output
    return found[0]


def test_each_kind_that_is_declared_is_asked_for() -> None:
    kinds = {one.type for one in prod_graph() if one.type.startswith("gcp:")}

    assert kinds == set(NEEDS)
    assert set(NEEDS.values()) <= {*rights.PROJECT, *rights.BUDGET}


def test_every_role_is_one_that_the_page_gives_to_whoever_deploys() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    roles = {*rights.PROJECT.values(), *rights.BUDGET.values(), *rights.STATE.values(), *rights.LOCK.values()}

    assert [role for role in sorted(roles) if f"`{role}`" not in page] == []


def test_one_call_asks_for_everything_on_the_project(machine: Machine) -> None:
    machine.says("pulumi", "^whoami", '{"user": "someone", "url": "file:///state"}')

    run = machine.run("doctor", "--stack", "dev")

    assert line(run.output) == "OK      rights: all that `up` needs on the project"
    (asked,) = machine.google.asked
    assert asked.path == "v1/projects/club-dms-test:testIamPermissions"
    assert asked.permissions == set(rights.PROJECT)


def test_what_is_missing_is_named_with_one_command_for_each_role(machine: Machine) -> None:
    machine.google.lacking = {"cloudtasks.queues.create", "cloudtasks.queues.setIamPolicy", "run.services.setIamPolicy"}

    run = machine.run("doctor", "--stack", "dev")

    assert run.code == 1
    assert line(run.output).splitlines() == [
        "PROBLEM rights: missing on the project cloudtasks.queues.create, cloudtasks.queues.setIamPolicy, "
        "run.services.setIamPolicy",
        "    run: gcloud projects add-iam-policy-binding club-dms-test --member=user:YOU --role=roles/cloudtasks.admin",
        "      gcloud projects add-iam-policy-binding club-dms-test --member=user:YOU --role=roles/run.admin",
    ]


def test_somebody_without_any_right_is_answered_with_an_empty_object(machine: Machine) -> None:
    machine.google.lacking = {*rights.PROJECT, *rights.STATE}

    said = line(machine.run("doctor", "--stack", "dev").output)

    assert said.count("gcloud projects add-iam-policy-binding") == len(set(rights.PROJECT.values()))


def test_a_budget_asks_the_billing_account_too(machine: Machine) -> None:
    machine.configured(BUDGET)
    machine.google.lacking = {"billing.budgets.create"}

    said = line(machine.run("doctor", "--stack", "dev").output)

    assert "missing on the billing account billing.budgets.create" in said
    assert "gcloud billing accounts add-iam-policy-binding 012345-6789AB-CDEF01" in said
    assert "--role=roles/billing.costsManager" in said


def test_a_state_in_a_bucket_asks_the_bucket(machine: Machine) -> None:
    machine.says("pulumi", "^whoami", '{"user": "someone", "url": "gs://club-dms-pulumi/a/folder"}')
    machine.google.lacking = {"storage.objects.delete"}

    said = line(machine.run("doctor", "--stack", "dev").output)

    assert machine.google.asked[-1].path == "storage/v1/b/club-dms-pulumi/iam/testPermissions"
    assert "gcloud storage buckets add-iam-policy-binding gs://club-dms-pulumi" in said
    assert "--role=roles/storage.objectUser" in said


def test_a_stack_that_is_locked_with_a_key_asks_the_key(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "projects/club-dms/locations/europe-west2/keyRings/pulumi/cryptoKeys/state"
    (machine.folder / "Pulumi.dev.yaml").write_text(f"secretsprovider: gcpkms://{key}\nencryptedkey: abc\n")
    monkeypatch.setattr(rights, "INFRA", machine.folder)
    machine.google.lacking = set(rights.LOCK)

    said = line(machine.run("doctor", "--stack", "dev").output)

    assert machine.google.asked[-1].path == f"v1/{key}:testIamPermissions"
    assert f"gcloud kms keys add-iam-policy-binding {key} --member=user:YOU" in said


@pytest.mark.parametrize("refusal", [(403, "Cloud Resource Manager API has not been used"), (500, "Internal error.")])
def test_an_answer_that_did_not_come_is_not_a_missing_right(machine: Machine, refusal: tuple[int, str]) -> None:
    machine.google.refusal = refusal

    said = line(machine.run("doctor", "--stack", "dev").output)

    assert f"they can't be asked for ({refusal[0]} {refusal[1]})" in said
    assert "add-iam-policy-binding" not in said


def test_a_permission_that_google_does_not_know_there_spoils_the_batch_and_says_so(machine: Machine) -> None:
    machine.google.untestable = {"run.services.setIamPolicy"}

    assert "can't be asked for (400 Request contains" in machine.run("doctor", "--stack", "dev").output


def test_a_first_deployment_stops_before_anything_is_made(machine: Machine) -> None:
    machine.google.lacking = {"resourcemanager.projects.setIamPolicy"}

    run = machine.run("deploy", "--stack", "dev", "--yes")

    assert run.code == 1
    assert "--role=roles/resourcemanager.projectIamAdmin" in run.output
    assert machine.calls("pulumi up") == machine.calls("config set") == []


def test_the_token_is_on_no_screen_and_no_command_line(machine: Machine) -> None:
    machine.google.lacking = set(rights.PROJECT)

    run = machine.run("doctor", "--stack", "dev")

    assert "ya29" not in run.output
    assert [call.words for call in machine.calls() if "ya29" in call.words] == []


def test_the_key_is_read_where_pulumi_keeps_the_stacks_file() -> None:
    assert rights.INFRA == INFRA
