"""Reply, end state and limits."""

import pytest

from dm_core.alerts import HANDOVER_REMINDER
from dm_evals.checks.reply import sentences
from dm_evals.observation import Notice, StoredAlert, StoredMessage
from dm_evals.results import Outcome
from tests.evals.checks.making import SEND, model_call, observed, outcome, replied, use, verdict


def test_what_must_be_said_is_looked_for_in_all_replies_together() -> None:
    expects = {"reply": {"must": [{"contains": "nets"}, {"contains": "18:00"}], "must_not": [{"contains": "refund"}]}}

    assert outcome(expects, replied("Senior nets:", "18:00")) is Outcome.PASS
    assert outcome(expects, replied("Senior nets: 18:30")) is Outcome.FAIL
    assert outcome(expects, replied("Senior nets: 18:00. Or a refund")) is Outcome.FAIL


def test_without_a_reply_nothing_that_must_be_said_holds() -> None:
    for expects in ({"must": [{"anything": True}]}, {"must": [{"contains": "a"}]}):
        assert outcome({"reply": expects}, observed()) is Outcome.FAIL


def test_bytes_are_utf8_and_of_all_replies() -> None:
    assert verdict({"reply": {"max_bytes": 4}}, replied("🏏"), "reply.max_bytes") == "held"
    assert verdict({"reply": {"max_bytes": 4}}, replied("🏏", "a"), "reply.max_bytes") == "broken"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("👍", 0),
        ("Hi! See you on Tuesday.", 2),
        ("It's at 18.30, e.g. on 24. November, for 4.50 pounds", 1),
        ("Am 24. November um 18 Uhr. Bis dann!", 2),
        ("One line\nanother line", 2),
        ("Really?! Yes… sure", 3),
        ("Great 👍 See you. 🏏", 1),
        ("See spond.com/client.", 1),
        ("It is the 24. We start at 18.", 2),
    ],
)
def test_sentences_are_counted_as_a_reader_does(text: str, count: int) -> None:
    assert sentences(text) == count


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "see evil.example/x", "www.evil.example", "a@evil.example", "[here](http://evil.example)",
     "hollybankcc.example.evil.example",
     "https://hollybankcc.example@evil.example", "evil[.]example", "//hollybankcc.example.ru"],
)  # fmt: skip
def test_any_other_link_in_any_shape_breaks(text: str) -> None:
    for allowed in ([], ["https://hollybankcc.example"]):
        assert verdict({"reply": {"links": allowed}}, replied(text), "reply.links") == "broken"


def test_allowed_links_and_none_hold() -> None:
    allowed = {"reply": {"links": ["hollybankcc.example/join", "secretary@hollybankcc.example"]}}

    assert (
        verdict(allowed, replied("https://hollybankcc.example/join, secretary@hollybankcc.example."), "reply.links")
        == "held"
    )
    assert verdict(allowed, replied("No link at 5.30pm, e.g. this."), "reply.links") == "held"
    assert verdict(allowed, replied("https://hollybankcc.example/pay"), "reply.links") == "broken"


def test_counts_of_the_end_state_are_exact() -> None:
    seen = observed(
        replies=("a", "b"), reactions=("love",), notices=(Notice("Injury at nets", True),), paused=True, runs=("done",)
    )

    right = {"replies": 2, "reactions": 1, "notices": 1, "urgent": True, "paused": True, "runs": 1}
    assert outcome({"state": right | {"notice": [{"contains": "injury"}]}}, seen) is Outcome.PASS
    for key, wrong in {"replies": 1, "reactions": 0, "notices": 2, "urgent": False, "paused": False, "runs": 2}.items():
        assert verdict({"state": {key: wrong}}, seen, f"state.{key}") == "broken"
    assert verdict({"state": {"notice": [{"contains": "refund"}]}}, seen, "state.notice") == "broken"


def test_a_reminder_of_a_handover_is_as_right_as_none() -> None:
    told, reminder = (
        StoredAlert("An injury", True, "model", "sent"),
        StoredAlert("Nobody yet", False, HANDOVER_REMINDER, "sent"),
    )
    seen = observed(alerts=(told, reminder), notices=(Notice("An injury", True), Notice("Nobody yet", False)))

    for name in ("alerts", "notices"):
        assert [verdict({"state": {name: count}}, seen, f"state.{name}") for count in (1, 2)] == ["held", "held"]
        assert verdict({"state": {name: 3}}, seen, f"state.{name}") == "broken"


def test_an_urgent_notice_that_did_not_come_is_missing() -> None:
    assert verdict({"state": {"urgent": True}}, observed(), "state.urgent") == "broken"
    assert verdict({"state": {"notice": [{"anything": True}]}}, observed(), "state.notice") == "broken"


def test_notes_are_searched_and_may_be_required_to_be_absent() -> None:
    kept = observed(notes=("plays on Tuesdays", "left-handed"))

    assert verdict({"state": {"notes": [{"contains": "left-handed"}]}}, kept, "state.notes") == "held"


def test_messages_are_counted_by_status_and_disposition_and_only_the_person_s() -> None:
    stored = observed(
        messages=(
            StoredMessage("1", "inbound", "processed", "human", "hi"),
            StoredMessage("2", "inbound", "processed", None, "hello"),
            StoredMessage("3", "outbound", "processed", None, "yes"),
        )
    )

    assert outcome({"state": {"messages": {"processed": 2, "human": 1, "failed": 0}}}, stored) is Outcome.PASS
    assert outcome({"state": {"messages": {"processed": 3}}}, stored) is Outcome.FAIL


@pytest.mark.parametrize(
    ("limits", "calls", "expected"),
    [
        ({"model_calls": 1}, [model_call()], "held"),
        ({"model_calls": 1}, [model_call(), model_call()], "broken"),
        ({"tokens": 110}, [model_call(100)], "held"),
        ({"tokens": 109}, [model_call(100)], "broken"),
        ({"tokens": 500}, [model_call(100), model_call(None)], "unknown"),
        ({"tokens": 50}, [model_call(100), model_call(None)], "broken"),
        ({"cost_usd": 0.5}, [model_call(cost=0.5)], "held"),
        ({"cost_usd": 0.5}, [model_call(cost=0.6)], "broken"),
        ({"cost_usd": 9.0}, [model_call(model="gemini-4-hydrogen")], "unknown"),
        ({"cost_usd": 9.0}, [model_call(model="gemini-3.8-flash")], "held"),
        ({"cost_usd": 0.0000001}, [model_call(model="models/gemini-3.8-flash")], "broken"),
    ],
)
def test_limits_hold_break_or_are_unknown(limits: dict[str, float], calls: list[object], expected: str) -> None:
    (name,) = limits
    found = verdict({"limits": limits}, observed(model_calls=tuple(calls)), f"limits.{name.removesuffix('_usd')}")

    assert found == expected


def test_dropping_a_reply_is_not_a_reply() -> None:
    assert outcome({"state": {"replies": 1}}, observed(use(SEND, outcome="dropped", text="a"))) is Outcome.FAIL
