"""A ``generateContent`` request in one form, whatever the client's version writes.

google-genai mixes spellings (``thinkingConfig: {"thinking_level": …}``, ``parameters_json_schema``) and changes them.
So structural keys are compared in lower case without underscores; what people and tools put in (``args``, ``response``,
JSON schemas) is left alone. A picture, a voice note or a video is its digest. Dropped, because they differ between two
runs of the same: thought signatures, call ids, empty values, headers. Order of keys never counts; order of lists does.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Final, TypedDict, cast

_DATA: Final = frozenset(
    ("args", "response", "parameters", "parametersjsonschema", "responsejsonschema", "responseschema")
)
"""Structural keys whose value is data: kept as it is."""
_DROPPED: Final = frozenset(("thoughtsignature",))
_FILE: Final = "inlinedata"
"""A picture, sound or video: its digest stands for it."""
_IDENTIFIED: Final = frozenset(("functioncall", "functionresponse"))
"""Structural keys whose value has an ``id`` that is made anew for each call."""


class Content(TypedDict):
    """A content of a request, for people."""

    role: str
    text: str


def plain_key(key: str) -> str:
    """``function_declarations`` and ``functionDeclarations`` are one key."""
    return key.replace("_", "").lower()


def canonical(value: object) -> object:
    """The value with structural keys in one spelling and nothing in it that changes from run to run."""
    if isinstance(value, dict):
        return _object(cast("Mapping[str, object]", value))
    if isinstance(value, list):
        kept = (canonical(item) for item in cast("list[object]", value))
        return [item for item in kept if not _empty(item)]
    return value


def _object(fields: Mapping[str, object]) -> dict[str, object]:
    plain: dict[str, object] = {}
    for written, value in fields.items():
        key = plain_key(written)
        if key in _DROPPED:
            continue
        kept = value if key in _DATA else canonical(value)
        if key == _FILE and isinstance(kept, dict):
            kept = _digested(cast("Mapping[str, object]", kept))
        if key in _IDENTIFIED and isinstance(kept, dict):
            kept = {name: each for name, each in cast("dict[str, object]", kept).items() if name != "id"}
        if not _empty(kept):
            plain[key] = kept
    return plain


def marks(content: Mapping[str, object]) -> list[tuple[object, object]]:
    """Of each part of a content as it is on the wire: its thought signature, and the id of the call in it or answered
    by it. They are no part of the canonical form."""
    found: list[tuple[object, object]] = []
    for part in cast("list[dict[str, object]]", content.get("parts") or []):
        fields = {plain_key(key): value for key, value in part.items()}
        called = [cast("dict[str, object]", value) for key, value in fields.items() if key in _IDENTIFIED]
        found.append((fields.get("thoughtsignature"), called[0].get("id") if called else None))
    return found


def _digested(file: Mapping[str, object]) -> dict[str, object]:
    """The file by its content, whichever alphabet of base64 it is written in; as written, where it is not base64."""
    written = str(file.get("data", "")).replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        data = written.encode()
    return {**file, "data": f"sha256:{hashlib.sha256(data).hexdigest()}", "bytes": len(data)}


def _empty(value: object) -> bool:
    """Nothing, in any of its spellings; false and 0 say something."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def canonical_json(value: object) -> str:
    """The canonical form as bytes are compared: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def readable(content: Mapping[str, object]) -> Content:
    """A canonical content for people: its role, and its parts as lines of text."""
    parts = cast("list[Mapping[str, object]]", content.get("parts", []))
    return {"role": str(content.get("role", "")), "text": "\n".join(_readable_part(part) for part in parts)}


def _readable_part(part: Mapping[str, object]) -> str:
    if isinstance(part.get("text"), str) and set(part) <= {"text", "thought"}:
        return f"{'[thought] ' if part.get('thought') else ''}{part['text']}"
    for key, data in (("functioncall", "args"), ("functionresponse", "response")):
        inner = part.get(key)
        if isinstance(inner, dict):
            fields = cast("Mapping[str, object]", inner)
            word = "call" if key == "functioncall" else "result"
            return f"[{word}] {fields.get('name', '')} {canonical_json(fields.get(data, {}))}"
    file = part.get(_FILE)
    if isinstance(file, dict):
        fields = cast("Mapping[str, object]", file)
        return f"[file] {fields.get('mimetype', '')} {fields.get('bytes', 0)} bytes {fields.get('data', '')}"
    return f"[part] {canonical_json(part)}"
