"""``run``: replay, judge, report, decide. Also what other commands need to finish a run (``finish``)."""

import argparse
import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from dm_evals.baseline import Baseline
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.choice import choose
from dm_evals.cli.main import BROKEN, HELD, NOT_JUDGED
from dm_evals.gate import Gate, GateDecision
from dm_evals.judge import RecordedJudge
from dm_evals.mutants.measure import Measured, load_measured, rates
from dm_evals.reading import Unusable
from dm_evals.replay.offline import offline
from dm_evals.replay.runner import planned, run
from dm_evals.reports import terminal as report_terminal
from dm_evals.reports.history import Entry
from dm_evals.results import Outcome, Report

Writer = Callable[[Report, Baseline | None, Path], None]
"""``report_<kind>.write``: a report as a file."""

KINDS: Final = ("junit", "json", "html", "markdown")


def run_command(args: argparse.Namespace) -> int:
    """Replay what was chosen. Nothing but 127.0.0.1 is reached."""
    tags = tuple(tag.strip() for tag in args.tags.split(",") if tag.strip())
    if args.update_baseline and (args.scenario or tags or args.allow_stale):
        raise Unusable("--update-baseline takes the whole run: not with --scenario, --tags or --allow-stale")
    chosen = choose(args, args.scenario, tags)
    judge = _judge(args.rulings)
    with offline(), report_terminal.RunProgress(len(planned(chosen.scenarios, chosen.recordings))) as progress:
        report = asyncio.run(
            run(
                chosen.scenarios,
                chosen.recordings,
                partial(judge_trial, judge=judge, exact=True),
                allow_stale=args.allow_stale,
                problems=chosen.problems,
                on_result=progress,
                users=args.recordings.parent / "users",
            )
        )
    report = replace(report, notes=(*report.notes, *_rubric_note(judge, report)))
    if chosen.everything:
        return finish(args, report)
    return finish(args, report, _tags_of(report, tags), {scenario.name for scenario in chosen.scenarios})


def finish(
    args: argparse.Namespace,
    report: Report,
    only: Collection[str] | None = None,
    names: Collection[str] | None = None,
) -> int:
    """Write the reports that were asked for, show, decide.

    ``only``: the tags a run was restricted to, ``names``: the scenarios. Of the others nothing is said; those that have
    a tag that was asked for, and are gone, are missed.
    """
    baseline = Baseline.load(args.baseline)
    if baseline is not None and names is not None:
        baseline = baseline.about(names, () if args.scenario else only or ())
    decision = None if args.no_gate else Gate.load(args.gate).decide(report, baseline, only)
    for kind in KINDS:
        path: Path | None = getattr(args, kind)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _writer(kind, args, decision)(report, baseline, path)
    report_terminal.show(report, baseline, decision)
    if (measured := _held_out(args)) is not None:
        print("\n".join(rates(measured)))
    if args.update_baseline:
        _update(args.baseline, baseline, report)
    return exit_code(report, decision)


def exit_code(report: Report, decision: GateDecision | None) -> int:
    """What could not be judged is never a pass, whatever the gate's rules are about."""
    if decision is not None:
        return decision.exit_code
    counts = report.counts
    if counts[Outcome.FAIL]:
        return BROKEN
    unjudged = counts[Outcome.ERRORED] + counts[Outcome.STALE]
    return NOT_JUDGED if report.problems or unjudged or not counts[Outcome.PASS] else HELD


def _judge(folder: Path) -> RecordedJudge:
    """The judge's recordings; without any it has no answers, and what asks it is unknown."""
    return RecordedJudge.read(sorted(folder.glob("*.jsonl")))


def _rubric_note(judge: RecordedJudge, report: Report) -> tuple[str, ...]:
    """Who ruled on the rubric, and where nobody did in general."""
    ruled = ", ".join(f"{count} {origin}" for origin, count in sorted(judge.used.items())) or "nothing"
    bare = [each for each in dict.fromkeys(r.scenario for r in report.results) if not judge.asks_in_general(each)]
    missing = f"; the general rubric is not ruled on in {', '.join(bare)}" if bare else ""
    return (f"rubric: {ruled} ruled on{missing}",)


def _tags_of(report: Report, tags: Collection[str]) -> Collection[str]:
    """The tags that were asked for, or those of the scenarios that were."""
    return tags or {tag for result in report.results for tag in result.tags}


def _update(path: Path, baseline: Baseline | None, report: Report) -> None:
    (baseline or Baseline()).updated(report).save(path)
    print(f"wrote {path.name}")


def _writer(kind: str, args: argparse.Namespace, decision: GateDecision | None) -> Writer:
    """Reports are loaded when they are asked for: the page brings its templates."""
    if kind == "junit":
        from dm_evals.reports import junit as report_junit

        return report_junit.write
    if kind == "json":
        from dm_evals.reports import json_file as report_json

        return report_json.write
    if kind == "markdown":
        from dm_evals.reports import markdown as report_markdown

        return partial(report_markdown.write, decision=decision)
    from dm_evals.reports import html as report_html

    extras = {"before": _before(args), "held_out": _held_out(args), "history": _history(args)}
    return partial(report_html.write, decision=decision, **extras)


def _history(args: argparse.Namespace) -> tuple[Entry, ...]:
    from dm_evals.reports import history

    return history.read(args.history)


def _held_out(args: argparse.Namespace) -> Measured | None:
    """How good the checks are, as ``held-out --json`` wrote it."""
    path: Path | None = getattr(args, "held_out", None)
    return None if path is None else load_measured(path)


def _before(args: argparse.Namespace) -> Report | None:
    """An earlier run's JSON, to be shown side by side."""
    from dm_evals.reports import json_file as report_json

    path: Path | None = getattr(args, "before", None)
    return None if path is None else report_json.load(path)
