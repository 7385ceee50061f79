"""Live runs: each scenario k times against a real model, counted so that chance is not taken for a result.

What the network costs (429, 5xx, no connection) is an infrastructure error: counted apart, in no rate. A budget stops
the run before the trial that could exceed it; what was not run is ``skipped`` and said. The judge's own calls are not
in the cost.
"""

import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from dm_evals.checks.pricing import cost_of, price
from dm_evals.observation import Observation
from dm_evals.replay.gateway import LIVE_PAUSES
from dm_evals.replay.run_trial import SharedRuntime, run_trial
from dm_evals.replay.runner import Judging, OnResult, Trial, report, run_trials
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import Outcome, Report, TrialResult
from dm_evals.scenarios.scenario import Scenario

INFRASTRUCTURE: Final = "infrastructure: "
"""How the reason of such an error begins."""
SECONDS: Final = 300.0
"""Longest real time of one live trial."""
CONCURRENCY: Final = 4
_STATUS: Final = re.compile(r"\bHTTP (\d{3})\b")


class BudgetCantBeHeld(Exception):
    """A budget was given, but the model's price is not known."""


class _BudgetUsedUp(Exception):
    """The next trial could exceed the budget."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is tried: a model (None: production's default), and a folder with ``prompts/`` and ``profile/``."""

    name: str
    model: str | None = None
    folder: Path | None = None


@dataclass(slots=True)
class Budget:
    """US dollars, shared by all variants of a run; None is no limit.

    A trial starts only if all that are under way, and itself, may each cost as much as the dearest one so far.
    """

    usd: float | None = None
    spent: float = 0.0
    dearest: float = 0.0
    under_way: int = 0

    def begin(self) -> None:
        """Raises _BudgetUsedUp."""
        foreseen = self.spent + self.dearest * (self.under_way + 1)
        if self.usd is not None and (self.spent >= self.usd or foreseen > self.usd):
            raise _BudgetUsedUp(f"the budget of {self.usd:g} USD allows no further trial ({self.spent:.4f} spent)")
        self.under_way += 1

    def end(self, observation: Observation | None) -> None:
        """Raises BudgetCantBeHeld: tokens or price of a turn are not known, so nothing is known of the sum."""
        self.under_way -= 1
        costs = [cost_of(call) for call in observation.model_calls] if observation is not None else []
        known = sum(cost for cost in costs if cost is not None)
        self.spent += known
        self.dearest = max(self.dearest, known)
        if self.usd is not None and None in costs:
            self.usd = min(self.usd, self.spent)
            raise BudgetCantBeHeld("the cost of a turn is not known, so no further trial is run under a budget")


@dataclass(frozen=True, slots=True)
class LiveRun:
    """All trials of one variant."""

    variant: Variant
    trials: int
    report: Report


@dataclass(slots=True)
class Live:
    """A live run's circumstances. ``base_url`` is any server in Gemini's REST shape."""

    base_url: str
    api_key: str
    judging: Judging
    trials: int = 4
    budget: Budget = field(default_factory=Budget)
    concurrency: int = CONCURRENCY
    on_result: OnResult | None = None
    seconds: float = SECONDS
    pauses: tuple[float, ...] = LIVE_PAUSES
    """Seconds before each further try of a turn that the model was too busy for."""

    async def run(self, scenarios: Sequence[Scenario], variant: Variant, problems: Sequence[str] = ()) -> LiveRun:
        """Every scenario ``trials`` times; all first trials come before the second ones.

        Raises BudgetCantBeHeld before anything is asked, where the variant names a model without a known price.
        """
        if self.budget.usd is not None and variant.model is not None and price(variant.model, 1, 1) is None:
            raise BudgetCantBeHeld(f"there is no price for {variant.model}, so a budget can't be held")
        started, begun = datetime.now(UTC), monotonic()
        plan = [Trial(scenario, number) for number in range(1, self.trials + 1) for scenario in scenarios]
        told: dict[str, tuple[Outcome, str]] = {}
        async with AsyncExitStack() as stack:
            runtimes = [await stack.enter_async_context(self._runtime(variant)) for _ in range(self.concurrency)]

            async def playing(trial: Trial) -> Observation:
                return await self._played(trial, runtimes, told)

            results = await run_trials(plan, playing, self.judging, self.concurrency, self.on_result)
        results = sorted(
            (_told(result, told) for result in results), key=lambda result: (result.scenario, result.trial)
        )
        return LiveRun(variant, self.trials, report("live", started, monotonic() - begun, results, problems))

    def _runtime(self, variant: Variant) -> SharedRuntime:
        folder = variant.folder or PROCESSOR_FOLDER
        return SharedRuntime(model=variant.model, api_key=self.api_key, folder=folder, pauses=self.pauses)

    async def _played(
        self, trial: Trial, runtimes: list[SharedRuntime], told: dict[str, tuple[Outcome, str]]
    ) -> Observation:
        """One trial in a free runtime; why it can't be judged is noted under its name."""
        try:
            self.budget.begin()
        except _BudgetUsedUp as used_up:
            told[trial.name] = (Outcome.SKIPPED, str(used_up))
            raise
        runtime, played = runtimes.pop(), None
        try:
            observation = await run_trial(
                trial.scenario, trial.number, self.base_url, runtime=runtime, seconds=self.seconds
            )
            failure, played = runtime.gateway.failure, observation
        finally:
            runtimes.append(runtime)
            self._paid(trial, played, told)
        if observation.crash is not None and failure is not None and is_infrastructure(failure):
            told[trial.name] = (Outcome.ERRORED, INFRASTRUCTURE + failure)
        return observation

    def _paid(self, trial: Trial, observation: Observation | None, told: dict[str, tuple[Outcome, str]]) -> None:
        try:
            self.budget.end(observation)
        except BudgetCantBeHeld as unknown:
            told[trial.name] = (Outcome.ERRORED, str(unknown))


def is_infrastructure(failure: str) -> bool:
    """The network's or the provider's fault: no answer, or 408, 429, 5xx. A 400 or 403 is ours."""
    status = _STATUS.search(failure)
    return status is None or int(status.group(1)) in (408, 429) or int(status.group(1)) >= 500


def _told(result: TrialResult, told: dict[str, tuple[Outcome, str]]) -> TrialResult:
    noted = told.get(f"{result.scenario} t{result.trial}")
    return result if noted is None else replace(result, outcome=noted[0], reason=noted[1])
