"""The command for live runs, against the sandbox's Gemini."""

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path

from dm_evals.live import command as live_command
from dm_sandbox.platforms.gemini import Gemini

SCENARIO = str(Path(__file__).parent / "asks_for_nets.yaml")


def main(argv: list[str], environment: Mapping[str, str], show: live_command.Print) -> int:
    """The command as typed."""
    parser = argparse.ArgumentParser()
    live_command.add_arguments(parser)
    return live_command.main(parser.parse_args(argv), environment, show)


def test_without_a_key_nothing_is_run() -> None:
    said: list[str] = []

    assert main([SCENARIO], {}, said.append) == 2
    assert "GEMINI_API_KEY is not set" in said[0]


async def test_a_run_prints_its_numbers_and_the_gate_decides(gemini: Gemini) -> None:
    said: list[str] = []
    environment = {"GEMINI_API_KEY": gemini.api_key, "GOOGLE_GEMINI_BASE_URL": gemini.base_url}
    options = ["--trials", "1", "--model", "gemini-3.8-flash", "--compare", "gemini-3.7-flash", "--concurrency", "1"]

    code = await asyncio.to_thread(main, [*options, "--tags", "sessions", SCENARIO], environment, said.append)

    shown = "\n".join(said)
    assert "gemini-3.8-flash: 1 of 1 judged trials passed" in shown
    assert "difference (95 % interval)" in shown
    assert "lower bound" in shown
    assert code == 1  # one trial of one is not enough for the gate's lower bound


async def test_a_budget_for_a_model_without_a_price_is_code_2(gemini: Gemini) -> None:
    said: list[str] = []
    environment = {"GEMINI_API_KEY": gemini.api_key, "GOOGLE_GEMINI_BASE_URL": gemini.base_url}

    code = await asyncio.to_thread(
        main, ["--budget-usd", "1", "--model", "gemini-4-hydrogen", SCENARIO], environment, said.append
    )

    assert (code, said) == (2, ["there is no price for gemini-4-hydrogen, so a budget can't be held"])
