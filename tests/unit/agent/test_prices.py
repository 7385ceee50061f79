"""What turns cost, by the list that the package brings."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dm_core.agent.prices import ListPrices, spent_on
from dm_core.runs import Finish, ModelTurn, Usage
from dm_core.usage import Spent

IN_2026 = int(datetime(2026, 11, 29, tzinfo=UTC).timestamp() * 1000)
IN_2027 = int(datetime(2027, 1, 2, tzinfo=UTC).timestamp() * 1000)
MILLION = 1_000_000


def turn(usage: Usage, version: str = "gemini-3.8-flash", finish: Finish = Finish.COMPLETE) -> ModelTurn:
    return ModelTurn("", finish=finish, usage=usage, model_version=version)


def test_thoughts_are_output_and_cached_input_is_cheaper() -> None:
    usage = Usage(input_tokens=2 * MILLION, cached_tokens=MILLION, output_tokens=MILLION, thought_tokens=MILLION)

    spent = spent_on(turn(usage), "gemini-3.8-flash", IN_2026)

    assert replace(spent, usd=0.0) == Spent(1, 2 * MILLION, MILLION, MILLION, MILLION)
    assert spent.usd == pytest.approx(0.75 + 0.075 + 2 * 3.75)


def test_a_price_changes_on_its_day() -> None:
    usage = Usage(input_tokens=MILLION)

    assert spent_on(turn(usage), "x", IN_2026).usd == pytest.approx(0.75)
    assert spent_on(turn(usage), "x", IN_2027).usd == pytest.approx(1.50)


@pytest.mark.parametrize("finish", [Finish.BLOCKED, Finish.MALFORMED, Finish.TRUNCATED, Finish.EMPTY])
def test_an_unusable_turn_is_billed_too(finish: Finish) -> None:
    assert (spent_on(turn(Usage(input_tokens=1_000), finish=finish), "x", IN_2026).usd or 0) > 0


@pytest.mark.parametrize("version", ["", "gemini-99-secret", "models/gemini-3.8-flash"])
def test_the_configured_model_prices_what_the_answer_does_not_name(version: str) -> None:
    assert spent_on(turn(Usage(input_tokens=MILLION), version), "gemini-3.8-flash", IN_2026).usd == pytest.approx(0.75)


def test_an_unknown_price_is_none_and_never_zero() -> None:
    assert spent_on(turn(Usage(input_tokens=5), "gemini-99"), "gemini-98", IN_2026) == Spent(1, 5, usd=None)


def test_a_call_without_any_token_costs_nothing() -> None:
    assert spent_on(turn(Usage(), "gemini-99"), "gemini-98", IN_2026) == Spent(calls=1)


async def test_a_price_list_that_fails_costs_nobody_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)  # as where it can't be imported

    spent = await ListPrices("gemini-3.8-flash").spent(turn(Usage(input_tokens=5)), IN_2026)

    assert spent == Spent(1, 5, usd=None)
    assert "price_list_failed" in capsys.readouterr().out


ASIDE = """
import sys, threading
from dm_core.agent.prices import ListPrices

class Gate:
    open = threading.Event()

    def find_spec(self, name, path=None, target=None):
        if name == "genai_prices":
            self.open.wait()

sys.meta_path.insert(0, Gate())
prices = ListPrices("x")
prices.load_aside()
prices.load_aside()
Gate.open.set()
[loading] = [each for each in threading.enumerate() if each.name == "prices"]
loading.join()
sys.exit("genai_prices" not in sys.modules)
"""
"""The list can't be loaded before both calls have returned: one that waited for it would wait for ever."""


def test_the_list_is_loaded_aside_once_and_blocks_nobody() -> None:
    assert subprocess.run([sys.executable, "-c", ASIDE], check=False, timeout=60).returncode == 0  # noqa: S603


def test_the_list_is_loaded_with_the_first_price_and_never_with_the_agent() -> None:
    code = "import sys, dm_core.agent.prices, dm_core.agent.agent; sys.exit('genai_prices' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_the_list_brings_no_other_http_client_and_asks_nobody() -> None:
    code = "import sys; from genai_prices import calc_price; sys.exit('aiohttp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
