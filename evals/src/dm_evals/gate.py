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

from dm_evals.baseline import Baseline, Entry, Mode, entries
from dm_evals.reading import Strict, Unusable, from_yaml
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
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable(f"{path}: {error}") from None
        return from_yaml(text, TypeAdapter(cls), path, Rule.model_fields)

    def decide(self, report: Report, baseline: Baseline | None, only: Collection[str] | None = None) -> GateDecision:
        """``only``: the tags a run was restricted to on purpose; rules of other tags are then not asked."""
        rules = self.replay if report.mode == "replay" else self.live
        asked = [rule for rule in rules if only is None or rule.tag == ALL_TAGS or rule.tag in only]
        results = (*(_decided(rule, report, baseline, only) for rule in asked), *_overall(report, rules))
        verdicts = {result.verdict for result in results}
        code = BROKEN if "broken" in verdicts else NOT_JUDGED if "unknown" in verdicts else HELD
        return GateDecision(code == HELD, tuple(results), code)


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
    tags = {rule.tag for rule in rules}
    bare = sorted({r.scenario for r in counting if ALL_TAGS not in tags and tags.isdisjoint(r.tags)})
    if bare:
        found.append(RuleResult("cover", "unknown", f"no rule speaks of {', '.join(bare)}"))
    return found


def _decided(rule: Rule, report: Report, baseline: Baseline | None, only: Collection[str] | None) -> RuleResult:
    results = [r for r in report.results if r.counts and (rule.tag == ALL_TAGS or rule.tag in r.tags)]
    judged = [r for r in results if r.outcome in (Outcome.PASS, Outcome.FAIL)]
    if not results:
        return RuleResult(str(rule), "unknown", f"no scenario has the tag {rule.tag}")
    verdict, reason = _judged(rule, judged, report.mode, baseline, only)
    unjudged = [r for r in results if r.outcome not in (Outcome.PASS, Outcome.FAIL)]
    is_open = verdict == "held" or (verdict == "broken" and _may_hold(rule, judged, len(results)))
    if is_open and len(unjudged) > rule.errors_at_most * len(results):
        verdict = "unknown"
        reason = f"{len(unjudged)} of {len(results)} trials could not be judged: {_named(unjudged)}"
    return RuleResult(str(rule), verdict, reason)


def _may_hold(rule: Rule, judged: Sequence[TrialResult], planned: int) -> bool:
    """Whether a rate that is too low now would be reached if all that was not judged passed."""
    failed = sum(result.outcome is Outcome.FAIL for result in judged)
    return rule.at_least is not None and wilson(planned - failed, planned, rule.confidence).low >= rule.at_least


def _judged(
    rule: Rule, judged: Sequence[TrialResult], mode: Mode, baseline: Baseline | None, only: Collection[str] | None
) -> tuple[Verdict, str]:
    failed = [result for result in judged if result.outcome is Outcome.FAIL]
    passes = len(judged) - len(failed)
    if not judged:
        return "unknown", "not one trial was judged"
    if rule.must == "all":
        return ("broken", f"failed: {_named(failed)}") if failed else ("held", f"{passes} of {passes} passed")
    if rule.at_least is not None:
        bound = wilson(passes, len(judged), rule.confidence).low
        told = f"{passes} of {len(judged)} passed, lower bound {bound:.3f}"
        return ("held" if bound >= rule.at_least else "broken"), told
    if baseline is None:
        return "unknown", "there is no baseline"
    return _against(rule, judged, baseline.of(mode), mode, only)


def _against(
    rule: Rule, judged: Sequence[TrialResult], before: Mapping[str, Entry], mode: Mode, only: Collection[str] | None
) -> tuple[Verdict, str]:
    """Pass counts, scaled where the number of trials differs. A scenario that is gone can't be judged."""
    now = entries(Report(mode, "", 0.0, tuple(judged)))
    concerned = {
        name: entry
        for name, entry in before.items()
        if (rule.tag == ALL_TAGS or rule.tag in entry.tags) and (only is None or not set(only).isdisjoint(entry.tags))
    }
    worse = [
        f"{name} {entry.passes}/{entry.n} → {now[name].passes}/{now[name].n}"
        for name, entry in sorted(concerned.items())
        if name in now and (now[name].passes + rule.slack) * entry.n < entry.passes * now[name].n
    ]
    gone = sorted(concerned.keys() - now.keys())
    if worse:
        return "broken", f"below the baseline: {', '.join(worse)}"
    if gone:
        return "unknown", f"in the baseline, but not judged now: {', '.join(gone)}"
    new = sorted(now.keys() - before.keys())
    listed = ", ".join(new) if len(new) <= 5 else f"{len(new)} scenarios"
    return "held", "none below" + (f"; new: {listed}" if new else "")


def _named(results: Sequence[TrialResult]) -> str:
    """``kit, nets_today x2``: the scenarios, and how many of their trials."""
    names = Counter(result.scenario for result in results)
    return ", ".join(name + (f" x{count}" if count > 1 else "") for name, count in sorted(names.items()))
