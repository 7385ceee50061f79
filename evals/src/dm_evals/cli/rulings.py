"""``rulings``: what the judge still has to say about the recorded conversations, and writing it down.

A ruling is bound to the exact text it was made of, so a reworded reply needs a new one. Who made it is kept with it: a
person (``--authored``) or a model (``--model``).
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.choice import choose
from dm_evals.cli.main import EVALS, HELD, NOT_JUDGED, Usage
from dm_evals.judge.agreement import measure, read_verdicts
from dm_evals.judge.gemini import GeminiJudge
from dm_evals.judge.judge import (
    VOTES,
    BrokenRuling,
    Judge,
    RecordedJudge,
    RecordedRuling,
    RecordingJudge,
    Ruling,
    read_rulings,
)
from dm_evals.replay.recordings import Recordings
from dm_evals.replay.runner import run
from dm_evals.scenarios.scenario import Scenario


class Authored(BaseModel):
    """One ruling as a person writes it: the item word for word, yes or no, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    verdict: Literal["yes", "no"]
    why: str


AUTHORED: Final = TypeAdapter(tuple[Authored, ...])


@dataclass(slots=True)
class Person:
    """The judge who wrote the rulings down beforehand; what they did not rule on is kept as open."""

    rulings: Mapping[str, Authored]
    open: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    used: set[str] = field(default_factory=set[str])

    def rule(self, item: str, text: str) -> Ruling:
        written = self.rulings.get(item)
        if written is None:
            self.open.append((item, text))
            return Ruling((), "nobody has ruled on it")
        self.used.add(item)
        return Ruling((written.verdict,) * VOTES, written.why)


def rulings_command(args: argparse.Namespace) -> int:
    """List what is not ruled on, or rule on it. 0: nothing is open any more."""
    chosen = choose(args, args.scenario)
    person = Person(_written(args.authored) if args.authored else {})
    judging: Judge = person
    left = 0
    with ExitStack() as stack:
        if args.model:
            key = os.environ.get("GEMINI_API_KEY")
            if not key:
                raise Usage("GEMINI_API_KEY is not set: a model's ruling is asked of a real model")
            judging = stack.enter_context(GeminiJudge(args.model, key, args.base_url))
            if args.agreement:
                return _agreement(judging)
        for scenario in chosen.scenarios:
            person.open.clear()
            _rule(scenario, chosen.recordings, judging, args)
            left += len(person.open)
            for item, text in person.open:
                print(f"\n{scenario.name}: {item}\n{_indented(text)}")
    unknown = set(person.rulings) - person.used
    for item in sorted(unknown):
        print(f"{item!r} is an item of none of these scenarios, or was ruled on before", file=sys.stderr)
    print(f"{left} open" if left else "every item has a ruling")
    return NOT_JUDGED if left or unknown else HELD


def _agreement(judge: Judge) -> int:
    """How far a judge can be trusted: measured before a rubric may gate anything."""
    found = measure(judge, read_verdicts(sorted((EVALS / "agreement").glob("*.jsonl"))))
    for each in found.disagreements:
        print(f"{each.judged}, a person said {each.authored.verdict}: {each.authored.item}")
    print(f"agrees on {found.agreed} of {found.n} (95 % interval {found.rate.low:.1%} to {found.rate.high:.1%});")
    print(f"{found.false_yes} false yes, {found.false_no} false no, {found.unanswered} without an answer")
    return HELD


def _rule(scenario: Scenario, recordings: Recordings, judging: Judge, args: argparse.Namespace) -> None:
    """Play one scenario with a judge who asks ``judging`` only for what is new, and keep the file if it changed."""
    path: Path = args.rulings / f"{scenario.name}.jsonl"
    keeping = RecordingJudge(
        judging,
        args.model or "",
        datetime.now(UTC).date().isoformat(),
        "recorded" if args.model else "authored",
        _known(path),
    )
    before = dict(keeping.rulings)
    asyncio.run(run((scenario,), recordings, partial(judge_trial, judge=keeping)))
    if keeping.rulings != before:
        path.parent.mkdir(parents=True, exist_ok=True)
        keeping.write(path)
        print(f"wrote {path.name}: {len(keeping.rulings) - len(before)} new")


def _known(path: Path) -> dict[str, RecordedRuling]:
    """The rulings of a file. Raises Usage where they can't be used."""
    try:
        RecordedJudge.read([path] if path.exists() else [])
        return {each.digest: each for each in read_rulings([path] if path.exists() else [])}
    except BrokenRuling as error:
        raise Usage(str(error)) from None


def _written(path: Path) -> dict[str, Authored]:
    """``- {item: …, verdict: yes, why: …}`` for each item; ``-`` reads standard input."""
    text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    try:
        read = AUTHORED.validate_python(_loaded(text))
    except (ValidationError, yaml.YAMLError) as error:
        what = str(error).splitlines()[0]
        raise Usage(f"the rulings are no list of {{item, verdict: yes or no, why}}: {what}") from None
    return _once(read)


def _loaded(text: str) -> object:
    """YAML with every scalar as text, so that yes stays a word."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes texts, lists and mappings only


def _once(rulings: Iterable[Authored]) -> dict[str, Authored]:
    found: dict[str, Authored] = {}
    for ruling in rulings:
        if ruling.item in found:
            raise Usage(f"two rulings on {ruling.item!r}")
        found[ruling.item] = ruling
    return found


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
