"""Live runs: each scenario k times against a real model, counted so that chance is not taken for a result.

What the network costs (429, 5xx, no connection) was waited out upstream; what is left of it is an infrastructure error:
counted apart, in no rate. A budget or a quota that is used up ends the run: what was not run is ``skipped`` and said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from dm_evals.checks.pricing import cost_of
from dm_evals.live.journal import Journal
from dm_evals.live.upstream import ASKERS, Upstream
from dm_evals.observation import Observation
from dm_evals.replay.digests import Prompt, load_prompt, own_prompt
from dm_evals.replay.runner import LIVE_SECONDS, Judging, OnResult, RuntimePool, Trial, run_trial, run_trials
from dm_evals.results import Outcome, TrialResult
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import UserModel

INFRASTRUCTURE: Final = "infrastructure: "
"""How the reason of such an error begins."""
_STATUS: Final = re.compile(r"\bHTTP (\d{3})\b")


class _NotRun(Exception):
    """The run is over, or the trial could exceed the budget."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is tried: a model, and a folder with ``prompts/`` and ``profile/`` (None: the repository's)."""

    name: str
    model: str
    folder: Path | None = None

    @property
    def prompt(self) -> Prompt:
        return own_prompt() if self.folder is None else load_prompt(self.folder)


@dataclass(slots=True)
class Live:
    """A live run's circumstances. Each trial is in the ``journal`` before ``on_result`` is told of it."""

    upstream: Upstream
    api_key: str
    judging: Judging
    journal: Journal
    concurrency: int
    on_result: OnResult
    user: UserModel
    no_more: str = ""
    """Why no further trial is begun."""
    _failures: dict[str, str] = field(default_factory=dict[str, str])
    _begun: set[str] = field(default_factory=set[str])

    async def run(self, scenarios: Sequence[Scenario], variant: Variant) -> None:
        """What of it is not in the journal yet; all first trials come before the second ones."""
        done = self.journal.judged(variant.name)
        plan = planned(scenarios, self.journal.settings.trials)
        self._failures.clear()
        self._begun.clear()
        async with RuntimePool(
            self.concurrency, variant.folder, variant.model, live=True, api_key=self.api_key
        ) as pool:

            async def playing(trial: Trial) -> Observation:
                return await self._played(trial, pool)

            async def ended(result: TrialResult) -> None:
                await self._ended(variant, result)

            left = [trial for trial in plan if (trial.scenario.name, trial.number) not in done]
            await run_trials(left, playing, self.judging, self.concurrency, on_end=ended)

    async def _played(self, trial: Trial, pool: RuntimePool) -> Observation:
        """One trial in a free runtime; why the model gave no answer is noted under its name."""
        upstream = self.upstream
        self.no_more = self.no_more or upstream.stopped or ""
        if not self.no_more and not await upstream.budget.begin(upstream.budget.trials):
            self.no_more = upstream.budget.used_up
        if self.no_more:
            raise _NotRun(self.no_more)
        self._begun.add(trial.name)
        async with pool.one() as runtime:
            observation = await run_trial(
                trial.scenario, trial.number, upstream.base_url, runtime, seconds=LIVE_SECONDS, user=self.user
            )
            failure = runtime.gateway.failure
        if observation.crash is not None and failure is not None and _is_infrastructure(failure):
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
        self.on_result(result)

    def _cost(self, result: TrialResult) -> float:
        """Of the trial's calls, and the mean of the others' for a trial."""
        agent = sum(call.cost_usd or 0.0 for call in result.observation.model_calls)
        others = sum(self.upstream.counts.spent[each] for each in ASKERS)
        return agent + others / max(1, len(self._begun))


def planned(scenarios: Sequence[Scenario], trials: int) -> list[Trial]:
    """Every trial of a variant, in the order they are run."""
    return [Trial(scenario, number) for number in range(1, trials + 1) for scenario in scenarios]


def _is_infrastructure(failure: str) -> bool:
    """The network's or the provider's fault: no answer, or 408, 429, 5xx. A 400 or 403 is ours."""
    status = _STATUS.search(failure)
    return status is None or int(status.group(1)) in (408, 429) or int(status.group(1)) >= 500
