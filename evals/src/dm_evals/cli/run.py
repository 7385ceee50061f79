"""``run``: replay, judge, report, decide. Also what other commands need to finish a run (``finish``)."""

import argparse
import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from dm_evals.baseline import Baseline
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.choice import choose
from dm_evals.gate import Gate, GateDecision, exit_code
from dm_evals.judge import RecordedJudge
from dm_evals.mutants.measure import Measured, load_measured, rates
from dm_evals.reading import Unusable
from dm_evals.replay.offline import offline
from dm_evals.replay.runner import planned, run
from dm_evals.reports import history
from dm_evals.reports.json_file import load, to_json
from dm_evals.reports.junit import to_xml
from dm_evals.reports.markdown import to_markdown
from dm_evals.reports.terminal import RunProgress, show
from dm_evals.results import Report


def run_command(args: argparse.Namespace) -> int:
    """Replay what was chosen. Nothing but 127.0.0.1 is reached."""
    if args.update_baseline and (args.scenario or args.tags or args.allow_stale):
        raise Unusable("--update-baseline takes the whole run: not with --scenario, --tags or --allow-stale")
    chosen = choose(args, args.scenario, args.tags)
    judge = RecordedJudge.read(sorted(args.rulings.glob("*.jsonl")))
    with offline(), RunProgress(len(planned(chosen.scenarios, chosen.recordings))) as progress:
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
    report = replace(report, notes=(*report.notes, _rubric_note(judge, report)))
    if chosen.everything:
        return finish(args, report)
    asked = args.tags or {tag for result in report.results for tag in result.tags}
    return finish(args, report, asked, {scenario.name for scenario in chosen.scenarios})


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
    for path, text in _files(args, report, baseline, decision):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
    show(report, baseline, decision)
    if (measured := _held_out(args)) is not None:
        print("\n".join(rates(measured)))
    if args.update_baseline:
        (baseline or Baseline()).updated(report).save(args.baseline)
        print(f"wrote {args.baseline.name}")
    return exit_code(report, decision)


def _files(
    args: argparse.Namespace, report: Report, baseline: Baseline | None, decision: GateDecision | None
) -> Iterator[tuple[Path, str]]:
    """The reports that were asked for. Raises Unusable for what the page should show besides."""
    if args.junit:
        yield args.junit, to_xml(report)
    if args.json:
        yield args.json, to_json(report)
    if args.html:
        from dm_evals.reports.html import to_html  # it brings its templates

        before = load(args.before) if args.before else None
        drawn = history.read(args.history)
        yield args.html, to_html(report, baseline, decision, before, _held_out(args), drawn)
    if args.markdown:
        yield args.markdown, to_markdown(report, decision)


def _held_out(args: argparse.Namespace) -> Measured | None:
    """How good the checks are, as ``held-out --json`` wrote it."""
    return load_measured(args.held_out) if args.held_out else None


def _rubric_note(judge: RecordedJudge, report: Report) -> str:
    """Who ruled on the rubric, and where nobody did in general."""
    ruled = ", ".join(f"{count} {origin}" for origin, count in sorted(judge.used.items())) or "nothing"
    bare = [each for each in dict.fromkeys(r.scenario for r in report.results) if not judge.asks_in_general(each)]
    missing = f"; the general rubric is not ruled on in {', '.join(bare)}" if bare else ""
    return f"rubric: {ruled} ruled on{missing}"
