"""The gate: whether a run is good enough, by the rules of ``evals/gate.yaml``.

A rule speaks of a tag (``*`` is every scenario) in one of three ways: ``all`` must pass; a ``rate``, of which the lower
bound of Wilson's interval must be reached; ``baseline``: no scenario below its pass count in the baseline.

Exit codes: 0 held; 1 broken by answers that were judged; 2 could not be judged, which is never a pass: nothing was run,
a tag of the gate has no scenario, something errored or was stale, a file is broken.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from dm_evals.baseline import Baseline, Entry, entries
from dm_evals.reading import Strict, from_yaml, text_of
from dm_evals.results import BROKEN, HELD, NOT_JUDGED, Outcome, Report, TrialResult, Verdict
from dm_evals.statistics import CONFIDENCE, wilson

ALL_TAGS: Final = "*"


class Rule(Strict):
    """One rule of the file.

    ``errors_at_most``: share of trials (0 to 1) that may be left unjudged, for live runs against a real network;
    ``slack``: how many passes of a scenario may be lost against the baseline (one of four is noise).
    """

    tag: str = Field(min_length=1)
    must: Literal["all", "rate", "baseline"]
    at_least: Annotated[float, Field(gt=0, le=1)] | None = None
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    errors_at_most: Annotated[float, Field(ge=0, lt=1)] = 0.0
    slack: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.must == "rate") is (self.at_least is None):
            raise ValueError("at_least belongs to must: rate, and only to it")
        if self.must != "baseline" and self.slack:
            raise ValueError("slack belongs to must: baseline")
        if self.must != "rate" and "confidence" in self.model_fields_set:
            raise ValueError("confidence belongs to must: rate")
        return self

    def speaks_of(self, tags: Collection[str]) -> bool:
        return self.tag == ALL_TAGS or self.tag in tags

    def __str__(self) -> str:
        what = {
            "all": "all must pass",
            "rate": f"at least {self.at_least} by the lower bound at {self.confidence:.0%}",
            "baseline": "not below the baseline" + (f" by more than {self.slack}" if self.slack else ""),
        }
        return f"{self.tag}: {what[self.must]}"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule, decided. ``unknown``: it could not be judged."""

    rule: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The whole gate. ``rules`` also holds what no rule names: broken files, nothing run, uncovered scenarios."""

    held: bool
    rules: tuple[RuleResult, ...]
    exit_code: int


class Gate(Strict):
    """The file: rules for replay, and rules for live runs."""

    replay: tuple[Rule, ...] = Field(min_length=1)
    live: tuple[Rule, ...] = Field(min_length=1)

    @classmethod
    def load(cls, path: Path) -> "Gate":
        """Raises Unusable."""
        return from_yaml(text_of(path), TypeAdapter(cls), path, Rule.model_fields)

    def decide(self, report: Report, baseline: Baseline | None, only: Collection[str] | None = None) -> GateDecision:
        """``only``: the tags a run was restricted to on purpose; rules of other tags are then not asked."""
        rules = self.replay if report.mode == "replay" else self.live
        before = baseline.of(report.mode) if baseline is not None else None
        run = _Run(report, before, only)
        asked = [rule for rule in rules if only is None or rule.speaks_of(only)]
        results = (*map(run.decided, asked), *_overall(report, rules))
        verdicts = {result.verdict for result in results}
        code = BROKEN if "broken" in verdicts else NOT_JUDGED if "unknown" in verdicts else HELD
        return GateDecision(code == HELD, results, code)


def exit_code(report: Report, decision: GateDecision | None) -> int:
    """The gate's; without one that of the results alone. What could not be judged is never a pass."""
    if decision is not None:
        return decision.exit_code
    counts = report.counts
    if counts[Outcome.FAIL]:
        return BROKEN
    unjudged = counts[Outcome.ERRORED] + counts[Outcome.STALE]
    return NOT_JUDGED if report.problems or unjudged or not counts[Outcome.PASS] else HELD


