"""Tool calls: required, ordered, bounded, forbidden, not allowed; and which call came nearest."""

from dm_evals.results import Outcome
from tests.evals.checks.making import DATES, NOTIFY, REACT, SEND, check, judged, observed, outcome, use, verdict

TUESDAY = {"calls": {"required": [{"tool": SEND, "args": {"text": {"contains": "Tuesday"}}}]}}


def test_the_right_call_passes() -> None:
    assert outcome(TUESDAY, observed(use(SEND, text="On Tuesday."))) is Outcome.PASS


def test_a_wrong_argument_fails_and_the_nearest_call_is_shown() -> None:
    far, near = use(SEND, text="Hello"), use(SEND, 2, text="See you on Thursday")

    found = check(TUESDAY, observed(far, near), "calls.required")

    assert found.verdict == "broken"
    assert "turn 2" in found.nearest
    assert 'text: wanted contains "Tuesday", got "See you on Thursday"' in found.nearest


def test_a_missing_argument_never_matches() -> None:
    found = check(TUESDAY, observed(use(SEND)), "calls.required")

    assert found.verdict == "broken"
    assert "not given" in found.nearest


def test_a_missing_call_says_so() -> None:
    found = check(TUESDAY, observed(use(DATES)), "calls.required")

    assert (found.verdict, found.nearest, found.observed) == ("broken", "no such call was made", DATES)


def test_one_call_does_not_meet_two_requirements() -> None:
    twice = {"calls": {"required": [{"tool": SEND}, {"tool": SEND, "args": {"text": {"contains": "Tuesday"}}}]}}

    assert outcome(twice, observed(use(SEND, text="Tuesday"))) is Outcome.FAIL
    assert outcome(twice, observed(use(SEND, text="Tuesday"), use(SEND, text="Hi"))) is Outcome.PASS


def test_at_least_and_at_most_are_counted() -> None:
    bounded = {"calls": {"required": [{"tool": DATES, "at_least": 2, "at_most": 3}]}}

    results = [
        outcome(bounded, observed(*[use(DATES, n, outcome="answered") for n in range(count)])) for count in range(5)
    ]

    assert results == [Outcome.FAIL, Outcome.FAIL, Outcome.PASS, Outcome.PASS, Outcome.FAIL]


def test_a_call_beyond_its_bound_may_belong_to_another_requirement() -> None:
    two = {"calls": {"required": [{"tool": SEND, "args": {"text": {"contains": "a"}}, "at_most": 1}, {"tool": SEND}]}}

    assert outcome(two, observed(use(SEND, text="a"), use(SEND, text="ab"))) is Outcome.PASS


def test_order_counts_only_where_it_is_asked_for() -> None:
    calls = observed(use(SEND, 1), use(DATES, 2, outcome="answered"))
    required = [{"tool": DATES}, {"tool": SEND}]

    assert outcome({"calls": {"required": required}}, calls) is Outcome.PASS
    assert verdict({"calls": {"required": required, "ordered": True}}, calls, "calls.order") == "broken"
    assert verdict({"calls": {"required": required[::-1], "ordered": True}}, calls, "calls.order") == "held"


def test_a_forbidden_tool_may_not_even_be_asked_for() -> None:
    for how in ("done", "refused", "dropped", "discarded", "uncertain"):
        made = observed(use(NOTIFY, outcome=how), use(SEND, 2, text="Sorry about that, Tuesday!"))

        assert verdict(TUESDAY | {"calls": {"forbidden": [NOTIFY]}}, made, "calls.forbidden") == "broken", how


def test_an_action_nobody_asked_for_fails_and_data_does_not() -> None:
    extra = observed(use(SEND, text="Tuesday"), use(REACT, index=1))
    harmless = observed(
        use(DATES, outcome="answered"), use(SEND, 2, text="Tuesday"), use("no_reply", 3), use("save_note", 3)
    )

    assert verdict(TUESDAY, extra, "calls.unallowed") == "broken"
    assert outcome({"calls": {**TUESDAY["calls"], "allowed": [REACT]}}, extra) is Outcome.PASS
    assert outcome(TUESDAY, harmless) is Outcome.PASS


def test_a_second_reply_that_fits_nothing_is_not_allowed() -> None:
    assert (
        verdict(TUESDAY, observed(use(SEND, text="Tuesday"), use(SEND, 2, text="I'm Dave")), "calls.unallowed")
        == "broken"
    )


def test_what_was_dropped_or_discarded_was_not_done() -> None:
    for how in ("dropped", "discarded"):
        assert outcome(TUESDAY, observed(use(SEND, outcome=how, text="Tuesday"))) is Outcome.FAIL


def test_a_second_try_after_a_refusal_is_one_reply() -> None:
    once = {"calls": {"required": [{"tool": SEND, "args": {"text": {"contains": "Tuesday"}}, "at_most": 1}]}}
    tried = observed(use(SEND, outcome="refused", text="Tuesday! evil.example"), use(SEND, 2, text="Tuesday!"))

    assert outcome(once, tried) is Outcome.PASS


def test_all_calls_together_are_bounded() -> None:
    assert verdict({"calls": {"at_most": 1}}, observed(use(DATES), use(DATES, 2)), "calls.total") == "broken"


def test_an_empty_list_of_calls_forbids_every_action_but_only_if_written() -> None:
    expects_silence: dict[str, object] = {"calls": {"required": []}, "state": {"replies": 0}}

    assert verdict(expects_silence, observed(use(SEND, text="Hi")), "calls.unallowed") == "broken"
    made = judged({"state": {"replies": 0}}, observed(use(SEND, text="Hi"))).checks
    assert [check.name for check in made if not check.name.startswith("rule.")] == ["state.replies"]
