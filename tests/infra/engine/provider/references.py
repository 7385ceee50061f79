"""What Google refuses because something else isn't there: a missing edge of the graph shows here."""

from typing import TYPE_CHECKING, cast

from .outputs import PROJECT_NUMBER
from .rights import READ_OBJECT, READ_SECRET, WRITE_IMAGE, WRITE_LOG, allowed
from .wire import Properties, Value

if TYPE_CHECKING:
    from .cloud import Cloud

_PARENTS = {
    "gcp:firestore/index:Index": "projects/{project}/databases/{database}",
    "gcp:firestore/field:Field": "projects/{project}/databases/{database}",
    "gcp:firestore/backupSchedule:BackupSchedule": "projects/{project}/databases/{database}",
    "gcp:cloudtasks/queueIamMember:QueueIamMember": "projects/{project}/locations/{location}/queues/{name}",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "projects/{project}/secrets/{secretId}",
    "gcp:serviceaccount/iAMMember:IAMMember": "{serviceAccountId}",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "projects/{project}/locations/{location}/services/{name}",
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
    """What the request itself is refused for, before anything is made."""
    build, service = _part(inputs, "buildConfig"), _part(inputs, "serviceConfig")
    source = _part(_part(build, "source"), "storageSource")
    for account in (str(service.get("serviceAccountEmail", "")), str(build.get("serviceAccount", ""))):
        if account and not _identity_exists(cloud, f"serviceAccount:{account.rpartition('/')[2]}"):
            return f"googleapi: Error 400: Service account {account} was not found."
    if not _exists(cloud, f"{source.get('bucket')}-{source.get('object')}"):
        return f"googleapi: Error 400: object {source.get('object')} does not exist in bucket {source.get('bucket')}"
    return None


def deployment_failure(cloud: "Cloud", inputs: Properties) -> str | None:
    """Why the operation of a function that Google has taken in would fail: its build, or its first revision."""
    service = _part(inputs, "serviceConfig")
    return _build_failure(cloud, inputs) or _revision_failure(cloud, service, str(service.get("serviceAccountEmail")))


def _build_failure(cloud: "Cloud", inputs: Properties) -> str | None:
    """The platform copies the source into a bucket of its own and the build reads it there, as its own identity."""
    build = _part(inputs, "buildConfig")
    account = str(build.get("serviceAccount", ""))
    if not account:
        return (
            "Build failed: the default compute identity has no rights in a new project: give buildConfig.serviceAccount"
        )
    email = account.rpartition("/")[2]
    member = f"serviceAccount:{email}"
    bucket = f"gcf-v2-sources-{PROJECT_NUMBER}-{inputs.get('location')}"
    copy = f"projects/_/buckets/{bucket}/objects/{inputs.get('name')}/function-source.zip"
    if not allowed(cloud, member, READ_OBJECT, (cloud.project, f"b/{bucket}"), copy):
        return (
            "Error code 13, message: Build failed with status: FAILURE and message: failed to Fetch: failed to "
            f"download archive gs://{bucket}/{inputs.get('name')}/function-source.zip: Access to bucket {bucket} "
            f"denied. You must grant Storage Object Viewer permission to {email}."
        )
    if not allowed(cloud, member, WRITE_LOG, (cloud.project,), f"projects/{cloud.project}"):
        return f"Build failed: {email} does not have permission to write logs to Cloud Logging"
    repository = str(build.get("dockerRepository", ""))
    if repository and not _exists(cloud, repository):
        return f"Build failed: {repository} not found"
    if not allowed(cloud, member, WRITE_IMAGE, (cloud.project, repository), repository):
        return f"Build failed: Permission 'artifactregistry.repositories.uploadArtifacts' denied on {repository}"
    return None


def _revision_failure(cloud: "Cloud", service: Properties, runs_as: str) -> str | None:
    """Cloud Run reads each secret when it deploys a revision."""
    for each in cast("list[Properties]", service.get("secretEnvironmentVariables") or []):
        secret = f"projects/{cloud.project}/secrets/{str(each['secret']).rpartition('/')[2]}"
        if not _exists(cloud, secret):
            return f"Secret {secret} was not found"
        name = f"projects/{PROJECT_NUMBER}/secrets/{secret.rpartition('/')[2]}/versions/{each['version']}"
        granted_on = (cloud.project, secret, secret.rpartition("/")[2])
        if not allowed(cloud, f"serviceAccount:{runs_as}", READ_SECRET, granted_on, name):
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
    return id_ in cloud.things or id_ in cloud.services


def _part(inputs: Properties, key: str) -> Properties:
    value: Value = inputs.get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}
