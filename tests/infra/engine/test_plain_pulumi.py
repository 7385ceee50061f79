"""`cd infra && pulumi …`, by Pulumi's CLI under a language host: what a person types after `make setup`."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.infra.engine.deployments import DEV, PROD
from tests.infra.engine.plain import Shell
from tests.infra.engine.run_once import once
from tests.infra.engine.steps import Done

pytestmark = pytest.mark.timeout(900)  # a dozen commands before the first test; each has its own deadline


@dataclass
class Session:
    """What each command did, by its name."""

    done: dict[str, Done] = field(default_factory=dict[str, Done])


def dev_session(cli: Path, folder: Path) -> Session:
    """A stack from nothing; a tree with new dates; a changed core; a bad configuration."""
    shell, kept = Shell.open(cli, folder), Session()
    shell.configure("dev", DEV)
    kept.done["init"] = shell.pulumi("stack", "init", "dev")
    kept.done["preview"] = shell.pulumi("preview")
    kept.done["up"] = shell.pulumi("up", "--yes", "--skip-preview")
    for path in shell.tree.rglob("*.py"):
        path.touch()
    kept.done["touched"] = shell.pulumi("preview", "--expect-no-changes")
    core = shell.tree / "libs" / "core" / "src" / "dm_core" / "clock.py"
    core.write_text(core.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    kept.done["changed"] = shell.pulumi("preview")
    shell.configure("dev", {**DEV, "region": "mars", "colour": "red"})
    kept.done["bad"] = shell.pulumi("preview")
    return kept


def prod_session(cli: Path, folder: Path) -> Session:
    """A protected stack, under the policies; then another name for its database."""
    shell, kept = Shell.open(cli, folder), Session()
    shell.configure("prod", PROD)
    kept.done["init prod"] = shell.pulumi("stack", "init", "prod")
    kept.done["prod"] = shell.pulumi("up", "--yes", "--skip-preview", "--stack", "prod", "--policy-pack", "policy")
    shell.configure("prod", {**PROD, "databaseName": "another-name"})
    kept.done["renamed"] = shell.pulumi("up", "--yes", "--skip-preview", "--stack", "prod")
    return kept


@pytest.fixture(scope="module")
def typed(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    return once(tmp_path_factory, "plain-dev", lambda folder: dev_session(cli, folder))


@pytest.fixture(scope="module")
def protected(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    return once(tmp_path_factory, "plain-prod", lambda folder: prod_session(cli, folder))


@pytest.mark.parametrize("command", ["init", "preview", "up", "touched", "changed"])
def test_it_succeeds(typed: Session, command: str):
    assert typed.done[command].refused is None, typed.done[command].refused


def test_a_preview_says_what_up_then_does(typed: Session):
    planned, done = typed.done["preview"].changes, typed.done["up"].changes

    assert planned == done
    assert len(done) > 100
    assert set(done.values()) == {"create"}


def test_an_unchanged_tree_is_a_plan_of_no_changes_also_with_new_dates(typed: Session):
    assert typed.done["touched"].changes == {}
    assert "unchanged" in typed.done["touched"].printed


def test_a_changed_core_changes_the_functions_that_carry_it_and_nothing_else(typed: Session):
    assert set(typed.done["changed"].changes) == {
        f"{kind} {function}{suffix}"
        for function in ("webhook", "processor")
        for kind, suffix in (("Function", ""), ("BucketObject", "-source"))
    }


def test_a_production_stack_passes_the_policies_inside_the_cli(protected: Session):
    assert protected.done["prod"].refused is None, protected.done["prod"].refused
    assert "dm-agent@v" in protected.done["prod"].printed


def test_a_protected_database_is_not_renamed(protected: Session):
    refused = protected.done["renamed"].refused

    assert refused is not None and "protect" in refused


def test_a_bad_configuration_is_named_whole_before_anything_is_made(typed: Session):
    bad = typed.done["bad"]

    assert bad.refused is not None
    assert "dm-agent:region" in bad.refused and "dm-agent:colour" in bad.refused
    assert bad.changes == {}


def test_the_oldest_cli_is_said_in_the_project(cli: Path, tmp_path: Path):
    """The CLI reads it itself: an older one refuses to start."""
    shell = Shell.open(cli, tmp_path)
    project = shell.tree / "infra" / "Pulumi.yaml"
    project.write_text(project.read_text(encoding="utf-8").replace(">=3.207.0", ">=99.0.0"), encoding="utf-8")
    shell.configure("dev", DEV)

    refused = shell.pulumi("preview", "--stack", "dev").refused

    assert refused is not None and "99.0.0" in refused
