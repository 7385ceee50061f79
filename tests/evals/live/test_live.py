"""Live runs against the sandbox's Gemini over HTTP, with chance injected: counts, budget, errors, comparison."""

import random
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest import raises

from dm_evals.checks.outcome import judge_trial
from dm_evals.live.summary import compared, lines, side_by_side, summary
from dm_evals.live.trials import Budget, BudgetCantBeHeld, Live, Variant, is_infrastructure
from dm_evals.results import Outcome
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import call
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.model_request import ModelRequest, Part
from dm_sandbox.platforms.scripted_model import answer_as_the_club

FOLDER = Path(__file__).parent
MODEL = Variant("flash", "gemini-3.8-flash")


def greeting() -> tuple[Scenario, ...]:
    loaded = load([FOLDER / "asks_for_nets.yaml"])
    assert loaded.problems == ()
    return loaded.scenarios


def careless(share: float, seed: int = 7) -> "partial[list[Part]]":
    """The club's brain, which now and then invents a session."""
    return partial(_careless, random.Random(seed), share)


def _careless(chance: random.Random, share: float, request: ModelRequest) -> list[Part]:
    parts = answer_as_the_club(request)
    if any("get_net_session_dates" in str(part) for part in parts) and chance.random() < share:
        return [call("send_instagram_message", text="Come to nets on Wednesday 25 November at 18:00!")]
    return parts


def live(gemini: Gemini, trials: int = 4, budget: float | None = None, concurrency: int = 2) -> Live:
    return Live(
        base_url=gemini.base_url,
        api_key=gemini.api_key,
        judging=judge_trial,
        trials=trials,
        budget=Budget(budget),
        concurrency=concurrency,
    )


async def test_a_good_model_passes_every_trial_with_cost_tokens_and_latency(gemini: Gemini) -> None:
    run = await live(gemini).run(greeting(), MODEL)
    found = summary(run)

    assert [result.reason for result in run.report.results] == [""] * 4
    assert found.pass_hat == {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0}
    assert found.cost.value is not None and found.cost.value > 0
    assert found.tokens.value is not None and found.latency_p50 is not None
    assert run.report.origins == {"live": 8}


async def test_a_careless_model_is_caught_by_the_dates_and_shown_as_flaky(gemini: Gemini) -> None:
    gemini.brain = careless(0.5)

    run = await live(gemini, trials=8, concurrency=1).run(greeting(), MODEL)
    found = summary(run)

    failed = [result for result in run.report.results if result.outcome is Outcome.FAIL]
    assert 0 < len(failed) < 8
    assert all("rule.dates" in {check.name for check in result.broken} for result in failed)
    assert [row.scenario for row in found.flaky] == ["asks_for_nets"]
    assert any("flaky: asks_for_nets" in line for line in lines(found))


async def test_the_network_s_errors_are_counted_apart(gemini: Gemini) -> None:
    gemini.api_key = "live-key"
    running = replace(live(gemini, trials=2), pauses=(0.01,))
    await gemini.stop()

    found = summary(await running.run(greeting(), MODEL))

    assert (found.infrastructure, found.errored, found.counts[0].judged) == (2, 0, 0)
    assert found.pass_hat == {1: None, 2: None}


async def test_a_wrong_key_is_our_fault_not_the_network_s(gemini: Gemini) -> None:
    found = summary(await replace(live(gemini, trials=1), api_key="wrong").run(greeting(), MODEL))

    assert (found.infrastructure, found.errored) == (0, 1)


async def test_the_run_stops_before_the_budget_is_exceeded_and_says_what_was_not_run(gemini: Gemini) -> None:
    cost = summary(await live(gemini, trials=1).run(greeting(), MODEL)).cost.total

    run = await live(gemini, trials=6, budget=cost * 2.5, concurrency=1).run(greeting(), MODEL)

    found = summary(run)
    assert (found.counts[0].judged, found.skipped) == (2, 4)
    assert found.cost.total <= cost * 2.5
    assert "budget" in run.report.results[-1].reason


async def test_a_budget_for_a_model_without_a_price_is_refused_before_anything_is_asked(gemini: Gemini) -> None:
    with raises(BudgetCantBeHeld):
        await live(gemini, budget=1.0).run(greeting(), Variant("unpriced", "gemini-4-hydrogen"))

    assert gemini.requests == []


async def test_a_cost_that_is_not_known_is_told_as_unknown(gemini: Gemini) -> None:
    found = summary(await live(gemini, trials=1).run(greeting(), Variant("unpriced", "gemini-4-hydrogen")))

    assert found.cost.value is None
    assert "cost unknown" in "\n".join(lines(found))


async def test_two_models_side_by_side(gemini: Gemini) -> None:
    good = summary(await live(gemini).run(greeting(), MODEL))
    gemini.brain = careless(1.0)
    bad = summary(await live(gemini).run(greeting(), replace(MODEL, name="careless")))

    together = compared(good, bad)[0]
    assert (together.first, together.second, together.difference) == ((4, 4), (0, 4), -1.0)
    assert together.is_clear
    assert side_by_side(good, bad)[1].endswith("*")


def test_what_counts_as_infrastructure() -> None:
    told = {
        text: is_infrastructure(text)
        for text in ("HTTP 503 busy", "HTTP 429", "ConnectError", "HTTP 400 bad", "HTTP 403")
    }

    assert list(told.values()) == [True, True, True, False, False]


async def test_a_model_that_is_busy_for_a_moment_is_asked_again_and_counts_once(gemini: Gemini) -> None:
    gemini.faults.add("error", "generateContent", 2, status=503)
    running = replace(live(gemini, trials=1), pauses=(0.01, 0.01))

    found = await running.run(greeting(), MODEL)

    assert [result.reason for result in found.report.results] == [""]
    assert [call.turn for call in found.report.results[0].observation.model_calls] == [1, 2]
    assert (await replace(running, pauses=()).run(greeting(), MODEL)).report.results[0].outcome is Outcome.PASS
    gemini.faults.add("error", "generateContent", 2, status=503)
    assert (await replace(running, pauses=()).run(greeting(), MODEL)).report.results[0].outcome is Outcome.ERRORED
