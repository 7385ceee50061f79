"""The words a part of the core compares texts with, read from its source: what no mutation would guess."""

import ast
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PARTS: Final[Mapping[str, str]] = {
    "webhook": "webhook/*.py",
    "webhook_parse": "webhook/*.py",
    "signed_request": "webhook/*.py",
    "processor": "processing/*.py",
    "model": "agent/**/*.py",
    "platform": "clients/*.py",
    "settings": "settings/*.py",
}
"""Target: the files of the core that its inputs are for."""

_METHODS: Final = frozenset({"startswith", "endswith", "partition", "rpartition", "split", "removeprefix", "get"})
MAX_CHARS: Final = 40


def compared_words(target: str) -> list[str]:
    """The words for a target, sorted; the core is found, not imported."""
    found = find_spec("dm_core")
    roots = [Path(place) for place in found.submodule_search_locations or ()] if found else []
    files = [file for root in roots for file in root.glob(PARTS.get(target, "**/*.py"))]
    words = {word for file in files for word in _words(ast.parse(file.read_text("utf-8")))}
    return sorted(word for word in words if 0 < len(word) <= MAX_CHARS and word.isascii() and word.isprintable())


def _words(tree: ast.AST) -> Iterator[str]:
    """Texts in comparisons, and given to methods that look for a part."""
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            parts = list(node.args)
        for part in parts:
            for leaf in ast.walk(part):
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    yield leaf.value
