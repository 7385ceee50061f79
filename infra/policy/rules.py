"""What no deployment may do. Each rule: a resource and the limits in, one sentence for each violation out.

The sentence says what is wrong and what to write instead; the resource's name is added by whoever reports it. A rule
that does not concern a resource says nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from policy.resource import Limits, Resource, mapping_of, number_of, sequence_of, text_of
from variables import ALL_SECRETS

FUNCTION: Final = "gcp:cloudfunctionsv2/function:Function"
SERVICE: Final = "gcp:cloudrunv2/service:Service"
BUCKET: Final = "gcp:storage/bucket:Bucket"
BUCKET_OBJECT: Final = "gcp:storage/bucketObject:BucketObject"
DATABASE: Final = "gcp:firestore/database:Database"
QUEUE: Final = "gcp:cloudtasks/queue:Queue"
JOB: Final = "gcp:cloudscheduler/job:Job"
REPOSITORY: Final = "gcp:artifactregistry/repository:Repository"
SECRET: Final = "gcp:secretmanager/secret:Secret"  # noqa: S105 (a type's name)
SECRET_VERSION: Final = "gcp:secretmanager/secretVersion:SecretVersion"  # noqa: S105 (a type's name)
KEYS: Final = frozenset({"gcp:serviceaccount/key:Key", "gcp:storage/hmacKey:HmacKey"})

PUBLIC: Final = frozenset({"allUsers", "allAuthenticatedUsers"})
LABELLED: Final = frozenset({FUNCTION, SERVICE, BUCKET, SECRET, REPOSITORY})
LOCATED: Final = {FUNCTION: "location", SERVICE: "location", BUCKET: "location", QUEUE: "location", JOB: "region",
                  REPOSITORY: "location", DATABASE: "locationId"}  # fmt: skip

# Last day of support: https://docs.cloud.google.com/run/docs/runtimes/python, read in November 2026.
RUNTIMES: Final = {
    "python310": date(2026, 10, 4),
    "python311": date(2027, 10, 24),
    "python312": date(2028, 10, 2),
    "python313": date(2029, 10, 10),
    "python314": date(2030, 10, 10),
}

# A grant for a whole project of what should be granted on one secret or one identity is a way around least privilege.
WIDE_ROLES: Final = frozenset(
    {
        "roles/owner",
        "roles/editor",
        "roles/iam.serviceAccountUser",
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountKeyAdmin",
        "roles/secretmanager.admin",
        "roles/secretmanager.secretAccessor",
        "roles/run.invoker",
    }
)
BASIC_ROLES: Final = frozenset({"roles/owner", "roles/editor", "roles/viewer"})

SECRET_NAME: Final = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|PASSPHRASE|API_?KEY|PRIVATE_KEY|CREDENTIALS?)(_|$)")
SECRET_REFERENCE: Final = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+")
SECRET_VALUE: Final = re.compile(
    r"AIza[0-9A-Za-z_-]{30,}|(IGAA|IGQ|EAA)[0-9A-Za-z]{20,}|ya29\.[0-9A-Za-z_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY"
)
OBJECT_NAME: Final = re.compile(r"(.*[/-])?[0-9a-f]{64}\.zip")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule under the name by which a policy pack knows it."""

    name: str
    description: str
    check: Callable[[Resource, Limits], Iterator[str]]


def public_access(resource: Resource, _: Limits) -> Iterator[str]:
    """Only the webhook answers the public, and only through the invoker role on its own service."""
    members = {text_of(resource.properties, "member"), *map(str, sequence_of(resource.properties.get("members")))}
    invoker = re.fullmatch(r"gcp:cloudrun(v2)?/(service)?[iI]am(Member|Binding):\w+", resource.kind)
    allowed = invoker and resource.text("role") == "roles/run.invoker" and is_webhook(resource)
    for member in sorted(members & PUBLIC):
        if not allowed:
            yield f"grants {resource.text('role') or 'a role'} to {member}: only the webhook is open to the public"
    if resource.kind == SERVICE and resource.properties.get("invokerIamDisabled") and not is_webhook(resource):
        yield "switches its invoker check off: only the webhook may be called by the public"


def is_webhook(resource: Resource) -> bool:
    """By the name of the service it is or concerns; by its logical name while that is unknown."""
    service = resource.text("name") or resource.text("service") or resource.name
    return "webhook" in re.split(r"[^a-z0-9]+", service.rsplit("/", 1)[-1].lower())


