"""What happened in a simulation: counts always, a timeline when somebody wants to look, and what was wrong."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

EPOCH_MS: Final = 1_800_000_000_000
"""Where simulated time starts, in ms since 1970; a schedule's seed moves it within a day."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline: when (s from the start), who, and what."""

    at: float
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold: its name, and the case."""

    check: str
    case: str

    def __str__(self) -> str:
        return f"{self.check}: {self.case}"


@dataclass(slots=True)
class Journal:
    """Written by all parts of one simulation. ``faults`` and ``states`` are counts by name.

    ``alarms``: when each alert (by the id's first digits, as in the log) first raised the alarm.
    """

    now: Callable[[], float]
    traced: bool = False
    entries: list[Entry] = field(default_factory=list[Entry])
    faults: Counter[str] = field(default_factory=Counter[str])
    states: Counter[str] = field(default_factory=Counter[str])
    violations: list[Violation] = field(default_factory=list[Violation])
    alarms: dict[str, float] = field(default_factory=dict[str, float])

    def note(self, who: str, what: str) -> None:
        """A line of the timeline."""
        if self.traced:
            self.entries.append(Entry(self.now(), who, what))

    def wrong(self, check: str, case: str) -> None:
        """An invariant was broken; the simulation goes on to its end."""
        self.violations.append(Violation(check, case))
        self.note("CHECK", f"✗ {check}: {case}")

    def require(self, holds: bool, check: str, case: Callable[[], str]) -> None:
        self.states[f"check:{check}"] += 1
        if not holds:
            self.wrong(check, case())
