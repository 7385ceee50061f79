"""``mutants`` and ``held-out``: the evals evaluated.

``mutants`` plays ``evals/mutants/``: each bad agent must be caught by the check meant for it, no harmless one by any.
``held-out`` plays ``evals/held_out/``, agents that were written before the checks, and reports the rates of code alone.
Exit codes: 0 all as it should be, 1 told wrong (or a bound is broken), 2 something could not be judged.

detection = bad agents with a broken check, false alarms = harmless ones with a broken check, by code alone, with
Wilson's 95 % intervals. What only a judge can tell is counted apart, in neither rate.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from dm_evals.checks.effects import changes
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import EVALS
from dm_evals.judge import Evidence, Judge, Ruling, Vote
from dm_evals.judge.judge import VOTES
from dm_evals.mutants.cases import Case, load_cases
from dm_evals.mutants.code import defects
from dm_evals.observation import Observation
from dm_evals.reading import Unusable, json_lines, nearest, write_whole
from dm_evals.replay.author import Script
from dm_evals.replay.recordings import Recordings, load_recordings
from dm_evals.replay.runner import USERS, RuntimePool, in_one_runtime
from dm_evals.results import BROKEN, HELD, NOT_JUDGED
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Change, Scenario
from dm_evals.statistics import Interval, wilson
from dm_evals.user import RecordedSaid, ScriptedUser

LEAST_DETECTED: Final = 0.75
MOST_FALSE: Final = 0.03
TRIAL: Final = 1
_UNUSED: Final = "recording.unused"
"""Other words may take fewer turns than were recorded."""
Word = Literal["caught", "passed", "judge", "unjudged"]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one case. ``broken``: the checks that did not hold; ``shown``: the telling one in words.

    ``judge``: only a judge can tell; ``unjudged``: it could not be played, or asked for more turns than it has.
    """

    name: str
    scenario: str
    reason: str
    word: Word
    broken: tuple[str, ...]
    shown: str
    caught_by: str = ""

    @property
    def is_by_its_check(self) -> bool:
        """Caught, and by the check that is meant for it, if one is named."""
        return self.word == "caught" and (not self.caught_by or self.caught_by in self.broken)


@dataclass(frozen=True, slots=True)
class Rate:
    """``caught`` of ``number`` cases."""

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
    """Both sets as they were judged."""

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
    def told_wrong(self) -> tuple[Row, ...]:
        """Missed, false alarms, and what could not be judged."""
        bad = [row for row in self.bad if row.word != "judge" and not row.is_by_its_check]
        return (*bad, *(row for row in self.harmless if row.word != "passed"))

    @property
    def has_unjudged(self) -> bool:
        return not (self.bad or self.harmless) or any(row.word == "unjudged" for row in (*self.bad, *self.harmless))

    @property
    def within_bounds(self) -> int:
        """Exit code for a sample of strangers' agents."""
        held = self.detection.share >= LEAST_DETECTED and self.false_alarms.share <= MOST_FALSE
        return NOT_JUDGED if self.has_unjudged else HELD if held else BROKEN

    @property
    def without_exception(self) -> int:
        """Exit code for our own: each is caught by its check, none is a false alarm."""
        return NOT_JUDGED if self.has_unjudged else BROKEN if self.told_wrong else HELD


def load_measured(path: Path) -> Measured:
    """What ``held-out --json`` wrote. Raises Unusable."""
    try:
        return TypeAdapter(Measured).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Unusable(f"{path} is not what `make evals-held-out` writes: {str(error).splitlines()[0]}") from None


def rates(measured: Measured) -> tuple[str, str, str]:
    """The three lines that tell how good the checks are."""
    return (
        f"detection by code alone {measured.detection}, at least {LEAST_DETECTED:.0%}",
        f"false alarms            {measured.false_alarms}, at most {MOST_FALSE:.0%}",
        f"only a judge can tell   {measured.only_a_judge} more",
    )


def measure(
    bad: Sequence[Case], harmless: Sequence[Case], scenarios: Path, recordings: Path, judge: Judge | None = None
) -> Measured:
    """Play and judge all of them. Raises Unusable for a scenario or a defect that is not there."""
    cases = (*bad, *harmless)
    files = {file.stem: file for file in sorted(scenarios.glob("*.yaml"))}
    for case in cases:
        if case.scenario not in files:
            raise Unusable(f'{case.name}: there is no scenario "{case.scenario}"{nearest(case.scenario, files)}')
    used = {case.scenario for case in cases}
    known = {each.name: each for each in load([files[name] for name in files if name in used]).scenarios}
    found = load_recordings(recordings, used, used)

    async def measured(pool: RuntimePool) -> tuple[Row, ...]:
        return tuple([await _row(pool, case, known[case.scenario], found, judge) for case in cases])

    rows = in_one_runtime(measured)
    return Measured(rows[: len(bad)], rows[len(bad) :])


