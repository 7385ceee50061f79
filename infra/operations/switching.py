"""``switch``: another database in the place of a stack's own, which stays as it is.

The other one is a clone of an earlier minute, or one that was there before the stack.

    queues paused ▶ clone made ▶ `switch`: state points to the clone, refreshed ▶ `make preview`, `up` ▶ queues resumed

Nothing at Google is changed. In the state, the database, its indexes and its fields become those of the other one; what
it has not is forgotten, and made by the next `up`. The state before is kept in a file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, cast

from operations.doctor import ready
from operations.running import ROOT, Refused, ask, hand_over
from operations.stacks import json_object, read_values, short_name

KEPT: Final = ROOT / ".state" / "pulumi"
DATABASE: Final = "gcp:firestore/database:Database"
INDEX: Final = "gcp:firestore/index:Index"
FIELD: Final = "gcp:firestore/field:Field"
SCHEDULE: Final = "gcp:firestore/backupSchedule:BackupSchedule"

type Resource = dict[str, Any]
type Shape = tuple[str, str, tuple[tuple[str, str], ...]]
"""An index: its collection, its scope, and its fields with their orders."""


def main(stack: str, database: str) -> int:
    """Switch the stack's state and configuration. Raises Refused before anything is changed."""
    ready(stack)
    configuration = read_values(stack).configuration()
    if database == configuration.database.name:
        raise Refused(f"{database} is the stack's database already. Run: make preview STACK={stack}")
    _must_fit(configuration.project, database, configuration.database.location, stack)
    before = json_object(_asked(["pulumi", "stack", "export", "--stack", stack, "--non-interactive"], "the state"))
    after = switched(before, database, _indexes(configuration.project, database))
    files = _keep(short_name(stack), before, after)
    _do(["pulumi", "stack", "import", "--stack", stack, "--file", str(files[1])], files[0], stack)
    _do(["pulumi", "config", "set", "dm-agent:databaseName", database, "--stack", stack], files[0], stack)
    targets = [word for urn in of_database(after) for word in ("--target", urn)]
    _do(["pulumi", "refresh", "--yes", "--stack", stack, *targets], files[0], stack)
    print(
        f"the state before is in {files[0]}. Look at `make preview STACK={stack}`: it may update the database and make"
    )
    print(f"what {database} has not, and must delete nothing but rights on the other. Then: make up STACK={stack}")
    return 0


def switched(deployment: Mapping[str, Any], database: str, indexes: Mapping[Shape, str]) -> Mapping[str, Any]:
    """An exported state in which the stack's database is another one. ``indexes``: what that has, with their ids."""
    made = cast("dict[str, Any]", deepcopy(deployment))
    forgotten: set[str] = set()
    for resource in _resources(made):
        kind, inputs = resource["type"], resource.get("inputs", {})
        if kind == SCHEDULE or (kind == INDEX and _shape(inputs) not in indexes):
            forgotten.add(resource["urn"])
        elif kind == INDEX:
            _point(resource, "database", database, indexes[_shape(inputs)])
        elif kind in (DATABASE, FIELD):
            own = "name" if kind == DATABASE else "database"
            before = f"/databases/{inputs[own]}"
            _point(resource, own, database, resource["id"].replace(before, f"/databases/{database}", 1))
    _forget(made, forgotten)
    return made


def of_database(deployment: Mapping[str, Any]) -> list[str]:
    """The URNs of a database and what is in it."""
    return [each["urn"] for each in _resources(deployment) if each["type"] in (DATABASE, INDEX, FIELD)]


def shapes(listed: Sequence[Mapping[str, Any]]) -> dict[Shape, str]:
    """Indexes as Google lists them; the document's name, which it adds to each, is no field of ours."""
    return {
        _shape({**index, "collection": index["name"].split("/collectionGroups/")[1].split("/")[0]}): index["name"]
        for index in listed
    }


def _shape(index: Mapping[str, Any]) -> Shape:
    fields = [(field["fieldPath"], field.get("order", "")) for field in index["fields"]]
    return index["collection"], index["queryScope"], tuple(field for field in fields if field[0] != "__name__")


def _point(resource: Resource, own: str, database: str, id_: str) -> None:
    resource["id"] = id_
    for values in (resource.get("inputs", {}), resource.get("outputs", {})):
        if own in values:
            values[own] = database


def _forget(deployment: dict[str, Any], urns: set[str]) -> None:
    """Out of the state, and out of what others say they depend on: a state that names a missing resource is broken."""
    resources = _resources(deployment)
    resources[:] = [each for each in resources if each["urn"] not in urns]
    for each in resources:
        by_property = cast("Mapping[str, list[str] | None]", each.get("propertyDependencies") or {})
        for listed in (each.get("dependencies") or [], *(urns_of or [] for urns_of in by_property.values())):
            listed[:] = [urn for urn in listed if urn not in urns]


def _resources(deployment: Mapping[str, Any]) -> list[Resource]:
    return deployment["deployment"].get("resources") or []


def _must_fit(project: str, database: str, location: str, stack: str) -> None:
    command = ["gcloud", "firestore", "databases", "describe", f"--database={database}", f"--project={project}"]
    found = json_object(_asked([*command, "--format=json"], f"the database {database}"))
    there = str(found.get("locationId", ""))
    if there != location:
        run = f"pulumi config set dm-agent:databaseLocation {there} --stack {stack}"
        raise Refused(f"{database} is in {there}, the stack's in {location}: a location is final. Run: {run}")
    if found.get("type") != "FIRESTORE_NATIVE":
        raise Refused(f"{database} is {found.get('type')}, not FIRESTORE_NATIVE. Run: make doctor STACK={stack}")


def _indexes(project: str, database: str) -> dict[Shape, str]:
    command = ["gcloud", "firestore", "indexes", "composite", "list", f"--database={database}", f"--project={project}"]
    return shapes(json.loads(_asked([*command, "--format=json"], f"the indexes of {database}") or "[]"))


def _asked(command: Sequence[str], what: str) -> str:
    answer = ask(command)
    if not answer.good:
        raise Refused(f"{what} can't be read ({answer.reason}). Run: {' '.join(command)}")
    return answer.out


def _keep(stack: str, *states: Mapping[str, Any]) -> list[Path]:
    KEPT.mkdir(parents=True, exist_ok=True)
    return list(_written(stack, states))


def _written(stack: str, states: Sequence[Mapping[str, Any]]) -> Iterator[Path]:
    for name, state in zip(("before", "after"), states, strict=True):
        file = KEPT / f"{stack}-{name}-switch.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(state), encoding="utf-8")
        yield file


def _do(command: Sequence[str], before: Path, stack: str) -> None:
    if hand_over([*command, "--non-interactive"]):
        back = f"cd infra && pulumi stack import --stack {stack} --file {before}"
        raise Refused(f"`{' '.join(command[:3])}` failed, see above. To go back: {back}")
