"""The baseline: how many of how many trials of each scenario passed when it was last accepted.

Kept in the repository (``evals/baseline.json``), one part for replay and one for live runs. Counts are compared, never
trial i with trial i. It is never taken from a run in which something could not be judged.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError, model_validator

from dm_evals.reading import Strict, Unusable, first_problem
from dm_evals.results import Report, TrialResult
from dm_evals.statistics import counted

Mode = Literal["replay", "live"]
Kind = Literal["better", "worse", "new", "gone", "same"]
_SHOWN: Final[Mapping[Kind, str]] = {"better": "+", "worse": "-", "new": "*", "gone": "!", "same": " "}


class Entry(Strict):
    """One scenario: ``passes`` of ``n`` judged trials. Tags tell which rules miss it when it is gone."""

    n: int = Field(ge=1)
    passes: int = Field(ge=0)
    tags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _not_above(self) -> "Entry":
        if self.passes > self.n:
            raise ValueError("more passes than trials")
        return self


class Baseline(Strict):
    """The file."""

    replay: dict[str, Entry] = Field(default_factory=dict)
    live: dict[str, Entry] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Baseline | None":
        """None where there is no file. Raises Unusable."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise Unusable(f"{path}: {first_problem(error)}") from None
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror}") from None

    def of(self, mode: Mode) -> Mapping[str, Entry]:
        return self.replay if mode == "replay" else self.live

    def about(self, names: Collection[str], tags: Collection[str] = ()) -> "Baseline":
        """Without the scenarios that are neither among the names nor have one of the tags."""

        def kept(entries: Mapping[str, Entry]) -> dict[str, Entry]:
            return {n: e for n, e in entries.items() if n in names or not set(tags).isdisjoint(e.tags)}

        return Baseline(replay=kept(self.replay), live=kept(self.live))

    def updated(self, report: Report) -> "Baseline":
        """With the run in place of its mode's part. Raises Unusable."""
        if reason := _unfit(report):
            raise Unusable(f"the baseline stays as it is: {reason}")
        return self.model_copy(update={report.mode: entries(report.results)})

    def save(self, path: Path) -> None:
        """Sorted, one scenario a line, so that a diff of the file reads well."""
        parts: list[str] = []
        for mode, entries in self.model_dump(mode="json").items():
            rows = [
                f"    {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}"
                for name, entry in sorted(entries.items())
            ]
            parts.append(f'  "{mode}": ' + ("{\n" + ",\n".join(rows) + "\n  }" if rows else "{}"))
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Change:
    """One scenario against the baseline."""

    scenario: str
    before: Entry | None
    now: Entry | None

    @property
    def kind(self) -> Kind:
        if self.before is None or self.now is None:
            return "gone" if self.now is None else "new"
        difference = self.now.passes * self.before.n - self.before.passes * self.now.n
        return "same" if difference == 0 else "better" if difference > 0 else "worse"

    def __str__(self) -> str:
        """``- nets_today: 4/4 → 2/4``."""
        shown = [f"{entry.passes}/{entry.n}" if entry else "nothing" for entry in (self.before, self.now)]
        return f"{_SHOWN[self.kind]} {self.scenario}: {shown[0]} → {shown[1]}"


def entries(results: Sequence[TrialResult]) -> dict[str, Entry]:
    """The judged trials, by scenario."""
    tags = {result.scenario: result.tags for result in results}
    return {
        row.scenario: Entry(n=row.judged, passes=row.passes, tags=tags[row.scenario])
        for row in counted(results)
        if row.judged
    }


def changes(baseline: Baseline | None, report: Report) -> tuple[Change, ...]:
    """Every scenario of either side; those that got worse first, then gone, better, new, same."""
    before: Mapping[str, Entry] = baseline.of(report.mode) if baseline is not None else {}
    now = entries(report.results)
    found = [Change(name, before.get(name), now.get(name)) for name in {*before, *now}]
    order: list[Kind] = ["worse", "gone", "better", "new", "same"]
    return tuple(sorted(found, key=lambda change: (order.index(change.kind), change.scenario)))


def _unfit(report: Report) -> str:
    if report.problems:
        return f"{len(report.problems)} files could not be run"
    bad = [f"{r.scenario}, trial {r.trial}: {r.outcome}" for r in report.results if r.counts and not r.is_judged]
    if bad:
        return "; ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    return "" if entries(report.results) else "nothing was judged"