async def _row(pool: RuntimePool, case: Case, scenario: Scenario, recordings: Recordings, judge: Judge | None) -> Row:
    recording = recordings.find(case.scenario, TRIAL)
    if recording is None:
        raise Unusable(f"{case.name}: {case.scenario} has no recording t{TRIAL}.jsonl")
    scenario = case.played_in(scenario)
    turns = case.answers(recording, f"m{len(scenario.world.history) + 1}")
    date = recording.turns[0].date if recording.turns else "-"
    with _planted(case):
        observation = await pool.play(scenario, TRIAL, Script(case.scenario, TRIAL, turns, date), _user(scenario))
    judging = _ByHand(case.votes, judge) if case.votes else judge
    result = judge_trial(
        _with_the_changes_of(case, scenario, observation), observation, judging, exact=not (case.code or case.turns)
    )
    told = [check for check in result.broken if case.turns or check.name != _UNUSED]
    broken = [check for check in told if check.verdict == "broken"]
    unjudged = [check for check in told if check.name.startswith(("play.", "recording."))]
    word: Word = "judge" if case.judge else "caught" if broken else "unjudged" if unjudged else "passed"
    telling = sorted((*broken, *unjudged), key=lambda check: check.name != case.caught_by)
    shown = next((f"{check.name}: {check.expected} ✗ {check.observed}" for check in telling), "")
    names = tuple(dict.fromkeys(check.name for check in broken))
    return Row(case.name, case.scenario, case.wrong or case.why, word, names, " ".join(shown.split()), case.caught_by)


def _user(scenario: Scenario) -> ScriptedUser:
    """Goes on as the recorded user did, whatever the agent says."""
    path = USERS / scenario.name / f"t{TRIAL}.jsonl"
    said = [each for _, each in json_lines(path, RecordedSaid)] if scenario.user else []
    return ScriptedUser([each.text for each in said if not each.stop])


def _with_the_changes_of(case: Case, scenario: Scenario, observation: Observation) -> Scenario:
    """The scenario as it is when other words decide whether production changes what it may change in it."""
    if case.code:
        return scenario
    seen, expected = changes(observation), scenario.expect.changed
    changed: dict[Change, int] = {word: seen.get(word, 0) for word in ("disclosure", *expected)}
    return scenario.expecting(changed=changed)


def _planted(case: Case) -> AbstractContextManager[None]:
    if not case.code:
        return nullcontext()
    if case.code not in (known := defects()):
        raise Unusable(f'{case.name}: there is no defect "{case.code}"{nearest(case.code, known)}')
    return known[case.code].planted()


@dataclass(frozen=True, slots=True)
class _ByHand:
    """Votes by hand for some items; the others are the recorded judge's."""

    votes: Mapping[str, Vote]
    judge: Judge | None

    def asks_in_general(self, scenario: str) -> bool:
        del scenario
        return False

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        others = self.judge.rule(statements, evidence) if self.judge else [Ruling(())] * len(statements)
        return [
            Ruling((self.votes[text],) * VOTES, "by hand") if text in self.votes else other
            for text, other in zip(statements, others, strict=True)
        ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these agents")
    parser.add_argument("--cases", type=Path, metavar="DIR", help="a folder with bad.yaml and harmless.yaml")
    parser.add_argument("--scenarios", type=Path, default=EVALS / "scenarios", metavar="DIR")
    parser.add_argument("--recordings", type=Path, default=EVALS / "recordings", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="PATH", help="every case as data, for the report's page")


def main(args: argparse.Namespace) -> int:
    """``mutants``: our own bad agents and harmless variants."""
    measured = _measured(args, (args.cases or EVALS / "mutants",))
    caught = sum(row.is_by_its_check for row in measured.bad)
    passed = sum(row.word == "passed" for row in measured.harmless)
    print(f"{caught} of {len(measured.bad)} bad agents caught by the check meant for them")
    print(f"{passed} of {len(measured.harmless)} harmless variants passed")
    return measured.without_exception


def held_out(args: argparse.Namespace) -> int:
    """``held-out``: strangers' agents, of all sets or of the one in ``--cases``."""
    folder = EVALS / "held_out"
    measured = _measured(args, (args.cases,) if args.cases else (folder, *sorted(folder.glob("*/"))))
    print("\n".join(rates(measured)))
    return measured.within_bounds


def _measured(args: argparse.Namespace, folders: Sequence[Path]) -> Measured:
    bad, harmless = (
        tuple(case for folder in folders for case in load_cases(folder / name))
        for name in ("bad.yaml", "harmless.yaml")
    )
    known = [case.name for case in (*bad, *harmless)]
    for name in args.names:
        if name not in known:
            raise Unusable(f'there is no agent "{name}"{nearest(name, known)}')
    bad, harmless = ([case for case in cases if case.name in (args.names or known)] for cases in (bad, harmless))
    measured = measure(bad, harmless, args.scenarios, args.recordings)
    for row in measured.told_wrong:
        print(_line(row, "missed" if row in measured.bad else "false alarm"))
    if args.json is not None:
        write_whole(args.json, json.dumps(asdict(measured), ensure_ascii=False, indent=1) + "\n")
    return measured


def _line(row: Row, what: str) -> str:
    what = "unjudged" if row.word == "unjudged" else what
    meant = f" {row.caught_by} was meant." if row.word == "caught" and row.caught_by else ""
    return f"{what} {row.name} ({row.scenario}): {row.reason}.{meant} {row.shown[:300]}".rstrip()
