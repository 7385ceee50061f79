"""What the engine puts on the wire: structs with marked values, turned into plain data and back."""

import hashlib
import json
from pathlib import Path
from typing import cast

from google.protobuf import json_format, struct_pb2

type Value = None | bool | float | str | list["Value"] | dict[str, "Value"]
type Properties = dict[str, Value]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a string that's only known after a create (pulumi sdk: runtime/rpc.py)."""

_MARK = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


def plain(struct: struct_pb2.Struct) -> Properties:
    """The properties of `struct`, secrets unwrapped, whole numbers as int, keys without a value dropped."""
    read = cast("Properties", json_format.MessageToDict(struct))
    return {key: _plain(value) for key, value in read.items() if value is not None}


def struct(properties: Properties) -> struct_pb2.Struct:
    """`properties` as the engine wants them."""
    made = struct_pb2.Struct()
    json_format.ParseDict(properties, made)
    return made


def is_unknown(value: Value) -> bool:
    """Whether `value` stands for something that a later create will tell."""
    return isinstance(value, str) and value in _UNKNOWNS


def comparable(value: Value) -> str:
    """Equal for equal values; an asset is its hash alone, so a moved or touched file is no change."""
    return json.dumps(_by_hash(value), sort_keys=True)


def asset_bytes(value: Value) -> bytes | None:
    """The content of a file or text asset; None if `value` is no asset or its file is gone."""
    if not isinstance(value, dict) or _MARK not in value:
        return None
    text, path = value.get("text"), value.get("path")
    if isinstance(text, str) and text:
        return text.encode()
    return Path(path).read_bytes() if isinstance(path, str) and Path(path).is_file() else None


def is_asset(value: Value) -> bool:
    """Whether `value` is a marked asset or archive."""
    return isinstance(value, dict) and _MARK in value


def short_hash(*parts: str, length: int = 10) -> str:
    """A stable stand-in for the random part of a name that Google would choose."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def _plain(value: Value) -> Value:
    if isinstance(value, dict):
        if value.get(_MARK) == _SECRET:
            return _plain(value.get("value"))
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _by_hash(value: Value) -> Value:
    if isinstance(value, dict):
        if _MARK in value and "hash" in value:
            return {"hash": value["hash"]}
        return {key: _by_hash(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_by_hash(inner) for inner in value]
    return value
