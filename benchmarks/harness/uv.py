"""uv, as ``make setup`` installs it or as it is on the PATH."""

import shutil
from pathlib import Path


class UvMissing(Exception):
    """uv is not installed here, or an environment could not be made by it."""


def uv() -> str:
    """Where it is. Raises UvMissing."""
    own = Path(__file__).parents[2] / ".tools" / "uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise UvMissing("uv is missing: run make setup")
    return found
