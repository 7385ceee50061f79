"""How well a judge agrees with verdicts that people wrote (``evals/agreement/*.jsonl``).

Measured before a rubric may gate anything. A false yes lets a bad answer through; a false no stops a good one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dm_evals.judge.judge import BrokenRuling, Judge
from dm_evals.results import Verdict
from dm_evals.statistics import Interval, wilson


class Authored(BaseModel):
    """One verdict of a person: a line of the files. ``why`` is for who reads a disagreement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    text: str
    verdict: Literal["yes", "no"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A verdict the judge did not share, or had no answer to."""

    authored: Authored
    judged: Verdict


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts over all verdicts. ``unanswered`` agrees with nothing."""

    n: int
    agreed: int
    false_yes: int
    false_no: int
    unanswered: int
    kappa: float | None
    """Cohen's kappa over what was answered: agreement above chance. None where chance alone explains everything."""
    disagreements: tuple[Disagreement, ...]

    @property
    def rate(self) -> Interval:
        """95 % interval of the share that agreed."""
        return wilson(self.agreed, self.n)


def read_verdicts(paths: Iterable[Path]) -> tuple[Authored, ...]:
    """All lines of all files. Raises BrokenRuling with file and line, also for a verdict given twice."""
    found: dict[tuple[str, str], Authored] = {}
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                verdict = Authored.model_validate_json(line)
            except ValidationError as error:
                reason = error.errors()[0]
                where = ".".join(map(str, reason["loc"]))
                raise BrokenRuling(f"{path}:{number}: {where} {reason['msg']}") from None
            if (verdict.item, verdict.text) in found:
                raise BrokenRuling(f"{path}:{number}: this item of this text has a verdict already")
            found[verdict.item, verdict.text] = verdict
    return tuple(found.values())


def measure(judge: Judge, verdicts: Sequence[Authored]) -> Agreement:
    """Ask the judge each item and count."""
    judged: list[tuple[Authored, Verdict]] = [
        (verdict, judge.rule(verdict.item, verdict.text).verdict) for verdict in verdicts
    ]
    meant: dict[str, Verdict] = {"yes": "held", "no": "broken"}
    pairs: list[tuple[Verdict, Verdict]] = [(meant[verdict.verdict], answer) for verdict, answer in judged]
    return Agreement(
        n=len(pairs),
        agreed=sum(wanted == answer for wanted, answer in pairs),
        false_yes=pairs.count(("broken", "held")),
        false_no=pairs.count(("held", "broken")),
        unanswered=sum(answer == "unknown" for _, answer in pairs),
        kappa=_kappa([pair for pair in pairs if pair[1] != "unknown"]),
        disagreements=tuple(
            Disagreement(verdict, answer) for verdict, answer in judged if meant[verdict.verdict] != answer
        ),
    )


def _kappa(pairs: Sequence[tuple[Verdict, Verdict]]) -> float | None:
    if not pairs:
        return None
    n = len(pairs)
    wanted, given = (sum(pair[side] == "held" for pair in pairs) / n for side in (0, 1))
    chance = wanted * given + (1 - wanted) * (1 - given)
    observed = sum(first == second for first, second in pairs) / n
    return None if chance == 1 else (observed - chance) / (1 - chance)
