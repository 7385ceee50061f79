"""A view as JSON values: keys in camelCase, times as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import cast


def as_json(value: object) -> object:
    """A view, or several, as what ``json.dumps`` takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return {_camel(field.name): as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [as_json(each) for each in cast("Sequence[object]", value)]
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
