"""YAML as plain values, each with the line it stands on.

The scalars are those of YAML 1.2's core: ``no`` and ``on`` are words, ``18:00`` is a text, not 1080. Twice the same key
in one mapping, merge keys, tags of one's own, and an alias inside of what it names are refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import yaml

MAX_VALUES: Final = 20_000
"""Values of one file, aliases unfolded; a usual scenario has a hundred."""

Value = str | int | float | bool | list["Value"] | dict[str, "Value"] | None
Place = tuple[str | int, ...]
"""The way to a value: keys and positions."""

_TAGS: Final = frozenset(("str", "int", "float", "bool", "null", "seq", "map", "timestamp", "merge", "value"))
"""What a value without a tag of its own may be to the parser, which knows YAML 1.1."""
_NULL: Final = re.compile(r"(?:~|null|Null|NULL|)")
_TRUE: Final = re.compile(r"(?:true|True|TRUE)")
_FALSE: Final = re.compile(r"(?:false|False|FALSE)")
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


class BrokenYaml(Exception):
    """The file can't be read as YAML. ``line`` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Lines:
    """Where values stand: a key's line where there is one, else the value's."""

    lines: Mapping[Place, int]

    def of(self, place: Sequence[str | int]) -> int:
        """The line of a value, or of the nearest one around it."""
        return self.lines.get(self.known(place), 1)

    def known(self, place: Sequence[str | int]) -> Place:
        """The longest beginning of ``place`` that stands in the file."""
        for length in range(len(place), -1, -1):
            if tuple(place[:length]) in self.lines:
                return tuple(place[:length])
        return ()


def read_yaml(text: str) -> tuple[Value, Lines]:
    """One document. Raises BrokenYaml."""
    reader = _Reader()
    try:
        node = _compose(text)
        if node is None:
            raise BrokenYaml(1, "is empty")
        return reader.value(node, ()), Lines(reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = " ".join(filter(None, (error.context, error.problem)))
        raise BrokenYaml(mark.line + 1 if mark else 1, f"is no YAML: {told}") from error
    except yaml.YAMLError as error:
        raise BrokenYaml(1, f"is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BrokenYaml(1, "is nested too deeply") from error


def _compose(text: str) -> yaml.Node | None:
    composed: object = yaml.compose(text, Loader=yaml.SafeLoader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast("yaml.Node | None", composed)


@dataclass(slots=True)
class _Reader:
    """From nodes to values; notes the lines."""

    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    _inside: set[int] = field(default_factory=set[int])
    _count: int = 0

    def value(self, node: yaml.Node, place: Place) -> Value:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        self._count += 1
        if self._count > MAX_VALUES:
            raise BrokenYaml(line, f"holds more than {MAX_VALUES} values")
        if id(node) in self._inside:
            raise BrokenYaml(line, "an alias stands inside of what it names")
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise BrokenYaml(line, f"the tag {node.tag} means nothing here")
        self._inside.add(id(node))
        try:
            return self._inner(node, place)
        finally:
            self._inside.discard(id(node))

    def _inner(self, node: yaml.Node, place: Place) -> Value:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode), "there are three kinds of nodes"  # noqa: S101
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise BrokenYaml(line, "a key must be a word")
            key = key_node.value
            if key == "<<":
                raise BrokenYaml(line, "merge keys (<<) are not understood: write the keys out")
            if key in found:
                raise BrokenYaml(line, f'"{key}" stands there twice (first in line {self.lines[(*place, key)]})')
            self.lines[(*place, key)] = line
            found[key] = self.value(value_node, (*place, key))
        return found


def _scalar(node: yaml.ScalarNode) -> Value:
    text = node.value
    if node.style is not None:  # quoted, or a block: always a text
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if _INT.fullmatch(text):
        return int(text) if len(text) < 400 else text
    return float(text) if _FLOAT.fullmatch(text) else text
