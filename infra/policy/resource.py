"""A resource as plain data, and how its nested properties are read.

A rule never meets a Pulumi class: the same rules read what a program registers (tests) and what the engine hands to the
policy pack. Property names are Pulumi's wire names (camelCase).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final, cast

from production import is_production
from regions import REGIONS

Properties = Mapping[str, object]

NOTHING: Final[Properties] = MappingProxyType({})
LABELS: Final = frozenset({"app", "managed-by", "stack"})
PLACES: Final = REGIONS | {"eur3", "nam5"}
"""Firestore's two multi-regions are places for a database; nothing else can be declared there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules are measured against.

    ``today`` decides which runtimes are past their end; ``regions`` is what the program itself allows until an
    organisation narrows it; ``labels`` are the keys that everything which can carry labels must have.
    """

    today: date
    regions: frozenset[str] = PLACES
    labels: frozenset[str] = LABELS


@dataclass(frozen=True, slots=True)
class Resource:
    """One declared resource: its type token, its logical name, its inputs and the stack it is declared in."""

    kind: str
    name: str
    properties: Properties
    stack: str = "dev"

    @property
    def production(self) -> bool:
        return is_production(self.stack)

    def text(self, *path: str) -> str:
        """The string at a path of keys, or an empty one."""
        return text_of(self.part(*path[:-1]), path[-1])

    def part(self, *path: str) -> Properties:
        """The nested object at a path of keys, or an empty one."""
        found = self.properties
        for key in path:
            found = mapping_of(found.get(key))
        return found

    def parts(self, *path: str) -> Iterator[Properties]:
        """Each object of the list at a path of keys."""
        values = self.part(*path[:-1]).get(path[-1])
        for value in sequence_of(values):
            yield mapping_of(value)


def mapping_of(value: object) -> Properties:
    return cast("Properties", value) if isinstance(value, Mapping) else NOTHING


def sequence_of(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def text_of(values: Properties, key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def number_of(values: Properties, key: str, default: float) -> float:
    """A number, written as one or as a string (``"1"``, ``"0.5"``); the engine hands whole numbers over as floats."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        return float(value)
    except ValueError:
        return default
