"""Who may do what, as Google's IAM decides it: roles' permissions, what they were granted on, conditions, and time.

Written from Google's pages, not from the program: the permissions of each role from "IAM basic and predefined roles
reference" (https://cloud.google.com/iam/docs/understanding-roles), a condition's language from "Attribute reference for
IAM Conditions", what a build reads and writes from "Build process overview" and "Custom service account for Cloud
Build" (https://cloud.google.com/functions/docs/building, …/functions/docs/securing/build-custom-sa).
"""

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from .wire import Properties

if TYPE_CHECKING:
    from .cloud import Cloud, Thing

READ_OBJECT = "storage.objects.get"
WRITE_LOG = "logging.logEntries.create"
WRITE_IMAGE = "artifactregistry.repositories.uploadArtifacts"
READ_SECRET = "secretmanager.versions.access"

_BUILDER = frozenset({READ_OBJECT, WRITE_LOG, WRITE_IMAGE})
_PERMISSIONS: dict[str, frozenset[str]] = {
    "roles/storage.objectViewer": frozenset({READ_OBJECT}),
    "roles/storage.objectUser": frozenset({READ_OBJECT}),
    "roles/storage.objectAdmin": frozenset({READ_OBJECT}),
    "roles/storage.admin": frozenset({READ_OBJECT}),
    "roles/logging.logWriter": frozenset({WRITE_LOG}),
    "roles/artifactregistry.writer": frozenset({WRITE_IMAGE}),
    "roles/artifactregistry.admin": frozenset({WRITE_IMAGE}),
    "roles/run.builder": _BUILDER,
    "roles/cloudbuild.builds.builder": _BUILDER,
    "roles/secretmanager.secretAccessor": frozenset({READ_SECRET}),
    "roles/secretmanager.admin": frozenset({READ_SECRET}),
}
_TERM = re.compile(r'resource\.(name|type|service)(?:\.(startsWith|endsWith)\("([^"]*)"\)| == "([^"]*)")')


def allowed(cloud: "Cloud", member: str, permission: str, on: tuple[str, ...], name: str) -> bool:
    """Whether `member` has `permission` on the resource called `name`, granted on one of `on`: it, its parents."""
    return any(
        permission in _PERMISSIONS.get(str(thing.inputs["role"]), ()) and _holds(thing.inputs, name)
        for target, thing in _bindings(cloud, member)
        if target in on
    )


def _bindings(cloud: "Cloud", member: str) -> Iterator[tuple[str, "Thing"]]:
    """What each of the member's roles was granted on, of those that have spread by now."""
    ripe = time.monotonic() - cloud.spread_seconds
    for id_, thing in cloud.things.items():
        if thing.inputs.get("member") == member and "role" in thing.inputs and thing.made <= ripe:
            yield id_.partition(f"/{thing.inputs['role']}/{member}")[0], thing


def _holds(inputs: Properties, name: str) -> bool:
    """A condition over the resource's name: terms joined by || and &&, no brackets."""
    condition = cast("Properties", inputs.get("condition") or {})
    expression = condition.get("expression")
    if not isinstance(expression, str):
        return True
    return any(all(_term(term.strip(), name) for term in either.split("&&")) for either in expression.split("||"))


def _term(term: str, name: str) -> bool:
    found = _TERM.fullmatch(term)
    if found is None:
        raise ValueError(f"a condition that IAM would refuse, or that the stand-in can't read: {term}")
    attribute, method, argument, equal = found.groups()
    if attribute != "name":
        return False
    if method is None:
        return name == equal
    return name.startswith(argument) if method == "startsWith" else name.endswith(argument)
