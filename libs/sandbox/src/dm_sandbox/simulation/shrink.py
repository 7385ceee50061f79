"""From a failing schedule to a small one that still fails: acts and faults are left out as long as it does.

A part of a schedule has a name: ``a3`` is its fourth act, ``f0`` its first fault, ``o0`` its first outage. What is left
is named by them, so that ``--seed X --only a0,f2`` replays it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_sandbox.simulation.schedule import Schedule

MAX_TRIES: Final = 400
"""Simulations one shrinking may cost."""

Fails = Callable[[Schedule], bool]


class UnknownPart(ValueError):
    """A schedule has no part of this name."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What is left of a schedule, and under which names."""

    schedule: Schedule
    parts: tuple[str, ...]
    tries: int


def part_names(schedule: Schedule) -> tuple[str, ...]:
    """All parts, faults first: it pays to try them first."""
    faults = (f"f{number}" for number in range(len(schedule.faults)))
    outages = (f"o{number}" for number in range(len(schedule.outages)))
    return (*faults, *outages, *(f"a{number}" for number in range(len(schedule.acts))))


def only(schedule: Schedule, parts: Sequence[str]) -> Schedule:
    """The schedule with nothing but these parts. Raises UnknownPart."""
    known = part_names(schedule)
    for part in parts:
        if part not in known:
            raise UnknownPart(f"schedule {schedule.seed} has no part {part!r} (it has {_range(known)})")
    kept = frozenset(parts)
    return replace(
        schedule,
        acts=tuple(act for number, act in enumerate(schedule.acts) if f"a{number}" in kept),
        faults=tuple(fault for number, fault in enumerate(schedule.faults) if f"f{number}" in kept),
        outages=tuple(outage for number, outage in enumerate(schedule.outages) if f"o{number}" in kept),
    )


def shrink(schedule: Schedule, fails: Fails) -> Shrunk:
    """Leave out halves, quarters, … single parts, until nothing can be left out (or after ``MAX_TRIES``)."""
    parts, tries = list(part_names(schedule)), 0
    size = max(1, len(parts) // 2)
    while tries < MAX_TRIES:
        removed = False
        start = 0
        while start < len(parts) and tries < MAX_TRIES:
            fewer = parts[:start] + parts[start + size :]
            tries += 1
            if fails(only(schedule, fewer)):
                parts, removed = fewer, True
            else:
                start += size
        if not removed and size == 1:
            break
        size = max(1, size // 2)
    return Shrunk(only(schedule, parts), tuple(sorted(parts, key=_order)), tries)


def _order(part: str) -> tuple[str, int]:
    return part[0], int(part[1:])


def _range(known: Sequence[str]) -> str:
    counts = [(letter, sum(part[0] == letter for part in known)) for letter in "afo"]
    words = [f"{letter}0..{letter}{count - 1}" for letter, count in counts if count]
    return " and ".join(words) or "none"
