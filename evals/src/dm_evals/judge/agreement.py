"""How well a judge agrees with people: the authored rulings of the scenarios, and ``evals/agreement/*.jsonl``.

Measured before a judge may gate anything. A false yes lets a bad answer through; a false no stops a good one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dm_evals.judge.evidence import Evidence
from dm_evals.judge.judge import Judge, Ruling
from dm_evals.judge.recorded import RecordedJudge, statement
from dm_evals.reading import Strict, Unusable, json_lines
from dm_evals.results import Verdict
from dm_evals.statistics import Interval, wilson


class LabelLine(Strict):
    """A line of the files: what a person ruled on one conversation. ``why`` is for who reads a disagreement.

    ``item``: a statement, or ``general.NAME``.
    """

    item: str
    text: str
    verdict: Literal["yes", "no"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of one statement on this evidence."""

    statement: str
    evidence: Evidence
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts over all labels. ``unanswered`` agrees with nothing."""

    n: int
    agreed: int
    false_yes: int
    false_no: int
    unanswered: int
    kappa: float | None
    """Cohen's kappa over what was answered: agreement above chance. None where chance alone explains everything."""
    disagreements: tuple[tuple[Label, Ruling], ...]

    @property
    def rate(self) -> Interval:
        """95 % interval of the share that agreed."""
        return wilson(self.agreed, self.n)

    def __str__(self) -> str:
        rate, kappa = self.rate, "unknown" if self.kappa is None else f"{self.kappa:.2f}"
        return (
            f"agrees with people on {self.agreed} of {self.n} (95 % interval {rate.low:.1%} to {rate.high:.1%}, "
            f"kappa {kappa}): {self.false_yes} false yes, {self.false_no} false no, {self.unanswered} without an answer"
        )


@dataclass(slots=True)
class Labelling:
    """A judge that answers as people ruled, and notes each ruling as a label."""

    known: RecordedJudge
    labels: list[Label] = field(default_factory=list[Label])

    def asks_in_general(self, scenario: str) -> bool:
        return self.known.asks_in_general(scenario)

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        rulings = self.known.rule(statements, evidence)
        self.labels += [
            Label(text, evidence, ruling.verdict)
            for text, ruling in zip(statements, rulings, strict=True)
            if ruling.origin == "authored" and ruling.verdict != "unknown"
        ]
        return rulings


def read_labels(paths: Iterable[Path]) -> tuple[Label, ...]:
    """All lines of all files. Raises Unusable with file and line, also for a verdict given twice."""
    found: dict[tuple[str, str], Label] = {}
    for path in paths:
        for place, read in json_lines(path, LabelLine):
            if (read.item, read.text) in found:
                raise Unusable(f"{place}: this item of this text has a verdict already")
            verdict: Verdict = "held" if read.verdict == "yes" else "broken"
            found[read.item, read.text] = Label(statement(read.item), Evidence.of_text(read.text), verdict)
    return tuple(found.values())


def measure(judge: Judge, labels: Sequence[Label]) -> Agreement:
    """Ask the judge, once for each conversation, and count."""
    by_evidence: dict[str, list[Label]] = {}
    for label in labels:
        by_evidence.setdefault(f"{label.evidence.scenario} {label.evidence.bound}", []).append(label)
    judged = [
        pair
        for group in by_evidence.values()
        for pair in zip(group, judge.rule([each.statement for each in group], group[0].evidence), strict=True)
    ]
    pairs: list[tuple[Verdict, Verdict]] = [(label.verdict, ruling.verdict) for label, ruling in judged]
    return Agreement(
        n=len(pairs),
        agreed=sum(wanted == answer for wanted, answer in pairs),
        false_yes=pairs.count(("broken", "held")),
        false_no=pairs.count(("held", "broken")),
        unanswered=sum(answer == "unknown" for _, answer in pairs),
        kappa=_kappa([pair for pair in pairs if pair[1] != "unknown"]),
        disagreements=tuple((label, ruling) for label, ruling in judged if label.verdict != ruling.verdict),
    )


def _kappa(pairs: Sequence[tuple[Verdict, Verdict]]) -> float | None:
    if not pairs:
        return None
    n = len(pairs)
    wanted, given = (sum(pair[side] == "held" for pair in pairs) / n for side in (0, 1))
    chance = wanted * given + (1 - wanted) * (1 - given)
    observed = sum(first == second for first, second in pairs) / n
    return None if chance == 1 else (observed - chance) / (1 - chance)
