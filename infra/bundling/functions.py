"""A function's zip: its own files, the core's wheel, its requirements."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundling.archives import collect, stored_zip
from bundling.errors import BundlingError
from bundling.requirements import locked_requirements, vendored
from bundling.wheel import core_wheel, write_whole

FunctionName = Literal["webhook", "processor"]
FUNCTIONS: tuple[FunctionName, ...] = ("webhook", "processor")
ENTRY = "main.py"
CARRIED = (ENTRY, "profile", "prompts")
"""What a function may bring along; nothing else in its folder is deployed."""
BORROWED: dict[FunctionName, tuple[str, ...]] = {"webhook": ("profile/automatic_messages.toml",), "processor": ()}
"""What a function carries of the processor's folder: the deployer writes one profile for both."""


@dataclass(frozen=True)
class Bundle:
    """One function's zip. ``digest`` is the sha256 of the zip in hex, and part of ``path``: it is never rewritten."""

    function: str
    path: Path
    digest: str


def bundle(function: FunctionName, root: Path, target: Path) -> Bundle:
    """Make ``target/<function>-<digest>.zip`` from the repository at ``root``.

    Safe to run at the same time as another. Raises BundlingError, one line with what to do.
    """
    try:
        content = stored_zip(_contents(function, root, target))
        digest = hashlib.sha256(content).hexdigest()
        path = target / f"{function}-{digest}.zip"
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content)
    except OSError as error:
        raise BundlingError(f"the {function} can't be bundled: {error.filename or target}: {error.strerror}") from error
    return Bundle(function, path, digest)


def _contents(function: FunctionName, root: Path, target: Path) -> dict[str, bytes]:
    own = root / "functions" / function
    files = {name: content for each in CARRIED for name, content in collect(own, each).items()}
    lender = root / "functions" / "processor"
    files |= {name: content for each in BORROWED[function] for name, content in collect(lender, each).items()}
    if ENTRY not in files:
        raise BundlingError(f"{own / ENTRY} is missing: is {root} the repository?")
    requirements = locked_requirements(root, function)  # quick, and what fails most: before the wheel is built
    target.mkdir(parents=True, exist_ok=True)
    wheel = core_wheel(root, target)
    lines = (*requirements, vendored(wheel.name, wheel.digest))
    files[f"vendor/{wheel.name}"] = wheel.content
    files["requirements.txt"] = "".join(f"{line}\n" for line in lines).encode()
    return files
