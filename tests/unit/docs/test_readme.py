"""The README's map and its commands are those of the tree and of the Makefile."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.docs.repository import ROOT, files, name, pages, text

README = ROOT / "README.md"
MAKEFILE = text(ROOT / "Makefile")
TARGETS = frozenset(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))
LISTED = frozenset(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
"""Those that ``make help`` prints: it looks for the same pattern."""


def section(title: str) -> str:
    """The README's text under one heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text(README), re.MULTILINE | re.DOTALL)
    assert found, f"the README has no section {title!r}"
    return found[1]


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Each ``make …`` of a page: its target, and what follows on the line."""
    spans = re.findall(r"`(make [^`]*)`", text(page))
    lines = re.findall(r"^\s*(make [a-z].*)$", text(page), re.MULTILINE)
    parts = (part for command in spans + lines for part in re.split(r"[;,]|&&|#", command))
    found = (re.match(r"(?:\w+=\S+ )*make ([a-z][a-z-]*)(.*)", part.strip()) for part in parts)
    return ((match[1], match[2]) for match in found if match)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_make_target_a_page_names_exists(page: Path) -> None:
    assert [target for target, _ in commands(page) if target not in TARGETS] == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_variable_a_page_gives_make_is_one_that_the_makefile_reads(page: Path) -> None:
    given = {variable for _, rest in commands(page) for variable in re.findall(r"\b([A-Z][A-Z_]+|[A-Z])=", rest)}

    assert [variable for variable in sorted(given) if f"$({variable})" not in MAKEFILE] == []


def test_every_target_that_make_help_lists_is_explained_on_a_page() -> None:
    named = {target for page in pages() for target, _ in commands(page)}

    assert sorted(LISTED - named) == []


def test_the_map_has_every_folder_of_the_tree_and_no_other() -> None:
    mapped = {span.rstrip("/") for row in section("Map").splitlines() for span in re.findall(r"`([\w./-]+/)`", row)}
    roots = {path.relative_to(ROOT).parts[0] for path in files() if path.parent != ROOT and name(path)[0] != "."}

    assert {folder.split("/")[0] for folder in mapped} >= roots
    assert [folder for folder in sorted(mapped) if not any(place.is_dir() for place in _places(folder))] == []


def _places(folder: str) -> Iterator[Path]:
    """A row names its folder from the root, and what is in it from there."""
    yield ROOT / folder
    yield from (ROOT / top / folder for top in ("tests", "evals", "docs", "libs", "functions"))


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_module_a_page_runs_can_be_run(page: Path) -> None:
    modules = set(re.findall(r"python -m ([\w.]+)", text(page)))

    assert [module for module in sorted(modules) if find_spec(module) is None] == []
