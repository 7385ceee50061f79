"""What dm_core writes into its log: every event's name and fields, read from its source."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import dm_core

SOURCE = Path(dm_core.__file__).parent
ALWAYS = frozenset({"message", "severity", "time"})


@cache
def logged_events() -> Mapping[str, set[str]]:
    """The fields of each event, those of all places that write it together."""
    trees = [ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))]
    made_by = _keys_by_function(trees)
    events: dict[str, set[str]] = defaultdict(set)
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "emit" and isinstance(call.args[0], ast.Constant):
            events[str(call.args[0].value)] |= ALWAYS | set(_fields(call, made_by))
    return events


def texts_of(module: str) -> str:
    """Every text constant of one of dm_core's modules, one a line."""
    nodes = ast.walk(ast.parse((SOURCE / module).read_text()))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _fields(call: ast.Call, made_by: Mapping[str, set[str]]) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield "thread" if keyword.arg == "thread_id" else keyword.arg
            continue
        for node in ast.walk(keyword.value):  # **something() or **something: the keys of the dict that is meant
            if isinstance(node, ast.Call | ast.Name):
                yield from made_by.get(_name(node.func if isinstance(node, ast.Call) else node), ())


def _keys_by_function(trees: list[ast.Module]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for function in (
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ):
        for made in (node for node in ast.walk(function) if isinstance(node, ast.Dict)):
            found[function.name] |= _keys(made)
        for given in (node for node in ast.walk(function) if isinstance(node, ast.Assign)):
            if isinstance(given.value, ast.Dict) and isinstance(given.targets[0], ast.Name):
                found[given.targets[0].id] |= _keys(given.value)
    return found


def _keys(made: ast.Dict) -> set[str]:
    return {str(key.value) for key in made.keys if isinstance(key, ast.Constant)}


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
