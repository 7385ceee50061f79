"""``python -m dm_evals local``: every scenario against a real, small model on this machine (``make evals-local``).

It is a bad agent. Its pass rate says nothing of the prompt; what counts is that production withstands it: nothing
crashes, every run ends, whatever it says. That alone decides the exit code.
"""

import argparse
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import EVALS, add_report_options, names
from dm_evals.live.command import OFF, LiveCommand
from dm_evals.live.upstream import Upstream
from dm_evals.observation import Observation
from dm_evals.reading import Unusable
from dm_evals.results import BROKEN, HELD, TrialResult
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import ScriptedUser
from dm_sandbox.environment import SANDBOX_MODEL_KEY
from dm_sandbox.platforms.local_model import NAME, LocalGemini, LocalModelMissing, open_engine

FOLDER: Final = Path(".state/evals/local")
TIMEOUT: Final = 550.0
"""Seconds for one answer: the first one reads the whole prompt, and the machine may be busy with other things."""
UNFINISHED: Final = "unfinished"
OTHER_TURNS: Final = "happens during turn"
"""In the reason of a trial whose scenario waits for a turn that this model did not need: nothing is wrong with it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, added to the command's parser."""
    parser.add_argument("--tags", type=names, metavar="a,b", help="only these")
    parser.add_argument("--scenario", nargs="+", action="extend", default=[], metavar="NAME")
    parser.add_argument("--resume", metavar="FILE", help="go on with this run; last: with the newest one")
    parser.add_argument("--threads", type=int, default=1, help="of the processor, for the model")
    add_report_options(parser)
    parser.add_argument("paths", nargs="*", type=Path, default=[EVALS / "scenarios"])
    parser.set_defaults(
        trials=1, model=(NAME,), user="", compare=(), compare_prompt=None, judge=OFF, budget_usd=None, concurrency=1,
        no_gate=True, folder=FOLDER,
    )  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Play, report, tell. 0: production withstood it; 1: something crashed or did not end."""
    try:
        model = LocalGemini(open_engine(options.threads))
        command = LiveCommand.prepared(options)
        command.judging, command.user = _by_code, ScriptedUser([])
        upstream = Upstream("", timeout=TIMEOUT, patience=TIMEOUT)
        command.run(_opened(model, upstream), upstream, SANDBOX_MODEL_KEY)
    except LocalModelMissing as error:
        raise Unusable(str(error)) from None
    results = list(command.journal.of(NAME).values())
    lines, withstood = told(results, len(command.scenarios))
    print("\n".join(lines))
    return HELD if withstood else BROKEN


def told(results: Sequence[TrialResult], planned: int) -> tuple[list[str], bool]:
    """What production made of it, in words, and whether it withstood."""
    seen = [result.observation for result in results]
    crashed = [each for each in seen if each.crash is not None and OTHER_TURNS not in each.crash]
    endless = [each for each in seen if each.crash is None and UNFINISHED in each.runs]
    runs = [run for each in seen for run in each.runs]
    guards = Counter(guard for each in seen for guard in each.guards)
    refused = sum(use.outcome in ("refused", "dropped") for each in seen for use in each.calls)
    passes = sum(result.outcome == "pass" for result in results)
    lines = [
        f"a real model of 135 million parameters, {len(results)} of {planned} scenarios, "
        f"{sum(len(each.model_calls) for each in seen)} answers of its own:",
        f"  runs: {len(runs)}, ended {', '.join(f'{how} {n}' for how, n in Counter(runs).most_common())}",
        f"  guards: {sum(guards.values())} times ({', '.join(f'{g} {n}' for g, n in guards.most_common()) or 'none'}), "
        f"{refused} calls refused or dropped",
        f"  crashed: {len(crashed)}, without an end: {len(endless)}",
        *(f"    {each.scenario}: {each.crash or 'a run did not end'}" for each in (*crashed, *endless)),
        f"  passed by code alone, no judge asked: {passes} of {len(results)}. That is what such a model is worth as an "
        "agent; it says nothing of the prompt or of Gemini.",
    ]
    return lines, not crashed and not endless and len(results) == planned


@asynccontextmanager
async def _opened(model: LocalGemini, upstream: Upstream) -> AsyncGenerator[None]:
    async with model:
        upstream.target = model.base_url
        async with upstream:
            yield


def _by_code(scenario: Scenario, observation: Observation) -> TrialResult:
    """What only a judge can tell is not asked."""
    return judge_trial(scenario.expecting(rubric=()), observation)
