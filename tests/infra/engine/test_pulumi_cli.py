"""Which Pulumi CLI is used, and what is said when there is none: tools that answer in their place are in tmp_path."""

import os
from pathlib import Path

import pytest

from tools import pulumi_cli
from tools.pulumi_cli import HOST, SCRIPT, CliUnavailable

GO_MOD = "module example\n\ngo 1.25.11\n\nrequire (\n\tgithub.com/pulumi/pulumi/pkg/v3 v3.250.0\n)\n"
BUILDS = """
case "$1 $2" in
  "env GOVERSION") echo go1.26.0;;
  "env GOTOOLCHAIN") echo auto;;
  "list -m") echo "$(dirname "$0")/sdk";;
  build*) while [ "$1" != -o ]; do shift; done
    echo "built $3" >> "$(dirname "$0")/builds"
    printf '#!/bin/sh\\necho v3.250.0\\n' > "$2"; chmod +x "$2";;
esac
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A Go module that pins 3.250.0."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text(GO_MOD)
    return folder


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Where a CLI would be built to."""
    return tmp_path / "tools" / "pulumi-cli" / "pulumi"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of tools beside the system's own; empty."""
    folder = tmp_path / "bin"
    (folder / "sdk" / "python" / "cmd").mkdir(parents=True)
    (folder / "sdk" / "python" / "cmd" / SCRIPT).write_text("#!/usr/bin/env python\n")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def script(file: Path, body: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def have_built(built: Path, version: str) -> None:
    script(built, f"echo {version}")
    script(built.with_name(HOST), "exit 1")
    script(built.with_name(SCRIPT), "exit 1")


def test_a_recent_cli_on_the_path_is_used(path: Path, built: Path, module: Path):
    installed = script(path / "pulumi", "echo v3.272.0")
    script(path / HOST, "exit 1")

    assert pulumi_cli.find(built, module) == installed


def test_a_cli_on_the_path_that_could_not_run_a_program_is_not_used(path: Path, built: Path, module: Path):
    script(path / "pulumi", "echo v3.272.0")

    assert pulumi_cli.find(built, module) is None


def test_the_oldest_cli_is_the_one_that_the_project_asks_for(tmp_path: Path):
    project = tmp_path / "Pulumi.yaml"
    project.write_text('name: x\nrequiredPulumiVersion: ">=3.208.1"\n')

    assert pulumi_cli.oldest_version(project) == (3, 208, 1)
    assert pulumi_cli.oldest_version() >= (3, 207, 0)


@pytest.mark.parametrize("missing", [HOST, SCRIPT])
def test_a_built_cli_without_its_language_host_is_built_again(path: Path, built: Path, module: Path, missing: str):
    have_built(built, "v3.250.0")
    built.with_name(missing).unlink()

    assert pulumi_cli.find(built, module) is None
    assert list(path.glob("pulumi*")) == []


@pytest.mark.parametrize("answer", ["echo v3.206.9", "echo nonsense", "exit 1"])
def test_an_old_or_broken_cli_on_the_path_is_not_used(path: Path, built: Path, module: Path, answer: str):
    script(path / "pulumi", answer)
    script(path / HOST, "exit 1")

    assert pulumi_cli.find(built, module) is None


def test_the_cli_that_was_built_is_used(path: Path, built: Path, module: Path):
    have_built(built, "v3.250.0")

    assert pulumi_cli.find(built, module) == built
    assert list(path.glob("pulumi*")) == []


def test_a_cli_built_from_another_pin_is_not_used(path: Path, built: Path, module: Path):
    have_built(built, "v3.240.0")

    assert pulumi_cli.find(built, module) is None
    assert list(path.glob("pulumi*")) == []


def test_without_go_it_is_said_what_to_install(path: Path, built: Path, module: Path):
    with pytest.raises(CliUnavailable, match=r"no Go to build one: install Pulumi .* or Go 1\.25\.11 or newer"):
        pulumi_cli.build(built, module)
    assert list(path.glob("go*")) == []


@pytest.mark.parametrize(("version", "toolchain"), [("go1.20.4", "auto"), ("go1.24.0", "local")])
def test_too_old_a_go_is_refused_before_it_builds(path: Path, built: Path, module: Path, version: str, toolchain: str):
    script(path / "go", f'case "$2" in GOVERSION) echo {version};; *) echo {toolchain};; esac')

    with pytest.raises(CliUnavailable, match=r"needs 1\.25\.11: install a newer Go"):
        pulumi_cli.build(built, module)


def test_what_was_built_once_is_not_built_again(path: Path, built: Path, module: Path):
    script(path / "go", BUILDS)

    assert pulumi_cli.build(built, module) == built
    assert pulumi_cli.build(built, module) == built
    assert (path / "builds").read_text() == f"built ./{HOST}\nbuilt github.com/pulumi/pulumi/pkg/v3/cmd/pulumi\n"
    assert os.access(built.with_name(SCRIPT), os.X_OK)


def test_a_build_that_breaks_off_leaves_no_cli(path: Path, built: Path, module: Path):
    script(path / "go", BUILDS.replace("chmod", "exit 1; chmod"))

    with pytest.raises(CliUnavailable, match="Run this again to go on"):
        pulumi_cli.build(built, module)
    assert not built.exists()
    assert pulumi_cli.find(built, module) is None


def test_a_build_of_another_version_is_not_handed_on(path: Path, built: Path, module: Path):
    script(path / "go", BUILDS.replace("v3.250.0", "v3.1.0"))

    with pytest.raises(CliUnavailable, match=r"does not answer `version` with v3\.250\.0"):
        pulumi_cli.build(built, module)


def test_a_module_without_the_pin_is_refused(module: Path):
    (module / "go.mod").write_text("module example\n")

    with pytest.raises(CliUnavailable, match="requires no"):
        pulumi_cli.pinned_version(module)


def test_the_module_of_this_repository_pins_a_version_that_is_recent_enough():
    assert pulumi_cli.pinned_version() >= pulumi_cli.oldest_version()
