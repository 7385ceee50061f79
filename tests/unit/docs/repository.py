"""The repository as its readers see it: the files under version control, their text, and the headings of its pages."""

import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
CORE = "libs/core/src/dm_core"
_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")


@cache
def files() -> tuple[Path, ...]:
    """Every file git knows or would add, so that a page that was just written counts. Without git: every file."""
    listing = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")  # noqa: S603
    except (FileNotFoundError, subprocess.CalledProcessError):
        hidden = (".venv", ".tools", ".state", ".git")
        return tuple(
            path for path in sorted(ROOT.rglob("*")) if path.is_file() and path.relative_to(ROOT).parts[0] not in hidden
        )
    return tuple(path for path in (ROOT / name for name in sorted(set(names)) if name) if path.is_file())


@cache
def text(path: Path) -> str:
    """A file's text; empty for one that is not text."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def name(path: Path) -> str:
    """The path as it is written in the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def pages() -> tuple[Path, ...]:
    """README, the changelog, and everything in ``docs/``."""
    return tuple(path for path in files() if path.suffix == ".md" and re.match(r"docs/|\w+\.md$", name(path)))


def prose(page: Path) -> Iterator[str]:
    """A page's lines outside fenced code."""
    fenced = False
    for line in text(page).splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield line


@cache
def anchors(page: Path) -> frozenset[str]:
    """The fragments that GitHub gives a page's headings: a repeated one gets ``-1``, ``-2``, …"""
    found: dict[str, int] = {}
    for line in prose(page):
        if heading := _HEADING.match(line):
            anchor = slug(heading[1])
            while anchor in found:
                found[anchor] += 1
                anchor = f"{slug(heading[1])}-{found[slug(heading[1])]}"
            found[anchor] = 0
    return frozenset(found)


def slug(heading: str) -> str:
    """As GitHub makes it: markup gone, lower case, only letters, digits, ``_`` and ``-`` kept, blanks as hyphens.

    https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links
    """
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    shown = re.sub(r"(?<!\w)[*_]+|[*_]+(?!\w)", "", shown)
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")


@cache
def _places() -> frozenset[str]:
    """Every file and folder, by its path from the root, from ``dm_core``, and by its last names alone."""
    found: set[str] = set()
    for path in files():
        parts = path.relative_to(ROOT).parts
        whole = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        found.update(whole, ("/".join(parts[start:]) for start in range(1, len(parts))))
        found.update(place.removeprefix(f"{CORE}/") for place in whole)
    return frozenset(found)


@cache
def exists(path: str) -> bool:
    """Whether a path that a page names leads to a file or a folder; ``*`` stands for any part of a name."""
    wanted = path.rstrip("/")
    return wanted in _places() or ("*" in wanted and any(fnmatchcase(place, wanted) for place in _places()))


@cache
def tops() -> frozenset[str]:
    """The first names that a path may begin with: folders and files of the root and of ``dm_core``."""
    return frozenset(place for place in _places() if "/" not in place and ((ROOT / place).exists() or _in_core(place)))


def _in_core(place: str) -> bool:
    return (ROOT / CORE / place).exists()


def code_spans(page: Path) -> Iterator[str]:
    """What stands in backticks in a page's prose."""
    for span in re.finditer(r"(?<!`)`([^`]+)`(?!`)", "\n".join(prose(page))):
        yield " ".join(span[1].split())
