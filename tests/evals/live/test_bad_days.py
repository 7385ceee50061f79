"""A perfect agent on a bad day of its model server: a limiter, half of the answers 503, hangs, answers cut short, a
quota or a budget that ends in mid-run. Nothing of it may count against the agent, and nothing may be lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dm_evals.checks.pricing import price
from dm_evals.reports import json_file
from dm_evals.results import Outcome, Report
from tests.evals.live.conftest import Typed
from tests.evals.live.served_back import Limiter, ServedBack, Told

GATE = ("--gate", "gate.yaml")
SMALL = ("--trials", "3", "--scenario", "injury_at_training", "price_student", "--json", "report.json", *GATE)
"""20 calls, of the agent, the judge and the preflight together."""


def report() -> Report:
    return json_file.load(Path("report.json"))


def figure(row: str) -> str:
    return next(row_[1] for table in report().tables for row_ in table.rows if row_[0] == row)


def everything_passed() -> bool:
    return {result.outcome for result in report().results} == {Outcome.PASS}


async def test_a_limiter_of_so_many_in_a_window_costs_time_and_no_trial(live: Typed) -> None:
    async with ServedBack(Limiter(5, 0.5, strict=True)) as server:
        ended = await live(server, *SMALL)

    assert everything_passed(), ended.out
    assert 0 < server.counts["HTTP 429"] <= server.counts["answered"], "few calls are made in vain"
    assert f"tried again {server.counts['HTTP 429']} times: HTTP 429" in figure("calls of this part")


def in_ms(wait: float) -> Told:
    return f" Please retry in {wait * 1000:.3f}ms.", [], {}


def in_hours_and_minutes(wait: float) -> Told:
    return f" Please retry in 0h0m{wait:.3f}s.", [], {}


def in_error_info(wait: float) -> Told:
    told = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "metadata": {"quotaResetDelay": f"{wait:.3f}s"}}
    return "", [told], {}


def in_a_header(wait: float) -> Told:
    return "", [], {"retry-after": f"{wait:.3f}"}


@pytest.mark.parametrize("tells", [in_ms, in_hours_and_minutes, in_error_info, in_a_header])
async def test_however_the_limiter_says_when_to_come_again_it_is_asked_then(
    live: Typed, tells: Callable[[float], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dm_evals.live.upstream.FIRST_PAUSE", 0.001)
    async with ServedBack(Limiter(5, 0.5, strict=True)) as server:
        server.tells = tells
        await live(server, *SMALL[2:], "--trials", "1")

    assert everything_passed()
    assert 0 < server.counts["HTTP 429"] <= 4, "once for each window"


async def test_a_wait_of_an_hour_ends_the_run_and_it_goes_on_afterwards(live: Typed) -> None:
    async with ServedBack(Limiter(8, 3_600.0, strict=True)) as server:
        now = await live(server, *SMALL, "--concurrency", "1")
        server.limiter = None
        later = await live(server, "--resume", "last", *GATE, "--json", "report.json")

    assert now.code == 2 and "the model is not to be asked for 60 minutes" in " ".join(now.out.split())
    assert later.code == 0 and everything_passed()


async def test_with_the_rate_set_the_limiter_never_speaks(live: Typed) -> None:
    async with ServedBack(Limiter(5, 0.5)) as server:
        await live(server, *SMALL, "--rate", "500")

    assert everything_passed()
    assert server.counts["HTTP 429"] == 0


async def test_half_of_all_answers_503_is_waited_out(live: Typed, quick: None) -> None:
    async with ServedBack(troubles={"503": 0.5}) as server:
        await live(server, *SMALL)

    assert everything_passed()
    assert server.counts["503"] > server.counts["answered"] / 3


async def test_hangs_pages_and_answers_cut_short_are_asked_again(live: Typed, quick: None) -> None:
    async with ServedBack(troubles={"hang": 0.1, "html": 0.15, "cut": 0.15}) as server:
        await live(server, *SMALL, "--timeout", "1.5")

    assert everything_passed()
    assert min(server.counts[kind] for kind in ("hang", "html", "cut")) > 0


async def test_a_server_that_never_answers_again_is_infrastructure_in_no_rate(live: Typed, quick: None) -> None:
    async with ServedBack() as server:
        server.dies_after = 7
        ended = await live(server, *SMALL, "--patience", "0.3")

    reasons = [result.reason for result in report().results if result.outcome is Outcome.ERRORED]
    assert reasons and all("503" in reason for reason in reasons)
    assert not any(result.outcome is Outcome.FAIL for result in report().results)
    assert ended.code == 2


@pytest.mark.parametrize(("status", "words"), [(503, "gave no answer for"), (403, "GEMINI_API_KEY is not accepted")])
async def test_a_model_that_is_gone_ends_the_run_and_it_goes_on_later(
    live: Typed, quick: None, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    monkeypatch.setattr("dm_evals.live.upstream.SILENCE", 0.5)
    async with ServedBack() as server:
        server.dies_after, server.dies_with = 7, status
        now = await live(server, *SMALL, "--patience", "0.4", "--concurrency", "1")
        asked, outcomes = server.counts[f"HTTP {status}"], {result.outcome for result in report().results}
        server.dies_after = None
        later = await live(server, "--resume", "last", *GATE, "--json", "report.json")

    assert now.code == 2 and words in " ".join(now.out.split())
    assert asked < 50 and Outcome.FAIL not in outcomes and Outcome.SKIPPED in outcomes
    assert later.code == 0 and everything_passed()


async def test_a_day_s_quota_that_is_used_up_ends_the_run_at_once_and_it_goes_on_tomorrow(live: Typed) -> None:
    async with ServedBack() as server:
        server.day_ends_after = 12
        today = await live(server, *SMALL, "--concurrency", "2")
        asked = server.counts["HTTP 429"]
        server.day_ends_after = None
        tomorrow = await live(server, "--resume", "last", *GATE, "--json", "report.json")

    assert asked <= 2, "each trial under way asks once more at most"
    assert today.code == 2 and "the day's quota of the key is used up" in today.out
    assert tomorrow.code == 0 and everything_passed()


async def test_a_budget_ends_the_run_before_it_is_exceeded_and_says_what_was_not_run(live: Typed) -> None:
    one = price("gemini-3.8-flash", 3_000, 100)
    assert one is not None
    async with ServedBack() as server:
        ended = await live(server, *SMALL, "--budget-usd", f"{one * 9}", "--concurrency", "4")

    assert 5 < server.counts["answered"] <= 9
    outcomes = {result.outcome for result in report().results}
    assert outcomes == {Outcome.PASS, Outcome.SKIPPED}
    skipped = next(result for result in report().results if result.outcome is Outcome.SKIPPED)
    assert "the budget of" in skipped.reason and "allows no more" in skipped.reason
    assert ended.code == 2


async def test_what_a_resumed_run_spent_before_counts(live: Typed) -> None:
    one = price("gemini-3.8-flash", 3_000, 100)
    assert one is not None
    async with ServedBack() as server:
        await live(server, *SMALL, "--budget-usd", f"{one * 9}")
        before = server.counts["answered"]
        await live(server, "--resume", "last", *GATE, "--json", "report.json", "--budget-usd", f"{one * 10}")
        assert server.counts["answered"] <= before + 3, "two of them are preflight"
        await live(server, "--resume", "last", *GATE, "--json", "report.json")

    assert everything_passed()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a hundredth: a bad day takes a minute otherwise."""
    monkeypatch.setattr("dm_evals.live.upstream.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("dm_evals.live.upstream.LONGEST_PAUSE", 0.2)
