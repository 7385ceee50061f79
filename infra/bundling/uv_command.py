"""Runs uv: the repository's own (``.tools``, the pinned version) or the one on PATH."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from bundling.errors import BundlingError

TIMEOUT_SECONDS = 300.0
_OURS = re.compile(
    r"(?!UV_).*|UV_(CACHE_DIR|OFFLINE|(\w+_)?INDEX(_\w+)?|INSECURE_HOST|KEYRING_PROVIDER|SYSTEM_CERTS|NATIVE_TLS|HTTP_\w+)"
)
"""Of uv's own variables those that say where packages come from; the others are those of a caller's project or run, and
would make uv look at, or build, something else (https://docs.astral.sh/uv/reference/environment/)."""


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
    environment = {name: value for name, value in os.environ.items() if _OURS.fullmatch(name)}
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
