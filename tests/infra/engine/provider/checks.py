"""What Check says of a resource's inputs: names and types by the SDK, values by Google's descriptions."""

import json
import re
from typing import cast

from . import google_api, sdk_shape
from .kinds import KINDS, Kind
from .wire import Properties, Value, is_unknown, short_hash

_DELETION = frozenset({"DELETE", "PREVENT", "ABANDON"})
_DASHBOARD = "gcp:monitoring/dashboard:Dashboard"


def failures(token: str, inputs: Properties) -> list[tuple[str, str]]:
    """(property, reason) for each that the provider or Google would refuse before doing anything."""
    kind = KINDS.get(token)
    if kind is None:
        return [("", f"the stand-in doesn't know {token}: add it to tests/infra/engine/provider/kinds.py")]
    found = sdk_shape.failures(sdk_shape.shape_of(token), inputs)
    if kind.described:
        found += google_api.failures(*kind.described, inputs)
    return found + _elsewhere(kind, inputs) + _patterns(kind, inputs) + _policy(inputs) + _dashboard(token, inputs)


def with_name(token: str, resource: str, inputs: Properties, olds: Properties, seed: bytes) -> Properties:
    """`inputs` with the name that the provider makes up when there is none (resource's name + 7 hex digits)."""
    kind = KINDS.get(token)
    if kind is None or not kind.named or "name" in inputs or "name" not in sdk_shape.shape_of(token).types:
        return inputs
    return {**inputs, "name": olds.get("name") or f"{resource}-{short_hash(resource, seed.hex(), length=7)}"}


def _elsewhere(kind: Kind, inputs: Properties) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path, (document, schema, name) in kind.enums.items():
        allowed = google_api.enum_of(document, schema, name)
        found += [
            (path, f"{path} is {value!r}; Google allows {', '.join(sorted(allowed))}")
            for value in _at(inputs, path.split("."))
            if isinstance(value, str) and not is_unknown(value) and value not in allowed
        ]
    return found


def _patterns(kind: Kind, inputs: Properties) -> list[tuple[str, str]]:
    return [
        (name, f"{name} is {value!r}, which doesn't match {pattern}")
        for name, pattern in kind.names.items()
        if isinstance(value := inputs.get(name), str) and not is_unknown(value) and not re.fullmatch(pattern, value)
    ]


def _policy(inputs: Properties) -> list[tuple[str, str]]:
    policy = inputs.get("deletionPolicy")
    if not isinstance(policy, str) or is_unknown(policy) or policy in _DELETION:
        return []
    return [("deletionPolicy", f"deletionPolicy is {policy!r}; allowed are {', '.join(sorted(_DELETION))}")]


def _dashboard(token: str, inputs: Properties) -> list[tuple[str, str]]:
    text = inputs.get("dashboardJson")
    if token != _DASHBOARD or not isinstance(text, str) or is_unknown(text):
        return []
    try:
        body = cast("Properties", json.loads(text))
    except ValueError as broken:
        return [("dashboardJson", f"dashboardJson is no JSON: {broken}")]
    return google_api.strict_failures("monitoring.v1", "Dashboard", body)


def _at(value: Value, path: list[str]) -> list[Value]:
    if isinstance(value, list):
        return [found for each in value for found in _at(each, path)]
    if not path:
        return [value]
    return _at(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []
