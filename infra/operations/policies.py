"""What the organisation above a project forbids, where this deployment would run into it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from operations.checks import Context, Finding, failed
from operations.running import Answer, ask
from operations.stacks import json_object

DOMAINS: Final = "constraints/iam.allowedPolicyMemberDomains"
MEMBERS: Final = "iam.managed.allowedPolicyMembers"
INGRESS: Final = "constraints/run.allowedIngress"
LOCATIONS: Final = "constraints/gcp.resourceLocations"
ACCOUNTS: Final = "constraints/iam.disableServiceAccountCreation"
KEYS: Final = "constraints/gcp.restrictNonCmekServices"
USAGE: Final = "constraints/gcp.restrictServiceUsage"
NEEDED: Final = (
    *("artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "cloudtasks"),
    *("firestore", "iam", "logging", "monitoring", "run", "secretmanager", "storage"),
)
"""The services of every deployment (``components.project_apis``, which a test compares)."""


def public_members(context: Context) -> Finding:
    """Domain-restricted sharing forbids allUsers, which the webhook needs unless the stack says ``public: false``."""
    name = "public webhook"
    if context.configuration is not None and not context.configuration.public:
        return Finding(name, "not wanted by this stack")
    answer = _policy(context, DOMAINS)
    if not answer.good:
        run = f"gcloud resource-manager org-policies describe {DOMAINS} --project={context.project} --effective"
        return Finding(name, failed(answer, "the organisation's policy can't be read"), run)
    if _listed(answer)[0] or _members_listed(context):
        run = f"pulumi config set dm-agent:public false --stack {context.stack}  (docs/deploy.md#no-public-members)"
        return Finding(name, "the organisation allows members of its own domains only", run)
    return Finding(name, "allowed")


def _members_listed(context: Context) -> bool:
    """The newer, managed constraint; where it can't be described it is not set, or there is no organisation."""
    command = ["gcloud", "org-policies", "describe", MEMBERS, f"--project={context.project}", "--effective"]
    answer = ask([*command, "--format=json"])
    spec = json_object(answer.out).get("spec") if answer.good else None
    rules = cast("Mapping[str, object]", spec).get("rules") if isinstance(spec, dict) else None
    enforced = [rule for rule in cast("list[Mapping[str, object]]", rules or []) if rule.get("enforce") is True]
    return bool(enforced) and "allUsers" not in json.dumps(enforced)


def restrictions(context: Context) -> Finding:
    """Policies that stop an `up` half-way. One that can't be read, or without an organisation, is not in the way."""
    problems = list(_problems(context))
    if not problems:
        return Finding("organisation", "forbids nothing that is needed")
    said, runs = zip(*problems, strict=True)
    return Finding("organisation", "; ".join(said), "\n      ".join(runs))


def _problems(context: Context) -> Iterator[tuple[str, str]]:
    off = f"gcloud resource-manager org-policies disable-enforce {ACCOUNTS} --project={context.project}"
    if _enforced(_policy(context, ACCOUNTS)):
        yield "service accounts can't be made (iam.disableServiceAccountCreation)", off
    for constraint, said in ((USAGE, "may not be used"), (KEYS, "may only be used with a key of one's own")):
        refused = _refused(_policy(context, constraint))
        if refused:
            describe = f"gcloud resource-manager org-policies describe {constraint} --project={context.project}"
            name = constraint.partition("/")[2]
            yield f"{', '.join(refused)} {said} ({name})", f"{describe} --effective  (ask for an exception)"
    if context.configuration is None:
        return
    region = context.configuration.region
    closed, places = _listed(_policy(context, LOCATIONS))
    if closed and not any(_holds(place, region) for place in places):
        allowed = ", ".join(places) or "none"
        run = f"pulumi config set dm-agent:region ANOTHER --stack {context.stack}"
        yield f"nothing may be in {region} (gcp.resourceLocations allows {allowed})", run
    closed, ways = _listed(_policy(context, INGRESS))
    if context.configuration.public and closed and "all" not in ways:
        run = f"gcloud resource-manager org-policies allow {INGRESS} all --project={context.project}"
        yield "the webhook may not be reached from the internet (run.allowedIngress)", run


def _policy(context: Context, constraint: str) -> Answer:
    command = ["gcloud", "resource-manager", "org-policies", "describe", constraint]
    return ask([*command, f"--project={context.project}", "--effective", "--format=json"])


def _enforced(answer: Answer) -> bool:
    policy = json_object(answer.out).get("booleanPolicy") if answer.good else None
    return isinstance(policy, dict) and cast("Mapping[str, object]", policy).get("enforced") is True


def _listed(answer: Answer) -> tuple[bool, Sequence[str]]:
    """Whether only listed values are allowed, and which."""
    policy = json_object(answer.out).get("listPolicy") if answer.good else None
    if not isinstance(policy, dict):
        return False, ()
    values = cast("Mapping[str, object]", policy)
    allowed = values.get("allowedValues")
    listed = [str(value) for value in cast("list[object]", allowed)] if isinstance(allowed, list) else []
    return bool(listed) or values.get("allValues") == "DENY", listed


def _refused(answer: Answer) -> list[str]:
    """What a policy over services refuses, by a list of those that are allowed or of those that are not."""
    closed, allowed = _listed(answer)
    policy = json_object(answer.out).get("listPolicy") if answer.good else None
    denied = cast("Mapping[str, object]", policy).get("deniedValues") if isinstance(policy, dict) else None
    forbidden = {_service(str(value)) for value in cast("list[object]", denied or [])}
    free = {_service(value) for value in allowed}
    return [name for name in NEEDED if name in forbidden or (closed and name not in free)]


def _service(value: str) -> str:
    return value.removeprefix("is:").removesuffix(".googleapis.com")


def _holds(place: str, region: str) -> bool:
    """A location, or a value group: in:europe-west2-locations, in:europe-locations, in:eu-locations
    (https://cloud.google.com/resource-manager/docs/organization-policy/defining-locations)."""
    group = place.removeprefix("in:").removesuffix("-locations")
    continents = {"eu": "europe", "uk": "europe-west2", "gb": "europe-west2"}
    return region == group or region.startswith(f"{continents.get(group, group)}-") or region == continents.get(group)