def secret_values(resource: Resource, _: Limits) -> Iterator[str]:
    """Secrets are containers here; their values are added out of band and never enter the program or its state."""
    if resource.kind == SECRET_VERSION:
        yield "puts a secret's value into the stack's state: add it with `make secrets` instead"
    for holder in ("serviceConfig", "buildConfig"):
        for name, value in resource.part(holder, "environmentVariables").items():
            yield from _plain_secret(name, value)
    for container in resource.parts("template", "containers"):
        for variable in sequence_of(container.get("envs")):
            values = mapping_of(variable)
            yield from _plain_secret(text_of(values, "name"), values.get("value"))


def _plain_secret(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, str) or not value:
        return
    if SECRET_VALUE.search(value):
        yield f"environment variable {name} holds what looks like a secret: make it a secret reference"
    elif _is_secret_name(name) and not SECRET_REFERENCE.fullmatch(value):
        yield f"environment variable {name} looks like a secret: make it a secret reference"


def _is_secret_name(name: str) -> bool:
    return name in ALL_SECRETS or SECRET_NAME.search(name.upper()) is not None


def pinned_secret_versions(resource: Resource, _: Limits) -> Iterator[str]:
    """A secret is read in a pinned version: a new value reaches the function by a reviewed change, not by chance."""
    for reference in resource.parts("serviceConfig", "secretEnvironmentVariables"):
        key = text_of(reference, "key") or "a secret variable"
        missing = [part for part in ("key", "projectId", "secret", "version") if not text_of(reference, part)]
        if missing:
            yield f"{key} lacks {', '.join(missing)}"
        elif not text_of(reference, "version").isdecimal():
            yield f"{key} reads version {text_of(reference, 'version')}: pin a number"
    for volume in resource.parts("serviceConfig", "secretVolumes"):
        versions = [text_of(mapping_of(version), "version") for version in sequence_of(volume.get("versions"))]
        if not versions or not all(version.isdecimal() for version in versions):
            yield f"volume {text_of(volume, 'mountPath')} follows the latest version: pin a number"


def database_protection(resource: Resource, _: Limits) -> Iterator[str]:
    """In production nothing deletes the database by accident, and a bad write can be undone for seven days."""
    if resource.kind != DATABASE:
        return
    policy = resource.text("deletionPolicy")
    if policy not in ("DELETE", "PREVENT"):
        yield "says nothing of its deletion, so a destroy would abandon it: set deletionPolicy to DELETE or PREVENT"
    if not resource.production:
        return
    if policy == "DELETE":
        yield "may be deleted in production: set deletionPolicy to PREVENT"
    if resource.text("deleteProtectionState") != "DELETE_PROTECTION_ENABLED":
        yield "is not protected in production: set deleteProtectionState to DELETE_PROTECTION_ENABLED"
    if resource.text("pointInTimeRecoveryEnablement") != "POINT_IN_TIME_RECOVERY_ENABLED":
        yield "can't be restored in production: set pointInTimeRecoveryEnablement to POINT_IN_TIME_RECOVERY_ENABLED"


def regions(resource: Resource, limits: Limits) -> Iterator[str]:
    """Everything that has a place lies in an allowed region; a multi-region counts as one that is not on the list."""
    key = LOCATED.get(resource.kind)
    if key is None:
        return
    region = resource.text(key).lower()
    if region not in limits.regions:
        yield f"lies in {region or 'no stated region'}, which is not an allowed region"


def labels(resource: Resource, limits: Limits) -> Iterator[str]:
    """What costs money says what it belongs to."""
    if resource.kind not in LABELLED:
        return
    missing = sorted(key for key in limits.labels if not text_of(resource.part("labels"), key))
    if missing:
        yield f"lacks the label{'s' if len(missing) > 1 else ''} {', '.join(missing)}"


def runtime(resource: Resource, limits: Limits) -> Iterator[str]:
    """A function's runtime is known and still supported."""
    if resource.kind != FUNCTION:
        return
    name = resource.text("buildConfig", "runtime")
    if name not in RUNTIMES:
        yield f"uses the runtime {name or '(none)'}, which is not one of {', '.join(RUNTIMES)}"
    elif RUNTIMES[name] < limits.today:
        yield f"uses the runtime {name}, deprecated since {RUNTIMES[name].isoformat()}"


