"""``python -m dm_evals live``: k trials against the real model, or another server in Gemini's shape.

Each trial is written as it ends. Stopped by Ctrl-C, a crash, a budget or a quota, the run goes on with ``--resume``.
"""

import argparse
import asyncio
import math
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from dm_core.settings import table
from dm_core.settings.reader import Reader
from dm_evals.checks.outcome import judge_trial
from dm_evals.checks.pricing import price
from dm_evals.cli.choice import select
from dm_evals.cli.main import EVALS, add_report_options, names
from dm_evals.judge.gemini import GeminiJudge
from dm_evals.live.journal import Journal, Settings, code_hash, scenario_hashes
from dm_evals.live.limits import Budget
from dm_evals.live.summary import tables
from dm_evals.live.trials import Live, Variant, planned
from dm_evals.live.upstream import GEMINI, PATIENCE, TIMEOUT, Upstream
from dm_evals.reading import Unusable
from dm_evals.replay.runner import Judging, errored, report
from dm_evals.results import Outcome, Report, TrialResult
from dm_evals.scenarios.loading import Loaded, load
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import GeminiUser, UserModel

FOLDER: Final = Path(".state/evals/live")
"""Where trials are written, below the folder that the command is run in."""
DEFAULT_MODEL: Final = str(table.GEMINI_MODEL.default)
OFF: Final = "off"
"""As ``--judge``: there is none, and what only a judge can tell is errored."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, added to the command's parser. What is not given is, in a resumed run, as it was."""
    parser.add_argument("--trials", type=_positive, help="trials of each scenario (K; default 4)")
    parser.add_argument("--model", type=names, metavar="M,…", help=f"the models to try (default {DEFAULT_MODEL})")
    parser.add_argument(
        "--compare-prompt", type=names, metavar="DIR,…", help="folders with other prompts/ and profile/, side by side"
    )
    parser.add_argument("--judge", metavar="MODEL", help=f"who answers the rubrics (default {DEFAULT_MODEL}; {OFF})")
    parser.add_argument("--user", metavar="MODEL", help=f"who plays simulated users (default {DEFAULT_MODEL})")
    parser.add_argument("--tags", type=names, metavar="a,b", help="only scenarios with one of these")
    parser.add_argument("--scenario", nargs="+", action="extend", default=[], metavar="NAME")
    parser.add_argument("--budget-usd", type=_amount, help="stop before this much is spent, the judge's calls included")
    parser.add_argument("--rate", type=_amount, help="requests a minute to one model (default: as its server says)")
    parser.add_argument("--timeout", type=_amount, default=TIMEOUT, help="seconds for one try of a call")
    parser.add_argument("--patience", type=_amount, default=PATIENCE, help="seconds that a call is tried again for")
    parser.add_argument("--concurrency", type=_positive, default=4)
    parser.add_argument("--resume", metavar="FILE", help="go on with this run; last: with the newest one")
    add_report_options(parser)
    parser.add_argument("paths", nargs="*", type=Path, default=[EVALS / "scenarios"])
    parser.set_defaults(folder=FOLDER)


