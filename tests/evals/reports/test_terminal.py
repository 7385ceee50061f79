"""The terminal report reads at width 80 and in a log, and lets nobody write to the terminal but us."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from dm_evals.baseline import Baseline
from dm_evals.gate import GateDecision
from dm_evals.reports.terminal import RunProgress, show
from dm_evals.results import Check, Outcome, Report
from tests.evals.reports.report_samples import baseline, decision, failed, many, passing, report, result, sample, stale


@pytest.fixture
def shown() -> Callable[..., str]:
    def shown(
        report: Report, held: Baseline | None = None, gate: GateDecision | None = None, *, terminal: bool = False
    ) -> str:
        out = io.StringIO()
        show(report, held, gate, Console(file=out, width=80, force_terminal=terminal, highlight=False, emoji=False))
        return out.getvalue()

    return shown


def words(text: str) -> str:
    """Without the line breaks of the layout."""
    return " ".join(text.split())


@pytest.mark.parametrize("made", [sample(), many(), passing(), passing(0)])
def test_no_line_is_wider_than_80_cells(shown: Callable[..., str], made: Report) -> None:
    text = shown(made, baseline(), decision())

    assert [line for line in text.splitlines() if cell_len(line) > 80] == []


def test_the_head_says_what_a_replay_can_tell_and_whose_the_turns_are(shown: Callable[..., str]) -> None:
    text = words(shown(sample()))

    assert "evals: replay" in text
    assert "this run tests our code" in text
    assert "only a live run does" in text
    assert "50 % authored (5), 50 % recorded (5), 0 % live (0)" in text
    assert "1 pass, 1 fail, 1 errored, 1 stale, 1 skipped; 1 not reviewed (not counted)" in text


def test_a_live_run_says_so(shown: Callable[..., str]) -> None:
    text = words(shown(replace(passing(), mode="live", origins={"live": 7})))

    assert "tests the prompt and the model" in text
    assert "0 % authored (0), 0 % recorded (0), 100 % live (7)" in text


def test_one_other_turn_in_a_thousand_is_not_rounded_away(shown: Callable[..., str]) -> None:
    text = words(shown(replace(passing(), origins={"recorded": 999, "authored": 1})))

    assert "1 % authored (1), 99 % recorded (999)" in text


def test_a_failure_shows_expectation_observation_nearest_and_conversation(shown: Callable[..., str]) -> None:
    text = words(shown(sample()))

    for part in (
        "fail invents_a_session trial 1",
        'expected send_instagram_message(text contains ["24 November", "18:00"])',
        "observed no such call",
        'nearest turn 2, send_instagram_message(text="Nets are on Wednesday."): text: wanted',
        "person when are nets?",
        "bot Nets are on Wednesday 25 November.",
    ):
        assert part in text


def test_a_pass_is_one_row_without_its_conversation(shown: Callable[..., str]) -> None:
    text = shown(passing(1))

    assert "pass" in text
    assert "scenario_00" in text
    assert "when are the next nets" not in text


def test_trials_of_one_scenario_share_a_row(shown: Callable[..., str]) -> None:
    text = shown(many())

    assert "pass 3/4" in text
    assert "fail 1/4" in text


def test_stale_recordings_are_told_by_cause_with_what_to_do(shown: Callable[..., str]) -> None:
    text = words(shown(sample()))

    assert "system: 1 trial, 2 turns" in text
    assert "+18:30, 9 of 16" in text
    assert "make evals-refresh PARTS=contents,system" in text


def test_the_gate_is_told_rule_by_rule_and_last(shown: Callable[..., str]) -> None:
    text = words(shown(sample(), baseline(), decision()))

    assert "broken *: all must pass: failed: invents_a_session" in text
    assert "unknown injury: all must pass: 1 of 1 trials could not be judged: injury_ankle" in text
    assert text.endswith("the gate is broken")


@pytest.mark.parametrize(("code", "told"), [(0, "the gate held"), (2, "the gate could not be judged")])
def test_each_exit_code_has_its_words(shown: Callable[..., str], code: int, told: str) -> None:
    assert shown(passing(), None, replace(decision(), exit_code=code)).rstrip().endswith(told)


def test_what_got_worse_against_the_baseline_is_told(shown: Callable[..., str]) -> None:
    text = words(shown(sample(), baseline()))

    assert "worse invents_a_session: 1/1 → 0/1" in text
    assert "gone gone_since: 4/4 → nothing" in text
    assert "net_session_question: 1/1" not in text


def test_broken_files_are_told(shown: Callable[..., str]) -> None:
    assert 'unknown key "expct", did you mean "expect"?' in shown(sample())


def test_markup_in_a_text_is_text(shown: Callable[..., str]) -> None:
    assert "[red]Training is open" in shown(sample())


@pytest.mark.parametrize("terminal", [True, False])
def test_no_text_reaches_the_terminal_as_a_command(shown: Callable[..., str], terminal: bool) -> None:
    text = shown(sample(), terminal=terminal)

    assert "\x1b[2J" not in text
    assert not {"\x00", "\x07", "\u202e"} & set(text)
    assert ("\x1b[" in text) is terminal


def test_a_very_long_text_is_cut_and_says_so(shown: Callable[..., str]) -> None:
    assert "more characters (all in the HTML report)" in words(shown(sample()))


def test_an_output_in_ascii_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)

    show(many(), baseline(), decision())

    stream.flush()
    assert b"injection_in_dm" in raw.getvalue()


def test_progress_is_silent_without_a_terminal() -> None:
    out = io.StringIO()

    with RunProgress(2, Console(file=out)) as progress:
        progress(result("one"))

    assert out.getvalue() == ""


def test_progress_counts_outcomes_on_a_terminal() -> None:
    out = io.StringIO()

    with RunProgress(3, Console(file=out, force_terminal=True, width=80)) as progress:
        progress(result("one"))
        progress(failed())

    assert "2/3" in out.getvalue()
    assert f"1 {Outcome.PASS}, 1 {Outcome.FAIL}" in out.getvalue()


def test_a_stale_trial_shows_what_changed_and_only_names_what_follows_from_it(shown: Callable[..., str]) -> None:
    after = replace(stale(), checks=(*stale().checks, Check("state.replies", "broken", "1", "0")))

    text = words(shown(report([after])))

    assert "changed system, contents[2]" in text
    assert "did not hold either: state.replies" in text
    assert "expected 1 observed 0" not in text
