"""Results that can't lie: five outcomes, and only ``pass`` is a pass."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from dm_evals.observation import Observation

HELD: Final = 0
BROKEN: Final = 1
NOT_JUDGED: Final = 2
"""Exit codes: what cannot be judged is never a pass."""


class Outcome(StrEnum):
    """How a trial ended."""

    PASS = "pass"  # noqa: S105 - every check was made and held
    FAIL = "fail"  # a check was made and did not hold
    ERRORED = "errored"  # it could not be judged: a crash, an evaluator's crash, a judge without an answer
    STALE = "stale"  # the recording answers another request than the one made now
    SKIPPED = "skipped"  # not run, for a reason that is said


Verdict = Literal["held", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was expected.

    ``name`` is stable (``calls.required``, ``reply.language`` …); ``unknown``: it could not be judged. ``nearest`` is
    what came closest to a missing call or text.
    """

    name: str
    verdict: Verdict
    expected: str
    observed: str
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial, judged. ``reason`` says why it is errored, stale or skipped."""

    scenario: str
    trial: int
    tags: tuple[str, ...]
    outcome: Outcome
    checks: tuple[Check, ...]
    observation: Observation
    reason: str = ""
    counts: bool = True
    """False where the scenario was not reviewed: shown, never in the gate."""

    @property
    def is_judged(self) -> bool:
        return self.outcome in (Outcome.PASS, Outcome.FAIL)

    @property
    def broken(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict != "held")


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of a run, as every kind of report shows them. ``rows`` are as long as ``columns``."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One invocation.

    ``mode``: ``replay`` tests our code, ``live`` the prompt and the model. ``origins`` counts model turns by where they
    come from.
    """

    mode: Literal["replay", "live"]
    started_at: str
    seconds: float
    results: tuple[TrialResult, ...]
    model: str = ""
    prompt_hash: str = ""
    problems: tuple[str, ...] = ()
    """What kept scenarios from being run at all (broken files, missing recordings)."""
    notes: tuple[str, ...] = ()
    """What is worth knowing and decides nothing, a line each."""
    origins: Mapping[str, int] = field(default_factory=dict[str, int])
    tables: tuple[Table, ...] = ()

    @property
    def counts(self) -> Counter[Outcome]:
        return Counter(result.outcome for result in self.results if result.counts)
