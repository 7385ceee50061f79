"""When a human can be expected, and one clear line for every mistake in the file."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dm_core.agent.hours import parse_hours, told
from dm_core.errors import Misconfigured

ZONE = ZoneInfo("Europe/London")
FILE = """
[week]
tuesday = ["18:00-20:00"]
friday = ["22:00-02:00"]
saturday = ["09:00-12:00", "12:00-17:00"]

[holidays]
2026-12-22 = []
"2026-12-29" = ["10:00-11:00"]

[closed]
en = "We read messages on Tuesdays."
"""


def seen(text: str) -> dict[str, object]:
    hours = parse_hours("profile/hours.toml", FILE)
    return told(hours, datetime.fromisoformat(text).replace(tzinfo=ZONE))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-12-01T18:00", "Tuesday 1 December 2026, 20:00"),
        ("2026-12-01T19:59", "Tuesday 1 December 2026, 20:00"),
        ("2026-12-05T01:59", "Saturday 5 December 2026, 02:00"),
        ("2026-12-05T11:00", "Saturday 5 December 2026, 17:00"),
        ("2026-12-29T10:30", "Tuesday 29 December 2026, 11:00"),
    ],
)
def test_open_says_until_when(now: str, until: str) -> None:
    assert seen(now) == {"open_now": True, "until": until}


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-12-01T17:59", "Tuesday 1 December 2026, 18:00"),
        ("2026-12-01T20:00", "Friday 4 December 2026, 22:00"),
        ("2026-12-05T02:00", "Saturday 5 December 2026, 09:00"),
        ("2026-12-22T18:30", "Friday 25 December 2026, 22:00"),
        ("2026-12-29T18:30", "Friday 1 January 2027, 22:00"),
    ],
)
def test_closed_says_from_when_and_what_to_say(now: str, opens: str) -> None:
    expected = {"open_now": False, "next_from": opens, "say_when_closed": {"en": "We read messages on Tuesdays."}}

    assert seen(now) == expected


def test_a_business_that_never_opens_promises_no_time() -> None:
    hours = parse_hours("profile/hours.toml", "")

    assert told(hours, datetime(2026, 12, 1, tzinfo=ZONE)) == {"open_now": False, "next_from": "not known"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[week", "is not valid TOML"),
        ("[weeks]", "weeks is unknown (known: closed, holidays, week)"),
        ("week = 3", "week must be a table: [week]"),
        ("[week]\nmontag = []", "week.montag is no day"),
        ('[week]\nmonday = "9-12"', "week.monday must be a list of hours"),
        ('[week]\nmonday = ["9-12"]', "week.monday must be a list of hours"),
        ('[week]\nmonday = ["24:30-12:00"]', "is no span of a day"),
        ('[week]\nmonday = ["09:00-09:00"]', "is no span of a day"),
        ('[week]\nmonday = ["09:00-12:00", "11:00-13:00"]', "has hours that overlap"),
        ("[holidays]\nchristmas = []", "holidays.christmas is no date"),
        ("[closed]\nen = 3", "closed.en must be a text of one line"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(text: str, line: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_hours("profile/hours.toml", text)

    assert "profile/hours.toml" in str(caught.value)
    assert line in str(caught.value)
