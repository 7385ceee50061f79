"""Live runs as they are typed: what is told, what is written, and how the command ends."""

import asyncio
import json
import random
from functools import partial
from pathlib import Path

import pytest
from markupsafe import escape

from dm_evals.cli.main import main
from dm_evals.live.command import FOLDER as RUNS
from dm_evals.reports import json_file
from dm_evals.results import Outcome, Report
from dm_sandbox.platforms.answers import call
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.model_request import ModelRequest, Part
from dm_sandbox.platforms.scripted_model import answer_as_the_club
from tests.evals.live.conftest import FOLDER, Typed
from tests.evals.live.served_back import ServedBack

NETS = str(FOLDER / "asks_for_nets.yaml")
USER = "user_plans_a_first_visit"
ALONE = ("--judge", "off", "--json", "report.json", NETS)
"""One small scenario that needs no judge."""


def careless(share: float, request: ModelRequest, chance: random.Random) -> list[Part]:
    """The club's scripted model, which now and then invents a session."""
    parts = answer_as_the_club(request)
    if any("get_net_session_dates" in str(part) for part in parts) and chance.random() < share:
        return [call("send_instagram_message", text="Come to nets on Wednesday 25 November at 18:00!")]
    return parts


def read(path: str) -> str:
    return Path(path).read_text()


def report(path: str = "report.json") -> Report:
    return json_file.load(Path(path))


def figures(title: str = "live") -> dict[str, tuple[str, ...]]:
    """The rows of a table by their first cell."""
    table = next(table for table in report().tables if table.title == title)
    return {row[0]: row[1:] for row in table.rows}


async def test_a_perfect_agent_ends_with_0_and_every_report_has_every_conversation(live: Typed) -> None:
    async with ServedBack() as server:
        ended = await live(
            server, "--trials", "1", "--tags", "injuries,safeguarding", "--gate", "gate.yaml",
            "--json", "report.json", "--html", "page.html",
            "--junit", "junit.xml",
        )  # fmt: skip

    assert (ended.code, ended.error) == (0, "")
    assert "the gate held" in ended.out
    found = report()
    assert found.mode == "live" and found.origins.keys() == {"live"}
    assert all(result.observation.bubbles and result.outcome is Outcome.PASS for result in found.results)
    assert all(
        each.cost_usd and each.latency_ms is not None for r in found.results for each in r.observation.model_calls
    )
    page = read("page.html")
    assert all(escape(each.text)[:40] in page for r in found.results for each in r.observation.bubbles)
    assert float(figures()["the judge's cost in USD"][0]) > 0
    assert read("junit.xml").count("<testcase") == len(found.results)


async def test_without_a_key_nothing_is_asked(live: Typed, gemini: Gemini) -> None:
    ended = await live(gemini, NETS, key="")

    assert (ended.code, ended.error) == (2, "GEMINI_API_KEY is not set: a live run asks a real model\n")
    assert gemini.records == []


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ((), "wrong", "GEMINI_API_KEY is not accepted: API key not valid"),
        (("--model", "gemini-9-nano"), None, "there is no model gemini-9-nano for this key"),
        ((), "a-kéy", "GEMINI_API_KEY must be printable ASCII"),
        (("--judge", "gemini-9-nano"), None, "the judge gemini-9-nano can't be used"),
        (("--model", "gemini-4-hydrogen", "--budget-usd", "1"), None, "there is no price for gemini-4-hydrogen"),
        (("--tags", "sesions"), None, 'no scenario has the tag "sesions"'),
        (("--scenario", "ask_for_nets"), None, 'there is no scenario "ask_for_nets"'),
        (("--compare-prompt", "nowhere"), None, "nowhere has no folders prompts/ and profile/"),
        (("--user", "gemini-9-nano", "--scenario", USER), None, "there is no model gemini-9-nano for this key"),
        (("--resume", "nothing.jsonl"), None, "RESUME: nothing.jsonl can't be read: No such file"),
        (("--resume", "last"), None, "RESUME: there is no run in"),
    ],
)
async def test_what_stands_in_the_way_is_one_line_before_any_trial(
    live: Typed, options: tuple[str, ...], key: str | None, words: str
) -> None:
    async with ServedBack() as server:
        paths = () if USER in options else (NETS,)
        ended = await live(server, *options, *paths, **({"key": key} if key else {}))

    assert ended.code == 2
    assert words in ended.error and ended.error.count("\n") == 1
    assert server.counts["answered"] <= 1, "a preflight at most"
    assert not RUNS.exists()


