"""Runs uv: the repository's own (``.tools``, the pinned version) or the one on PATH."""

import os
import shutil
import subprocess
from pathlib import Path

from bundling.errors import BundlingError

TIMEOUT_SECONDS = 300.0
_MISLEADING = {"UV_PROJECT", "UV_WORKING_DIRECTORY", "UV_FROZEN", "UV_LOCKED", "UV_PYTHON", "UV_EXCLUDE_NEWER"}
"""Variables of a caller's own project or run that would make uv look at, or build, something else."""


def find_uv(root: Path) -> str:
    """The program's path. Raises BundlingError if there is none."""
    pinned = root / ".tools" / "uv" / "bin" / "uv"
    found = str(pinned) if os.access(pinned, os.X_OK) else shutil.which("uv")
    if found is None:
        raise BundlingError("uv is missing: run 'make setup' in the repository (or install uv), then this again")
    return found


def run_uv(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One uv command, quiet, in ``root``; the caller looks at its exit code. Never downloads a Python."""
    command = [find_uv(root), "--no-progress", "--color", "never", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    try:
        return subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BundlingError(f"uv {arguments[0]} took longer than {TIMEOUT_SECONDS:.0f} s: run this again") from None
    except OSError as error:
        raise BundlingError(f"{command[0]} can't be run ({error.strerror}): run 'make setup'") from error


def said(lines: str, most: int = 300) -> str:
    """What uv printed, as one line."""
    text = " ".join(lines.split())
    return text if len(text) <= most else "… " + text[-most:]
