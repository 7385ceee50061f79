"""Our agent: the model's adapter, every answer sorted and planned under its guards, data read, results given back.

The run's own loop does no more than this beside what it stores; here nothing is stored and a send is only counted.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from driver import SESSIONS, Job, serve

from dm_core.agent.agent import Agent, Situation
from dm_core.agent.gemini import GeminiModel
from dm_core.agent.guards import Guards
from dm_core.agent.profile import load_profile
from dm_core.agent.reading import Step, conclude, read_turn
from dm_core.clients.port import Session
from dm_core.clients.schedule import ScheduleView
from dm_core.messages import Content, Direction, EventKind, Message, Status, message_id
from dm_core.runs import ActionKind, ActionState, Run, UserTurn
from dm_core.settings import ModelSettings, RunLimits
from dm_core.threads import Thread

PROCESSOR = Path(__file__).parents[3] / "functions" / "processor"
ACCOUNT, PERSON = "17841400000000001", "819898670000001"


class _Calendar:
    """The sessions of the job."""

    def __init__(self) -> None:
        starts = [datetime.fromisoformat(session["starts"]).replace(tzinfo=UTC) for session in SESSIONS]
        sessions = (Session(str(at), "Nets", at, None, False, "Sports Hall", 2, 12) for at in starts)
        self._view = ScheduleView(tuple(sessions), round(time.time() * 1_000), stale=False, available=True)

    async def sessions(self, start: datetime, end: datetime) -> ScheduleView:  # noqa: ARG002
        return self._view


def make(job: Job) -> Callable[[], Awaitable[object]]:
    """A conversation."""
    limits = RunLimits(300, 330, 5, 6, 3, 1, 60, 300, "hold", 2, 3)
    guards = Guards(("IGAAtoken12345secret",), "+447700900123")
    profile = load_profile(PROCESSOR / "profile")
    system = (PROCESSOR / "prompts" / "system.md").read_text(encoding="utf-8")
    agent = Agent(profile, system, guards, limits, _Calendar(), cast("Any", None), cast("Any", None))
    model = GeminiModel(ModelSettings(job.model, job.api_key, False, "", "", job.base_url, 60, ""))

    async def converse() -> None:
        await _converse(agent, model, job)

    return converse


async def _converse(agent: Agent, model: GeminiModel, job: Job) -> None:
    now = round(time.time() * 1_000)
    thread = Thread(f"{ACCOUNT}_{PERSON}", ACCOUNT, PERSON)
    dm = _dm(thread.id, job.text, now)
    run = Run("run1", "task", now, (dm.id,), agent.prompt_hash)
    opening = agent.opening(Situation(thread, run, now, (dm,)))
    run = replace(run, handles=opening.handles, turns=(UserTurn(opening.text),))
    while True:
        turn = await model.generate(run.turns, agent.declarations, agent.system)
        reading = read_turn(run, turn)
        if reading.step is not Step.ACT:
            raise RuntimeError(f"the script does not lead there: {reading.step}")
        situation = Situation(thread, run, now, (dm,))
        plan = agent.plan(situation, turn)
        actions = tuple(replace(action, state=ActionState.DONE) for action in plan.actions)
        job.sent += sum(action.kind is ActionKind.SEND for action in actions)
        if conclude(run, turn, plan, actions).end is not None:
            return
        data = {index: await agent.read(situation, turn.calls[index]) for index in plan.data}
        turns = (*run.turns, *reading.turns, agent.results(turn, plan, data, actions))
        run = replace(run, turns=turns, actions=(*run.actions, *actions))


def _dm(thread_id: str, text: str, now: int) -> Message:
    return Message(
        id=message_id(EventKind.MESSAGE, "mid"),
        thread_id=thread_id,
        mid="mid",
        direction=Direction.INBOUND,
        status=Status.PROCESSING,
        content=Content(text=text),
        sent_at=now,
        created_at=now,
        updated_at=now,
    )


if __name__ == "__main__":
    serve(make)