def concurrency(resource: Resource, _: Limits) -> Iterator[str]:
    """More than one request an instance needs a whole CPU; both are stated.

    https://docs.cloud.google.com/run/docs/configuring/services/cpu
    """
    if resource.kind != FUNCTION:
        return
    config = resource.part("serviceConfig")
    requests, cpu = number_of(config, "maxInstanceRequestConcurrency", 0), number_of(config, "availableCpu", 0)
    if not requests or not cpu:
        yield "leaves availableCpu or maxInstanceRequestConcurrency to the platform: state both"
    elif requests > 1 and cpu < 1:
        yield f"takes {requests:g} requests at once on {cpu:g} CPU: more than one needs at least 1"


def content_addressed(resource: Resource, _: Limits) -> Iterator[str]:
    """A source object is named by its content, so that an unchanged tree is a plan of no changes."""
    if resource.kind == BUCKET_OBJECT and not OBJECT_NAME.fullmatch(resource.text("name")):
        yield f"is named {resource.text('name') or 'by the engine'}: end the name with the content's sha256 and .zip"
    source = mapping_of(resource.part("buildConfig", "source").get("storageSource"))
    if resource.kind == FUNCTION and not OBJECT_NAME.fullmatch(text_of(source, "object")):
        yield "is built from an object that is not named by its content: a change would go unseen"


def private_bucket(resource: Resource, _: Limits) -> Iterator[str]:
    """A bucket has one kind of access rule, and none of them can make it public."""
    if resource.kind != BUCKET:
        return
    if resource.properties.get("uniformBucketLevelAccess") is not True:
        yield "allows access rules on single objects: set uniformBucketLevelAccess to true"
    if resource.text("publicAccessPrevention") != "enforced":
        yield "could be made public: set publicAccessPrevention to enforced"


def narrow_roles(resource: Resource, _: Limits) -> Iterator[str]:
    """No basic role anywhere, and nothing for a whole project that belongs on one resource."""
    role = resource.text("role")
    wide = re.match(r"gcp:(projects|folder|organizations)/iAM", resource.kind) is not None
    if role in BASIC_ROLES:
        yield f"grants the basic role {role}: grant what is used"
    elif wide and role in WIDE_ROLES:
        yield f"grants {role} for everything in it: grant it on the one resource"
    elif wide and role == "roles/datastore.user" and not resource.part("condition"):
        yield "grants every database of the project: add a condition on the database's name"


def no_keys(resource: Resource, _: Limits) -> Iterator[str]:
    """Identities are attached or federated; a key file is a secret that never expires."""
    if resource.kind in KEYS:
        yield "makes a key for a service account: attach the account, or use workload identity federation"


def own_identity(resource: Resource, _: Limits) -> Iterator[str]:
    """A function runs and is built as an account made for it, never as the project's default one."""
    if resource.kind != FUNCTION:
        return
    used = (resource.text("serviceConfig", "serviceAccountEmail"), resource.text("buildConfig", "serviceAccount"))
    for purpose, account in zip(("runs", "is built"), used, strict=True):
        if not account or re.search(r"-compute@developer\.gserviceaccount\.com$|@appspot\.", account):
            yield f"{purpose} as the project's default service account: give it one of its own"


RULES: Final = (
    Rule("public-access", "Only the webhook answers the public", public_access),
    Rule("secret-values", "No secret value in the program, its state or a plain variable", secret_values),
    Rule("pinned-secret-versions", "Secrets are read in a pinned, numeric version", pinned_secret_versions),
    Rule("database-protection", "The database survives mistakes, in production twice", database_protection),
    Rule("regions", "Everything lies in an allowed region", regions),
    Rule("labels", "What costs money carries the stack's labels", labels),
    Rule("runtime", "The runtime is supported", runtime),
    Rule("concurrency", "CPU and concurrency are stated and fit each other", concurrency),
    Rule("content-addressed", "Source objects are named by their content", content_addressed),
    Rule("private-bucket", "No bucket can become public", private_bucket),
    Rule("narrow-roles", "Rights are narrow", narrow_roles),
    Rule("no-keys", "No key files", no_keys),
    Rule("own-identity", "Each function has its own identity", own_identity),
)


def violations(resource: Resource, limits: Limits) -> list[str]:
    """Every violation of one resource, as ``rule: name sentence``."""
    return [f"{rule.name}: {resource.name} {found}" for rule in RULES for found in rule.check(resource, limits)]
