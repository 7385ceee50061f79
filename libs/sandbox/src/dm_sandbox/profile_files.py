"""The checkout's files that a deployer edits, and whether they changed."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[4]
PROCESSOR_VARIABLE: Final = "DM_SANDBOX_PROCESSOR"
PROCESSOR_FOLDER: Final = Path(os.environ.get(PROCESSOR_VARIABLE) or ROOT / "functions" / "processor")
"""Holds ``profile/`` and ``prompts/``; another folder where the variable names one."""
CODE_FOLDERS: Final = (
    ROOT / "libs" / "core" / "src",
    ROOT / "functions",
    Path(__file__).parent / "functions",
)
type Fingerprint = Mapping[str, tuple[int, int]]
"""Size and time of change (ns) of each file."""


def fingerprint(folder: Path) -> Fingerprint:
    """Of ``profile/`` and ``prompts/``."""
    files = (path for name in ("profile", "prompts") for path in (folder / name).glob("*") if path.is_file())
    return _fingerprint(files, folder)


def code_fingerprint() -> Fingerprint:
    """Of the code that both functions are made of."""
    return _fingerprint((path for folder in CODE_FOLDERS for path in folder.rglob("*.py")), ROOT)


def _fingerprint(files: Iterable[Path], base: Path) -> Fingerprint:
    found: dict[str, tuple[int, int]] = {}
    for path in files:
        try:
            stat = path.stat()
        except OSError:  # gone between the listing and the look
            continue
        found[os.path.relpath(path, base)] = (stat.st_size, stat.st_mtime_ns)
    return found
