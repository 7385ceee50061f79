"""The workflows: linted, thin, pinned, with the least permissions. They can't be run here."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn, cast

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = ROOT / ".tools" / "actionlint" / "actionlint"
HINT = "run `make actionlint` (Go builds it into .tools/)"

type Values = Mapping[str, object]


def read(file: Path) -> Values:
    return cast("Values", yaml.safe_load(file.read_text()))


def jobs(file: Path) -> Iterator[Values]:
    yield from cast("Mapping[str, Values]", read(file)["jobs"]).values()


def steps(file: Path) -> Iterator[Values]:
    for job in jobs(file):
        yield from cast("list[Values]", job["steps"])


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_there_are_the_four() -> None:
    assert [file.name for file in WORKFLOWS] == ["checks.yml", "deploy.yml", "drift.yml", "preview.yml"]


def test_actionlint_finds_nothing(missing: Callable[[str], NoReturn]) -> None:
    linter = str(ACTIONLINT) if ACTIONLINT.exists() else shutil.which("actionlint")
    if linter is None:
        missing(f"actionlint is missing: {HINT}")
    command = [linter, "-no-color", "-shellcheck=", "-pyflakes=", *map(str, WORKFLOWS)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_command_is_a_make_target_that_there_is(file: Path) -> None:
    commands = [cast("str", step["run"]) for step in steps(file) if "run" in step]

    assert commands
    for command in commands:
        if command == ".ci/run":
            assert os.access(ROOT / ".ci" / "run", os.X_OK)
            continue
        words = command.split()
        assert words[0] == "make", command
        assert words[1] in make_targets(), command
        assert all(re.fullmatch(r"[A-Z]+=[a-z0-9.]+", word) for word in words[2:]), command


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_action_is_pinned_by_a_full_version_or_a_commit(file: Path) -> None:
    used = [cast("str", step["uses"]) for step in steps(file) if "uses" in step]

    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", name)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_permissions_are_the_least_and_runs_do_not_overlap(file: Path) -> None:
    allowed = {
        "checks.yml": {"contents: read", "pull-requests: write"},
        "preview.yml": {"contents: read", "id-token: write", "pull-requests: write"},
        "deploy.yml": {"contents: read", "contents: write", "id-token: write"},
        "drift.yml": {"contents: read", "id-token: write", "issues: write"},
    }
    workflow = read(file)
    granted = {f"{key}: {value}" for key, value in cast("Values", workflow["permissions"]).items()}
    for job in jobs(file):
        granted |= {f"{key}: {value}" for key, value in cast("Values", job.get("permissions", {})).items()}
        assert job["timeout-minutes"]

    assert granted == allowed[file.name]
    assert cast("Values", workflow["concurrency"])["group"]


def test_only_main_deploys_behind_its_environment() -> None:
    deploy = next(file for file in WORKFLOWS if file.name == "deploy.yml")
    # YAML 1.1 reads the key `on` as true.
    triggers = cast("Mapping[object, Values]", read(deploy))[True]

    assert set(triggers) == {"push", "workflow_dispatch"}
    assert triggers["push"] == {"branches": ["main"]}
    identified = [job for job in jobs(deploy) if "id-token" in cast("Values", job["permissions"])]
    assert [job["environment"] for job in identified] == ["production"]
    # A person may start it on any branch.
    assert [job["if"] for job in identified] == ["github.ref == 'refs/heads/main'"]
    assert cast("Values", read(deploy)["concurrency"])["cancel-in-progress"] is False


def test_what_is_deployed_was_tested_before_and_is_tried_afterwards() -> None:
    deploy = next(file for file in WORKFLOWS if file.name == "deploy.yml")
    made = cast("Mapping[str, Values]", read(deploy)["jobs"])
    commands = [cast("str", step.get("run", "")) for step in cast("list[Values]", made["deploy"]["steps"])]

    assert made["deploy"]["needs"] == "tested"
    assert ".ci/run" in [step.get("run") for step in cast("list[Values]", made["tested"]["steps"])]
    assert commands.index("make up YES=1") < commands.index("make smoke")


def test_no_workflow_holds_a_key() -> None:
    for file in WORKFLOWS:
        secrets = set(re.findall(r"secrets\.(\w+)", file.read_text()))

        assert secrets <= {"PULUMI_CONFIG_PASSPHRASE"}
        assert "credentials_json" not in file.read_text()
        assert "pull_request_target" not in file.read_text()


def test_each_identity_is_trusted_by_numbers_that_no_other_repository_can_get() -> None:
    """In a repository made since July 2026 a token's subject has the numbers of owner and repository in it, so one of
    names alone is refused (https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/)."""
    page = (ROOT / "docs" / "deploy.md").read_text().partition("\n## 11. CI\n")[2]
    identified = [
        job for file in WORKFLOWS for job in jobs(file) if "id-token" in cast("Values", job.get("permissions", {}))
    ]
    subjects = {
        f"SUBJECT:environment:{job['environment']}" if "environment" in job else "SUBJECT:pull_request"
        for job in identified
    }

    assert len(subjects) == 3
    assert [subject for subject in subjects if subject not in page] == []
    assert "--attribute-condition=\"assertion.repository_id=='REPOSITORY_ID'\"" in page
    assert not re.search(r"repo:OWNER/REPOSITORY:|assertion\.repository==", page)
