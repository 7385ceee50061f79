"""A function's requirements.txt: every package pinned and hashed, taken from the workspace's lock file."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from bundling.errors import BundlingError
from bundling.uv_command import run_uv, said

CORE = "dm-core"
_HASH = re.compile(r"--hash=(sha(?:256|384|512):[0-9a-f]{64,128})")
_PINNED = re.compile(r"([a-z0-9][a-z0-9-]*)==([0-9A-Za-z.!+_-]+)((?: ;.*)?)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def locked_requirements(root: Path, function: str) -> tuple[str, ...]:
    """One line a package, ``name==version ; marker --hash=…``, sorted. The core itself is not among them.

    Raises BundlingError if the lock lacks something, or anything comes without a hash.
    """
    exported = run_uv(
        root,
        *("export", "--quiet", "--package", f"dm-{function}", "--no-dev", "--frozen", "--no-emit-workspace"),
        *("--no-header", "--no-annotate"),
    )
    if exported.returncode != 0:
        raise BundlingError(f"uv.lock could not be read for dm-{function}: {said(exported.stderr)}; run 'make lock'")
    lines = tuple(sorted(normalised(line) for line in logical_lines(exported.stdout)))
    _check_complete(root, function, {line.partition("==")[0] for line in lines})
    return lines


def vendored(name: str, digest: str) -> str:
    """The line that installs a wheel of the zip's ``vendor`` folder."""
    return f"./vendor/{name} --hash=sha256:{digest}"


def logical_lines(text: str) -> Iterator[str]:
    """A requirements file's entries, continuation lines joined, comments left out."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def normalised(line: str) -> str:
    """One entry, spelt one way whichever uv exported it: single spaces, hashes sorted. Raises BundlingError."""
    hashes = sorted(set(_HASH.findall(line)))
    requirement = " ".join(_HASH.sub("", line).split())
    if not hashes:
        raise BundlingError(f"uv.lock has no hash for '{requirement}': every package must come from a package index")
    if not _PINNED.fullmatch(requirement):
        raise BundlingError(f"'{requirement}' is not a pinned package: every package must come from a package index")
    return " ".join((requirement, *(f"--hash={value}" for value in hashes)))


def _check_complete(root: Path, function: str, locked: set[str]) -> None:
    """``--frozen`` trusts the lock: see that it knows each package the function and the core ask for by name."""
    missing = sorted(set(_wanted(root, function)) - locked)
    if missing:
        raise BundlingError(f"uv.lock is out of date (it lacks {', '.join(missing)}): run 'make lock' and commit it")


def _wanted(root: Path, function: str) -> Iterator[str]:
    """The names that are asked for directly, the core's extras resolved."""
    core = _project(root / "libs" / "core")
    extras = cast("dict[str, list[str]]", core.get("optional-dependencies", {}))
    yield from (_name(requirement) for requirement in _dependencies(core))
    for requirement in _dependencies(_project(root / "functions" / function)):
        if _name(requirement) != CORE:
            yield _name(requirement)
            continue
        for extra in re.findall(r"[A-Za-z0-9_-]+", requirement.partition("[")[2].partition("]")[0]):
            yield from (_name(each) for each in extras.get(extra, []))


def _dependencies(project: dict[str, object]) -> Sequence[str]:
    return cast("Sequence[str]", project.get("dependencies", ()))


def _project(folder: Path) -> dict[str, object]:
    path = folder / "pyproject.toml"
    try:
        return cast("dict[str, object]", tomllib.loads(path.read_text("utf-8"))["project"])
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise BundlingError(f"{path} can't be read ({type(error).__name__})") from error


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else requirement
