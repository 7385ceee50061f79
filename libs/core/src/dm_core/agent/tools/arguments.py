"""A tool's arguments: the fields of a frozen dataclass.

The JSON schema the model sees and our own validation of what it sends come from the same fields, so they can't drift.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields
from typing import Any, ClassVar, Final, Protocol, cast

from dm_core.agent.texts import cut, without_slips
from dm_core.clients.http_response import alone

_YES: Final = ("true", "yes", "1")
_NO: Final = ("false", "no", "0")


class Arguments(Protocol):
    """A dataclass of a tool's arguments."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class BadArguments(Exception):
    """The model's arguments can't be used; the message tells it what to do."""


def schema_of(arguments: type[Arguments]) -> dict[str, object]:
    """The JSON schema of type object that the model sees."""
    properties = {spec.name: dict(_schema(spec)) for spec in fields(arguments)}
    required = [spec.name for spec in fields(arguments) if spec.default is MISSING]
    schema: dict[str, object] = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def parse[A: Arguments](arguments: type[A], tool: str, given: Mapping[str, object]) -> A:
    """The arguments as typed values; those we don't know are ignored. Raises BadArguments."""
    values: dict[str, object] = {}
    for spec in fields(arguments):
        value = given.get(spec.name)
        if value is not None:
            values[spec.name] = _valid(spec, value)
        elif spec.default is MISSING:
            raise BadArguments(f"{tool} needs the argument {spec.name!r}. Call it again with it.")
    return arguments(**values)


def text_argument(description: str, *, max_chars: int, is_cut: bool = False) -> str:
    """A text; control characters are removed, white space around it too. ``is_cut``: a longer one is, not refused."""
    schema = {"type": "string", "description": description}
    return field(metadata={"schema": schema, "max": max_chars, "is_cut": is_cut})


def choice_argument[T: str](description: str, choices: tuple[T, ...], default: T, meant: Mapping[str, T]) -> T:
    """One of a few words. ``meant``: what models say in their place; anything else is the default."""
    schema = {"type": "string", "description": description, "enum": list(choices), "default": default}
    return field(default=default, metadata={"schema": schema, "meant": meant})


def whole_argument(description: str, *, minimum: int, maximum: int, default: int) -> int:
    """A whole number in a range; 7.0 and "7" are 7."""
    schema = {
        "type": "integer",
        "description": description,
        "minimum": minimum,
        "maximum": maximum,
        "default": default,
    }
    return field(default=default, metadata={"schema": schema})


def yes_no_argument(description: str, *, default: bool) -> bool:
    """True or false; the words of either are taken too, and anything else is the default."""
    return field(
        default=default, metadata={"schema": {"type": "boolean", "description": description, "default": default}}
    )


def _schema(spec: Field[Any]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", spec.metadata["schema"])


def _valid(spec: Field[Any], given: object) -> object:
    schema, value = _schema(spec), alone(given)
    if schema["type"] == "integer":
        return _whole(spec.name, value, cast("int", schema["minimum"]), cast("int", schema["maximum"]))
    word = str(value).strip().lower()
    if schema["type"] == "boolean":
        return word in _YES or (word not in _NO and spec.default)
    if "enum" in schema:
        meant = cast("Mapping[str, str]", spec.metadata["meant"])
        return word if word in cast("list[str]", schema["enum"]) else meant.get(word, spec.default)
    if not isinstance(value, str):
        raise BadArguments(f"{spec.name!r} must be a text, not {_type_name(value)}. Call the tool again.")
    text = without_slips(value).strip()
    most = cast("int", spec.metadata["max"])
    return _text(spec.name, cut(text, most) if spec.metadata["is_cut"] else text, most)


def _text(name: str, text: str, max_chars: int) -> str:
    if not text:
        raise BadArguments(f"{name!r} is empty. Call the tool again with a text.")
    if len(text) > max_chars:
        raise BadArguments(f"{name!r} is too long: at most {max_chars} characters. Call the tool again with less.")
    return text


def _whole(name: str, value: object, minimum: int, maximum: int) -> int:
    number = _as_whole(value)
    if number is None or not minimum <= number <= maximum:
        raise BadArguments(f"{name!r} must be a whole number from {minimum} to {maximum}. Call the tool again.")
    return number


def _as_whole(value: object) -> int | None:
    """The number, where nothing is lost."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return int(value) if value.is_integer() else None
        case str():
            digits = value.strip()
            return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
        case _:
            return None


def _type_name(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
