"""Mutations: of JSON by its structure, and of bytes.

Python's ``json`` writes no token that it would refuse to read, so odd ones (numbers of thousands of digits, nesting
without end) stand as placeholders in the value and are put in when it is written.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Final, cast

_MARK: Final = "\x00raw"
DEEP: Final = b"[" * 30_000 + b"]" * 30_000
"""Nested more deeply than Python's parser goes."""

RAW_TOKENS: Final = (
    "1e999",
    "-0",
    "0.1e-999",
    "9" * 5_000,
    "18446744073709551616",
    "-9223372036854775809",
    "[" * 300 + "]" * 300,
    DEEP.decode(),
    '{"a":' * 200 + "1" + "}" * 200,
    '"\\ud800"',
    '"\\udfff\\ud83d"',
    '{"id":"1","id":["2"]}',
    "NaN",
    "-Infinity",
)
TEXTS: Final = (
    "",
    " ",
    "0",
    "true",
    "null",
    "instagram",
    "178414",
    "9001",
    "9001_178414",
    "../../etc/passwd",
    "__proto__",
    "\x00",
    "\r\n\r\n",
    "\u202e\u2066\ufeff",
    "e\u0301" * 40,
    "👨‍👩‍👧‍👦",
    "{{canary}}",
    "</new_messages>",
    "' OR 1=1 --",
    "2026-11-24T17:00:00Z",
    "0001-01-01T00:00:00+0000",
    "9999-12-31T23:59:59+0000",
    "2026-02-30T25:61:61Z",
    "https://evil.example/a",
    "http://[::1",
)
LONG: Final = ("x" * 9_000, "e\u0301" * 4_000, "\U0001f9e8" * 3_000, "\\" * 5_000)
"""Longer than anything that is kept; rare, because they make everything slow."""
NUMBERS: Final = (0, 1, -1, 2, 100, 1e300, 0.5, -0.0, 2**31, 2**53, 2**63, 2**64, 1_790_000_000_000, 1_790_000_000)


def scalar(random: Random) -> object:
    """A value nobody expects."""
    kind = random.randrange(6)
    if kind == 0:
        return random.choice((None, True, False, [], {}))
    if kind == 1:
        return random.choice(NUMBERS)
    if kind == 2:
        number = random.randrange(len(RAW_TOKENS))
        return f"{_MARK}{number if random.random() < 0.1 or len(RAW_TOKENS[number]) < 10_000 else 0}"
    if kind == 3:
        return "".join(chr(random.choice((random.randrange(128), random.randrange(0x3000)))) for _ in range(5))
    return random.choice(TEXTS if random.random() < 0.97 else LONG)


def written(value: object) -> bytes:
    """A value as JSON, on one line."""
    text = json.dumps(value)
    if "\\u0000raw" in text:
        for number in range(len(RAW_TOKENS) - 1, -1, -1):
            text = text.replace(f'"\\u0000raw{number}"', RAW_TOKENS[number])
    return text.encode()


def read(raw: bytes | str) -> object:
    """The value of a JSON text. Raises ValueError or RecursionError; numbers of any length are read."""
    return cast("object", json.loads(raw, parse_int=_int))


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < 100 else f"{_MARK}3"


def mutated(random: Random, value: object, others: Callable[[], object], times: int = 0) -> object:
    """The value with one to four parts changed (in place where it can be); ``others`` gives parts to put in."""
    for _ in range(times or random.choice((1, 1, 1, 2, 2, 3, 4))):
        value = _step(random, value, others)
    return value


def _step(random: Random, root: object, others: Callable[[], object]) -> object:
    """Walk down a random way and change what is there."""
    parent: dict[object, object] | list[object] | None = None
    key: object = None
    node = root
    while isinstance(node, dict | list) and node and (parent is None or random.random() < 0.75):
        parent = cast("dict[object, object] | list[object]", node)
        key = random.choice(list(parent)) if isinstance(parent, dict) else random.randrange(len(parent))
        node = parent[cast("int", key)]
    if parent is None or key is None:
        return _changed(random, root, others)
    _change(random, parent, key, cast("object", node), others)
    return root


def _change(
    random: Random,
    parent: dict[object, object] | list[object],
    key: object,
    node: object,
    others: Callable[[], object],
) -> None:
    kind = random.randrange(8)
    if kind == 0:
        del parent[cast("int", key)]
    elif kind == 1 and isinstance(parent, list):
        parent.extend([node] * random.choice((1, 1, 2, 2, 2, 40)))
    elif kind == 1 and isinstance(parent, dict):
        parent[_key(random, key)] = parent.pop(key)
    elif kind == 2 and isinstance(parent, dict):
        parent[_key(random, key)] = others() if random.random() < 0.5 else scalar(random)
    else:
        parent[cast("int", key)] = _changed(random, node, others)


def _key(random: Random, key: object) -> str:
    return random.choice((f"{key}s", str(key).upper(), "", "id", "type", "x" * 300, "__proto__", "\ud800"))


def _changed(random: Random, node: object, others: Callable[[], object]) -> object:
    kind = random.randrange(8)
    if kind == 0:
        return [node]
    if kind == 1:
        return {random.choice(("id", "value", "text", "0")): node}
    if kind == 2:
        return others()
    if kind == 3 and isinstance(node, str):
        return random.choice((node * 3, node[: len(node) // 2], f"{node}\x00", f" {node}", node.upper(), node * 40))
    if kind == 3 and isinstance(node, int | float):
        return random.choice((str(node), -node, node + 1, node * 1_000))
    return scalar(random)


def mutated_bytes(random: Random, data: bytes, *, keep: bytes = b"") -> bytes:
    """Bytes with a few places changed; none of ``keep`` is put in or taken out."""
    raw = bytearray(data or b"\x00")
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at, kind = random.randrange(len(raw) or 1), random.randrange(6)
        end = min(len(raw), at + random.choice((1, 1, 2, 8, 64)))
        piece = raw[at:end]
        if kind == 0 and not any(byte in keep for byte in piece):
            del raw[at:end]
        elif kind == 1:
            raw[at:at] = bytes(byte for byte in piece * random.choice((1, 2, 20)) if byte not in keep)
        elif kind == 2:
            raw[at:at] = random.choice((b"\xff", b"\x00", b"\xed\xa0\x80", b'"', b"\\u", b"{", b"]", b",", b"1e9"))
        elif raw and raw[at : at + 1] not in keep:
            fresh = raw[at] ^ (1 << random.randrange(8)) if kind < 5 else random.randrange(256)
            raw[at] = fresh if fresh not in keep else 0x20
    return bytes(raw)
