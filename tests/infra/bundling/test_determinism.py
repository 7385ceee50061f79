"""The same tree gives the same bytes, wherever, whenever and by whomever; another tree gives others."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundling import Bundle, bundle
from tests.infra.checkouts import REPOSITORY, digests, run_bundler

LEFT_BY_EDITORS = ("facts.toml~", "facts.toml.orig", "facts.toml.rej", ".facts.toml.swp", "facts.bak", "Thumbs.db")
STRANGE = {
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "SOURCE_DATE_EPOCH": "1234567890",
    "UV_WORKING_DIR": "/",
    "UV_NO_SOURCES": "1",
    "UV_NO_GROUP": "docs",
    "UV_REQUIRE_HASHES": "1",
    "UV_PYTHON": "3.9",
}
"""A shell with another place and calendar, and with uv's variables of another project."""


def _of(bundles: Mapping[str, Bundle]) -> dict[str, str]:
    return {function: each.digest for function, each in bundles.items()}


def _disturb(checkout: Path) -> None:
    """Other times, other modes, and what tools and people leave behind."""
    for number, path in enumerate(sorted((checkout / "libs").rglob("*"))):
        os.utime(path, (at := 1_000_000_000 + number * 86_400, at))
        if path.is_file():
            path.chmod(0o755 if number % 2 else 0o600)
    for path in (checkout / "functions").rglob("*.*"):
        path.chmod(0o711 if path.is_dir() else 0o700)
        os.utime(path, (1, 1))
    for name in ("libs/core/src/dm_core", "functions/webhook", "functions/processor/profile"):
        for stray in ("__pycache__/main.cpython-313.pyc", ".env", "tests/test_it.py", "left.pyc", *LEFT_BY_EDITORS):
            path = checkout / name / stray
            path.parent.mkdir(exist_ok=True)
            path.write_text("left behind")
    (checkout / "functions/webhook/notes.txt").write_text("not carried")


def test_another_place_with_other_times_modes_locale_timezone_and_umask_gives_the_same_bytes(
    bundles: Mapping[str, Bundle], checkout: Path, tmp_path: Path
) -> None:
    _disturb(checkout)

    run = run_bundler(checkout, tmp_path / "out", environment=STRANGE, umask=0o077)

    assert digests(run) == _of(bundles)


def test_another_python_gives_the_same_bytes(bundles: Mapping[str, Bundle], checkout: Path, tmp_path: Path) -> None:
    python = _python_3_12()

    run = run_bundler(checkout, tmp_path / "out", python=python)

    assert digests(run) == _of(bundles)


def test_a_change_in_the_core_changes_both(bundles: Mapping[str, Bundle], checkout: Path, tmp_path: Path) -> None:
    with (checkout / "libs/core/src/dm_core/clock.py").open("a") as file:
        file.write("# changed\n")

    changed = digests(run_bundler(checkout, tmp_path / "out"))

    assert {function for function in changed if changed[function] != bundles[function].digest} == set(bundles)


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("processor/prompts/system.md", {"processor"}),
        ("processor/profile/knowledge.md", {"processor"}),
        ("processor/main.py", {"processor"}),
        ("webhook/main.py", {"webhook"}),
        ("processor/profile/automatic_messages.toml", {"webhook", "processor"}),
    ],
)
def test_a_change_of_one_function_leaves_the_other_as_it_is(
    bundles: Mapping[str, Bundle], checkout: Path, name: str, functions: set[str]
) -> None:
    """So that each is deployed by itself. The automatic messages are the webhook's too: one profile for both."""
    with (checkout / "functions" / name).open("a") as file:
        file.write("\n# changed\n")

    target = next(iter(bundles.values())).path.parent  # where the core's wheel is kept already

    changed = digests(run_bundler(checkout, target))
    assert {function for function, digest in changed.items() if digest != bundles[function].digest} == functions


def test_an_unchanged_tree_needs_no_build_and_no_network(bundles: Mapping[str, Bundle], checkout: Path) -> None:
    target = next(iter(bundles.values())).path.parent
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}
    unreachable = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(checkout / "empty"), "UV_DEFAULT_INDEX": "http://127.0.0.1:9"}

    run = run_bundler(checkout, target, environment=unreachable)

    assert digests(run) == _of(bundles)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()} == before


def test_a_build_offline_uses_what_uv_has_in_its_cache(
    bundles: Mapping[str, Bundle], checkout: Path, tmp_path: Path
) -> None:
    run = run_bundler(checkout, tmp_path / "out", environment={"UV_OFFLINE": "1"})

    assert digests(run) == _of(bundles)


def test_builds_at_the_same_time_do_not_disturb_each_other(bundles: Mapping[str, Bundle], tmp_path: Path) -> None:
    target = tmp_path / "out"

    with ThreadPoolExecutor(2) as pool:
        made = [each.result() for each in [pool.submit(bundle, "webhook", REPOSITORY, target) for _ in range(2)]]

    assert {each.digest for each in made} == {bundles["webhook"].digest}
    assert made[0].path.read_bytes() == bundles["webhook"].path.read_bytes()
    assert [path.name for path in target.rglob(".*")] == []  # no halves left


def test_a_zip_that_was_tampered_with_is_made_again(bundles: Mapping[str, Bundle], tmp_path: Path) -> None:
    shutil.copytree(bundles["webhook"].path.parent, tmp_path / "out")
    path = tmp_path / "out" / bundles["webhook"].path.name
    path.write_bytes(b"cut short")

    made = bundle("webhook", REPOSITORY, tmp_path / "out")

    assert made.path == path
    assert path.read_bytes() == bundles["webhook"].path.read_bytes()


def _python_3_12() -> str:
    """Another Python: on PATH, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(str(path) for path in pyenv.glob("versions/3.12*/bin/python3.12"))
    for found in (shutil.which("python3.12"), *installed):
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:  # noqa: S603
            return found
    # Skipped in CI too: nothing of ours runs on 3.12, it only may bundle, and no package index has an interpreter.
    pytest.skip("Python 3.12 is missing: install it (uv python install 3.12 puts it on PATH)")
