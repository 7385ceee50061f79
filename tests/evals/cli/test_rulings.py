"""``rulings``: items without one are listed, written ones are kept, and a reworded reply needs a new one."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dm_evals.cli.main import main

ITEM = "The reply names no date."
SCENARIO = f"""
name: say_hi
tags: [sessions]
about: Somebody asks about nets.
now: "2026-11-24T18:05:00+00:00"
events: [{{text: "Hi, are there nets?"}}]
expect:
  state: {{replies: 1}}
  rubric: ["{ITEM}"]
"""
RULING = f"- {{item: '{ITEM}', verdict: %s, why: It only says that nothing is listed.}}\n"

Run = Callable[..., int]


@pytest.fixture
def evals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``evals("rulings", …)`` in a folder with one scenario and its recording; ``stdin`` is what is typed."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "say_hi.yaml").write_text(SCENARIO)

    def call(command: str, *args: str, stdin: str = "") -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        folders = ["--scenarios", str(tmp_path / "scenarios"), "--recordings", str(tmp_path / "recordings")]
        judge = ["--rulings", str(tmp_path / "rulings")] if command != "author" else []
        return main([command, *args, *folders, *judge])

    call(
        "author",
        "say_hi",
        stdin="- calls: [{send_instagram_message: {text: Nothing is listed. I am the automated assistant.}}]\n",
    )
    return call


def test_an_item_without_a_ruling_is_listed_with_its_text(evals: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert evals("rulings") == 2

    told = capsys.readouterr().out
    assert f"say_hi: {ITEM}" in told
    assert "Assistant: Nothing is listed. I am the automated assistant." in told
    assert evals("run", "--no-gate") == 2


def test_a_ruling_in_general_is_asked_for_on_demand_and_must_quote_the_evidence(
    evals: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evals("rulings", "--authored", "-", stdin=RULING % "yes")
    assert evals("rulings") == 0
    assert evals("rulings", "--general") == 2
    assert "say_hi: The assistant is polite" in capsys.readouterr().out

    general = (
        "- {item: general, verdict: yes, quote: '%s'}\n- {item: general.brief, verdict: no, quote: Nothing is listed.}"
    )
    assert evals("rulings", "--authored", "-", stdin=general % "Nets are at noon") == 2
    assert "the evidence does not say 'Nets are at noon'" in capsys.readouterr().err
    assert evals("rulings", "--authored", "-", stdin=general % "I am the automated assistant.") == 0

    assert evals("rulings") == 0
    assert len((tmp_path / "rulings" / "say_hi.jsonl").read_text().splitlines()) == 3
    assert evals("run", "--no-gate") == 1


def test_a_written_ruling_is_kept_and_decides(evals: Run, tmp_path: Path) -> None:
    assert evals("rulings", "--authored", "-", stdin=RULING % "yes") == 0

    assert '"origin": "authored"' in (tmp_path / "rulings" / "say_hi.jsonl").read_text()
    assert evals("rulings") == 0
    assert evals("run", "--no-gate") == 0


def test_a_ruling_of_no_fails_the_scenario(evals: Run) -> None:
    evals("rulings", "--authored", "-", stdin=RULING % "no")

    assert evals("run", "--no-gate") == 1


def test_a_reworded_reply_is_not_covered_by_the_old_ruling(evals: Run) -> None:
    evals("rulings", "--authored", "-", stdin=RULING % "yes")

    evals(
        "author",
        "say_hi",
        stdin="- calls: [{send_instagram_message: {text: I am the automated assistant. Nothing is on.}}]\n",
    )

    assert evals("rulings") == 2
    assert evals("run", "--no-gate") == 2


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("- {item: x, verdict: perhaps, why: y}", 'the rulings:1: verdict: unknown verdict "perhaps"'),
        ("- {item: x, verdict: yes, why: y}\n- {item: x, verdict: yes, why: y}", "two rulings on 'x'"),
        ("- {item: another, verdict: yes, why: y}", "'another' is an item of none of these scenarios"),
        ("[", "the rulings:1: is no YAML"),
        ("- {item: general.warm, verdict: yes}", "there is no general.warm: the general rubric has answered, true"),
        ("- {item: x, verdict: yes, scenario: another}", "'x' is not an item of another"),
    ],
)
def test_rulings_that_can_not_be_used_are_told(
    evals: Run, written: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evals("rulings", "--authored", "-", stdin=written) == 2

    assert message in capsys.readouterr().err


def test_a_model_is_not_asked_without_a_key(
    evals: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)

    assert evals("rulings", "--model", "gemini-3.8-flash") == 2
    assert "GEMINI_API_KEY is not set" in capsys.readouterr().err
