"""The corpus of webhook bodies (tests/corpus/README.md), for the tests, the fuzzers and the person of the sandbox."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

FOLDER: Final = Path(__file__).parents[4] / "tests" / "corpus"
ACCOUNT: Final = "178414"
PERSON: Final = "9001"
NOW: Final = 1_790_000_010_000
"""Whom the bodies are about, and when (ms since 1970)."""

_LISTS: Final = ("messaging", "standby")


@dataclass(frozen=True, slots=True)
class Case:
    """One body and what becomes of it. ``name`` is the file's, with its folder: ``share/ig_post``."""

    name: str
    body: object
    expect: Mapping[str, object]


@cache
def cases() -> tuple[Case, ...]:
    """All of them, by name; empty where the repository is not around this package."""
    return tuple(_case(path) for path in sorted(FOLDER.glob("*/*.json")))


def case(name: str) -> Case:
    """The one of this name. Raises KeyError."""
    return {each.name: each for each in cases()}[name]


def items(body: object) -> Iterator[dict[str, object]]:
    """The items of a body as real traffic has them, copied, so that they may be changed."""
    for envelope in cast("list[object]", body) if isinstance(body, list) else [body]:
        for entry in _list(_map(envelope).get("entry")):
            for key in _LISTS:
                yield from (_map(item) for item in _list(_map(entry).get(key)))
            for change in (*_list(_map(entry).get("changes")), entry):
                if isinstance(value := _map(change).get("value"), dict):
                    yield _map(cast("object", value))


def _case(path: Path) -> Case:
    content = cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
    name = f"{path.parent.name}/{path.stem}"
    return Case(name, content["body"], cast("Mapping[str, object]", content["expect"]))


def _map(value: object) -> dict[str, object]:
    return dict(cast("dict[str, object]", value)) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
