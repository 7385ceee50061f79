"""Values that Google's own API descriptions allow: the discovery documents inside google-api-python-client.

A Terraform property is named as the API's in nearly all cases; where it isn't, a `Kind` says which one it means.
What a description doesn't know is left alone here: `sdk_shape` judges names.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

import googleapiclient

from .wire import Properties, Value, is_unknown

type Schema = dict[str, object]

_DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s")


@cache
def schemas(document: str) -> dict[str, Schema]:
    """All schemas of `document` (`firestore.v1`)."""
    return json.loads((_DOCUMENTS / f"{document}.json").read_text(encoding="utf-8"))["schemas"]


def failures(document: str, schema: str, inputs: Properties) -> list[tuple[str, str]]:
    """(property, reason) for each enum or duration of `inputs` that the API would refuse."""
    return list(_object_failures(document, schemas(document)[schema], inputs, "", strict=False))


def strict_failures(document: str, schema: str, body: Properties) -> list[tuple[str, str]]:
    """The same for a body that is sent as it is (a dashboard's JSON): unknown keys too."""
    return list(_object_failures(document, schemas(document)[schema], body, "", strict=True))


def enum_of(document: str, schema: str, field: str) -> frozenset[str]:
    """What `field` may be, without the UNSPECIFIED that no request should carry."""
    described = cast("Schema", cast("Schema", schemas(document)[schema]["properties"])[field])
    return _allowed(cast("Schema", described.get("items", described)))


def _allowed(described: Schema) -> frozenset[str]:
    return frozenset(each for each in cast("list[str]", described.get("enum", [])) if not each.endswith("UNSPECIFIED"))


def _object_failures(
    document: str, described: Schema, value: Properties, path: str, *, strict: bool
) -> Iterator[tuple[str, str]]:
    properties = cast("dict[str, Schema]", described.get("properties", {}))
    for name, inner in value.items():
        known = properties.get(name) or (None if strict else properties.get(f"{name}s") or properties.get(name[:-1]))
        if known is None and "additionalProperties" in described:
            known = cast("Schema", described["additionalProperties"])
        if known is not None:
            yield from _value_failures(document, known, inner, f"{path}{name}", strict=strict)
        elif strict:
            yield f"{path}{name}", f"{path}{name} is not in the API's description"


def _value_failures(
    document: str, described: Schema, value: Value, path: str, *, strict: bool
) -> Iterator[tuple[str, str]]:
    if "$ref" in described:
        described = schemas(document)[str(described["$ref"])]
    if isinstance(value, list):
        items = cast("Schema", described.get("items") or described.get("additionalProperties") or {})
        for at, inner in enumerate(value):
            yield from _value_failures(document, items, inner, f"{path}[{at}]", strict=strict)
    elif isinstance(value, dict):
        yield from _object_failures(document, described, value, f"{path}.", strict=strict)
    elif isinstance(value, str) and not is_unknown(value):
        yield from _text_failures(described, value, path)


def _text_failures(described: Schema, value: str, path: str) -> Iterator[tuple[str, str]]:
    if "enum" in described and value not in _allowed(described):
        yield path, f"{path} is {value!r}; Google allows {', '.join(sorted(_allowed(described)))}"
    if described.get("format") == "google-duration" and not _DURATION.fullmatch(value):
        yield path, f"{path} is {value!r}; Google wants seconds such as 10s"