@pytest.mark.parametrize("option", ["--budget-usd", "--rate", "--timeout", "--patience"])
@pytest.mark.parametrize("amount", ["nan", "inf", "-1", "0", "much"])
async def test_an_amount_that_is_none_is_refused(
    live: Typed, capsys: pytest.CaptureFixture[str], option: str, amount: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        await live(None, f"{option}={amount}", NETS)

    assert ended.value.code == 2
    assert f"argument {option}: " in capsys.readouterr().err


async def test_an_address_that_is_none_is_one_line(live: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "localhost:8080")
    monkeypatch.setenv("GEMINI_API_KEY", "k")

    assert await asyncio.to_thread(main, ["live", NETS]) == 2


async def test_a_judge_that_answers_nonsense_is_one_line(live: Typed) -> None:
    async with ServedBack() as server:
        server.nonsense_judge = True
        ended = await live(server, NETS)

    assert ended.code == 2
    assert "the judge gemini-3.8-flash can't be used" in ended.error and ended.error.count("\n") == 1


async def test_a_careless_model_is_caught_and_shown_as_flaky(live: Typed, gemini: Gemini) -> None:
    gemini.model = partial(careless, 0.5, chance=random.Random(7))

    ended = await live(gemini, "--trials", "8", "--concurrency", "1", *ALONE)

    failed = [result for result in report().results if result.outcome is Outcome.FAIL]
    assert 0 < len(failed) < 8
    assert all("rule.dates" in {check.name for check in result.broken} for result in failed)
    assert figures("flaky")["asks_for_nets"][1] == f"{8 - len(failed)} of 8"
    assert "rule.dates" in figures("flaky")["asks_for_nets"][2]
    assert ended.code == 1


async def test_models_and_prompts_side_by_side_each_with_reports_of_its_own(live: Typed, tmp_path: Path) -> None:
    processor = FOLDER.parents[2] / "functions" / "processor"
    for name in ("prompts", "profile"):
        (tmp_path / "kinder" / name).mkdir(parents=True)
        for file in (processor / name).iterdir():
            (tmp_path / "kinder" / name / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "kinder" / "prompts" / "system.md").open("a") as file:
        file.write("\nBe kind.\n")

    async with ServedBack() as server:
        server.worse = frozenset({"gemini-3.7-flash"})
        await live(
            server, "--trials", "2", "--model", "gemini-3.8-flash,gemini-3.7-flash", "--compare-prompt", "kinder",
            "--scenario", "price_student", "price_hardship", "--json", "report.json",
        )  # fmt: skip

    passed = figures()["passed, of those judged"]
    assert [each.split(" (")[0] for each in passed] == ["4 of 4", "0 of 4", "4 of 4"]
    against = figures("gemini-3.7-flash against gemini-3.8-flash")["all"]
    assert against[:3] == ("4/4", "0/4", "-1.00") and against[3].endswith(" *")
    assert figures("prompt of kinder against gemini-3.8-flash")["all"][2] == "+0.00"
    assert all(r.outcome is Outcome.FAIL for r in report("report.gemini-3.7-flash.json").results)
    assert report("report.prompt-of-kinder.json").prompt_hash != report().prompt_hash


async def test_a_price_that_is_not_known_is_told_as_unknown(live: Typed, gemini: Gemini) -> None:
    await live(gemini, "--trials", "1", "--model", "gemini-4-hydrogen", *ALONE)

    assert figures()["cost in USD"][0].startswith("unknown")


async def test_the_live_baseline_is_written_and_compared(live: Typed, gemini: Gemini, tmp_path: Path) -> None:
    baseline = ("--baseline", str(tmp_path / "baseline.json"))
    await live(gemini, "--trials", "4", "--update-baseline", *baseline, *ALONE)
    gemini.model = partial(careless, 1.0, chance=random.Random(7))

    ended = await live(gemini, "--trials", "4", *baseline, *ALONE)

    kept = json.loads((tmp_path / "baseline.json").read_text())
    assert kept["live"]["asks_for_nets"] == {"n": 4, "passes": 4, "tags": ["sessions"]}
    assert "below the baseline: asks_for_nets 4/4 → 0/4" in " ".join(ended.out.split())
