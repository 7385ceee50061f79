"""The report as Markdown, for a job's summary and a pull request's comment: counts, the gate, what is not a pass."""

from collections.abc import Iterator
from typing import Final

from dm_evals.gate import GateDecision
from dm_evals.reports.words import MODES, counts_line, printable, shares, why
from dm_evals.results import Outcome, Report, TrialResult

MOST: Final = 20
"""Trials that are listed; GitHub cuts a comment at 65,536 characters."""
_LONGEST: Final = 200


def to_markdown(report: Report, decision: GateDecision | None = None) -> str:
    """The same values give the same text."""
    return "\n".join(_lines(report, decision)) + "\n"


def _lines(report: Report, decision: GateDecision | None) -> Iterator[str]:
    yield f"### Evals: {counts_line(report)}"
    yield ""
    yield f"{MODES[report.mode]} Model turns: {', '.join(map(str, shares(report)))}."
    for rule in decision.rules if decision else ():
        yield f"- {rule.verdict}: {_plain(f'{rule.rule}: {rule.reason}')}"
    for line in (*report.notes, *report.problems):
        yield f"- {_plain(line)}"
    for table in report.tables:
        yield from ("", f"**{_plain(table.title)}**", "")
        yield f"| {' | '.join(map(_plain, table.columns))} |"
        yield f"|{'---|' * len(table.columns)}"
        yield from (f"| {' | '.join(map(_plain, row))} |" for row in table.rows)
    trouble = [result for result in report.results if result.outcome not in (Outcome.PASS, Outcome.SKIPPED)]
    if not trouble:
        return
    yield from ("", "| scenario | outcome | why |", "|---|---|---|")
    for result in trouble[:MOST]:
        yield f"| {result.scenario} t{result.trial} | {result.outcome} | {_plain(_reason(result))} |"
    if len(trouble) > MOST:
        yield f"\nand {len(trouble) - MOST} more: see the HTML report among the run's artifacts."


def _reason(result: TrialResult) -> str:
    first = next(iter(result.broken), None)
    seen = f": expected {first.expected}; observed {first.observed}" if result.outcome is Outcome.FAIL and first else ""
    return why(result) + seen


def _plain(text: str) -> str:
    """One line, in which nothing is markup, a mention or a link: a person's words may stand there."""
    line = " ".join(printable(text).split())
    short = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    return "".join(f"&#{ord(char)};" if char in "\\`*_{}[]<>()#|@!&~:" else char for char in short)
