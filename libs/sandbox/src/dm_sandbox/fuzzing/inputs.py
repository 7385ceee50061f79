"""Strategies for hostile inputs: real shapes with parts changed, values that nobody expects, and bytes.

Python's ``json`` writes no token that it would refuse to read, so odd ones (numbers of thousands of digits, nesting
without end) stand as placeholders in the value and are put in when it is written.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Final, cast

from hypothesis import strategies as st

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
_NUMBERS: Final = (0, 1, -1, 2, 100, 1e300, 0.5, -0.0, 2**31, 2**53, 2**63, 2**64, 1_790_000_000_000, 1_790_000_000)
_KEYS: Final = ("id", "type", "value", "text", "0", "", "x" * 300, "__proto__", "\ud800")
_BYTES: Final = (b"\xff", b"\x00", b"\xed\xa0\x80", b'"', b"\\u", b"{", b"]", b",", b"1e9")

_marks = [f"{_MARK}{number}" for number, token in enumerate(RAW_TOKENS) if len(token) < len(DEEP)]
_odd: Final[Sequence[st.SearchStrategy[object]]] = (
    st.sampled_from(cast("list[object]", [None, True, False, [], {}])),
    st.sampled_from(_NUMBERS),
    st.sampled_from([*_marks * 4, f"{_MARK}{RAW_TOKENS.index(DEEP.decode())}"]),
    st.text(max_size=5),
    st.sampled_from([*TEXTS * 4, *LONG]),
)
odd_values: Final[st.SearchStrategy[object]] = st.one_of(*_odd)
"""Values that nobody expects."""

# Made once: to make a strategy for each input takes longer than to make the input.
_ANY: Final = st.integers(0, 0xFFFF)
_KINDS: Final = st.sampled_from(("put", "put", "put", "alter", "alter", "remove", "more"))
_PUT: Final = st.one_of(st.binary(max_size=3), st.sampled_from(_BYTES))
_LENGTHS: Final = (0, 1, 1, 2, 8, 64)

type Container = dict[str, object] | list[object]


def written(value: object) -> bytes:
    """A value as JSON, on one line."""
    text = json.dumps(value)
    if "\\u0000raw" in text:
        for number in range(len(RAW_TOKENS) - 1, -1, -1):
            text = text.replace(f'"\\u0000raw{number}"', RAW_TOKENS[number])
    return text.encode()


def is_json(raw: bytes) -> bool:
    """Whether bytes are one whole JSON value, in UTF-8, whatever the length of its numbers."""
    try:
        json.loads(raw.replace(DEEP, b"null").decode("utf-8", "surrogatepass"), parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


def changed(
    values: Sequence[object], parts: st.SearchStrategy[object] = odd_values, times: int = 4
) -> st.SearchStrategy[object]:
    """One of the JSON values with one to ``times`` parts changed; ``parts`` may be put in besides odd values."""
    return _changed(st.sampled_from(values), st.one_of(*_odd, *_odd, parts), st.integers(1, times))


@st.composite
def _changed(
    draw: st.DrawFn,
    values: st.SearchStrategy[object],
    parts: st.SearchStrategy[object],
    times: st.SearchStrategy[int],
) -> object:
    value = deepcopy(draw(values))
    for _ in range(draw(times)):
        places = _places(value)
        if not places:
            return deepcopy(draw(parts))
        _change(draw, *places[draw(_ANY) % len(places)], parts)
    return value


def _change(draw: st.DrawFn, container: Container, key: str | int, parts: st.SearchStrategy[object]) -> None:
    inner = cast("dict[str | int, object]", container)
    kind = draw(_KINDS)
    if kind == "put":
        inner[key] = deepcopy(draw(parts))
    elif kind == "alter":
        forms = _alterations(inner[key])
        inner[key] = forms[draw(_ANY) % len(forms)]
    elif kind == "remove":
        del inner[key]
    elif isinstance(container, list):
        container.extend([inner[key]] * (1, 2, 40)[draw(_ANY) % 3])
    else:
        names = (f"{key}s", str(key).upper(), *_KEYS)
        container[names[draw(_ANY) % len(names)]] = inner.pop(key) if draw(_ANY) % 2 else deepcopy(draw(parts))


def _places(value: object) -> list[tuple[Container, str | int]]:
    """Every container inside a value with each key of it, the outermost first."""
    if not isinstance(value, dict | list):
        return []
    container = cast("Container", value)
    keys: list[str | int] = list(container) if isinstance(container, dict) else list(range(len(container)))
    places: list[tuple[Container, str | int]] = [(container, key) for key in keys]
    for key in keys:
        places += _places(cast("dict[str | int, object]", container)[key])
    return places


def _alterations(value: object) -> list[object]:
    """The value in other forms."""
    wrapped: list[object] = [[value], {"id": value}, {"text": value}]
    if isinstance(value, str):
        half = value[: len(value) // 2]
        return [*wrapped, "", half, value * 3, value * 40, f"{value}\x00", f" {value}", value.upper()]
    if isinstance(value, int | float):
        return [*wrapped, str(value), -value, value + 1, value * 1_000]
    return [*wrapped, [], {}]


def changed_bytes(seeds: Sequence[bytes], without: bytes = b"") -> st.SearchStrategy[bytes]:
    """One of the seeds with a few places changed; no byte of ``without`` is in it."""
    return _changed_bytes(st.sampled_from(seeds)).map(lambda raw: raw.translate(None, without))


@st.composite
def _changed_bytes(draw: st.DrawFn, seeds: st.SearchStrategy[bytes]) -> bytes:
    raw = draw(seeds)
    for _ in range((1, 1, 2, 4, 8)[draw(_ANY) % 5]):
        at = draw(_ANY) % (len(raw) + 1)
        piece = raw[at : at + _LENGTHS[draw(_ANY) % len(_LENGTHS)]]
        kind = draw(_ANY) % 4
        put = piece * 2 if kind == 1 else piece * 20 if kind == 2 else draw(_PUT)
        raw = raw[:at] + put + raw[at + len(piece) :]
    return raw
