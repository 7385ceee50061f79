"""What the page shows, as values: the template only lays them out. Nothing here is escaped; the template does that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo

from dm_evals.baseline import Baseline, Change, changes
from dm_evals.gate import GateDecision, RuleResult
from dm_evals.observation import Bubble, ModelCall, Observation
from dm_evals.reports.words import OUTCOMES, Share, causes, mode_sentence, printable, shares, unreviewed, why
from dm_evals.results import Check, Outcome, Report, TrialResult

MARKS: Final = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.ERRORED: "!",
    Outcome.STALE: "↻",
    Outcome.SKIPPED: "–",
}
"""Beside the word, so that colour is never the only sign."""
WHO: Final = {
    "person": "Person",
    "bot": "Bot",
    "human": "Club (a human)",
    "manager": "To the manager, on WhatsApp",
    "tool": "Tool call",
}
LONG: Final = 160
"""Characters of a tool call or its result above which it is folded."""


@dataclass(frozen=True, slots=True)
class Line:
    """One bubble. ``clock`` is the wall clock of the scenario's zone; ``day`` where a new one begins."""

    author: str
    who: str
    clock: str
    stamp: str
    day: str
    text: str
    short: str
    detail: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    kind: Literal["added", "removed", "place", "same"]
    text: str


@dataclass(frozen=True, slots=True)
class StaleTurn:
    turn: int
    changed: tuple[str, ...]
    diff: tuple[DiffLine, ...]


@dataclass(frozen=True, slots=True)
class Then:
    """The same scenario earlier. ``lines`` is empty where only counts are kept."""

    change: Change | None
    result: TrialResult | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One trial."""

    anchor: str
    result: TrialResult
    mark: str
    search: str
    """What the text filter looks in, in lower case."""
    reason: str
    """Only where the checks do not say it already."""
    why: str
    broken: tuple[Check, ...]
    """Without those of stale turns, which have a place of their own."""
    held: tuple[Check, ...]
    lines: tuple[Line, ...]
    stale: tuple[StaleTurn, ...]
    then: Then
    calls: tuple[ModelCall, ...]

    @property
    def outcomes(self) -> str:
        """Words the result filter looks for."""
        return str(self.result.outcome) if self.result.counts else f"{self.result.outcome} unreviewed"


@dataclass(frozen=True, slots=True)
class Tally:
    """A result to filter by."""

    value: str
    label: str
    mark: str
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """All of it."""

    report: Report
    sentence: str
    started: str
    verdict: str
    tallies: tuple[Tally, ...]
    tags: tuple[tuple[str, int], ...]
    shares: tuple[Share, ...]
    rules: tuple[RuleResult, ...]
    gate: str
    causes: tuple[tuple[str, int, int], ...]
    changes: tuple[Change, ...]
    new: tuple[str, ...]
    """Scenarios the baseline does not know."""
    has_baseline: bool
    before: str
    """When the run was whose conversations stand beside; empty where there is none."""
    cards: tuple[Card, ...]


def page(
    report: Report, baseline: Baseline | None, decision: GateDecision | None = None, before: Report | None = None
) -> Page:
    """The page's values. ``before`` is an earlier report whose conversations are shown beside today's."""
    against = changes(baseline, report) if baseline is not None else ()
    return Page(
        report=report,
        sentence=mode_sentence(report.mode),
        started=_started(report.started_at),
        verdict=_verdict(report, decision),
        tallies=_tallies(report),
        tags=_tags(report),
        shares=shares(report),
        rules=decision.rules if decision is not None else (),
        gate="" if decision is None else _GATE.get(decision.exit_code, "could not be judged"),
        causes=causes(report.results),
        changes=tuple(change for change in against if change.kind not in ("same", "new")),
        new=tuple(change.scenario for change in against if change.kind == "new"),
        has_baseline=baseline is not None,
        before=_started(before.started_at) if before is not None else "",
        cards=_cards(report, {change.scenario: change for change in against}, before),
    )


_GATE: Final = {0: "held", 1: "broken"}


def _verdict(report: Report, decision: GateDecision | None) -> str:
    """One word for the page's state: what the gate says. Without it nothing is held, whatever passed."""
    if decision is not None:
        return _GATE.get(decision.exit_code, "unknown")
    counts = report.counts
    if counts[Outcome.FAIL]:
        return "broken"
    unjudged = report.problems or counts[Outcome.ERRORED] or counts[Outcome.STALE] or not counts[Outcome.PASS]
    return "unknown" if unjudged else "undecided"


