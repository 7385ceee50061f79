"""Plays bad agents and harmless variants, one after the other: an alteration of the code is the whole process's."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final, Literal

from dm_evals.checks.outcome import judge_trial
from dm_evals.judge.judge import VOTES, Judge, Ruling, Vote
from dm_evals.mutants.kinds import Altered, BadAgent, DoesNotApply, Harmless, turns_of
from dm_evals.replay.author import Script
from dm_evals.replay.digests import Prompt, load_prompt
from dm_evals.replay.recordings import Recording, Recordings, nearest
from dm_evals.replay.replay_server import ModelServer, ReplayServer
from dm_evals.replay.runner import RuntimePool
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import Outcome, TrialResult
from dm_evals.scenarios.scenario import Scenario

TRIAL: Final = 1
"""The trial that is altered: every scenario has it."""
Word = Literal["caught", "survived", "passed", "failed", "impossible"]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one alteration. ``broken``: the checks that did not hold; ``shown``: the telling one, in words.

    ``impossible``: it could not be tried, and ``shown`` says why; that is never a success.
    """

    name: str
    about: str
    scenario: str
    word: Word
    expected: str
    outcome: str
    broken: tuple[str, ...]
    shown: str

    @property
    def good(self) -> bool:
        return self.word in ("caught", "passed")


@dataclass(frozen=True, slots=True)
class Trials:
    """All that was tried. ``problems``: scenarios that do not pass as they are recorded, so that nothing is proved."""

    bad: tuple[Row, ...]
    harmless: tuple[Row, ...]
    problems: tuple[str, ...]
    seconds: float

    def as_json(self) -> dict[str, object]:
        """For the reports."""
        return {
            "seconds": round(self.seconds, 1),
            "bad_agents": [asdict(row) for row in self.bad],
            "harmless_variants": [asdict(row) for row in self.harmless],
            "problems": list(self.problems),
        }


async def try_out(
    bad: Sequence[BadAgent],
    harmless: Sequence[Harmless],
    scenarios: Sequence[Scenario],
    recordings: Recordings,
    judge: Judge | None = None,
    on_row: Callable[[Row], None] = lambda _: None,
) -> Trials:
    """Every one of them, and before that each scenario they need, as it is recorded: it must pass."""
    begun = monotonic()
    named = {scenario.name: scenario for scenario in scenarios}
    used = dict.fromkeys(each.altered.on for each in (*bad, *harmless))
    async with RuntimePool(1) as runtimes:
        attempt = partial(_attempt, runtimes, named, recordings, judge)
        problems: list[str] = []
        for name in used:
            recorded = await attempt(Altered("as recorded", "", name, by="recording"))
            if isinstance(recorded, str):
                problems.append(recorded)
            elif recorded.outcome is not Outcome.PASS:
                problems.append(f"{name} is no pass as it is recorded: {recorded.outcome} {_told(recorded)}")
        rows_bad: list[Row] = []
        for agent in bad:
            rows_bad.append(_bad_row(agent, await attempt(agent.altered)))
            on_row(rows_bad[-1])
        rows_harmless: list[Row] = []
        for variant in harmless:
            rows_harmless.append(_harmless_row(variant, await attempt(variant.altered)))
            on_row(rows_harmless[-1])
    return Trials(tuple(rows_bad), tuple(rows_harmless), tuple(problems), monotonic() - begun)


async def _attempt(
    runtimes: RuntimePool,
    scenarios: Mapping[str, Scenario],
    recordings: Recordings,
    judge: Judge | None,
    altered: Altered,
) -> TrialResult | str:
    """The alteration played and judged, or why it can't be."""
    scenario, recording = scenarios.get(altered.on), recordings.find(altered.on, TRIAL)
    if scenario is None:
        return f'there is no scenario "{altered.on}"{nearest(altered.on, sorted(scenarios))}'
    if recording is None:
        return f"{altered.on} has no recording t{TRIAL}.jsonl"
    try:
        recording = altered.recording(recording) if altered.recording else recording
        scenario = altered.scenario(scenario) if altered.scenario else scenario
        async with AsyncExitStack() as stack:
            prompt: Prompt | None = None
            if altered.folder is not None:
                folder = Path(stack.enter_context(TemporaryDirectory()))
                prompt = _changed_prompt(folder, altered.folder)
                runtimes = await stack.enter_async_context(RuntimePool(1, folder))
            server = _server(altered, scenario, recording, prompt)
            stack.enter_context(altered.code() if altered.code else nullcontext())
            observation = await runtimes.play(scenario, TRIAL, server)
    except DoesNotApply as error:
        return f"does not apply to {altered.on}: {error}"
    return judge_trial(scenario, observation, _ByHand(altered.votes, judge) if altered.votes else judge)


@dataclass(frozen=True, slots=True)
class _ByHand:
    """Votes by hand for some items; the others are the recorded judge's."""

    votes: Mapping[str, Vote]
    judge: Judge | None

    def rule(self, item: str, text: str) -> Ruling:
        if item in self.votes:
            return Ruling((self.votes[item],) * VOTES, "by hand")
        return self.judge.rule(item, text) if self.judge is not None else Ruling(())


def _server(altered: Altered, scenario: Scenario, recording: Recording, prompt: Prompt | None) -> ModelServer:
    if altered.by == "recording":
        return ReplayServer(recording, prompt=prompt, facts=scenario.facts)
    turns = altered.turns(turns_of(recording))
    date = recording.turns[0].date if recording.turns else "-"
    return Script(recording.scenario, TRIAL, turns, date, prompt)


def _changed_prompt(folder: Path, change: Callable[[Path], None]) -> Prompt:
    for part in ("prompts", "profile"):
        shutil.copytree(PROCESSOR_FOLDER / part, folder / part)
    change(folder)
    return load_prompt(folder)


def _bad_row(agent: BadAgent, result: TrialResult | str) -> Row:
    expected = agent.caught_by if agent.outcome is Outcome.FAIL else f"{agent.outcome}: {agent.caught_by}"
    if isinstance(result, str):
        return _impossible(agent.altered, expected, result)
    broken = tuple(dict.fromkeys(check.name for check in result.broken))
    caught = result.outcome is agent.outcome and agent.caught_by in broken
    row = _row(agent.altered, "caught" if caught else "survived", expected, result)
    meant = next((check for check in result.broken if check.name == agent.caught_by), None)
    return replace(row, shown=f"{meant.expected} ✗ {meant.observed}") if meant is not None else row


def _harmless_row(variant: Harmless, result: TrialResult | str) -> Row:
    if isinstance(result, str):
        return _impossible(variant.altered, "pass", result)
    return _row(variant.altered, "passed" if result.outcome is Outcome.PASS else "failed", "pass", result)


def _row(altered: Altered, word: Word, expected: str, result: TrialResult) -> Row:
    broken = tuple(dict.fromkeys(check.name for check in result.broken))
    return Row(altered.name, altered.about, altered.on, word, expected, result.outcome.value, broken, _told(result))


def _impossible(altered: Altered, expected: str, why: str) -> Row:
    return Row(altered.name, altered.about, altered.on, "impossible", expected, "", (), why)


def _told(result: TrialResult) -> str:
    """Everything that did not hold, in words."""
    lines = (f"{check.name}: {check.expected} ✗ {check.observed} {check.nearest}".strip() for check in result.broken)
    return "; ".join(lines) or result.reason
