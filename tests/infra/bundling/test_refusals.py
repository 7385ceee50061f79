"""What can't be bundled is refused with one line that says what to do."""

import re
import subprocess
from pathlib import Path

import pytest

from bundling import BundlingError
from bundling.archives import collect
from bundling.requirements import logical_lines, normalised
from tests.infra.checkouts import run_bundler

HASH = "--hash=sha256:" + "a" * 64


def _refused(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 1, run.stdout
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1, run.stderr
    return run.stderr


def test_without_uv_the_line_names_the_command_that_installs_it(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".tools/uv/bin/uv").unlink(missing_ok=True)

    run = run_bundler(checkout, tmp_path / "out", environment={"PATH": str(tmp_path)})

    assert "make setup" in _refused(run)


def test_a_lock_that_does_not_know_a_dependency_is_refused(checkout: Path, tmp_path: Path) -> None:
    project = checkout / "libs/core/pyproject.toml"
    project.write_text(project.read_text().replace("webhook = [", 'webhook = ["orjson>=3", '))

    line = _refused(run_bundler(checkout, tmp_path / "out", "webhook"))

    assert "orjson" in line
    assert "make lock" in line


def test_a_lock_without_a_hash_is_refused(checkout: Path, tmp_path: Path) -> None:
    lock = checkout / "uv.lock"
    head, mark, package = lock.read_text().partition('name = "starlette"\nversion')
    ours, end, rest = package.partition("[[package]]")
    lock.write_text(head + mark + re.sub(r', hash = "[^"]*"', "", ours) + end + rest)

    line = _refused(run_bundler(checkout, tmp_path / "out", "webhook"))

    assert "starlette==" in line
    assert "hash" in line


def test_a_broken_lock_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "uv.lock").write_text("not a lock file")

    assert "uv.lock" in _refused(run_bundler(checkout, tmp_path / "out", "webhook"))


def test_a_core_that_does_not_build_is_refused(checkout: Path, tmp_path: Path) -> None:
    project = checkout / "libs/core/pyproject.toml"
    project.write_text(project.read_text().replace("hatchling.build", "hatchling.nothing"))

    assert "could not be built" in _refused(run_bundler(checkout, tmp_path / "out", "webhook"))


def test_a_function_without_its_entry_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "functions/webhook/main.py").unlink()

    assert "main.py is missing" in _refused(run_bundler(checkout, tmp_path / "out", "webhook"))


def test_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/knowledge.md").symlink_to("/etc/hostname")

    with pytest.raises(BundlingError, match=r"knowledge\.md is a symbolic link"):
        collect(tmp_path, "profile")


def test_a_place_that_cannot_be_written_is_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, not a folder")

    assert str(tmp_path / "out") in _refused(run_bundler(checkout, tmp_path / "out", "webhook"))


@pytest.mark.parametrize("entry", ["-e ./libs/core", "./libs/core", "core @ git+https://example.com/x", "a>=1", "a"])
def test_only_pinned_packages_of_an_index_are_accepted(entry: str) -> None:
    with pytest.raises(BundlingError, match="is not a pinned package"):
        normalised(f"{entry} {HASH}")


def test_an_entry_is_spelt_one_way_however_it_was_exported() -> None:
    one = f"a==1 ; python_version < '4' \\\n    {HASH} \\\n    --hash=sha256:{'0' * 64}\n    # via b\n"
    other = f"a==1   ; python_version < '4' --hash=sha256:{'0' * 64} {HASH}\n"

    assert [normalised(line) for line in logical_lines(one)] == [normalised(line) for line in logical_lines(other)]
