"""Copies of this repository to bundle from, and the bundler as a process of its own."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*")


def copy_checkout(into: Path) -> Path:
    """What bundling reads, at another place: the lock file, the members' project files, core, functions, bundler."""
    into.mkdir(parents=True)
    workspace = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    for name in ("pyproject.toml", "uv.lock", ".python-version", *(f"{member}/pyproject.toml" for member in workspace)):
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, into / name)
    for name in ("libs/core/src", "functions", "infra/bundling"):
        shutil.copytree(REPOSITORY / name, into / name, ignore=LEFT_OUT, dirs_exist_ok=True)
    pinned = REPOSITORY / ".tools" / "uv" / "bin" / "uv"
    if pinned.exists():
        (into / ".tools/uv/bin").mkdir(parents=True)
        (into / ".tools/uv/bin/uv").symlink_to(pinned)
    return into


def run_bundler(
    root: Path,
    into: Path,
    *arguments: str,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    umask: int = 0o022,
) -> subprocess.CompletedProcess[str]:
    """``python -m bundling``, as ``make bundle`` runs it."""
    return subprocess.run(  # noqa: S603
        [python, "-m", "bundling", *arguments, "--into", str(into)],
        cwd=root / "infra",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def digests(run: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The digest of each function, from what the bundler printed."""
    assert run.returncode == 0, run.stderr
    lines = [line.split() for line in run.stdout.splitlines()]
    return {name.partition("-")[0]: digest.removeprefix("sha256:") for name, _, _, digest in lines}


def contents(path: Path) -> dict[str, bytes]:
    """A zip's files by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
