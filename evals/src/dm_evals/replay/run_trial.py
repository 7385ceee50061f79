"""One trial of a scenario through the real thing, offline or against the real model.

async with SharedRuntime() as runtime:
    observation = await run_trial(scenario, 1, model_server.base_url, runtime)
"""

import asyncio
from dataclasses import replace
from time import monotonic
from typing import Final

from dm_evals.observation import Observation
from dm_evals.replay.logs import captured, defects
from dm_evals.replay.scheduler import CantBePlayed, Scheduler
from dm_evals.replay.transcript import observe
from dm_evals.replay.trial_environment import SharedRuntime, TrialEnvironment
from dm_evals.replay.world import set_up
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import UserModel

LONGEST_SECONDS: Final = 20.0
"""Longest real time of one trial; a usual one takes a tenth of a second."""


async def run_trial(
    scenario: Scenario,
    trial: int,
    model_url: str,
    runtime: SharedRuntime,
    *,
    seconds: float = LONGEST_SECONDS,
    user: UserModel | None = None,
) -> Observation:
    """Play it to its end, at most ``seconds`` of real time.

    ``model_url`` is any server in Gemini's REST shape. Events of ``during: n`` are delivered by the gateway in front of
    it, so the model server needs no hook. A ``runtime`` plays one trial at a time; several runtimes play side by side.
    ``user`` writes on where the scenario has a simulated one. Never raises for what a trial does: ``crash`` says it.
    """
    started, observation, crash = monotonic(), Observation(scenario.name, trial), None
    with captured() as lines:
        try:
            async with TrialEnvironment(runtime, scenario) as environment:
                scheduler = Scheduler(environment, user, trial)
                environment.begin_model(model_url, scheduler.on_turn)
                seeded = await set_up(environment)
                crash = await _to_the_end(scheduler, seconds)
                observation = await observe(environment, scheduler, seeded)
        except Exception as error:
            crash = crash or _described(error)
    crash = "; ".join(filter(None, (crash, *defects(lines)))) or None
    return replace(observation, trial=trial, crash=crash, seconds=monotonic() - started)


async def _to_the_end(scheduler: Scheduler, seconds: float) -> str | None:
    """Play; why it could not be played to its end. What was seen up to there is worth showing."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await scheduler.play()
    except Exception as error:
        return f"took longer than {seconds:g} s of real time" if limit.expired() else _described(error)
    return None


def _described(error: Exception) -> str:
    return str(error) if isinstance(error, CantBePlayed) else f"{type(error).__name__}: {error}"
