"""One trial of a scenario through the real thing, offline or against the real model.

async with House() as house:
    observation = await play(scenario, 1, model_server.base_url, house=house)
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from time import monotonic
from typing import Final

from dm_evals.gateway import OnTurn, nothing
from dm_evals.logs import captured, defects
from dm_evals.observation import Observation
from dm_evals.scenario import Scenario
from dm_evals.stage import House, Stage
from dm_evals.timeline import CantBePlayed, Player
from dm_evals.transcript import observe
from dm_evals.world import set_up

__all__ = ["House", "OnTurn", "play"]

LONGEST_SECONDS: Final = 20.0
"""Longest real time of one trial; a usual one takes a tenth of a second."""


async def play(
    scenario: Scenario,
    trial: int,
    model_url: str,
    on_turn: OnTurn = nothing,
    *,
    house: House | None = None,
    seconds: float = LONGEST_SECONDS,
) -> Observation:
    """Play it to its end, at most ``seconds`` of real time.

    ``model_url`` is any server in Gemini's REST shape. Events of ``during: n`` are delivered by the gateway in front of
    it, so the model server needs no hook; ``on_turn`` is called besides, for whoever wants to know. A ``house`` plays
    one trial at a time; several houses play side by side. Never raises for what a trial does: ``crash`` says it.
    """
    started = monotonic()
    async with AsyncExitStack() as stack:
        if house is None:
            house = await stack.enter_async_context(House())
        async with house.busy:
            observation = await _played(house, scenario, model_url, on_turn, seconds)
    return replace(observation, trial=trial, seconds=monotonic() - started)


async def _played(house: House, scenario: Scenario, model_url: str, on_turn: OnTurn, seconds: float) -> Observation:
    """The trial and what it left, however it ended."""
    observation, crash = Observation(scenario.name, 0), None
    with captured() as lines:
        try:
            async with Stage(house, scenario) as stage:
                player = Player(stage, on_turn)
                stage.begin_model(model_url, player.on_turn)
                seeded = await set_up(stage)
                crash = await _to_the_end(player, seconds)
                observation = await observe(stage, player, seeded)
        except Exception as error:
            crash = crash or _told(error)
    found = defects(lines)
    if found:
        crash = "; ".join(filter(None, (crash, *found)))
    return replace(observation, crash=crash)


async def _to_the_end(player: Player, seconds: float) -> str | None:
    """Play; why it could not be played to its end. What was seen up to there is worth showing."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await player.play()
    except Exception as error:
        return f"took longer than {seconds:g} s of real time" if limit.expired() else _told(error)
    return None


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, CantBePlayed) else f"{type(error).__name__}: {error}"
