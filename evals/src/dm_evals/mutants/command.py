"""``python -m dm_evals mutants``: the evals evaluated. Exit code 1 if a bad agent survives or a harmless variant fails.

2 where something could not be tried: a scenario that is not there or does not pass as recorded, an alteration that
finds nothing to alter.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dm_evals.cli.main import BROKEN, EVALS, HELD, NOT_JUDGED, Usage
from dm_evals.judge.judge import BrokenRuling, RecordedJudge
from dm_evals.mutants.bad_acts import BAD_ACTS
from dm_evals.mutants.bad_code import BAD_CODE
from dm_evals.mutants.bad_delicate import BAD_IN_DELICATE_MATTERS
from dm_evals.mutants.bad_words import BAD_WORDS
from dm_evals.mutants.harmless import HARMLESS
from dm_evals.mutants.kinds import Altered, BadAgent, Harmless
from dm_evals.mutants.play import Row, Trials, try_out
from dm_evals.replay.offline import offline
from dm_evals.replay.recordings import load_recordings, nearest
from dm_evals.scenarios.loading import load

BAD_AGENTS: Final = (*BAD_WORDS, *BAD_IN_DELICATE_MATTERS, *BAD_ACTS, *BAD_CODE)
SHOWN: Final = 110
"""Longest observation in the table, in characters."""
_COLOURS: Final = {"caught": "green", "passed": "green", "survived": "red", "failed": "red", "impossible": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these bad agents and variants")
    parser.add_argument("--scenarios", type=Path, default=EVALS / "scenarios", metavar="DIR")
    parser.add_argument("--recordings", type=Path, default=EVALS / "recordings", metavar="DIR")
    parser.add_argument("--rulings", type=Path, default=EVALS / "rulings", help="the judge's recordings")
    parser.add_argument("--json", type=Path, metavar="PATH", help="both tables as data, for the reports")


def main(args: argparse.Namespace) -> int:
    """Try all, or those that are named; print both tables."""
    names: Sequence[str] = args.names
    bad, harmless = _chosen(names)
    with offline():
        tried = evaluate(bad, harmless, args.scenarios, args.recordings, args.rulings)
    show(tried)
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(tried.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return exit_code(tried)


def evaluate(
    bad: Sequence[BadAgent], harmless: Sequence[Harmless], scenarios: Path, recordings: Path, rulings: Path
) -> Trials:
    """Try them on the scenarios of a folder. Raises Usage where the judge's recordings can't be read."""
    used = {each.altered.on for each in (*bad, *harmless)}
    files = [scenarios / f"{name}.yaml" for name in sorted(used)]
    loaded = load(files if all(file.is_file() for file in files) else [scenarios])  # all: to name the nearest
    found = load_recordings(recordings, {scenario.name for scenario in loaded.scenarios} | used, used)
    try:
        judge = RecordedJudge.read(sorted(rulings.glob("*.jsonl")))
    except BrokenRuling as error:
        raise Usage(str(error)) from None
    return asyncio.run(try_out(bad, harmless, loaded.scenarios, found, judge, _progress))


def exit_code(tried: Trials) -> int:
    """Not judged where anything could not be tried; broken where the evals were wrong."""
    rows = (*tried.bad, *tried.harmless)
    if tried.problems or not rows or any(row.word == "impossible" for row in rows):
        return NOT_JUDGED
    return HELD if all(row.good for row in rows) else BROKEN


def show(tried: Trials, console: Console | None = None) -> None:
    """Both tables, and the counts."""
    console = console or Console(width=None if sys.stdout.isatty() else 200)
    if tried.bad:
        console.print(_table("Bad agents", ("bad agent", "what it does", "scenario", "", "caught by"), tried.bad))
    if tried.harmless:
        columns = ("harmless variant", "what is different", "scenario", "", "outcome")
        console.print(_table("Harmless variants", columns, tried.harmless))
    for problem in tried.problems:
        console.print(f"[yellow]{escape(problem)}[/]")
    console.print(
        f"{_count(tried.bad, 'caught')} of {len(tried.bad)} bad agents caught by the check meant for them, "
        f"{_count(tried.harmless, 'passed')} of {len(tried.harmless)} harmless variants passed, "
        f"in {tried.seconds:.1f} s"
    )


def _table(title: str, columns: Sequence[str], rows: Iterable[Row]) -> Table:
    table = Table(title=title, title_justify="left", expand=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        verdict = row.expected if row.word == "caught" else row.outcome
        told = escape(verdict)
        if not row.good:
            told = f"{escape(row.expected)} was meant; {escape(row.outcome or 'not tried')}: {escape(_cut(row.shown))}"
        colour = _COLOURS[row.word]
        table.add_row(escape(row.name), escape(row.about), escape(row.scenario), f"[{colour}]{row.word}[/]", told)
    return table


def _count(rows: Iterable[Row], word: str) -> int:
    return sum(row.word == word for row in rows)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def _chosen(names: Sequence[str]) -> tuple[Sequence[BadAgent], Sequence[Harmless]]:
    """Raises Usage for a name that is none."""
    every: list[Altered] = [each.altered for each in (*BAD_AGENTS, *HARMLESS)]
    known = sorted(altered.name for altered in every)
    for name in names:
        if name not in known:
            raise Usage(f'there is no bad agent or harmless variant "{name}"{nearest(name, known)}')
    if not names:
        return BAD_AGENTS, HARMLESS
    return (
        [each for each in BAD_AGENTS if each.altered.name in names],
        [each for each in HARMLESS if each.altered.name in names],
    )


def _progress(row: Row) -> None:
    if sys.stderr.isatty():
        print("." if row.good else row.word[0].upper(), end="", file=sys.stderr, flush=True)
