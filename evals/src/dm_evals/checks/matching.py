"""One value held against one matcher, and calls assigned to what was required of them.

Text is compared without regard to case, white space and typographic quotes. Numbers are whole: ``20 pounds`` is not
contained in ``120 pounds``, nor ``5`` in ``5.50``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from dm_evals.checks.named import says
from dm_evals.folded import folded
from dm_evals.scenarios.scenario import Call, Matcher


def contains(text: str, part: str) -> bool:
    """``part`` stands in ``text``; a number at its border is not the middle of a longer one."""
    needle = folded(part)
    before = r"(?<!\d)(?<!\d[.,])" if needle[:1].isdigit() else ""
    after = r"(?!\d)(?![.,]\d)" if needle[-1:].isdigit() else ""
    return bool(needle) and re.search(f"{before}{re.escape(needle)}{after}", folded(text)) is not None


def is_same(expected: object, value: object) -> bool:
    """Equal as JSON: true is not 1, 14 is 14.0, "14" is neither."""
    if isinstance(expected, bool) or isinstance(value, bool):
        return expected is value
    return expected == value


def as_text(value: object) -> str:
    """An argument as a text matcher reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def matched(matcher: Matcher, value: object) -> bool:
    """Whether it holds of one value. ``None`` is a value that is not given: only ``absent`` holds of it.

    Raises re.error where the regular expression is none.
    """
    if matcher.absent is not None:
        return (value is None) is matcher.absent
    if matcher.between is not None:
        low, high = matcher.between
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return value is not None and _text_or_equal(matcher, value)


def none_of(matcher: Matcher, text: str) -> bool:
    """The matcher turned round, for what must not be said: of several parts, not one may be contained."""
    if isinstance(matcher.contains, tuple):
        return not any(contains(text, part) for part in matcher.contains)
    return not matched(matcher, text or None)


def _text_or_equal(matcher: Matcher, value: object) -> bool:
    if matcher.contains is not None:
        parts = (matcher.contains,) if isinstance(matcher.contains, str) else matcher.contains
        return bool(parts) and all(contains(as_text(value), part) for part in parts)
    if matcher.any_of is not None:
        return any(contains(as_text(value), part) for part in matcher.any_of)
    if matcher.said is not None:
        return says(as_text(value), matcher.said)
    if matcher.regex is not None:
        return re.search(matcher.regex, as_text(value)) is not None
    if matcher.anything is not None:
        return bool(as_text(value).strip()) is matcher.anything
    return is_same(matcher.equals, value)


# -- calls --------------------------------------------------------------------------------------------------


class Made(Protocol):
    """A call as far as matching goes."""

    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> Mapping[str, object]: ...


def differing(call: Call, made: Made) -> list[str]:
    """The arguments that do not hold. One that is named and not given breaks its matcher (but ``absent``)."""
    return [name for name, matcher in call.args.items() if not matched(matcher, made.arguments.get(name))]


def is_call(call: Call, made: Made) -> bool:
    """Whether one call is what was required."""
    return made.name == call.tool and not differing(call, made)


def assigned(fits: Sequence[Sequence[bool]], wanted: Sequence[int]) -> list[list[int]]:
    """Calls for each requirement: as many slots filled as can be, a call in one slot only.

    ``fits[i][j]``: call j is what requirement i wants; ``wanted[i]`` slots. Augmenting paths, so that a call two
    requirements could use goes where the other has none else.
    """
    slots = [index for index, count in enumerate(wanted) for _ in range(count)]
    taken: dict[int, int] = {}  # call → slot

    def place(slot: int, tried: set[int]) -> bool:
        for made, fit in enumerate(fits[slots[slot]]):
            if fit and made not in tried:
                tried.add(made)
                if made not in taken or place(taken[made], tried):
                    taken[made] = slot
                    return True
        return False

    for slot in range(len(slots)):
        place(slot, set())
    found: list[list[int]] = [[] for _ in wanted]
    for made, slot in sorted(taken.items()):
        found[slots[slot]].append(made)
    return found


def in_order(fits: Sequence[Sequence[bool]], wanted: Sequence[int]) -> bool:
    """The requirements can be met one after the other by later and later calls; others may come between."""
    made = 0
    for row, count in zip(fits, wanted, strict=True):
        for _ in range(count):
            while made < len(row) and not row[made]:
                made += 1
            if made == len(row):
                return False
            made += 1
    return True
