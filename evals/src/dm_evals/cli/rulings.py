"""``rulings``: what the judge still has to say about the recorded conversations, and writing it down.

A ruling is bound to what was said, so a reworded reply needs a new one. Who made it is kept with it: a person
(``--authored``) or a model (``--model``).
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Final, Literal

from pydantic import TypeAdapter

from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.choice import Chosen, choose
from dm_evals.cli.main import EVALS
from dm_evals.judge import GENERAL, Evidence, Judge, RecordedJudge, RecordingJudge, Ruling
from dm_evals.judge.agreement import Labelling, measure, read_labels
from dm_evals.judge.gemini import GeminiJudge
from dm_evals.judge.judge import VOTES
from dm_evals.judge.recorded import line_of, statement
from dm_evals.live.upstream import GEMINI, Upstream
from dm_evals.reading import Strict, Unusable, text_of, typed, write_json_lines, yaml_list
from dm_evals.replay.recordings import today
from dm_evals.replay.runner import run
from dm_evals.results import HELD, NOT_JUDGED

GENERAL_ITEM: Final = "general"


class Authored(Strict):
    """One ruling as a person writes it: on one rubric item or several, yes or no, why, and the words that show it.

    ``item``: word for word, or ``general.NAME``; ``general`` is every general one that no other entry names.
    ``scenario``: only in this one. ``quote`` must stand in the evidence.
    """

    item: str | tuple[str, ...]
    verdict: Literal["yes", "no"]
    why: str = ""
    quote: str = ""
    scenario: str = ""

    @property
    def items(self) -> tuple[str, ...]:
        return (self.item,) if isinstance(self.item, str) else self.item


AUTHORED: Final = TypeAdapter(tuple[Authored, ...])


@dataclass(slots=True)
class Person:
    """The judge who wrote the rulings down beforehand. ``open``: what they did not rule on."""

    rulings: Sequence[Authored]
    general: bool
    open: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The statements by scenario."""
    shown: dict[str, str] = field(default_factory=dict[str, str])
    """The evidence they are to be ruled on, by scenario."""
    problems: list[str] = field(default_factory=list[str])
    used: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def asks_in_general(self, scenario: str) -> bool:
        mine = [item for each in self.rulings if each.scenario in ("", scenario) for item in each.items]
        return self.general or any(item.startswith(GENERAL_ITEM) for item in mine)

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        return [self._one(text, evidence) for text in statements]

    def _one(self, text: str, evidence: Evidence) -> Ruling:
        line = line_of(text)
        mine = [each for each in self.rulings if each.scenario in ("", evidence.scenario)]
        written = next((each for each in mine if line in each.items), None)
        if written is None and line != text:
            written = next((each for each in mine if GENERAL_ITEM in each.items), None)
            line = GENERAL_ITEM
        if written is None:
            self.open.setdefault(evidence.scenario, []).append(text)
            self.shown[evidence.scenario] = indent(evidence.shown(), "    ", lambda _: True)
            return Ruling((), "nobody has ruled on it")
        if written.quote and not evidence.holds(written.quote):
            self.problems.append(f"{evidence.scenario}: the evidence does not say {written.quote!r} ({line})")
        self.used.add((written.scenario, line))
        return Ruling((written.verdict,) * VOTES, written.why, written.quote)


def rulings_command(args: argparse.Namespace) -> int:
    """List what is not ruled on, or rule on it. 0: nothing is open any more."""
    chosen = choose(args, args.scenario)
    person = Person(written(args.authored) if args.authored else (), args.general)
    asyncio.run(_asked(args, chosen, person))
    if args.model and args.agreement:
        return HELD
    for scenario, texts in sorted(person.open.items()):
        asked = [f"{scenario}: {text}" for text in texts]
        print(f"\n{len(texts)} open in {scenario}", *asked, person.shown[scenario], sep="\n")
    left = sum(map(len, person.open.values()))
    unknown = {(each.scenario, item) for each in person.rulings for item in each.items} - person.used
    for scenario, item in sorted(unknown):
        where = f"not an item of {scenario}" if scenario else "an item of none of these scenarios"
        print(f"{item!r} is {where}, or was ruled on before", file=sys.stderr)
    print(f"{left} open" if left else "every item has a ruling")
    return NOT_JUDGED if left or unknown else HELD


async def _asked(args: argparse.Namespace, chosen: Chosen, person: Person) -> None:
    """Of the person, or of the model. Raises Unusable."""
    if not args.model:
        await _rule(chosen, person, person.problems, args)
        return
    key = os.environ.get("GEMINI_API_KEY")
    if not key:
        raise Unusable("GEMINI_API_KEY is not set: a model's ruling is asked of a real model")
    async with Upstream(args.base_url or GEMINI) as upstream:
        with upstream.asked(GeminiJudge, "judge", args.model, key) as judge:
            await asyncio.to_thread(judge.check)
            await (_measure(chosen, judge, args) if args.agreement else _rule(chosen, judge, (), args))


async def _measure(chosen: Chosen, judge: GeminiJudge, args: argparse.Namespace) -> None:
    """How far a judge can be trusted: what people ruled, asked of it."""
    labelling = Labelling(RecordedJudge.read(sorted(args.rulings.glob("*.jsonl"))))
    await run(chosen.scenarios, chosen.recordings, partial(judge_trial, judge=labelling))
    labels = (*labelling.labels, *read_labels(sorted((EVALS / "agreement").glob("*.jsonl"))))
    found = await asyncio.to_thread(measure, judge, labels)
    for label, ruling in found.disagreements:
        print(f"{ruling.verdict}, a person said {label.verdict}: {line_of(label.statement)} {label.evidence.scenario}")
    print(f"{args.model} {found}")


async def _rule(chosen: Chosen, judging: Judge, problems: Sequence[str], args: argparse.Namespace) -> None:
    """Play them with a judge who asks ``judging`` only for what is new, and keep the files that changed.

    Raises Unusable for the problems that came up on the way: then nothing is kept.
    """
    paths = {scenario.name: args.rulings / f"{scenario.name}.jsonl" for scenario in chosen.scenarios}
    known = RecordedJudge.read(paths.values())
    keeping = RecordingJudge(judging, known, "recorded" if args.model else "authored", today(), args.model or "")
    asked = partial(judge_trial, judge=keeping)
    users = args.recordings.parent / "users"
    await run(chosen.scenarios, chosen.recordings, asked, concurrency=1, users=users)
    if problems:
        raise Unusable(*dict.fromkeys(problems))
    for name, kept in keeping.kept.items():
        new = [each for each in kept if each not in known.rulings[name]]
        if new:
            write_json_lines(paths[name], kept)
            print(f"wrote {name}.jsonl: {sum(len(each.lines) for each in new)} new")


def written(path: Path) -> tuple[Authored, ...]:
    """``- {item: …, verdict: yes, quote: …, why: …}`` for each; ``-`` reads standard input."""
    where = "the rulings" if str(path) == "-" else path.name
    text = typed(where) if str(path) == "-" else text_of(path)
    read = yaml_list(text, Authored, where)
    named = [(each.scenario, item) for each in read for item in each.items]
    for place, (scenario, item) in enumerate(named):
        if (scenario, item) in named[:place]:
            raise Unusable(f"{where}: two rulings on {item!r}" + (f" in {scenario}" if scenario else ""))
        if item.startswith("general.") and statement(item) == item:
            raise Unusable(f"{where}: there is no {item}: the general rubric has {', '.join(GENERAL)}")
    return read
