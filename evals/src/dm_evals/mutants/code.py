"""Defects of the production code, planted while a block is entered. One at a time: the whole process has them."""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import cast
from zoneinfo import ZoneInfo

from dm_core.agent.agent import Agent, Opening, Situation
from dm_core.agent.disclosure import Disclosure
from dm_core.agent.guards import Guards
from dm_core.agent.plan import PlannedTurn
from dm_core.agent.tools import get_net_session_dates
from dm_core.clients.instagram import InstagramClient
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.processing import freshness
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.run_loop import RunLoop
from dm_core.threads import Note, Thread
from dm_evals.scenarios.scenario import Scenario

Planted = Callable[[], AbstractContextManager[None]]


def planted(owner: object, name: str, value: object) -> Planted:
    """``owner.name`` is ``value`` inside the block."""

    @contextmanager
    def plant() -> Generator[None]:
        before: object = vars(owner)[name]
        setattr(owner, name, value)
        try:
            yield
        finally:
            setattr(owner, name, before)

    return plant


def _never_taken_over(_: Thread, message: object) -> bool:
    del message
    return False


def _nothing_came(_: LeasedThread) -> None:
    """Whatever the thread says."""


def _guards_nothing(_: Guards, text: str, *, to_person: bool) -> None:
    del text, to_person


def _counts_nothing(_: PlannedTurn) -> int:
    return 0


async def _sends_nothing(_: InstagramClient, user_id: str, text: str) -> str:
    """Says it is done."""
    return f"mid.{user_id}.{len(text)}"


_send = InstagramClient.send_text


async def _sends_twice(client: InstagramClient, user_id: str, text: str) -> str:
    await _send(client, user_id, text)
    return await _send(client, user_id, text)


async def _alerts_nobody(_: WhatsAppClient, text: str, reference: str) -> str:
    return f"wamid.{len(text) + len(reference)}"


def _fails(_: Agent, situation: Situation, turn: object) -> None:
    del situation, turn
    raise RuntimeError("planted")


_plan = Agent.plan


def _failing_once() -> AbstractContextManager[None]:
    """The first attempt crashes, the queue's retry works: seen from outside all is well."""
    failed: list[bool] = []

    def plan(agent: Agent, situation: Situation, turn: object) -> object:
        if not failed:
            failed.append(True)
            raise KeyError("planted")
        return _plan(agent, situation, turn)  # pyright: ignore[reportArgumentType]

    return planted(Agent, "plan", plan)()


_opening = Agent.opening


def _only_the_first(agent: Agent, situation: Situation) -> Opening:
    """Shows the model the first DM of a burst."""
    return _opening(agent, replace(situation, messages=situation.own[:1]))


def _without_history(agent: Agent, situation: Situation) -> Opening:
    own = {message.id for message in situation.own}
    return _opening(agent, replace(situation, recent=tuple(each for each in situation.recent if each.id in own)))


_session_dates = get_net_session_dates.session_dates


def _in_new_york(*arguments: object) -> Awaitable[Mapping[str, object]]:
    tell = cast("Callable[..., Awaitable[Mapping[str, object]]]", _session_dates)
    return tell(*arguments[:-1], ZoneInfo("America/New_York"))


def _never_due(_: Disclosure, steering: object, now: int) -> bool:
    del steering, now
    return False


def _forgets(_: RunLoop, run: object) -> tuple[Note, ...]:
    del run
    return ()


answers_after_takeover = planted(Thread, "taken_over", _never_taken_over)
guards_off = planted(Guards, "refusal", _guards_nothing)
no_limits = planted(PlannedTurn, "sends_used", _counts_nothing)
reply_lost = planted(InstagramClient, "send_text", _sends_nothing)
reply_twice = planted(InstagramClient, "send_text", _sends_twice)
notice_lost = planted(WhatsAppClient, "send_text", _alerts_nobody)
crash = planted(Agent, "plan", _fails)
crash_once: Planted = _failing_once
unsent_ignored = planted(freshness, "came", _nothing_came)
first_dm_only = planted(Agent, "opening", _only_the_first)
no_history = planted(Agent, "opening", _without_history)
another_zone = planted(get_net_session_dates, "session_dates", _in_new_york)
disclosure_forgotten = planted(Disclosure, "is_due", _never_due)
notes_lost = planted(RunLoop, "notes", _forgets)


def asks_the_judge(scenario: Scenario) -> Scenario:
    """With a rubric item that no judge has answered."""
    expect = scenario.expect.model_copy(update={"rubric": ("The reply is as warm as a cup of tea.",)})
    return scenario.model_copy(update={"expect": expect})


def breaks_the_evaluator(scenario: Scenario) -> Scenario:
    """With a pattern that is none, past the loader."""
    matcher = {"regex": "(unclosed"}
    reply = type(scenario.expect.reply).model_validate({"must_not": [matcher]})
    return scenario.model_copy(update={"expect": scenario.expect.model_copy(update={"reply": reply})})
