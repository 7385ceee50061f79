"""Alerts as the scheduler delivers them: by ticks of their own, whatever becomes of the reply."""

from collections.abc import Callable
from typing import Any

import pytest

from dm_evals.replay.runner import run_trial
from dm_evals.replay.trial_environment import SharedRuntime
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import Body, call, turn
from dm_sandbox.platforms.gemini import Gemini

pytestmark = pytest.mark.asyncio(loop_scope="module")

MakeScenario = Callable[..., Scenario]


def asks(urgency: str = "normal", *, reply: str = "Hello!") -> Body:
    return turn(
        call("send_manager_notification", text="Wants a call.", urgency=urgency),
        call("send_instagram_message", text=reply),
    )


def with_faults(scenario: MakeScenario, *faults: dict[str, Any]) -> Scenario:
    return scenario(world={"faults": list(faults)})


async def test_an_alert_arrives_by_a_tick_of_its_own(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([asks("urgent")])

    seen = await run_trial(scenario(), 1, model.base_url, runtime=runtime)

    assert [(alert.text, alert.urgent, alert.cause, alert.state) for alert in seen.alerts] == [
        ("Wants a call.", True, "model", "delivered")
    ]
    assert [notice.text for notice in seen.notices] == ["URGENT, Instagram @sam.jones: Wants a call."]
    assert [use.outcome for use in seen.calls] == ["done", "done"]
    assert [(effect.kind, effect.to) for effect in seen.effects] == [("send", "person"), ("alert", "manager")]
    assert seen.crash is None


async def test_a_throttled_alert_comes_later_and_the_alarm_rings_meanwhile(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([asks("urgent")])
    slow = with_faults(scenario, {"platform": "whatsapp", "kind": "throttle", "operation": "send", "times": 12})

    seen = await run_trial(slow, 1, model.base_url, runtime=runtime)

    replied = next(bubble for bubble in seen.bubbles if bubble.author == "bot")
    told = next(bubble for bubble in seen.bubbles if bubble.author == "manager")
    assert told.at - replied.at > 3 * 60_000
    assert [(alert.state, alert.alarmed) for alert in seen.alerts] == [("delivered", True)]


async def test_an_alert_of_an_answer_that_was_thrown_away_is_told_all_the_same(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([asks(), turn(call("send_instagram_message", text="Both, then."))])
    overtaken = scenario({"text": "a"}, {"text": "b", "during": 1})

    seen = await run_trial(overtaken, 1, model.base_url, runtime=runtime)

    assert [(use.name, use.outcome) for use in seen.calls] == [
        ("send_manager_notification", "done"),
        ("send_instagram_message", "discarded"),
        ("send_instagram_message", "done"),
    ]
    assert (seen.replies, len(seen.notices)) == (("Both, then.",), 1)


async def test_alerts_that_whatsapp_throttles_for_long_all_arrive_once(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    silent = call("no_reply", reason="x")
    model.script([turn(call("send_manager_notification", text=f"Number {n}."), silent) for n in range(4)])
    events = [{"text": f"{n}", "at": f"{n * 5}m"} for n in range(4)]
    throttled = {"platform": "whatsapp", "kind": "throttle", "operation": "send", "times": 40}
    down = scenario(*events, world={"faults": [throttled]})

    seen = await run_trial(down, 1, model.base_url, runtime=runtime)

    assert [alert.text for alert in seen.alerts] == [f"Number {n}." for n in range(4)]
    assert sorted(notice.text[-9:] for notice in seen.notices) == [f"Number {n}." for n in range(4)]
    assert seen.crash is None
