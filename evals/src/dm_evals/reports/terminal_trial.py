"""One trial that is not a pass, for a terminal: what was expected, what was seen, what came nearest, who said what."""

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dm_evals.observation import Bubble
from dm_evals.reports.words import printable
from dm_evals.results import Check, Outcome, TrialResult

WHO: Final = {"person": "person", "bot": "bot", "human": "club", "manager": "→ manager", "tool": "tool"}
"""What the authors of bubbles are called. ``human`` is the club answering in the app."""
_WHO_STYLES: Final = {"person": "cyan", "bot": "blue", "human": "green", "manager": "yellow", "tool": "dim"}
LONGEST_LINES: Final = 30
LONGEST: Final = 1_200
"""Lines and characters of one text that are shown here; the HTML report has them all."""


def trouble(out: Console, result: TrialResult, style: str) -> None:
    """Everything one needs to see why."""
    title = Text.assemble((str(result.outcome), style), f" {printable(result.scenario)} trial {result.trial}")
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
    rows = [
        (
            WHO[bubble.author],
            bubble.text + (f"\n⤷ {bubble.detail}" if bubble.detail else ""),
            _WHO_STYLES[bubble.author],
        )
        for bubble in bubbles
    ]
    _rows(out, rows)


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
