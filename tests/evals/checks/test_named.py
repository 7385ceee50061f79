"""Facts and sessions named by an expectation: every way of saying them holds, nothing else does."""

from dataclasses import replace
from datetime import datetime

import pytest

from dm_evals.checks.matching import matched
from dm_evals.checks.named import Named, Unknown
from dm_evals.checks.outcome import judge_trial
from dm_evals.results import Outcome
from dm_evals.scenarios.scenario import Expectations, Session
from tests.evals.checks.making import replied, scenario

FACTS = {
    "student": "65 pounds",
    "match": "4.50 pounds",
    "bar": "12:30",
    "opens": "18:00",
    "hall": "HB4 7PL",
    "free": "free",
    "shop": "£7",
}
NAMED = Named(
    FACTS,
    (
        Session(starts=datetime.fromisoformat("2026-11-24T10:00Z"), ends=datetime.fromisoformat("2026-11-24T11:00Z")),
        Session(
            starts=datetime.fromisoformat("2026-11-26T18:00Z"),
            ends=datetime.fromisoformat("2026-11-26T20:30Z"),
            place="Hollybank School",
            cancelled=True,
        ),
        Session(starts=datetime.fromisoformat("2026-12-01T18:00Z"), ends=datetime.fromisoformat("2026-12-01T20:30Z")),
    ),
    datetime.fromisoformat("2026-11-25T12:00+00:00"),
)


def holds(matcher: dict[str, object], text: str) -> bool:
    resolved = NAMED.resolved(Expectations.model_validate({"reply": {"must": [matcher]}}))
    return matched(resolved.reply.must[0], text)


@pytest.mark.parametrize(
    ("fact", "said", "not_said"),
    [
        (
            "student",
            ["65 pounds", "it's £65.", "65.00 a year", "sixty-five pounds", "65 Pfund", "fünfundsechzig Pfund", "६५"],
            ["60 pounds", "165 pounds", "65.50", "on 6.5.", "0:65", "65% off", "1,65", ""],
        ),
        ("match", ["£4.50", "4.50 each"], ["4 pounds", "14.50", "4.505"]),
        ("shop", ["£7", "seven pounds"], ["at 7pm", "7:30", "17", "7 h"]),
        (
            "bar",
            ["from 12:30", "12.30", "half past twelve", "12:30 pm"],
            ["12:00", "2:30", "112:30", "12:30 am", "1:30"],
        ),
        (
            "opens",
            [
                "18:00",
                "18.00 Uhr",
                "6pm",
                "6 p.m.",
                "at 6",
                "6-8pm",
                "six o'clock",
                "18 Uhr",
                "18h00",
                "6 to 8 pm",
                "६ बजे",
            ],
            ["6am", "19:00", "16:00", "6:00 am", "8 pm", "at 6:30", "18:30", "26 November"],
        ),
        ("hall", ["HB4 7PL.", "hb4  7pl"], ["HB4 7QX", "HB47"]),
        ("free", ["it's FREE"], ["carefree", "£5"]),
    ],
)
def test_a_fact_is_found_however_it_is_said(fact: str, said: list[str], not_said: list[str]) -> None:
    assert [text for text in said if not holds({"fact": fact}, text)] == []
    assert [text for text in not_said if holds({"fact": fact}, text)] == []


@pytest.mark.parametrize(
    ("session", "field", "said", "not_said"),
    [
        (
            "next",
            "date",
            [
                *(
                    "Tuesday 1 December",
                    "on December 1st",
                    "1/12",
                    "1.12.",
                    "the 1st",
                    "2026-12-01",
                    "1 and 3 December",
                ),
                *("el 1 de diciembre", "1. Dezember", "1 दिसंबर", "१ दिसंबर", "Dienstag", "le mardi", "December 1 and 3"),
            ],
            ["26 November", "11 December", "21 December", "1 January", "Thursday", "at 1:12", "tomorrow"],
        ),
        ("next", "end", ["20:30", "8:30 pm", "half past eight"], ["20:00", "8:30 am", "18:00"]),
        (2, "place", ["at Hollybank  school"], ["at the Recreation Ground"]),
        (2, "date", ["tomorrow", "on Thursday", "26th November"], ["Friday", "27 November", "today"]),
        (1, "date", ["24 November"], ["Tuesday", "on Tuesday, 1 December"]),
    ],
)
def test_a_session_is_found_however_it_is_said(
    session: int | str, field: str, said: list[str], not_said: list[str]
) -> None:
    matcher: dict[str, object] = {"session": session, "field": field}
    assert [text for text in said if not holds(matcher, text)] == []
    assert [text for text in not_said if holds(matcher, text)] == []


def test_a_time_is_the_calendars_not_utc() -> None:
    summer = scenario(
        {"reply": {"must": [{"session": 1, "field": "start"}]}},
        sessions=[{"starts": "2026-06-02T17:00Z", "ends": "2026-06-02T19:00Z"}],
    )

    assert judge_trial(summer, replied("At 18:00.")).outcome is Outcome.PASS
    assert judge_trial(summer, replied("At 17:00.")).outcome is Outcome.FAIL


def test_a_reply_that_says_the_old_price_fails_and_says_why() -> None:
    asked = scenario({"reply": {"must": [{"fact": "membership.student"}]}})
    told = replied("As a student you pay 60 pounds.")

    before = judge_trial(asked, replace(told, facts={"membership.student": "60 pounds"}))
    after = judge_trial(asked, replace(told, facts={"membership.student": "65 pounds"}))

    assert before.outcome is Outcome.PASS
    assert after.outcome is Outcome.FAIL
    (broken,) = after.broken
    assert broken.expected == "fact membership.student, which is 65 pounds"
    assert "60 pounds" in broken.observed


def test_what_is_not_there_is_never_held() -> None:
    nowhere = judge_trial(scenario({"reply": {"must": [{"fact": "membership.dog"}]}}), replied("60 pounds"))

    assert nowhere.outcome is Outcome.ERRORED
    assert "the profile has no fact membership.dog" in nowhere.reason
    with pytest.raises(Unknown, match="there is no session 4: the calendar has 3"):
        NAMED.session(4)
    with pytest.raises(Unknown, match="no next session"):
        Named({}, NAMED.sessions[:2], NAMED.now).session("next")
