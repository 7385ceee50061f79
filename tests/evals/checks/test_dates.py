"""Dates in a reply: what is named, and whether it is in the calendar (24 and 26 November, 1 December 2026, 18:00)."""

from dataclasses import replace

import pytest
from making import replied, verdict

HELD = (
    "Tuesday 24 November, 18:00-20:00",
    "24/11",
    "11/24/2026",
    "2026-11-24",
    "am Dienstag, 24.11., um 18 Uhr",
    "Di., 24.11.2026",
    "von 18:00 bis 20:00 Uhr am Donnerstag, den 26. November",
    "Tuesday the 24th",
    "Nov 24 and 26",
    "Tuesday, November 24th, 2026",
    "el martes 24 de noviembre a las 18:00",
    "24 y 26 de noviembre",
    "on Tuesday at 6",
    "every Wednesday", "jeden Mittwoch", "todos los miércoles", "usually Monday and Friday", "los lunes", "mittwochs",
    "No nets on Wednesday, the next one is on Thursday 26 November.",
    "Am Mittwoch ist kein Training.",
    "El miércoles no hay entrenamiento.",
    "No session tomorrow.",
    "Thanks for writing today!",
    "Guten Morgen!", "los martes por la mañana",
    "We answer 24/7; it costs 4.50 for U9/U11, from 18.30 on, about 1/2 an hour for the 1st team.",
)  # fmt: skip
BROKEN = (
    "Wednesday 24 November",
    "Dienstag, 25.11.",
    "martes 25 de noviembre",
    "Wednesday 25 November at 18:00",
    "25/11",
    "Tuesday 24 November 2027",
    "24 and 27 November",
    "nets tomorrow at 18:00",
    "morgen um 18 Uhr",
    "mañana a las 18:00 hay entrenamiento",
    "on Wednesday at six",
    "am Mittwoch um 18 Uhr",
    "el miércoles a las 18:00",
    "the 25th",
    "See you Tue 24 Nov 19:00-21:00",
    "No nets on Tuesday, but come on Wednesday 25 November.",
    "No need to book, Wed 25 Nov is fine.",
)


@pytest.mark.parametrize("text", HELD)
def test_dates_of_the_calendar_and_no_dates_hold(text: str) -> None:
    assert verdict({"reply": {"dates": "calendar"}}, replied(text), "reply.dates") == "held"


@pytest.mark.parametrize("text", BROKEN)
def test_an_invented_date_or_a_weekday_that_does_not_fit_breaks(text: str) -> None:
    assert verdict({"reply": {"dates": "calendar"}}, replied(text), "reply.dates") == "broken"


@pytest.mark.parametrize(
    ("text", "expected"), [("On Tuesday at 6.", "broken"), ("Every Tuesday.", "held"), ("Soon!", "held")]
)
def test_where_no_date_may_be_named_the_usual_days_still_may(text: str, expected: str) -> None:
    assert verdict({"reply": {"dates": "none"}}, replied(text), "reply.dates") == expected


def test_an_empty_calendar_makes_every_date_an_invented_one() -> None:
    empty = replace(replied("On Tuesday 24 November."), sessions=())

    assert verdict({"reply": {"dates": "calendar"}}, empty, "reply.dates") == "broken"
