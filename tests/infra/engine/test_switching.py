"""A database in the place of another, under the engine: a clone of an earlier minute, or one that was there before."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from operations.switching import INDEX, Shape, of_database, shapes, switched
from tests.infra.engine.deployments import DEV, PROJECT, Sources, program
from tests.infra.engine.driver import Stack
from tests.infra.engine.program_host import Program
from tests.infra.engine.provider.cloud import Cloud, Thing

pytestmark = pytest.mark.timeout(400)  # each operation has its own deadline

OLD, NEW = "dm-agent", "dm-agent-2"
FIRESTORE = "gcp:firestore/"


def inside(cloud: Cloud, database: str) -> dict[str, Thing]:
    """A database and what is in it."""
    start = f"projects/{PROJECT}/databases/{database}"
    return {id_: thing for id_, thing in cloud.things.items() if id_ == start or id_.startswith(f"{start}/")}


def clone(cloud: Cloud, *, without: str | None = None) -> None:
    """As Google clones: the data with its indexes, under other ids; no recovery, no fields, no backups."""
    for id_, thing in inside(cloud, OLD).items():
        kind = thing.token.removeprefix(FIRESTORE)
        if not kind.startswith(("database:", "index:")) or (without and without in id_):
            continue
        own = {"name": NEW} if kind.startswith("database:") else {"database": NEW}
        bare = {"pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED"} if "name" in own else {}
        made = id_.replace(f"/databases/{OLD}", f"/databases/{NEW}") + ("" if "name" in own else "0")
        cloud.things[made] = Thing(thing.token, {**thing.inputs, **own, **bare}, {**thing.outputs, **own, **bare})


def listed(cloud: Cloud) -> dict[Shape, str]:
    """As gcloud lists composite indexes: the document's name is the last field of each."""
    return shapes(
        [
            {
                "name": id_,
                "queryScope": thing.inputs["queryScope"],
                "fields": [
                    *cast("list[Any]", thing.inputs["fields"]),
                    {"fieldPath": "__name__", "order": "DESCENDING"},
                ],
            }
            for id_, thing in inside(cloud, NEW).items()
            if thing.token == INDEX
        ]
    )


def switch(stack: Stack, folder: Path) -> None:
    """What `make switch` does with the state."""
    after = switched(json.loads(stack.must("stack", "export")), NEW, listed(stack.cloud))
    file = folder / "after.json"
    file.write_text(json.dumps(after))
    stack.must("stack", "import", "--file", str(file))
    targets = [word for urn in of_database(after) for word in ("--target", urn)]
    refreshed = stack.refresh(*targets)
    assert refreshed.refused is None, refreshed.refused


@pytest.fixture
def moved(sources: Sources) -> Program:
    return program("dev", {**DEV, "databaseName": NEW}, sources)


def test_a_clone_takes_over_and_the_old_database_stays_as_it_is(deployed: Stack, moved: Program, tmp_path: Path):
    clone(deployed.cloud)
    before, begun = set(inside(deployed.cloud, OLD)), len(deployed.cloud.log)

    switch(deployed, tmp_path)
    done = deployed.up(moved)

    assert done.refused is None, done.refused
    assert set(inside(deployed.cloud, OLD)) == before
    assert [id_ for what, token, id_ in deployed.cloud.log[begun:] if what == "delete" and FIRESTORE in token] == []
    new = deployed.cloud.things[f"projects/{PROJECT}/databases/{NEW}"]
    assert new.inputs["pointInTimeRecoveryEnablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
    assert {thing.token for thing in inside(deployed.cloud, NEW).values()} == {
        thing.token for thing in inside(deployed.cloud, OLD).values()
    }
    assert done.changes["Function webhook"] == done.changes["Function processor"] == "update"
    assert deployed.up(moved).changes == {}


def test_an_index_that_the_other_database_has_not_is_made(deployed: Stack, moved: Program, tmp_path: Path):
    """So a database that was there before a stack can be taken over too."""
    missing = next(id_ for id_, thing in inside(deployed.cloud, OLD).items() if thing.token == INDEX)
    clone(deployed.cloud, without=missing)

    switch(deployed, tmp_path)
    done = deployed.up(moved)

    assert done.refused is None, done.refused
    assert [change for name, change in done.changes.items() if name.startswith("Index ")] == ["create"]
    assert deployed.up(moved).changes == {}


def test_without_the_switch_the_engine_would_meet_what_is_there(deployed: Stack, moved: Program):
    clone(deployed.cloud)

    refused = deployed.up(moved).refused

    assert refused is not None and "already exists" in refused
