"""Which Pulumi CLI is used, and what is said when there is none: tools that answer in their place are in tmp_path."""

from pathlib import Path

import pytest

from tools import pulumi_cli
from tools.pulumi_cli import CliUnavailable

GO_MOD = "module example\n\ngo 1.25.11\n\nrequire (\n\tgithub.com/pulumi/pulumi/pkg/v3 v3.250.0\n)\n"
BUILDS = """
case "$1 $2" in
  "env GOVERSION") echo go1.26.0;;
  "env GOTOOLCHAIN") echo auto;;
  build*) while [ "$1" != -o ]; do shift; done
    echo built >> "$(dirname "$0")/builds"
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
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def script(file: Path, body: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def test_a_recent_cli_on_the_path_is_used(path: Path, built: Path, module: Path):
    installed = script(path / "pulumi", "echo v3.272.0")

    assert pulumi_cli.find(built, module) == installed


@pytest.mark.parametrize("answer", ["echo v3.199.0", "echo nonsense", "exit 1"])
def test_an_old_or_broken_cli_on_the_path_is_not_used(path: Path, built: Path, module: Path, answer: str):
    script(path / "pulumi", answer)

    assert pulumi_cli.find(built, module) is None


def test_the_cli_that_was_built_is_used(path: Path, built: Path, module: Path):
    script(built, "echo v3.250.0")

    assert pulumi_cli.find(built, module) == built
    assert list(path.iterdir()) == []


def test_a_cli_built_from_another_pin_is_not_used(path: Path, built: Path, module: Path):
    script(built, "echo v3.240.0")

    assert pulumi_cli.find(built, module) is None
    assert list(path.iterdir()) == []


def test_without_go_it_is_said_what_to_install(path: Path, built: Path, module: Path):
    with pytest.raises(CliUnavailable, match=r"no Go to build one: install Pulumi .* or Go 1\.25\.11 or newer"):
        pulumi_cli.build(built, module)
    assert list(path.iterdir()) == []


@pytest.mark.parametrize(("version", "toolchain"), [("go1.20.4", "auto"), ("go1.24.0", "local")])
def test_too_old_a_go_is_refused_before_it_builds(path: Path, built: Path, module: Path, version: str, toolchain: str):
    script(path / "go", f'case "$2" in GOVERSION) echo {version};; *) echo {toolchain};; esac')

    with pytest.raises(CliUnavailable, match=r"needs 1\.25\.11: install a newer Go"):
        pulumi_cli.build(built, module)


def test_what_was_built_once_is_not_built_again(path: Path, built: Path, module: Path):
    script(path / "go", BUILDS)

    assert pulumi_cli.build(built, module) == built
    assert pulumi_cli.build(built, module) == built
    assert (path / "builds").read_text() == "built\n"


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
    assert pulumi_cli.pinned_version() >= pulumi_cli.OLDEST
