"""``evals/history.jsonl``: a line for each deployment, so that the page shows how the evals went over time.

Only counts, never a conversation. The deploy workflow appends with ``dm_evals history --report report.json``.
"""

import argparse
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from dm_evals.cli.main import EVALS
from dm_evals.reading import Strict, Unusable, text_of, write_whole
from dm_evals.reports.json_file import load
from dm_evals.results import HELD, Outcome, Report

VERSION: Final = 1
DRAWN: Final = 60
"""The newest entries that the page draws."""
WIDTH, HEIGHT = 300, 60


class Entry(Strict):
    """One deployment. ``commit`` is what was deployed, ``date`` when it was tried, ISO."""

    version: Literal[1] = 1
    date: str
    commit: str
    mode: Literal["replay", "live"]
    model: str
    prompt: str
    trials: int
    passed: int

    @property
    def rate(self) -> float:
        return self.passed / self.trials if self.trials else 0.0


def read(path: Path) -> tuple[Entry, ...]:
    """All entries, the oldest first; none where there is no file. Raises Unusable."""
    if not path.exists():
        return ()
    found: list[Entry] = []
    text = text_of(path).removesuffix("\n")
    for number, line in enumerate(text.split("\n") if text else (), 1):
        try:
            found.append(Entry.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            newer = first["loc"] == ("version",)
            told = "is of a newer version: update this checkout" if newer else f"{first['msg']}: take it from git again"
            raise Unusable(f"{path.name}:{number}: {told}") from None
    return tuple(found)


def entry(report: Report, commit: str) -> Entry:
    """The line of this run."""
    counts = report.counts
    return Entry(
        date=report.started_at,
        commit=commit,
        mode=report.mode,
        model=report.model,
        prompt=report.prompt_hash[:12],
        trials=counts.total() - counts[Outcome.SKIPPED],
        passed=counts[Outcome.PASS],
    )


def points(entries: tuple[Entry, ...]) -> str:
    """The newest entries' rates as an SVG polyline's points; the top is all passed, the bottom is none."""
    drawn = entries[-DRAWN:]
    step = WIDTH / max(1, len(drawn) - 1)
    return " ".join(f"{index * step:.1f},{HEIGHT * (1 - each.rate):.1f}" for index, each in enumerate(drawn))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``dm_evals history``."""
    parser.add_argument("--report", type=Path, required=True, metavar="PATH", help="what run --json wrote")
    parser.add_argument("--commit", required=True, help="what is deployed")
    parser.add_argument("--history", type=Path, default=EVALS / "history.jsonl", metavar="PATH")


def main(args: argparse.Namespace) -> int:
    """Append the run's line."""
    before, made = read(args.history), entry(load(args.report), args.commit)
    write_whole(args.history, "".join(f"{each.model_dump_json()}\n" for each in (*before, made)))
    print(f"{args.history.name}: {made.passed} of {made.trials} passed at {made.commit}")
    return HELD
