"""What goes wrong in a trial is told, costs no real time, and never touches the next trial."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dm_core.agent.gemini import GeminiModel
from dm_core.queue.wakeup import plan_wake_up
from dm_core.settings import ProcessorSettings
from dm_evals.replay.runner import run_trial
from dm_evals.replay.scheduler import CantBePlayed, Scheduler
from dm_evals.replay.trial_environment import SharedRuntime, TrialEnvironment
from dm_evals.replay.world import set_up
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import Body, call, turn
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.local_server import LocalServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MakeScenario = Callable[..., Scenario]


def reply(words: str = "Hello!") -> Body:
    return turn(call("send_instagram_message", text=words))


def faulty(scenario: MakeScenario, platform: str, kind: str, **more: Any) -> Scenario:
    return scenario(world={"faults": [{"platform": platform, "kind": kind, **more}]})


# -- faults of the platforms, in the scenario's time ---------------------------------------------------------


async def test_a_throttle_of_minutes_is_waited_out_in_the_scenarios_time(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply("Too old by then."), reply()])
    slow = faulty(scenario, "instagram", "throttle", operation="send", wait_minutes=30)

    seen = await run_trial(slow, 1, model.base_url, runtime=runtime)

    said, answered = seen.bubbles[0], next(bubble for bubble in seen.bubbles if bubble.author == "bot")
    assert seen.replies == ("Hello!",)
    assert [use.outcome for use in seen.calls] == ["discarded", "done"]
    assert answered.at - said.at > 30 * 60_000
    assert seen.crash is None


@pytest.mark.parametrize("kind", ["drop_after", "stall_after", "error_after"])
async def test_a_reply_whose_answer_got_lost_goes_out_once(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario, kind: str
) -> None:
    model.script([reply()])
    lost = faulty(scenario, "instagram", kind, operation="send", seconds=20)

    seen = await run_trial(lost, 1, model.base_url, runtime=runtime)

    assert seen.replies == ("Hello!",)
    assert seen.calls[0].outcome == "done"
    assert seen.crash is None


async def test_a_delay_beyond_the_clients_patience_is_an_answer_nobody_hears(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])
    begun = monotonic()

    seen = await run_trial(
        faulty(scenario, "instagram", "delay", operation="send", seconds=600), 1, model.base_url, runtime=runtime
    )

    assert seen.replies == ("Hello!",)
    assert monotonic() - begun < 100, "the delay is ten minutes"


async def test_an_overloaded_model_is_asked_again_for_the_same_turn(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])

    seen = await run_trial(faulty(scenario, "gemini", "error", times=4), 1, model.base_url, runtime=runtime)

    assert [each.turn for each in seen.model_calls] == [1]
    assert len(model.records) == 1  # no fault reaches the model server
    assert seen.replies == ("Hello!",)
    assert seen.crash is None


async def test_a_manager_who_cant_be_reached_raises_the_alarm_and_a_calendar_that_is_down_is_told_to_the_model(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    down = [
        {"platform": "spond", "kind": "error", "times": 9},
        {"platform": "whatsapp", "kind": "error", "code": 131026, "times": 9},
    ]
    first = turn(call("get_net_session_dates", days_ahead=7))
    model.script([first, turn(call("send_manager_notification", text="x", urgency="normal")), reply()])

    seen = await run_trial(scenario(world={"faults": down}), 1, model.base_url, runtime=runtime)

    assert [use.outcome for use in seen.calls] == ["error", "done", "done"]
    assert seen.notices == ()
    assert [(alert.text, alert.state, alert.alarmed) for alert in seen.alerts] == [("x", "refused", True)]


async def test_a_lost_wake_up_is_found_by_the_sweep(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])
    async with TrialEnvironment(runtime, scenario()) as environment:
        scheduler = Scheduler(environment)
        environment.begin_model(model.base_url, scheduler.on_turn)
        await set_up(environment)
        lost = plan_wake_up(environment.person.thread_id, environment.now + 1, 5, 15)
        environment.queue.names.add(lost.name)  # taken: the webhook's wake-up is never made

        await scheduler.play()

        assert environment.instagram.sent_to(environment.person.user_id) == ["Hello!"]
        assert environment.clock() > lost.fire_at + 60_000


# -- trials that can't be played to their end ----------------------------------------------------------------


async def test_a_scenario_that_never_ends_is_ended(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])
    endless = faulty(scenario, "instagram", "throttle", operation="send", wait_minutes=5, times=100_000)

    seen = await run_trial(endless, 1, model.base_url, runtime=runtime)

    assert seen.crash is not None
    assert "no end after" in seen.crash
    assert seen.messages  # what was seen up to there


async def test_a_model_server_that_is_down_is_a_crash_with_its_reason(
    runtime: SharedRuntime, scenario: MakeScenario
) -> None:
    seen = await run_trial(scenario(), 1, "http://127.0.0.1:9", runtime=runtime)

    assert seen.crash == "turn 1 was not answered: ConnectError at the model server"
    assert [message.status for message in seen.messages] == ["pending"]


@pytest.mark.parametrize("status", [200, 404, 503])
async def test_a_server_that_is_no_model_is_a_crash(
    runtime: SharedRuntime, scenario: MakeScenario, status: int
) -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("<html>", status)(scope, receive, send)

    server = LocalServer(page)
    await server.start()
    try:
        seen = await run_trial(scenario(), 1, server.base_url, runtime=runtime)
    finally:
        await server.stop()

    assert seen.crash == f"turn 1 was not answered: HTTP {status}, which is not JSON"


async def test_what_the_model_server_says_against_a_request_is_told(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.faults.add("error", status=403, message="Not for you.")

    seen = await run_trial(scenario(), 1, model.base_url, runtime=runtime)

    assert seen.crash == "turn 1 was not answered: HTTP 403 Not for you."


async def test_a_model_server_that_hangs_costs_its_own_trial_only(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    hangs = asyncio.Event()

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        await hangs.wait()

    server = LocalServer(hang)
    await server.start()
    try:
        stuck = await run_trial(scenario({"text": "a"}), 1, server.base_url, runtime=runtime, seconds=0.5)
        model.script([reply()])
        fine = await run_trial(scenario({"text": "b"}), 2, model.base_url, runtime=runtime)
    finally:
        hangs.set()
        await server.stop()

    assert stuck.crash == "took longer than 0.5 s of real time"
    assert stuck.bubbles[0].text == "a"
    assert (fine.crash, fine.replies, len(fine.model_calls)) == (None, ("Hello!",), 1)


async def test_an_event_of_a_turn_nobody_asked_for_is_told(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])

    seen = await run_trial(scenario({"text": "a"}, {"text": "b", "during": 4}), 1, model.base_url, runtime=runtime)

    assert seen.crash == "event 2 happens during turn 4, but only 1 were asked for"
    assert seen.replies == ("Hello!",)


async def test_an_event_that_points_to_what_is_not_written_yet_is_told(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])
    early = scenario({"text": "a", "id": "late", "at": "5s"}, {"kind": "unsend", "to": "late"})

    seen = await run_trial(early, 1, model.base_url, runtime=runtime)

    assert seen.crash == "event 2: unsend points to 'late', which was not written yet"


async def test_a_deployment_that_cant_start_is_a_crash(tmp_path: Path, scenario: MakeScenario) -> None:
    async with SharedRuntime(folder=tmp_path) as nowhere:
        seen = await run_trial(scenario(), 1, "http://127.0.0.1:9", runtime=nowhere)

    assert seen.crash is not None
    assert seen.crash.startswith("Misconfigured: ")


class BrokenModel(GeminiModel):
    """A defect of ours, not an outage: a retry mends it."""

    asked = 0

    async def generate(self, *args: Any, **kwargs: Any) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise ZeroDivisionError
        return await super().generate(*args, **kwargs)


class BrokenHouse(SharedRuntime):
    def model(self, settings: ProcessorSettings) -> GeminiModel:
        self._model = self._model or BrokenModel(settings.model)
        return self._model


@pytest_asyncio.fixture(loop_scope="module")
async def broken_house() -> AsyncGenerator[SharedRuntime]:
    async with BrokenHouse() as opened:
        yield opened


async def test_a_defect_that_a_retry_mended_is_still_a_crash(
    broken_house: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])

    seen = await run_trial(scenario(), 1, model.base_url, runtime=broken_house)

    assert seen.replies == ("Hello!",)
    assert seen.crash == "run_stopped: ZeroDivisionError"


async def test_a_webhook_that_stores_nothing_is_a_crash(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    async with TrialEnvironment(runtime, scenario()) as environment:
        scheduler = Scheduler(environment)
        environment.begin_model(model.base_url, scheduler.on_turn)
        await set_up(environment)
        right, environment.person.sender.app_secret = environment.person.sender.app_secret, "not the one"

        with pytest.raises(CantBePlayed, match="the webhook answered event 1 with 401"):
            await scheduler.play()
        environment.person.sender.app_secret = right
