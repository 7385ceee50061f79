"""``python -m dm_evals held-out``: what strangers' bad and harmless agents come to, by code alone.

    evals/held_out/bad.yaml, harmless.yaml ──▶ a recording with other words or acts ──▶ played and judged, without a judge
    detection = bad ones with a broken check, false alarms = harmless ones with a broken check; Wilson's intervals

What only a reader of sense can see (``judge: true``) is counted apart, in neither rate. The cases were written before
the checks, and are never changed to suit them; a case that code gets wrong is a finding.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from dm_core.agent.tools.registry import SEND
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import BROKEN, EVALS, HELD, NOT_JUDGED, Usage
from dm_evals.mutants.kinds import NOTIFY, REACT, Turns, turns_of
from dm_evals.replay.author import AuthoredTurn, Script
from dm_evals.replay.offline import offline
from dm_evals.replay.recordings import Recordings, load_recordings, nearest
from dm_evals.replay.runner import RuntimePool
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Event, Expectations, Scenario
from dm_evals.scenarios.yaml_lines import BrokenYaml, read_yaml
from dm_evals.statistics import Interval, wilson

FOLDER: Final = EVALS / "held_out"
LEAST_DETECTED: Final = 0.75
MOST_FALSE: Final = 0.03


class Case(BaseModel):
    """One agent: what it does otherwise than the recording, and what is wrong with it, or what might mislead.

    ``dm``: the person writes this instead, and only the rules of every scenario judge. ``says`` replaces the last
    reply; the others add a call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    scenario: str
    wrong: str = ""
    why: str = ""
    judge: bool = False
    dm: tuple[str, ...] = ()
    says: str = ""
    adds: str = ""
    reacts: str = ""
    notes: str = ""
    alerts: str = ""

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if not (self.wrong or self.why).strip():
            raise ValueError(f"{self.name} gives no reason: say in `wrong` (or `why`) what is wrong with it")
        if not any((self.says, self.adds, self.reacts, self.notes, self.alerts)):
            raise ValueError(f"{self.name} does nothing: give it says, adds, reacts, notes or alerts")
        return self

    def turns(self, recorded: Turns, handle: str) -> Turns:
        """The recorded turns with what this agent does; ``handle``: the DM that a reaction is on."""
        turns = list(recorded)
        sends = [place for place, turn in enumerate(turns) if any(name == SEND for name, _ in turn.calls)]
        last = sends[-1] if sends else len(turns) - 1
        calls = [call for call in turns[last].calls if not (self.says and call[0] == SEND)]
        calls += [(SEND, {"text": text}) for text in (self.says, self.adds) if text]
        calls += [(REACT, {"message_id": handle, "reaction": self.reacts})] if self.reacts else []
        calls += [("save_note", {"text": self.notes})] if self.notes else []
        calls += [(NOTIFY, {"text": self.alerts})] if self.alerts else []
        turns[last] = AuthoredTurn(tuple(calls), turns[last].text)
        return tuple(turns)

    def played_in(self, scenario: Scenario) -> Scenario:
        if not self.dm:
            return scenario
        events = tuple(Event(text=text, at=f"{3 * place}s") for place, text in enumerate(self.dm))
        expect = Expectations(changed=scenario.expect.changed)
        return scenario.model_copy(update={"events": events, "expect": expect, "tags": ("held_out",)})


Word = Literal["caught", "passed", "judge", "unjudged"]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one case. ``broken``: the checks that did not hold; ``shown``: the first of them in words."""

    name: str
    scenario: str
    reason: str
    word: Word
    broken: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Rate:
    """``caught`` of ``number`` cases, with Wilson's 95 % interval."""

    caught: int
    number: int

    @property
    def share(self) -> float:
        return self.caught / self.number if self.number else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.caught, self.number)

    def __str__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return f"{self.share:.1%} ({self.caught} of {self.number}; 95 % interval {low:.1%} to {high:.1%})"


@dataclass(frozen=True, slots=True)
class Measured:
    """Both sets as judged by code alone."""

    bad: tuple[Row, ...]
    harmless: tuple[Row, ...]

    @property
    def detection(self) -> Rate:
        rows = [row for row in self.bad if row.word != "judge"]
        return Rate(sum(row.word == "caught" for row in rows), len(rows))

    @property
    def false_alarms(self) -> Rate:
        return Rate(sum(row.word == "caught" for row in self.harmless), len(self.harmless))

    @property
    def only_a_judge(self) -> int:
        return sum(row.word == "judge" for row in self.bad)

    @property
    def unjudged(self) -> tuple[Row, ...]:
        return tuple(row for row in (*self.bad, *self.harmless) if row.word == "unjudged")

    @property
    def exit_code(self) -> int:
        if self.unjudged or not self.bad or not self.harmless:
            return NOT_JUDGED
        held = self.detection.share >= LEAST_DETECTED and self.false_alarms.share <= MOST_FALSE
        return HELD if held else BROKEN


