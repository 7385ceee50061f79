"""``python -m dm_evals live``: k trials against the real model, or another server in Gemini's shape."""

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from dm_evals.baseline import Baseline, BrokenBaseline
from dm_evals.checks.outcome import judge_trial
from dm_evals.gate import NOT_JUDGED, BrokenGate, Gate
from dm_evals.judge.gemini import GeminiJudge
from dm_evals.live.summary import lines, side_by_side, summary
from dm_evals.live.trials import Budget, BudgetCantBeHeld, Live, LiveRun, Variant
from dm_evals.replay.recorder import GEMINI
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Scenario

EVALS = Path(__file__).parents[3]
"""The folder ``evals/`` of the repository."""
Print = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, added to the command's parser."""
    parser.add_argument("--trials", type=_positive, default=4, help="trials of each scenario (K)")
    parser.add_argument("--model", help="the model to try (default: production's)")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--compare", metavar="MODEL", help="a second model, side by side")
    other.add_argument("--compare-prompt", metavar="DIR", type=Path, help="a folder with other prompts/ and profile/")
    parser.add_argument("--tags", type=_tags, default=(), help="only scenarios with one of these, comma-separated")
    parser.add_argument("--budget-usd", type=float, help="stop before this much is spent on the tried models")
    parser.add_argument("--judge", metavar="MODEL", help="the model that answers rubric items (default: none)")
    parser.add_argument("--concurrency", type=_positive, default=4)
    parser.add_argument("paths", nargs="*", type=Path, default=[EVALS / "scenarios"])


def main(options: argparse.Namespace, environment: Mapping[str, str] = os.environ, show: Print = print) -> int:
    """Run and print; the gate's exit code for the first variant. The key is ``GEMINI_API_KEY``'s."""
    return run(options, environment, show)[0]


def run(
    options: argparse.Namespace, environment: Mapping[str, str] = os.environ, show: Print = print
) -> tuple[int, tuple[LiveRun, ...]]:
    """Exit code, and the runs for whoever writes reports of them."""
    key = environment.get("GEMINI_API_KEY")
    if not key:
        show("GEMINI_API_KEY is not set: a live run asks a real model")
        return NOT_JUDGED, ()
    try:
        gate, baseline = Gate.load(EVALS / "gate.yaml"), Baseline.load(EVALS / "baseline.json")
        base_url = environment.get("GOOGLE_GEMINI_BASE_URL") or GEMINI
        runs = _runs(options, key, base_url, show)
    except (BrokenGate, BrokenBaseline, BudgetCantBeHeld) as error:
        show(str(error))
        return NOT_JUDGED, ()
    summaries = [summary(each) for each in runs]
    for found in summaries:
        show("\n".join(lines(found)))
    if len(summaries) == 2:
        show("\n".join(side_by_side(*summaries)))
    decision = gate.decide(runs[0].report, baseline, only=options.tags or None)
    for rule in decision.rules:
        show(f"{rule.verdict:<8} {rule.rule}: {rule.reason}")
    return decision.exit_code, runs


def _runs(options: argparse.Namespace, key: str, base_url: str, show: Print) -> tuple[LiveRun, ...]:
    """One variant after the other, so that neither takes the other's rate limit."""
    loaded = load(options.paths)
    wanted = set(options.tags)
    scenarios: list[Scenario] = [s for s in loaded.scenarios if not wanted or wanted & set(s.tags)]
    with ExitStack() as stack:
        judge = stack.enter_context(GeminiJudge(options.judge, key, base_url)) if options.judge else None
        live = Live(
            base_url=base_url,
            api_key=key,
            judging=partial(judge_trial, judge=judge),
            trials=options.trials,
            budget=Budget(options.budget_usd),
            concurrency=options.concurrency,
            on_result=lambda result: show(
                f"{result.outcome:<8} {result.scenario} t{result.trial} {result.reason}".rstrip()
            ),
        )

        async def each() -> tuple[LiveRun, ...]:
            return tuple([await live.run(scenarios, variant, loaded.problems) for variant in _variants(options)])

        return asyncio.run(each())


def _variants(options: argparse.Namespace) -> list[Variant]:
    first = Variant(options.model or "production's model", options.model)
    if options.compare:
        return [first, Variant(options.compare, options.compare)]
    if options.compare_prompt:
        return [first, Variant(f"prompt of {options.compare_prompt.name}", options.model, options.compare_prompt)]
    return [first]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())