def _tallies(report: Report) -> tuple[Tally, ...]:
    found = [Tally(str(each), str(each), MARKS[each], report.counts[each]) for each in OUTCOMES]
    return (*found, Tally("unreviewed", "not reviewed", "?", len(unreviewed(report))))


def _tags(report: Report) -> tuple[tuple[str, int], ...]:
    """Tags and how many scenarios have each."""
    names: dict[str, set[str]] = {}
    for result in report.results:
        for tag in result.tags:
            names.setdefault(tag, set()).add(result.scenario)
    return tuple((tag, len(names[tag])) for tag in sorted(names))


def _cards(report: Report, against: Mapping[str, Change], before: Report | None) -> tuple[Card, ...]:
    """What needs a look comes first."""
    order = (Outcome.FAIL, Outcome.ERRORED, Outcome.STALE, Outcome.SKIPPED, Outcome.PASS)
    results = sorted(report.results, key=lambda r: (not r.counts, order.index(r.outcome), r.scenario, r.trial))
    earlier = {(each.scenario, each.trial): each for each in before.results} if before is not None else {}
    return tuple(_card(each, against.get(each.scenario), earlier.get((each.scenario, each.trial))) for each in results)


def _card(result: TrialResult, change: Change | None, earlier: TrialResult | None) -> Card:
    seen = result.observation
    words = [result.scenario, *result.tags, result.reason, *(check.name for check in result.broken)]
    words += [f"{bubble.text} {bubble.detail}" for bubble in seen.bubbles]
    return Card(
        anchor=f"{result.scenario}-t{result.trial}",
        result=result,
        mark=MARKS[result.outcome],
        search=printable(" ".join(words)).lower(),
        reason="" if any(check.observed in result.reason for check in result.broken) else result.reason,
        why=why(result),
        broken=tuple(check for check in result.broken if check.name != "recording.stale"),
        held=tuple(check for check in result.checks if check.verdict == "held"),
        lines=_lines(seen),
        stale=tuple(StaleTurn(each.turn, each.changed, _diff(each.diff)) for each in seen.stale),
        then=Then(change, earlier, _lines(earlier.observation) if earlier is not None else ()),
        calls=seen.model_calls,
    )


def _lines(seen: Observation) -> tuple[Line, ...]:
    zone, day, lines = _zone(seen.time_zone), "", list[Line]()
    for bubble in seen.bubbles:
        at = _moment(bubble.at, zone)
        date = f"{at:%a} {at.day} {at:%b %Y}" if at is not None else ""
        lines.append(_line(bubble, at, date if date != day else ""))
        day = date
    return tuple(lines)


def _line(bubble: Bubble, at: datetime | None, day: str) -> Line:
    text = printable(bubble.text)
    folded = bubble.author == "tool" and len(text) > LONG
    return Line(
        author=bubble.author,
        who=WHO[bubble.author],
        clock=f"{at:%H:%M:%S}" if at is not None else "",
        stamp=at.isoformat() if at is not None else "",
        day=day,
        text=text,
        short=f"{text[:LONG]}…" if folded else "",
        detail=printable(bubble.detail),
    )


def _moment(milliseconds: int, zone: tzinfo) -> datetime | None:
    """None where it is no time at all: a page is written whatever a trial did."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, zone)
    except (OverflowError, OSError, ValueError):
        return None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return UTC


def _diff(text: str) -> tuple[DiffLine, ...]:
    return tuple(_diff_line(line) for line in printable(text).split("\n")) if text else ()


def _diff_line(line: str) -> DiffLine:
    if line.startswith(("+++", "---", "@@")):
        return DiffLine("place", line)
    kinds: Sequence[tuple[str, Literal["added", "removed"]]] = (("+", "added"), ("-", "removed"))
    return next((DiffLine(kind, line) for sign, kind in kinds if line.startswith(sign)), DiffLine("same", line))


def _started(text: str) -> str:
    """``22 Nov 2026, 23:44 UTC``; as it is where it is no date."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.day} {at:%b %Y, %H:%M} {at.tzname() or ''}".strip()
