"""The report for a terminal: what was run, a table, everything that is not a pass with its conversation, the gate.

It reads at width 80 and without a terminal (a log of CI): colour is never the only sign. What people and models wrote
is shown as text: no markup of rich, no control characters.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dm_evals.baseline import Baseline, changes
from dm_evals.gate import GateDecision
from dm_evals.observation import Bubble
from dm_evals.replay.digests import PARTS
from dm_evals.reports.words import MODES, OUTCOMES, causes, counts_line, in_any_encoding, printable, shares, why
from dm_evals.results import Check, Outcome, Report, TrialResult
from dm_evals.results import Table as Figures

STYLES: Final = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.ERRORED: "bold magenta",
    Outcome.STALE: "bold yellow",
    Outcome.SKIPPED: "dim",
}
WHO: Final = {"person": "person", "bot": "bot", "human": "club", "manager": "→ manager", "tool": "tool"}
"""What the authors of bubbles are called. ``human`` is the club answering in the app."""
_WHO_STYLES: Final = {"person": "cyan", "bot": "blue", "human": "green", "manager": "yellow", "tool": "dim"}
LONGEST_LINES: Final = 30
LONGEST: Final = 1_200
"""Lines and characters of one text that are shown here; the HTML report has them all."""
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
            _trouble(out, result)
    _stale(out, report)
    for note in report.notes:
        out.print(Text(printable(note), style="yellow"))
    if report.problems:
        _title(out, "could not be run at all")
    for problem in report.problems:
        out.print(Text(printable(problem)))
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


def _trouble(out: Console, result: TrialResult) -> None:
    """One trial that is not a pass: what was expected, what was seen, what came nearest, who said what."""
    title = Text.assemble(
        (str(result.outcome), STYLES[result.outcome]), f" {printable(result.scenario)} trial {result.trial}"
    )
    out.print()
    out.print(Rule(title, align="left"))
    if result.reason:
        out.print(Text(printable(result.reason)))
    if not result.counts:
        out.print(Text("not reviewed: does not count", style="dim"))
    stale = [check for check in result.broken if check.name.startswith("recording.")]
    told = stale if result.outcome is Outcome.STALE and stale else result.broken
    for check in told:
        _check(out, check)
    if others := dict.fromkeys(check.name for check in result.broken if check not in told):
        out.print(Text(printable(f"did not hold either: {', '.join(others)}"), style="dim"))
    _conversation(out, result.observation.bubbles)


def _check(out: Console, check: Check) -> None:
    told = "broken" if check.verdict == "broken" else "could not be judged"
    out.print(Text.assemble((printable(check.name), "bold"), f": {told}"))
    rows = [("expected", check.expected), ("observed", check.observed), ("nearest", check.nearest)]
    _rows(out, [(name, text, "dim") for name, text in rows if text])


def _conversation(out: Console, bubbles: tuple[Bubble, ...]) -> None:
    if not bubbles:
        out.print(Text("there is no conversation", style="dim"))
        return
    out.print(Text("conversation", style="bold"))
    said = [(each.author, each.text + (f"\n⤷ {each.detail}" if each.detail else "")) for each in bubbles]
    _rows(out, [(WHO[author], text, _WHO_STYLES[author]) for author, text in said])


def _rows(out: Console, rows: list[tuple[str, str, str]]) -> None:
    """Two columns: the first as wide as its words, the second wraps."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, width=9)
    grid.add_column(overflow="fold")
    for name, text, style in rows:
        grid.add_row(Text(name, style=style), Text(_clipped(printable(text))))
    out.print(Padding(grid, (0, 0, 0, 2)))


def _clipped(text: str) -> str:
    kept = "\n".join(text[:LONGEST].split("\n")[:LONGEST_LINES])
    return text if kept == text else f"{kept} … {len(text) - len(kept)} more characters (all in the HTML report)"


def _header(out: Console, report: Report) -> None:
    out.print(Rule(Text(f"evals: {report.mode}", style="bold"), align="left"))
    out.print(Text(MODES[report.mode]))
    told = ", ".join(map(str, shares(report))) if report.origins else "none were made"
    out.print(Text(f"Model turns: {told}"))
    about = [f"model {report.model}"] if report.model else []
    about += [f"prompt {report.prompt_hash[:12]}"] if report.prompt_hash else []
    out.print(Text(printable(", ".join([*about, f"started {report.started_at}", f"{report.seconds:.1f} s"]))))
    out.print(Text(counts_line(report), style="bold"))


def _table(results: Sequence[TrialResult]) -> Table:
    """One row a scenario: with several trials, how many ended how."""
    table = _plain()
    table.add_column("outcome", no_wrap=True)
    table.add_column("scenario", overflow="fold", ratio=None)
    table.add_column("tags", overflow="fold")
    table.add_column("checks broken", overflow="fold")
    ordered = sorted(results, key=lambda result: (result.scenario, result.trial))
    for name, trials in groupby(ordered, key=lambda result: result.scenario):
        group = list(trials)
        table.add_row(_outcomes(group), Text(printable(name)), Text(", ".join(group[0].tags)), _broken(group))
    return table


def _plain() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)


def _figures(table: Figures) -> Table:
    shown = _plain()
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


def _broken(trials: Sequence[TrialResult]) -> Text:
    """The names of the checks that did not hold; why there is none where there is none."""
    aside = ["not reviewed: does not count"] if not trials[0].counts else []
    return Text(printable("\n".join([*aside, *dict.fromkeys(filter(None, map(why, trials)))])))


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
    out.print(Text(counts_line(report), style="bold"))
    if decision is not None:
        told, style = _DECIDED.get(decision.exit_code, ("the gate could not be judged", "bold magenta"))
        out.print(Text(told, style=style))


_DECIDED: Final = {0: ("the gate held", "bold green"), 1: ("the gate is broken", "bold red")}


def _title(out: Console, text: str) -> None:
    out.print()
    out.print(Rule(Text(text, style="bold"), align="left"))


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"
