"""What a resource type takes, read from the classes of the installed pulumi-gcp: names, required ones, plain types.

The SDK itself drops a misspelt key of a nested dictionary in silence, and the engine knows no types; so the stand-in
looks here, as the real provider looks into its schema.
"""

import collections.abc
import importlib
import inspect
import sys
import types
import typing
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from pulumi._types import input_type_py_to_pulumi_names, input_type_types, is_input_type

from .wire import Properties, Value, is_asset, is_unknown


@dataclass(frozen=True)
class Shape:
    """The inputs of one type or nested type, by their names on the wire."""

    types: dict[str, object]
    required: frozenset[str]


class NoSuchType(Exception):
    """The SDK has no resource of this token."""


@cache
def load(module: str) -> ModuleType:
    """`pulumi_gcp.<module>`; loading `monitoring` warns of a deprecated function that nobody here calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = importlib.import_module(f"pulumi_gcp.{module}")
        getattr(loaded, "__all__", None)
    return loaded


@cache
def shape_of(token: str) -> Shape:
    """The inputs of the resource `gcp:module/file:Class`."""
    module, _, name = token.removeprefix("gcp:").partition(":")
    try:
        resource: object = getattr(load(module.partition("/")[0]), name)
        # Beside the class itself: a nested type of the same name may hide it in the package.
        found: object = getattr(sys.modules[str(getattr(resource, "__module__", ""))], f"{name}Args")
    except (ImportError, AttributeError, KeyError) as missing:
        raise NoSuchType(token) from missing
    return _shape(typing.cast("type[object]", found))


def failures(shape: Shape, inputs: Properties, path: str = "") -> list[tuple[str, str]]:
    """(property, reason) for each key that's missing, unknown to the SDK or of another type."""
    found = [
        (f"{path}{name}", f"required property {path}{name!r} is missing")
        for name in sorted(shape.required - set(inputs))
    ]
    for name, value in inputs.items():
        if name.startswith("__"):  # the SDK's own marks, as __defaults
            continue
        if name not in shape.types:
            found.append((f"{path}{name}", f"{path}{name!r} is not a property that this type has"))
            continue
        found += _value_failures(shape.types[name], value, f"{path}{name}")
    return found


def _value_failures(wanted: object, value: Value, path: str) -> list[tuple[str, str]]:
    if is_unknown(value) or is_asset(value):
        return []
    if isinstance(value, list):
        inner = _element(wanted, collections.abc.Sequence)
        if inner is None and _leaves(wanted):
            return [(path, f"{path} takes no list")]
        return [each for at, part in enumerate(value) for each in _value_failures(inner, part, f"{path}[{at}]")]
    if isinstance(value, dict):
        nested = _nested(wanted)
        if nested is not None:
            return failures(_shape(nested), value, f"{path}.")
        inner = _element(wanted, collections.abc.Mapping)
        return [each for key, part in value.items() for each in _value_failures(inner, part, f"{path}.{key}")]
    leaves = _leaves(wanted)
    if leaves and value is not None and not any(_fits(leaf, value) for leaf in leaves):
        return [(path, f"{path} is {value!r}, wanted {' or '.join(sorted(leaf.__name__ for leaf in leaves))}")]
    return []


def _fits(leaf: type, value: bool | float | str) -> bool:
    if leaf is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if leaf is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, leaf)


@cache
def _shape(args: type[object]) -> Shape:
    names = input_type_py_to_pulumi_names(args)
    parameters = inspect.signature(args).parameters.values()
    required = frozenset(
        names.get(each.name, each.name) for each in parameters if each.default is inspect.Parameter.empty
    )
    return Shape(types={**input_type_types(args)}, required=required)


def _alternatives(wanted: object) -> list[object]:
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return [inner for each in typing.get_args(wanted) for inner in _alternatives(each)]
    return [wanted]


def _nested(wanted: object) -> type[object] | None:
    return next((each for each in _alternatives(wanted) if isinstance(each, type) and is_input_type(each)), None)


def _element(wanted: object, container: type) -> object | None:
    for each in _alternatives(wanted):
        if typing.get_origin(each) is container:
            return typing.get_args(each)[-1]
    return None


def _leaves(wanted: object) -> list[type]:
    return [each for each in _alternatives(wanted) if isinstance(each, type) and each in {str, int, float, bool}]
