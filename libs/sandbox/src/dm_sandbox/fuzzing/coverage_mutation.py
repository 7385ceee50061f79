"""How libFuzzer's inputs are changed: by structure, byte by byte, and inside one text of the JSON.

The third is what finds a word that a parser compares with (``words``), and the JSON around it stays whole.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final, cast

from dm_sandbox.fuzzing.engine import Target
from dm_sandbox.fuzzing.mutation import read

Place = tuple[dict[str, object] | list[object], str | int, str]
"""A container in a JSON value, a key of it, and the text that stands there."""

MAX_TEXT_BYTES: Final = 256
"""Longest text that libFuzzer makes of another; the structural changes make the long ones."""

EMPTIED: Final = 0.2
"""Share of the changes that empty a part: what is there and has nothing in it is what parsers forget."""


def guided_mutation(
    target: Target,
    data: bytes,
    most: int,
    seed: int,
    fuzzer_mutates: Callable[[bytes, int], bytes],
    words: Sequence[str],
) -> bytes:
    """Another input of at most ``most`` bytes; ``fuzzer_mutates`` is libFuzzer's: (data, most bytes) to data."""
    random = Random(seed)
    kind = random.random()
    changed: bytes | None = None
    if kind < 0.4:
        changed = target.mutate(random, data)
    elif kind < 0.85:
        changed = _one_text(random, data, fuzzer_mutates, words)
    return fuzzer_mutates(data, most) if changed is None or len(changed) > most else changed


def _one_text(
    random: Random, data: bytes, fuzzer_mutates: Callable[[bytes, int], bytes], words: Sequence[str]
) -> bytes | None:
    """One text (or the filling of one part) of one line that is JSON is changed; None when there is none."""
    lines = data.split(b"\n")
    at = random.randrange(len(lines)) if len(lines) < 3 else random.randrange(1, len(lines))
    try:
        value = read(lines[at].decode())
        if random.random() < EMPTIED:
            return b"\n".join((*lines[:at], json.dumps(_emptied(random, value)).encode(), *lines[at + 1 :]))
        places = list(_texts(value))
        if not places:
            return None
        parent, key, text = random.choice(places)
        if words and random.random() < 0.6:
            word = random.choice(words)
            fresh = random.choice((word, word + text, text + word))
        else:
            fresh = fuzzer_mutates(text.encode("utf-8", "replace"), MAX_TEXT_BYTES).decode("utf-8", "replace")
        cast("dict[str | int, object]", parent)[key] = fresh
        lines[at] = json.dumps(value).encode()
    except (ValueError, RecursionError):
        return None
    return b"\n".join(lines)


def _texts(value: object) -> Iterator[Place]:
    """Every text inside a value."""
    for key, inner in _items(value):
        if isinstance(inner, str):
            yield cast("dict[str, object]", value), key, inner
        else:
            yield from _texts(inner)


def _emptied(random: Random, value: object) -> object:
    """The value with one part, whichever, made empty: a text, a list or an object of nothing."""
    parts = list(_filled(value))
    if parts:
        parent, key, inner = random.choice(parts)
        cast("dict[str | int, object]", parent)[key] = type(inner)()
    return value


def _filled(value: object) -> Iterator[tuple[object, str | int, object]]:
    """Every text, list and object inside a value that has something in it."""
    for key, inner in _items(value):
        if isinstance(inner, str | list | dict) and inner:
            yield cast("tuple[object, str | int, object]", (value, key, inner))
            yield from _filled(cast("object", inner))


def _items(value: object) -> list[tuple[str | int, object]]:
    if isinstance(value, dict):
        return list(cast("dict[str | int, object]", value).items())
    return list(enumerate(cast("list[object]", value))) if isinstance(value, list) else []