def load_cases(path: Path) -> tuple[Case, ...]:
    """Raises Usage: one line with the file and the line."""
    try:
        value, lines = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path}: can't be read: {error}") from None
    except BrokenYaml as error:
        raise Usage(f"{path}:{error.line}: {error}") from None
    cases: list[Case] = []
    for place, each in enumerate(value if isinstance(value, list) else [value]):
        try:
            cases.append(Case.model_validate(each))
        except ValidationError as error:
            first = error.errors()[0]
            where = lines.of((place, *first["loc"]))
            raise Usage(f"{path}:{where}: {first['msg'].removeprefix('Value error, ')}") from None
    return tuple(cases)


def measure(bad: Sequence[Case], harmless: Sequence[Case], scenarios: Path, recordings: Path) -> Measured:
    """Play and judge all of them. Raises Usage for a scenario that is not there."""
    names = {case.scenario for case in (*bad, *harmless)}
    loaded = load([scenarios / f"{name}.yaml" for name in sorted(names) if (scenarios / f"{name}.yaml").is_file()])
    known = {scenario.name: scenario for scenario in loaded.scenarios}
    for case in (*bad, *harmless):
        if case.scenario not in known:
            raise Usage(f'{case.name}: there is no scenario "{case.scenario}"{nearest(case.scenario, sorted(known))}')
    found = load_recordings(recordings, set(known), set(known))
    with offline():
        return asyncio.run(_measured(bad, harmless, known, found))


async def _measured(
    bad: Sequence[Case], harmless: Sequence[Case], known: dict[str, Scenario], recordings: Recordings
) -> Measured:
    async with RuntimePool(1) as pool:
        rows = [await _row(pool, case, case.played_in(known[case.scenario]), recordings) for case in (*bad, *harmless)]
    return Measured(tuple(rows[: len(bad)]), tuple(rows[len(bad) :]))


async def _row(pool: RuntimePool, case: Case, scenario: Scenario, recordings: Recordings) -> Row:
    recording = recordings.find(case.scenario, 1)
    if recording is None:
        raise Usage(f"{case.name}: {case.scenario} has no recording t1.jsonl")
    turns = case.turns(turns_of(recording), f"m{len(scenario.world.history) + 1}")
    date = recording.turns[0].date if recording.turns else "-"
    observation = await pool.play(scenario, 1, Script(case.scenario, 1, turns, date))
    result = judge_trial(scenario, observation, None, exact=True)
    broken = [check for check in result.broken if check.verdict == "broken"]
    unjudged = [check for check in result.broken if check.name.startswith(("play.", "recording."))]
    word: Word = "caught" if broken else "unjudged" if unjudged else "passed"
    if case.judge:
        word = "judge"
    shown = next((f"{check.name}: {check.expected} ✗ {check.observed}" for check in (*broken, *unjudged)), "")
    names = tuple(dict.fromkeys(check.name for check in broken))
    return Row(case.name, case.scenario, case.wrong or case.why, word, names, " ".join(shown.split()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=Path, default=FOLDER, metavar="DIR", help="with bad.yaml and harmless.yaml")
    parser.add_argument("--scenarios", type=Path, default=EVALS / "scenarios", metavar="DIR")
    parser.add_argument("--recordings", type=Path, default=EVALS / "recordings", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="PATH", help="both tables as data, for the report's page")
    parser.add_argument("--verbose", action="store_true", help="also the cases that were told right")


def main(args: argparse.Namespace) -> int:
    """Measure, print, write; exit code 1 where a bound is broken, 2 where a case could not be judged."""
    cases: Path = args.cases
    measured = measure(
        load_cases(cases / "bad.yaml"), load_cases(cases / "harmless.yaml"), args.scenarios, args.recordings
    )
    show(measured, verbose=args.verbose)
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(asdict(measured), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return measured.exit_code


def show(measured: Measured, *, verbose: bool = False) -> None:
    """What is still told wrong, then the rates."""
    for title, rows, good in (("missed", measured.bad, "caught"), ("false alarm", measured.harmless, "passed")):
        for row in rows:
            if verbose or row.word not in (good, "judge"):
                told = row.word if row.word != "passed" or good == "passed" else title
                told = title if row.word == "caught" and good == "passed" else told
                print(f"{told:12} {row.name} ({row.scenario}): {row.reason}. {row.shown[:300]}", file=sys.stdout)
    print(f"detection    {measured.detection}, at least {LEAST_DETECTED:.0%}")
    print(f"false alarms {measured.false_alarms}, at most {MOST_FALSE:.0%}")
    print(f"only a judge can tell {measured.only_a_judge} more")