def main(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> int:
    """Run, write the reports, print; the gate's exit code for the first variant. The key is ``GEMINI_API_KEY``'s."""
    reader = Reader(environment, "processor")
    key, base_url = reader.read(table.GEMINI_API_KEY), reader.base_url(table.GOOGLE_GEMINI_BASE_URL) or GEMINI
    if reader.problems:
        raise Unusable("; ".join(reader.problems))
    if not key:
        raise Unusable("GEMINI_API_KEY is not set: a live run asks a real model")
    command = LiveCommand.prepared(options)
    budget = Budget(options.budget_usd, command.journal.spent)
    upstream = Upstream(base_url, budget, options.rate, patience=options.patience, timeout=options.timeout)
    return command.run(upstream, upstream, key)


@dataclass(slots=True)
class LiveCommand:
    """One run of the command: what is tried, on what, and where it is written."""

    options: argparse.Namespace
    journal: Journal
    loaded: Loaded
    scenarios: Sequence[Scenario]
    variants: Sequence[Variant]
    judging: Judging | None = None
    """In place of the judge's."""
    user: UserModel | None = None
    """In place of the model's."""

    @classmethod
    def prepared(cls, options: argparse.Namespace) -> "LiveCommand":
        """Raises Unusable: it can't be resumed, or its settings were others."""
        before = Journal.resume(_newest(options.resume, options.folder)) if options.resume else None
        settings = _settings(options, before.settings if before else None)
        loaded = load(options.paths)
        scenarios = select(loaded.scenarios, settings.only, settings.tags)
        variants = _variants(settings)
        settings = replace(
            settings,
            prompts={each.name: each.prompt.hash for each in variants},
            scenarios=scenario_hashes(scenarios),
            code=code_hash(),
        )
        if before is not None and (difference := before.settings.difference(settings)):
            raise Unusable(f"RESUME: this is another run ({difference}): resume it as it was, or begin a new one")
        if options.update_baseline and (settings.tags or settings.only):
            raise Unusable("--update-baseline takes the whole run: not with --scenario or --tags")
        asked = [*(each.model for each in variants), *_others(settings, scenarios)]
        if options.budget_usd is not None and (bare := [each for each in asked if price(each, 1, 1) is None]):
            raise Unusable(f"there is no price for {bare[0]}, so a budget can't be held")
        return cls(options, before or Journal(_new_path(options.folder), settings), loaded, scenarios, variants)

    def run(self, opening: AbstractAsyncContextManager[object], upstream: Upstream, key: str) -> int:
        """Play, report, decide. Stopped by Ctrl-C or SIGTERM, it reports what there is. ``opening`` opens
        ``upstream``."""
        started, began = datetime.now(UTC), monotonic()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _as_ctrl_c)
        with self.journal.held():
            print(f"trials are written to {self.journal.path}", flush=True)
            try:
                stopped = asyncio.run(self._played(opening, upstream, key))
            except KeyboardInterrupt:
                stopped = "the run was stopped"
            self.journal.close(upstream.budget.spent)
        reports = [(each.name, self._report(each, started, monotonic() - began, stopped)) for each in self.variants]
        figures = tables(reports, self.journal.settings.trials, upstream.counts)
        goes_on = f"; to go on: RESUME={self.journal.path}" if self.journal.path.exists() else ""
        notes = (f"{stopped}{goes_on}",) if stopped else ()
        return self._finished([(name, replace(each, tables=figures, notes=notes)) for name, each in reports])

    async def _played(self, opening: AbstractAsyncContextManager[object], upstream: Upstream, key: str) -> str:
        """One variant after the other, so that neither takes the other's rate limit. Why it ended early, if it did."""
        settings = self.journal.settings
        with ExitStack() as stack:
            async with opening:
                users = [settings.user] if self.user is None and any(each.user for each in self.scenarios) else []
                await upstream.preflight([*(each.model for each in self.variants), *users], key)
                judge = None
                if settings.judge != OFF:
                    judge = stack.enter_context(upstream.asked(GeminiJudge, "judge", settings.judge, key))
                    await asyncio.to_thread(judge.check)
                user = self.user or stack.enter_context(upstream.asked(GeminiUser, "user", settings.user, key))
                judging = self.judging or partial(judge_trial, judge=judge)
                live = Live(upstream, key, judging, self.journal, self.options.concurrency, _print_result, user)
                for variant in self.variants:
                    await live.run(self.scenarios, variant)
                return live.no_more or upstream.stopped or ""

    def _report(self, variant: Variant, started: datetime, seconds: float, stopped: str) -> Report:
        """What the journal has of a variant; what was not run is skipped, for the reason ``stopped``."""
        known = self.journal.of(variant.name)
        results = [
            known.get((trial.scenario.name, trial.number))
            or replace(errored(trial, stopped or "the run was stopped"), outcome=Outcome.SKIPPED)
            for trial in planned(self.scenarios, self.journal.settings.trials)
        ]
        results.sort(key=lambda result: (result.scenario, result.trial))
        made = report("live", started, seconds, results, self.loaded.problems)
        return replace(made, prompt_hash=variant.prompt.hash)

    def _finished(self, reports: Sequence[tuple[str, Report]]) -> int:
        """Reports of every variant; the first one's decide."""
        from dm_evals.cli.run import finish

        for name, further in reports[1:]:
            finish(_beside(self.options, name), further)
        settings, first = self.journal.settings, reports[0][1]
        if not (settings.tags or settings.only) and self.options.paths == [EVALS / "scenarios"]:
            return finish(self.options, first)
        tags = settings.tags or {tag for each in self.scenarios for tag in each.tags}
        return finish(self.options, first, tags, {each.name for each in self.scenarios})


