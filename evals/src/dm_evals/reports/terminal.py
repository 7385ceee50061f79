"""The report for a terminal: what was run, a table, everything that is not a pass with its conversation, the gate.

It reads at width 80 and without a terminal (a log of CI): colour is never the only sign. What people and models wrote
is shown as text: no markup of rich, no control characters.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dm_evals.baseline import Baseline, changes
from dm_evals.gate import GateDecision
from dm_evals.replay.digests import PARTS
from dm_evals.reports.terminal_trial import trouble
from dm_evals.reports.words import MODES, OUTCOMES, causes, counts_line, in_any_encoding, printable, shares, why
from dm_evals.results import Outcome, Report, TrialResult
from dm_evals.results import Table as Figures

STYLES: Final = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.ERRORED: "bold magenta",
    Outcome.STALE: "bold yellow",
    Outcome.SKIPPED: "dim",
}
_VERDICTS: Final = {"held": "green", "broken": "bold red", "unknown": "bold magenta"}


def show(
    report: Report, baseline: Baseline | None, decision: GateDecision | None, console: Console | None = None
) -> None:
    """Print the report; ``console`` is standard output's unless one is given."""
    in_any_encoding(sys.stdout)
    out = console or Console(highlight=False, emoji=False)
    _header(out, report)
    if report.results:
        out.print(_table(report.results))
    for result in _by_trouble(report.results):
        if result.outcome in (Outcome.FAIL, Outcome.ERRORED, Outcome.STALE):
            trouble(out, result, STYLES[result.outcome])
    _stale(out, report)
    for note in report.notes:
        out.print(Text(printable(note), style="yellow"))
    _problems(out, report.problems)
    for table in report.tables:
        _title(out, table.title)
        out.print(_figures(table))
    _changes(out, report, baseline)
    _end(out, report, decision)


class RunProgress:
    """Progress while trials run, on standard error; silent without a terminal. ``on_result`` of a run.

    ``with RunProgress(total) as progress: await run(…, on_result=progress)``
    """

    def __init__(self, total: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._counts: Counter[Outcome] = Counter()
        self._bar = Progress(
            TextColumn("trials"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, result: TrialResult) -> None:
        """One trial is judged."""
        self._counts[result.outcome] += 1
        told = ", ".join(f"{self._counts[each]} {each}" for each in OUTCOMES if self._counts[each])
        self._bar.update(self._task, advance=1, description=told)


def _header(out: Console, report: Report) -> None:
    out.print(Rule(Text(f"evals: {report.mode}", style="bold"), align="left"))
    out.print(Text(MODES[report.mode]))
    told = ", ".join(map(str, shares(report))) if report.origins else "none were made"
    out.print(Text(f"Model turns: {told}"))
    facts = (f"model {report.model}" if report.model else "", f"prompt {report.prompt_hash[:12]}")
    about = [fact for fact in facts if fact.split()[1:]]
    out.print(Text(printable(", ".join([*about, f"started {report.started_at}", f"{report.seconds:.1f} s"]))))
    _counts(out, report)


def _counts(out: Console, report: Report) -> None:
    out.print(Text(counts_line(report), style="bold"))


def _table(results: Sequence[TrialResult]) -> Table:
    """One row a scenario: with several trials, how many ended how."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    table.add_column("outcome", no_wrap=True)
    table.add_column("scenario", overflow="fold", ratio=None)
    table.add_column("tags", overflow="fold")
    table.add_column("checks broken", overflow="fold")
    ordered = sorted(results, key=lambda result: (result.scenario, result.trial))
    for name, trials in groupby(ordered, key=lambda result: result.scenario):
        group = list(trials)
        table.add_row(_outcomes(group), Text(printable(name)), Text(", ".join(group[0].tags)), _broken(group))
    return table


def _figures(table: Figures) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for column in table.columns:
        shown.add_column(column, overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    return shown


def _outcomes(trials: Sequence[TrialResult]) -> Text:
    counts = Counter(trial.outcome for trial in trials)
    shown = Text()
    for outcome in OUTCOMES:
        if counts[outcome]:
            times = f" {counts[outcome]}/{len(trials)}" if len(trials) > 1 else ""
            shown.append(("\n" if shown else "") + outcome + times, STYLES[outcome])
    return shown


def _broken(trials: Iterable[TrialResult]) -> Text:
    """The names of the checks that did not hold; why there is none where there is none."""
    group = list(trials)
    aside = ["not reviewed: does not count"] if not group[0].counts else []
    return Text(printable("\n".join([*aside, *dict.fromkeys(told for trial in group if (told := why(trial)))])))


def _by_trouble(results: Sequence[TrialResult]) -> list[TrialResult]:
    """What does not count first, failures last: what matters most stands nearest to the end."""
    return sorted(
        results, key=lambda result: (result.counts, -OUTCOMES.index(result.outcome), result.scenario, result.trial)
    )


def _stale(out: Console, report: Report) -> None:
    found = causes(report.results)
    if not found:
        return
    _title(out, "why recordings are stale")
    for part, trials, turns in found:
        out.print(Text(f"{part}: {trials} {_plural(trials, 'trial')}, {turns} {_plural(turns, 'turn')}"))
    parts = [part for part, _, _ in found if part in PARTS]
    if parts:
        out.print(Text("Record anew: make evals-record. Or, if the recorded answers are still the right ones:"))
        out.print(Text(f"  make evals-refresh PARTS={','.join(parts)}", style="bold"))


def _problems(out: Console, problems: Sequence[str]) -> None:
    if problems:
        _title(out, "could not be run at all")
    for problem in problems:
        out.print(Text(printable(problem)))


def _changes(out: Console, report: Report, baseline: Baseline | None) -> None:
    """What is not as in the baseline; nothing without a baseline, since then everything would be new."""
    if baseline is None or not baseline.of(report.mode):
        return
    other = [change for change in changes(baseline, report) if change.kind != "same"]
    if other:
        _title(out, "against the baseline (passes/judged)")
    for change in other:
        style = {"worse": "bold red", "gone": "bold magenta", "better": "green"}.get(change.kind, "")
        out.print(Text(f"{change.kind:<6} ", style=style) + Text(str(change)[2:]))


def _end(out: Console, report: Report, decision: GateDecision | None) -> None:
    _title(out, "gate" if decision else "no gate was asked")
    for rule in decision.rules if decision else ():
        line = Table.grid(padding=(0, 1))
        line.add_column(width=7, no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(Text(rule.verdict, _VERDICTS[rule.verdict]), Text(printable(f"{rule.rule}: {rule.reason}")))
        out.print(line)
    _counts(out, report)
    if decision is not None:
        told, style = _DECIDED.get(decision.exit_code, ("the gate could not be judged", "bold magenta"))
        out.print(Text(told, style=style))


_DECIDED: Final = {0: ("the gate held", "bold green"), 1: ("the gate is broken", "bold red")}


def _title(out: Console, text: str) -> None:
    out.print()
    out.print(Rule(Text(text, style="bold"), align="left"))


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"
