"""The outcome of a trial: each row of the table, and what no change may do to it."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dm_evals.checks.outcome import judge_trial
from dm_evals.judge import GENERAL, Evidence, Ruling
from dm_evals.observation import Stale, ToolUse
from dm_evals.results import Outcome
from dm_evals.scenarios.scenario import Matcher
from tests.evals.checks.making import DATES, NOTIFY, REACT, SEND, judged, observed, outcome, replied, scenario, use

GOOD = {
    "calls": {"required": [{"tool": SEND, "args": {"text": {"contains": "Tuesday"}}}], "forbidden": [NOTIFY]},
    "reply": {"language": "en", "must": [{"contains": "Tuesday"}]},
}
REPLY = "Hi! The next nets are on Tuesday 24 November."


class Judge:
    def __init__(self, *votes: str) -> None:
        self.votes = votes

    def asks_in_general(self, scenario: str) -> bool:
        return scenario == "asks_all"

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        if not self.votes:
            raise TimeoutError(f"no answer about {statements} of {evidence.scenario}")
        return [Ruling(self.votes) for _ in statements]  # pyright: ignore[reportArgumentType]


def test_everything_held_is_a_pass() -> None:
    assert outcome(GOOD, replied(REPLY)) is Outcome.PASS


def test_nothing_checked_is_errored() -> None:
    result = judged({}, replied(REPLY))

    assert (result.outcome, result.reason) == (Outcome.ERRORED, "nothing was checked")


def test_a_crash_is_errored_whatever_was_seen() -> None:
    result = judged(GOOD, replace(replied(REPLY), crash="TimeoutError"))

    assert (result.outcome, result.reason) == (Outcome.ERRORED, "TimeoutError")
    assert outcome(GOOD, replace(observed(), crash="")) is Outcome.ERRORED


def test_a_stale_turn_is_stale_and_names_what_changed() -> None:
    result = judged(GOOD, replace(replied(REPLY), stale=(Stale(2, ("system", "contents[2]")),)))

    assert result.outcome is Outcome.STALE
    assert result.reason == "turn 2 is stale: changed system, contents[2]"


def test_a_missing_turn_is_stale_even_if_it_crashed_for_it() -> None:
    result = judged(GOOD, replace(replied(REPLY), missing_turns=(3,), crash="no answer"))

    assert result.outcome is Outcome.STALE
    assert "none for turn 3" in result.reason
    assert "no answer" in result.reason


def test_a_recorded_turn_nobody_asked_for_fails() -> None:
    result = judged(GOOD, replace(replied(REPLY), unused_turns=(2,)))

    assert result.outcome is Outcome.FAIL
    assert [check.name for check in result.broken] == ["recording.unused"]


def test_a_broken_check_outweighs_an_unknown_one() -> None:
    assert outcome(GOOD | {"rubric": ["is kind"]}, replied("No.")) is Outcome.FAIL


def test_a_rubric_is_held_broken_or_unknown_as_the_judge_says() -> None:
    asked = scenario(GOOD | {"rubric": ["is kind"]})
    votes = [("yes", "no", "yes"), ("no", "no"), ("yes", "none", "none"), ()]

    results = [judge_trial(asked, replied(REPLY), Judge(*each)).outcome for each in votes]

    assert results == [Outcome.PASS, Outcome.FAIL, Outcome.ERRORED, Outcome.ERRORED]
    assert judge_trial(asked, replied(REPLY)).outcome is Outcome.ERRORED


def test_the_general_rubric_is_asked_where_the_judge_asks_it_and_alone_is_no_expectation() -> None:
    asked = scenario(GOOD, name="asks_all")

    result = judge_trial(asked, replied(REPLY), Judge("no", "no"))

    assert result.outcome is Outcome.FAIL
    assert [check.name for check in result.broken] == [f"general.{name}" for name in GENERAL]
    assert judge_trial(scenario({}, name="asks_all"), replied(REPLY), Judge("yes", "yes")).outcome is Outcome.ERRORED


def test_an_evaluator_that_crashes_is_an_unknown_check_and_the_others_are_kept() -> None:
    asked = scenario({"reply": {"language": "en"}, "state": {"replies": 1}})
    reply = asked.expect.reply.model_copy(update={"must": (Matcher.model_construct({"regex"}, regex="(unclosed"),)})
    asked = asked.model_copy(update={"expect": asked.expect.model_copy(update={"reply": reply})})

    result = judge_trial(asked, replied(REPLY))

    assert result.outcome is Outcome.ERRORED
    assert [(check.name, check.verdict) for check in result.checks if not check.name.startswith("rule.")] == [
        ("state.replies", "held"),
        ("reply", "unknown"),
    ]


def test_a_scenario_that_was_not_reviewed_does_not_count() -> None:
    assert not judge_trial(scenario(GOOD, reviewed=False), replied(REPLY)).counts


texts = st.sampled_from([REPLY, "Nets on Tuesday!", "Thursday", "", "Wednesday 25 November", "Bis Dienstag dann."])


def _made(name: str, text: str, how: str) -> ToolUse:
    return use(name, text=text, outcome=how)


names = st.sampled_from([SEND, NOTIFY, REACT, DATES, "save_note", "no_reply"])
outcomes = st.sampled_from(["done", "refused", "dropped", "uncertain"])
calls = st.lists(st.builds(_made, names, texts, outcomes), max_size=5)


@given(calls, st.integers(0, 5))
def test_a_forbidden_call_more_never_turns_a_failure_into_a_pass(made: list[ToolUse], at: int) -> None:
    before = observed(*made, replies=(REPLY,))
    more = [*made[:at], use(NOTIFY, text="x"), *made[at:]]
    after = observed(*more, replies=(REPLY,))

    assert outcome(GOOD, after) is Outcome.FAIL
    assert not (outcome(GOOD, before) is not Outcome.PASS and outcome(GOOD, after) is Outcome.PASS)


@given(
    calls, st.integers(0, 5), st.sampled_from([DATES, "get_notes", "is_new_thread", "get_thread_messages", "save_note"])
)
def test_a_harmless_reading_call_never_changes_the_outcome(made: list[ToolUse], at: int, name: str) -> None:
    before = observed(*made, replies=(REPLY,))
    more = [*made[:at], use(name, outcome="answered"), *made[at:]]
    after = observed(*more, replies=(REPLY,))

    assert outcome(GOOD, after) is outcome(GOOD, before)


@given(
    st.sampled_from(["Hi!", "Hello there,", "Hey, thanks for your message.", "Good to hear from you."]),
    st.sampled_from(
        ["the next nets are on Tuesday 24 November", "we have nets on Tuesday, 24/11", "come along on Tuesday"]
    ),
    st.sampled_from(["See you there!", "Everyone is welcome.", "You don't need any kit. 🏏", ""]),
)
def test_other_words_within_the_matchers_stay_a_pass(greeting: str, said: str, close: str) -> None:
    assert outcome(GOOD, replied(f"{greeting} {said}. {close}".strip())) is Outcome.PASS