def _as_ctrl_c(number: int, frame: object) -> None:
    """What CI stops a run with is as good as Ctrl-C."""
    del number, frame
    signal.raise_signal(signal.SIGINT)


def _settings(options: argparse.Namespace, before: Settings | None) -> Settings:
    """As given, else as before, else the default."""
    models = options.model or (before.models if before else (DEFAULT_MODEL,))
    was = before or Settings(4, models, (), DEFAULT_MODEL, (), ())
    return Settings(
        trials=options.trials or was.trials,
        models=tuple(dict.fromkeys(models)),
        folders=was.folders if options.compare_prompt is None else options.compare_prompt,
        judge=options.judge or was.judge,
        tags=was.tags if options.tags is None else options.tags,
        only=tuple(options.scenario) or was.only,
        user=options.user or was.user or DEFAULT_MODEL,
    )


def _variants(settings: Settings) -> list[Variant]:
    """Each model with the repository's prompt; then the first model with each other prompt. Raises Unusable."""
    found = [Variant(model, model) for model in settings.models]
    for folder in settings.folders:
        if not (Path(folder) / "prompts").is_dir() or not (Path(folder) / "profile").is_dir():
            raise Unusable(f"{folder} has no folders prompts/ and profile/: copy functions/processor and edit it there")
        found.append(Variant(f"prompt of {Path(folder).name}", settings.models[0], Path(folder)))
    return found


def _others(settings: Settings, scenarios: Sequence[Scenario]) -> list[str]:
    """The models that are paid for besides the agent's."""
    judges = [settings.judge] if settings.judge != OFF else []
    return [*judges, *([settings.user] if any(each.user for each in scenarios) else [])]


def _print_result(result: TrialResult) -> None:
    print(f"{result.outcome:<8} {result.scenario} t{result.trial} {result.reason}".rstrip(), flush=True)


def _beside(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """The reports' options for a further variant: files of its own, no gate, no baseline."""
    mark = "".join(char if char.isalnum() or char in ".-" else "-" for char in name)
    own = argparse.Namespace(**vars(options))
    own.no_gate, own.update_baseline = True, False
    for kind in ("junit", "json", "html", "markdown"):
        path: Path | None = getattr(options, kind)
        setattr(own, kind, path and path.with_name(f"{path.stem}.{mark}{path.suffix}"))
    return own


def _new_path(folder: Path) -> Path:
    return folder / f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.jsonl"  # noqa: DTZ005 - a name for people


def _newest(given: str, folder: Path) -> Path:
    """Raises Unusable."""
    if given != "last":
        return Path(given)
    runs = [path for path in folder.glob("*.jsonl") if b"\n" in path.read_bytes()]  # a crash may leave half a line
    found = sorted(runs, key=lambda path: path.stat().st_mtime)
    if not found:
        raise Unusable(f"RESUME: there is no run in {folder}")
    return found[-1]


def _amount(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
