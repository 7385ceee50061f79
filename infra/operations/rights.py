"""Whether whoever runs `up` may make what the program makes: asked of Google before anything is made.

project     everything that the program declares        one call
billing     the budget, where there is one              one call
bucket      the state, where a bucket holds it          one call
key         the stack's lock, where KMS keeps it        one call
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from operations.checks import Context, Finding
from operations.google_rest import Unanswered, held, token
from operations.running import INFRA, ask
from operations.stacks import json_object, short_name

PROJECT: Final[Mapping[str, str]] = {
    "artifactregistry.repositories.create": "roles/artifactregistry.admin",
    "artifactregistry.repositories.setIamPolicy": "roles/artifactregistry.admin",
    "cloudfunctions.functions.create": "roles/cloudfunctions.admin",
    "cloudscheduler.jobs.create": "roles/cloudscheduler.admin",
    "cloudtasks.queues.create": "roles/cloudtasks.admin",
    "cloudtasks.queues.setIamPolicy": "roles/cloudtasks.admin",
    "datastore.backupSchedules.create": "roles/datastore.owner",
    "datastore.databases.create": "roles/datastore.owner",
    "datastore.indexes.create": "roles/datastore.owner",
    "datastore.indexes.update": "roles/datastore.owner",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam.serviceAccounts.create": "roles/iam.serviceAccountAdmin",
    "iam.serviceAccounts.setIamPolicy": "roles/iam.serviceAccountAdmin",
    "logging.logMetrics.create": "roles/logging.configWriter",
    "monitoring.alertPolicies.create": "roles/monitoring.editor",
    "monitoring.dashboards.create": "roles/monitoring.editor",
    "monitoring.notificationChannels.create": "roles/monitoring.editor",
    "resourcemanager.projects.setIamPolicy": "roles/resourcemanager.projectIamAdmin",
    "run.services.setIamPolicy": "roles/run.admin",
    "secretmanager.secrets.create": "roles/secretmanager.admin",
    "secretmanager.secrets.setIamPolicy": "roles/secretmanager.admin",
    "secretmanager.versions.add": "roles/secretmanager.admin",
    "serviceusage.services.enable": "roles/serviceusage.serviceUsageAdmin",
    "storage.buckets.create": "roles/storage.admin",
    "storage.objects.create": "roles/storage.admin",
}
"""Permission → the role of docs/deploy.md#11-ci, that holds it
(https://cloud.google.com/iam/docs/roles-permissions)."""
BUDGET: Final[Mapping[str, str]] = {"billing.budgets.create": "roles/billing.costsManager"}
STATE: Final[Mapping[str, str]] = {
    f"storage.objects.{verb}": "roles/storage.objectUser" for verb in ("create", "delete", "get", "list")
}
LOCK: Final[Mapping[str, str]] = {
    f"cloudkms.cryptoKeyVersions.{verb}": "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    for verb in ("useToDecrypt", "useToEncrypt")
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: what is wanted of a resource, and the command that grants a role on it, without member and role."""

    on: str
    service: str
    path: str
    wanted: Mapping[str, str]
    grant: str


def rights(context: Context) -> Finding:
    """Every missing permission, and the commands that grant the roles which hold them."""
    try:
        bearer = token()
        missing = [(asked, _missing(asked, bearer)) for asked in _asked(context)]
    except Unanswered as error:
        run = f"gcloud auth application-default login && make doctor STACK={context.stack}"
        return Finding("rights", f"they can't be asked for ({error})", run)
    commands = [
        f"{asked.grant} --member=user:YOU --role={role}"
        for asked, permissions in missing
        for role in sorted({asked.wanted[permission] for permission in permissions})
    ]
    if not commands:
        return Finding("rights", f"all that `up` needs on {', '.join(asked.on for asked, _ in missing)}")
    said = "; ".join(f"on {asked.on} {', '.join(lacking)}" for asked, lacking in missing if lacking)
    return Finding("rights", f"missing {said}", "\n      ".join(commands))


def _missing(asked: Asked, bearer: str) -> list[str]:
    return sorted(set(asked.wanted) - held(asked.service, asked.path, sorted(asked.wanted), bearer))


def _asked(context: Context) -> Iterator[Asked]:
    project = context.project
    grant = f"gcloud projects add-iam-policy-binding {project}"
    yield Asked("the project", "cloudresourcemanager", f"v1/projects/{project}:testIamPermissions", PROJECT, grant)
    budget = context.configuration.budget if context.configuration else None
    if budget:
        account = budget.billing_account
        grant = f"gcloud billing accounts add-iam-policy-binding {account}"
        path = f"v1/billingAccounts/{account}:testIamPermissions"
        yield Asked("the billing account", "cloudbilling", path, BUDGET, grant)
    bucket = _state_bucket()
    if bucket:
        grant = f"gcloud storage buckets add-iam-policy-binding gs://{bucket}"
        yield Asked("the state's bucket", "storage", f"storage/v1/b/{bucket}/iam/testPermissions", STATE, grant)
    key = _lock(context.stack)
    if key:
        grant = f"gcloud kms keys add-iam-policy-binding {key}"
        yield Asked("the stack's key", "cloudkms", f"v1/{key}:testIamPermissions", LOCK, grant)


def _state_bucket() -> str | None:
    url = str(json_object(ask(["pulumi", "whoami", "--json", "--non-interactive"]).out).get("url", ""))
    found = re.match(r"gs://([a-z0-9._-]+)", url)
    return found[1] if found else None


def _lock(stack: str) -> str | None:
    """The key that the stack's file names."""
    file = INFRA / f"Pulumi.{short_name(stack)}.yaml"
    text = file.read_text("utf-8") if file.is_file() else ""
    found = re.search(r"^secretsprovider: *[\"']?gcpkms://(projects/[\w./-]+)", text, re.MULTILINE)
    return found[1] if found else None
