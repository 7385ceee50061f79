"""Live runs: each scenario k times against a real model, counted so that chance is not taken for a result.

What the network costs (429, 5xx, no connection) was waited out upstream; what is left of it is an infrastructure error:
counted apart, in no rate. A budget or a quota that is used up ends the run: what was not run is ``skipped`` and said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from dm_evals.checks.pricing import cost_of, price
from dm_evals.live.journal import Journal
from dm_evals.live.upstream import ASKERS, Upstream
from dm_evals.observation import Observation
from dm_evals.reading import Unusable
from dm_evals.replay.digests import load_prompt
from dm_evals.replay.run_trial import run_trial
from dm_evals.replay.runner import LIVE_SECONDS, Judging, OnResult, RuntimePool, Trial, errored, report, run_trials
from dm_evals.results import Outcome, Report, TrialResult
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import UserModel

INFRASTRUCTURE: Final = "infrastructure: "
"""How the reason of such an error begins."""
CONCURRENCY: Final = 4
_STATUS: Final = re.compile(r"\bHTTP (\d{3})\b")


class _NotRun(Exception):
    """The run is over, or the trial could exceed the budget."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is tried: a model, and a folder with ``prompts/`` and ``profile/`` (None: the repository's)."""

    name: str
    model: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class LiveRun:
    """All trials of one variant."""

    variant: Variant
    trials: int
    report: Report


@dataclass(slots=True)
class Live:
    """A live run's circumstances. Each trial is in the ``journal`` before ``on_result`` is told of it."""

    upstream: Upstream
    api_key: str
    judging: Judging
    journal: Journal
    trials: int = 4
    concurrency: int = CONCURRENCY
    on_result: OnResult | None = None
    user: UserModel | None = None
    no_more: str = ""
    """Why no further trial is begun."""
    _failures: dict[str, str] = field(default_factory=dict[str, str])
    _begun: set[str] = field(default_factory=set[str])

    async def run(self, scenarios: Sequence[Scenario], variant: Variant) -> None:
        """What of it is not in the journal yet; all first trials come before the second ones."""
        done = self.journal.judged(variant.name)
        plan = [trial for trial in planned(scenarios, self.trials) if (trial.scenario.name, trial.number) not in done]
        self._failures.clear()
        self._begun.clear()
        pool = RuntimePool(self.concurrency, variant.folder, variant.model, live=True, api_key=self.api_key)
        async with pool:

            async def playing(trial: Trial) -> Observation:
                return await self._played(trial, pool)

            await run_trials(
                plan, playing, self.judging, self.concurrency, on_end=lambda result: self._ended(variant, result)
            )

    async def _played(self, trial: Trial, pool: RuntimePool) -> Observation:
        """One trial in a free runtime; why the model gave no answer is noted under its name."""
        budget = self.upstream.budget
        self.no_more = self.no_more or self.upstream.stopped or ""
        if not self.no_more and not await budget.begin(budget.trials):
            self.no_more = budget.used_up
        if self.no_more:
            raise _NotRun(self.no_more)
        self._begun.add(trial.name)
        async with pool.one() as runtime:
            observation = await run_trial(
                trial.scenario,
                trial.number,
                self.upstream.base_url,
                runtime,
                seconds=LIVE_SECONDS,
                user=self.user,
            )
            failure = runtime.gateway.failure
        if observation.crash is not None and failure is not None and is_infrastructure(failure):
            self._failures[trial.name] = INFRASTRUCTURE + failure
        calls = tuple(replace(call, cost_usd=cost_of(call)) for call in observation.model_calls)
        return replace(observation, model_calls=calls)

    async def _ended(self, variant: Variant, result: TrialResult) -> None:
        """Written down, unless the end of the run came between; then it was not run."""
        name = f"{result.scenario} t{result.trial}"
        if name in self._begun:
            await self.upstream.budget.end(self.upstream.budget.trials, self._cost(result))
        if failure := self._failures.get(name):
            result = replace(result, outcome=Outcome.ERRORED, reason=failure)
        if name not in self._begun or (result.outcome is Outcome.ERRORED and self.upstream.stopped is not None):
            return
        try:
            self.journal.write(variant.name, result, self.upstream.budget.spent)
        except OSError as error:
            self.no_more = f"{self.journal.path} can't be written: {error.strerror}"
        if self.on_result is not None:
            self.on_result(result)

    def _cost(self, result: TrialResult) -> float:
        """Of the trial's calls, and the mean of the others' for a trial."""
        agent = sum(call.cost_usd or 0.0 for call in result.observation.model_calls)
        others = sum(self.upstream.counts.spent[each] for each in ASKERS)
        return agent + others / max(1, len(self._begun))


def planned(scenarios: Sequence[Scenario], trials: int) -> list[Trial]:
    """Every trial of a variant, in the order they are run."""
    return [Trial(scenario, number) for number in range(1, trials + 1) for scenario in scenarios]


def live_report(
    journal: Journal,
    variant: Variant,
    scenarios: Sequence[Scenario],
    started: datetime,
    seconds: float,
    problems: Sequence[str] = (),
    stopped: str = "",
) -> LiveRun:
    """What the journal has of a variant; what was not run is skipped, for the reason ``stopped``."""
    known = journal.of(variant.name)
    results = [
        known.get((trial.scenario.name, trial.number))
        or replace(errored(trial, stopped or "the run was stopped"), outcome=Outcome.SKIPPED)
        for trial in planned(scenarios, journal.settings.trials)
    ]
    results.sort(key=lambda result: (result.scenario, result.trial))
    made = report("live", started, seconds, results, problems)
    if variant.folder is not None:
        made = replace(made, prompt_hash=load_prompt(variant.folder).hash)
    return LiveRun(variant, journal.settings.trials, made)


def check_price(models: Sequence[str]) -> None:
    """Raises Unusable for a model whose price is not known."""
    for model in models:
        if price(model, 1, 1) is None:
            raise Unusable(f"there is no price for {model}, so a budget can't be held")


def is_infrastructure(failure: str) -> bool:
    """The network's or the provider's fault: no answer, or 408, 429, 5xx. A 400 or 403 is ours."""
    status = _STATUS.search(failure)
    return status is None or int(status.group(1)) in (408, 429) or int(status.group(1)) >= 500


def now() -> tuple[datetime, float]:
    """When something begins, to be told and to be measured from."""
    return datetime.now(UTC), monotonic()