def _overall(report: Report, rules: Sequence[Rule]) -> list[RuleResult]:
    """What makes a run unjudgeable whatever the rules say."""
    found = [RuleResult("files", "unknown", problem) for problem in report.problems]
    counting = [result for result in report.results if result.counts]
    if not any(result.outcome is not Outcome.SKIPPED for result in counting):
        found.append(RuleResult("cases", "unknown", "not one scenario that counts was run"))
    bare = sorted({r.scenario for r in counting if not any(rule.speaks_of(r.tags) for rule in rules)})
    if bare:
        found.append(RuleResult("cover", "unknown", f"no rule speaks of {', '.join(bare)}"))
    return found


@dataclass(frozen=True, slots=True)
class _Run:
    """What rules are decided by. ``before``: the baseline of this mode; ``only``: see ``Gate.decide``."""

    report: Report
    before: Mapping[str, Entry] | None
    only: Collection[str] | None

    def decided(self, rule: Rule) -> RuleResult:
        results = [result for result in self.report.results if result.counts and rule.speaks_of(result.tags)]
        judged = [result for result in results if result.is_judged]
        if not results:
            return RuleResult(str(rule), "unknown", f"no scenario has the tag {rule.tag}")
        verdict, reason = self._judged(rule, judged) if judged else ("unknown", "not one trial was judged")
        unjudged = [result for result in results if not result.is_judged]
        is_open = verdict == "held" or (verdict == "broken" and _may_hold(rule, judged, len(results)))
        if is_open and len(unjudged) > rule.errors_at_most * len(results):
            verdict = "unknown"
            reason = f"{len(unjudged)} of {len(results)} trials could not be judged: {_named(unjudged)}"
        return RuleResult(str(rule), verdict, reason)

    def _judged(self, rule: Rule, judged: Sequence[TrialResult]) -> tuple[Verdict, str]:
        failed = [result for result in judged if result.outcome is Outcome.FAIL]
        passes = len(judged) - len(failed)
        if rule.must == "all":
            return ("broken", f"failed: {_named(failed)}") if failed else ("held", f"{passes} of {passes} passed")
        if rule.at_least is not None:
            bound = wilson(passes, len(judged), rule.confidence).low
            told = f"{passes} of {len(judged)} passed, lower bound {bound:.3f}"
            return ("held" if bound >= rule.at_least else "broken"), told
        return (
            self._against(rule, judged, self.before) if self.before is not None else ("unknown", "there is no baseline")
        )

    def _against(self, rule: Rule, judged: Sequence[TrialResult], before: Mapping[str, Entry]) -> tuple[Verdict, str]:
        """Pass counts, scaled where the number of trials differs. A scenario that is gone can't be judged."""
        now = entries(judged)
        concerned = {
            name: entry
            for name, entry in before.items()
            if rule.speaks_of(entry.tags) and (self.only is None or not set(self.only).isdisjoint(entry.tags))
        }
        worse = [
            f"{name} {entry.passes}/{entry.n} → {now[name].passes}/{now[name].n}"
            for name, entry in sorted(concerned.items())
            if name in now and (now[name].passes + rule.slack) * entry.n < entry.passes * now[name].n
        ]
        if worse:
            return "broken", f"below the baseline: {', '.join(worse)}"
        if gone := sorted(concerned.keys() - now.keys()):
            return "unknown", f"in the baseline, but not judged now: {', '.join(gone)}"
        new = sorted(now.keys() - before.keys())
        listed = ", ".join(new) if len(new) <= 5 else f"{len(new)} scenarios"
        return "held", "none below" + (f"; new: {listed}" if new else "")


def _may_hold(rule: Rule, judged: Sequence[TrialResult], planned: int) -> bool:
    """Whether a rate that is too low now would be reached if all that was not judged passed."""
    failed = sum(result.outcome is Outcome.FAIL for result in judged)
    return rule.at_least is not None and wilson(planned - failed, planned, rule.confidence).low >= rule.at_least


def _named(results: Sequence[TrialResult]) -> str:
    """``kit, nets_today x2``: the scenarios, and how many of their trials."""
    names = Counter(result.scenario for result in results)
    return ", ".join(name + (f" x{count}" if count > 1 else "") for name, count in sorted(names.items()))
