"""What Google refuses because something else isn't there: a missing edge of the graph shows here."""

from typing import TYPE_CHECKING, cast

from .wire import Properties, Value

if TYPE_CHECKING:
    from .cloud import Cloud

_SOURCE_ROLES = frozenset({"roles/storage.objectViewer", "roles/storage.objectUser", "roles/storage.objectAdmin"})
_BUILDER_ROLES = frozenset({"roles/run.builder", "roles/cloudbuild.builds.builder"})
_PARENTS = {
    "gcp:firestore/index:Index": "projects/{project}/databases/{database}",
    "gcp:firestore/field:Field": "projects/{project}/databases/{database}",
    "gcp:firestore/backupSchedule:BackupSchedule": "projects/{project}/databases/{database}",
    "gcp:cloudtasks/queueIamMember:QueueIamMember": "projects/{project}/locations/{location}/queues/{name}",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "projects/{project}/secrets/{secretId}",
    "gcp:serviceaccount/iAMMember:IAMMember": "{serviceAccountId}",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "projects/{project}/locations/{location}/functions/{name}",
    "gcp:storage/bucketObject:BucketObject": "{bucket}",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "{bucket}",
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        "projects/{project}/locations/{location}/repositories/{repository}"
    ),
}


def refusal(cloud: "Cloud", token: str, inputs: Properties) -> str | None:
    """Why Google would refuse `inputs` in the present `cloud`; None if it wouldn't."""
    parent = _PARENTS.get(token)
    if parent and not _exists(cloud, _path(cloud, parent, inputs)):
        return f"googleapi: Error 404: {_path(cloud, parent, inputs)} not found, notFound"
    member = inputs.get("member")
    if isinstance(member, str) and not _identity_exists(cloud, member):
        return f"googleapi: Error 400: Service account {member} does not exist., badRequest"
    if token == "gcp:cloudfunctionsv2/function:Function":
        return _function_refusal(cloud, inputs)
    if token == "gcp:monitoring/alertPolicy:AlertPolicy":
        return _channel_refusal(cloud, inputs)
    return _caller_refusal(cloud, inputs)


def _function_refusal(cloud: "Cloud", inputs: Properties) -> str | None:
    build, service = _part(inputs, "buildConfig"), _part(inputs, "serviceConfig")
    runs_as = str(service.get("serviceAccountEmail", ""))
    source = _part(_part(build, "source"), "storageSource")
    if not _identity_exists(cloud, f"serviceAccount:{runs_as}"):
        return f"googleapi: Error 400: Service account {runs_as} was not found."
    if not _exists(cloud, f"{source.get('bucket')}-{source.get('object')}"):
        return f"googleapi: Error 400: object {source.get('object')} does not exist in bucket {source.get('bucket')}"
    return _build_refusal(cloud, build, source) or _secrets_refusal(cloud, service, runs_as)


def _build_refusal(cloud: "Cloud", build: Properties, source: Properties) -> str | None:
    account = str(build.get("serviceAccount", ""))
    if not account:
        return "the default compute identity has no right to build in a new project: give buildConfig.serviceAccount"
    member = f"serviceAccount:{account.rpartition('/')[2]}"
    if not _identity_exists(cloud, member):
        return f"googleapi: Error 400: Service account {account} was not found."
    project = {role for target, role in _rights(cloud, member) if target == cloud.project}
    if project & _BUILDER_ROLES:
        return None
    if "roles/logging.logWriter" not in project:
        return f"build failed: {account} lacks logging.logEntries.create on {cloud.project}"
    if not any(role in _SOURCE_ROLES for target, role in _rights(cloud, member) if target == f"b/{source['bucket']}"):
        return f"build failed: {account} lacks storage.objects.get on {source['bucket']}"
    repository = str(build.get("dockerRepository", ""))
    if repository and not _exists(cloud, repository):
        return f"googleapi: Error 404: {repository} not found"
    if ("roles/artifactregistry.writer") not in {
        r for t, r in _rights(cloud, member) if t in (repository, cloud.project)
    }:
        return f"build failed: {account} lacks artifactregistry.repositories.uploadArtifacts on {repository}"
    return None


def _secrets_refusal(cloud: "Cloud", service: Properties, runs_as: str) -> str | None:
    for each in cast("list[Properties]", service.get("secretEnvironmentVariables") or []):
        secret = f"projects/{cloud.project}/secrets/{str(each['secret']).rpartition('/')[2]}"
        if not _exists(cloud, secret):
            return f"googleapi: Error 400: Secret {secret} was not found"
        readers = [
            target
            for target, role in _rights(cloud, f"serviceAccount:{runs_as}")
            if role in ("roles/secretmanager.secretAccessor", "roles/secretmanager.admin")
        ]
        if not any(
            target.rpartition("/")[2] == secret.rpartition("/")[2] or target == cloud.project for target in readers
        ):
            return f"Permission denied on secret: {secret}/versions/{each['version']} for {runs_as}"
        if not cloud.has_version(secret, str(each["version"])):
            return f"Secret {secret}/versions/{each['version']} was not found"
    return None


def _caller_refusal(cloud: "Cloud", inputs: Properties) -> str | None:
    """A queue or schedule that signs its calls needs the identity that it signs as."""
    token = _part(_part(inputs, "httpTarget"), "oidcToken")
    email = token.get("serviceAccountEmail")
    if isinstance(email, str) and not _identity_exists(cloud, f"serviceAccount:{email}"):
        return f"googleapi: Error 404: {email} not found"
    return None


def _channel_refusal(cloud: "Cloud", inputs: Properties) -> str | None:
    for channel in cast("list[str]", inputs.get("notificationChannels") or []):
        if not _exists(cloud, channel):
            return f"googleapi: Error 404: notification channel {channel} not found"
    return None


def _rights(cloud: "Cloud", member: str) -> set[tuple[str, str]]:
    """(target, role) of each right that `member` has."""
    suffix = f"/{member}"
    return {
        (id_.removesuffix(f"/{thing.inputs['role']}{suffix}"), str(thing.inputs["role"]))
        for id_, thing in cloud.things.items()
        if id_.endswith(suffix) and "role" in thing.inputs
    }


def _identity_exists(cloud: "Cloud", member: str) -> bool:
    """Ours must exist; Google's own agents and people are taken as given."""
    kind, _, email = member.partition(":")
    if kind != "serviceAccount" or not email.endswith(f"@{cloud.project}.iam.gserviceaccount.com"):
        return member != "serviceAccount:"
    return _exists(cloud, f"projects/{cloud.project}/serviceAccounts/{email}")


def _path(cloud: "Cloud", template: str, inputs: Properties) -> str:
    """A resource named by its id or by its last part is the same one."""
    short = {key: str(value).rpartition("/")[2] for key, value in inputs.items() if key != "serviceAccountId"}
    whole = {"serviceAccountId": str(inputs.get("serviceAccountId", ""))}
    return template.format_map({"project": cloud.project} | short | whole)


def _exists(cloud: "Cloud", id_: str) -> bool:
    return id_ in cloud.things


def _part(inputs: Properties, key: str) -> Properties:
    value: Value = inputs.get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}
