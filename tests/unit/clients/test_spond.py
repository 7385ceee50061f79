"""The calendar client against a scripted Spond: logins, time ranges, odd events."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dm_core.clients.http import HttpClient
from dm_core.clients.port import Session
from dm_core.clients.spond import SpondClient
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater
from dm_core.settings import SpondSettings

if TYPE_CHECKING:
    from tests.unit.clients.conftest import Now, Platform

FIRST = "jwt-1"
LOGIN, EVENTS = "/auth2/login", "/sponds/"
START = datetime(2026, 10, 20, 12, tzinfo=UTC)
END = START + timedelta(days=14)


def signed_in(token: str = FIRST, expiration: str = "2026-12-01T00:00:00Z") -> dict[str, object]:
    return {"accessToken": {"token": token, "expiration": expiration}, "refreshToken": {"token": "other"}}


def event(event_id: str = "E1", start: str = "2026-10-22T16:00:00Z", **more: object) -> dict[str, object]:
    return {"id": event_id, "heading": "Nets", "type": "RECURRING", "startTimestamp": start, **more}


@pytest.fixture
def client(platform: "Platform", http: HttpClient, now: "Now") -> SpondClient:
    platform.answers(signed_in(), path=LOGIN)
    return SpondClient(SpondSettings(platform.url, "bot@club.test", "pass-word", ("G1",)), now, http=http)


def login_again(platform: "Platform", *answers: tuple[object, int]) -> None:
    platform.forget()
    for body, status in answers:
        platform.answers(body, status, path=LOGIN)


async def test_a_session_is_read_without_people(platform: "Platform", client: SpondClient) -> None:
    platform.answers(
        [
            event(
                endTimestamp="2026-10-22T18:00:00Z",
                cancelled=True,
                location={"feature": "Sports  hall", "address": "Road 1"},
                maxAccepted=2,
                responses={"acceptedIds": ["p1", "p2"], "declinedIds": ["p3"]},
                owners=[{"id": "p9", "response": "accepted"}],
            )
        ],
        path=EVENTS,
    )

    (session,) = await client.calendar("G1").sessions(START, END)

    assert session == Session(
        id="E1",
        title="Nets",
        starts_at=datetime(2026, 10, 22, 16, tzinfo=UTC),
        ends_at=datetime(2026, 10, 22, 18, tzinfo=UTC),
        cancelled=True,
        location="Sports hall",
        accepted=2,
        capacity=2,
    )
    assert session.is_full


async def test_the_login_and_the_question_are_as_spond_wants_them(platform: "Platform", client: SpondClient) -> None:
    platform.answers([], path=EVENTS)

    await client.calendar("G1").sessions(START, END)

    login, question = platform.requests
    assert (login.method, login.json) == ("POST", {"email": "bot@club.test", "password": "pass-word"})
    assert (question.method, question.path) == ("GET", "/sponds/")
    assert question.headers["authorization"] == "Bearer jwt-1"
    assert question.query == {
        "groupId": "G1",
        "minStartTimestamp": "2026-10-19T00:00:00.000Z",
        "maxStartTimestamp": "2026-11-05T00:00:00.000Z",
        "max": "100",
        "scheduled": "true",
    }


async def test_only_the_asked_range_comes_back_sorted(platform: "Platform", client: SpondClient) -> None:
    platform.answers(
        [
            event("after", "2026-11-03T12:00:00Z"),
            event("late", "2026-11-03T11:59:59Z"),
            event("first", "2026-10-20T12:00:00Z"),
            event("before", "2026-10-20T11:59:59Z"),
            event("first", "2026-10-20T12:00:00Z"),
        ],
        path=EVENTS,
    )

    assert [session.id for session in await client.calendar("G1").sessions(START, END)] == ["first", "late"]


async def test_the_clock_change_moves_the_utc_time_not_the_local_one(platform: "Platform", client: SpondClient) -> None:
    oslo = ZoneInfo("Europe/Oslo")
    summer, winter = event("summer", "2026-10-24T16:00:00.000Z"), event("winter", "2026-10-31T18:00:00+01:00")
    platform.answers([winter, summer], path=EVENTS)

    before, after = await client.calendar("G1").sessions(START, END)

    assert before.starts_at.astimezone(oslo).strftime("%d %H:%M") == "24 18:00"
    assert after.starts_at.astimezone(oslo).strftime("%d %H:%M") == "31 18:00"
    assert after.starts_at - before.starts_at == timedelta(days=7, hours=1)
    assert after.starts_at.tzinfo is UTC


async def test_a_range_in_local_time_is_asked_in_whole_utc_days(platform: "Platform", client: SpondClient) -> None:
    start = datetime(2026, 10, 25, 0, 30, tzinfo=ZoneInfo("Pacific/Auckland"))
    platform.answers([event(start="2026-10-24T12:00:00Z")], path=EVENTS)

    found = await client.calendar("G1").sessions(start, start + timedelta(hours=12))

    assert platform.requests[1].query["minStartTimestamp"] == "2026-10-23T00:00:00.000Z"
    assert len(found) == 1


async def test_odd_events_are_left_out_and_counted(
    platform: "Platform", client: SpondClient, capsys: pytest.CaptureFixture[str]
) -> None:
    odd: list[object] = ["x", None, {}, event(start="soon"), {"id": 5, "startTimestamp": "2026-10-22T16:00:00Z"}]
    quiet = [event("H", hidden=True), event("A", type="AVAILABILITY")]
    bare = {
        "id": "bare",
        "startTimestamp": "2026-10-22T16:00:00Z",
        "maxAccepted": 0,
        "endTimestamp": "2020-01-01T00:00Z",
    }
    platform.answers([*odd, *quiet, bare], path=EVENTS)

    (session,) = await client.calendar("G1").sessions(START, END)

    assert session == Session("bare", "", datetime(2026, 10, 22, 16, tzinfo=UTC), None, False, None, 0, None)
    assert '"message": "spond_events_skipped"' in capsys.readouterr().out


async def test_events_of_which_none_can_be_read_are_no_empty_calendar(
    platform: "Platform", client: SpondClient
) -> None:
    platform.answers([{"uid": "E1", "title": "Nets", "starts": "2026-10-22T16:00:00Z"}], path=EVENTS)

    with pytest.raises(Refused):
        await client.calendar("G1").sessions(START, END)


@pytest.mark.parametrize("written", [True, "true", "True", 1, "1"])
async def test_what_is_cancelled_or_hidden_is_so_however_it_is_written(
    platform: "Platform", client: SpondClient, written: object
) -> None:
    events = [event("E1", cancelled=written), event("E2", hidden=written), event("E3", cancelled=False)]
    platform.answers(events, path=EVENTS)

    told = await client.calendar("G1").sessions(START, END)

    assert [(session.id, session.cancelled) for session in told] == [("E1", True), ("E3", False)]


async def test_a_full_answer_is_asked_for_in_halves(platform: "Platform", client: SpondClient) -> None:
    crowd = [event(f"C{number}", f"2026-10-21T{number % 24:02}:00:00Z") for number in range(100)]
    platform.answers(crowd, path=EVENTS)
    platform.answers(crowd[:60], path=EVENTS)
    platform.answers([*crowd[50:], event("last", "2026-11-02T10:00:00Z")][1:], path=EVENTS)

    found = await client.calendar("G1").sessions(START, END)

    assert len(found) == 101
    assert len(platform.seen(EVENTS)) == 3
    halves = sorted(
        (request.query["minStartTimestamp"], request.query["maxStartTimestamp"])
        for request in platform.seen(EVENTS)[1:]
    )
    assert halves[0][1] == halves[1][0]


async def test_a_day_that_fills_an_answer_is_asked_for_whole(platform: "Platform", client: SpondClient) -> None:
    camp = [event(f"C{number}", START.strftime("%Y-%m-%dT%H:%M:%SZ")) for number in range(130)]
    platform.answers(camp[:100], path=EVENTS)
    platform.answers(camp[:100], path=EVENTS)
    platform.answers(camp[:100], path=EVENTS)
    platform.answers(camp, path=EVENTS)

    found = await client.calendar("G1").sessions(START, START + timedelta(minutes=1))

    assert len(found) == 130
    assert "1000" in {request.query["max"] for request in platform.seen(EVENTS)}


async def test_endless_events_are_refused(platform: "Platform", client: SpondClient) -> None:
    platform.answers([event(f"C{number}") for number in range(100)], path=EVENTS)

    with pytest.raises(Refused):
        await client.calendar("G1").sessions(START, START + timedelta(days=365))

    assert len(platform.seen(EVENTS)) <= 16


async def test_one_login_serves_until_it_expires(platform: "Platform", client: SpondClient, now: "Now") -> None:
    login_again(platform, (signed_in("jwt-1", "2026-09-21T15:13:20Z"), 200), (signed_in("jwt-2"), 200))
    platform.answers([], path=EVENTS)

    await client.calendar("G1").sessions(START, END)
    now.pass_seconds(58 * 60)
    await client.calendar("G1").sessions(START, END)
    assert len(platform.seen(LOGIN)) == 1
    now.pass_seconds(2 * 60)
    await client.calendar("G1").sessions(START, END)

    assert len(platform.seen(LOGIN)) == 2
    assert platform.requests[-1].headers["authorization"] == "Bearer jwt-2"


async def test_callers_at_once_share_one_login(platform: "Platform", client: SpondClient) -> None:
    platform.answers([], path=EVENTS)

    await asyncio.gather(*(client.calendar("G1").sessions(START, END) for _ in range(10)))

    assert len(platform.seen(LOGIN)) == 1


@pytest.mark.parametrize("expiration", ["2001-01-01T00:00:00Z", "never", "", "0001-01-01T00:00:00+14:00"])
async def test_a_token_that_seems_expired_causes_no_login_storm(
    platform: "Platform", client: SpondClient, expiration: str
) -> None:
    login_again(platform, (signed_in("jwt-1", expiration), 200))
    platform.answers([], path=EVENTS)

    for _ in range(5):
        await client.calendar("G1").sessions(START, END)

    assert len(platform.seen(LOGIN)) == 1


async def test_a_rejected_token_is_renewed_once(platform: "Platform", client: SpondClient) -> None:
    login_again(platform, (signed_in("jwt-1"), 200), (signed_in("jwt-2"), 200))
    platform.answers({}, 401, path=EVENTS)
    platform.answers([event()], path=EVENTS)

    assert len(await client.calendar("G1").sessions(START, END)) == 1
    assert [request.headers["authorization"] for request in platform.seen(EVENTS)] == ["Bearer jwt-1", "Bearer jwt-2"]


async def test_a_token_that_is_never_taken_ends_in_a_pause(
    platform: "Platform", client: SpondClient, now: "Now"
) -> None:
    platform.answers({}, 401, path=EVENTS)

    for _ in range(3):
        with pytest.raises(AccountStopped):
            await client.calendar("G1").sessions(START, END)
    assert (len(platform.seen(LOGIN)), len(platform.seen(EVENTS))) == (2, 2)
    now.pass_seconds(601)
    with pytest.raises(AccountStopped):
        await client.calendar("G1").sessions(START, END)

    assert len(platform.seen(LOGIN)) == 4


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"errorKey": "outOfLoginAttempts", "errorCode": 1002}, 429, AccountStopped, "out of login attempts"),
        ({"token": "2fa", "phoneNumber": "*****12"}, 200, AccountStopped, "two-factor"),
        ({"message": "wrong"}, 401, AccountStopped, "login was refused"),
        ({}, 200, AccountStopped, "login was refused"),
        ({"accessToken": {"token": "two words"}}, 200, AccountStopped, "login was refused"),
        (b"<html>blocked</html>", 403, Refused, "changed or is blocked"),
        ({}, 429, Refused, "too many logins"),
    ],
)
async def test_a_refused_login_is_not_tried_again_for_ten_minutes(
    platform: "Platform",
    client: SpondClient,
    now: "Now",
    body: object,
    status: int,
    kind: type[PlatformError],
    words: str,
) -> None:
    login_again(platform, (body, status), (signed_in(), 200))
    platform.answers([], path=EVENTS)

    for _ in range(3):
        with pytest.raises(kind, match=words) as caught:
            await client.calendar("G1").sessions(START, END)
        assert type(caught.value) is kind
        assert "12" not in str(caught.value).replace("1002", "")
        now.pass_seconds(199)
    assert len(platform.requests) == 1
    now.pass_seconds(5)
    await client.calendar("G1").sessions(START, END)

    assert len(platform.seen(LOGIN)) == 2


@pytest.mark.parametrize("status", [200, 500, 503])
async def test_a_login_of_unknown_outcome_is_posted_once(
    platform: "Platform", client: SpondClient, status: int
) -> None:
    login_again(platform, (b"<html>", status))

    with pytest.raises(RetryLater):
        await client.calendar("G1").sessions(START, END)

    assert len(platform.seen(LOGIN)) == 1


async def test_a_login_that_is_not_answered_is_posted_once(platform: "Platform", client: SpondClient) -> None:
    platform.forget()
    platform.stalls(LOGIN)

    with pytest.raises(RetryLater):
        await client.calendar("G1").sessions(START, END)

    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>", 200, RetryLater),
        ({}, 500, RetryLater),
        ({}, 429, RetryLater),
        ({}, 200, Refused),
        ({}, 404, Refused),
    ],
)
async def test_an_answer_without_events_is_an_error(
    platform: "Platform", client: SpondClient, body: object, status: int, kind: type[PlatformError]
) -> None:
    platform.answers(body, status, path=EVENTS)

    with pytest.raises(kind):
        await client.calendar("G1").sessions(START, END)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.text() | st.just("2026-10-22T16:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("heading", "endTimestamp", "cancelled", "location", "responses", "maxAccepted", "hidden", "type")
HOSTILE = st.fixed_dictionaries(
    {"id": JSON | st.just("E"), "startTimestamp": JSON | st.just("2026-10-22T16:00:00Z")},
    optional=dict.fromkeys(NAMES, JSON),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(login=JSON | st.just(signed_in()), events=JSON | st.lists(HOSTILE, max_size=4))
async def test_whatever_spond_answers_only_platform_errors_come_out(
    platform: "Platform", http: HttpClient, now: "Now", login: object, events: object
) -> None:
    platform.forget()
    platform.answers(login, path=LOGIN)
    platform.answers(events, path=EVENTS)
    client = SpondClient(SpondSettings(platform.url, "bot@club.test", "pass-word", ("G1",)), now, http=http)

    try:
        for session in await client.calendar("G1").sessions(START, END):
            assert START <= session.starts_at < END
    except PlatformError as error:
        assert str(error).startswith("Spond")


async def test_a_subgroup_is_asked_for_within_its_group(client: SpondClient, platform: "Platform") -> None:
    platform.answers([event()], path=EVENTS)

    await client.calendar("G2/S1").sessions(START, END)

    query = platform.seen(EVENTS)[0].query
    assert (query["groupId"], query["subGroupId"]) == ("G2", "S1")


async def test_when_the_members_are_invited_is_told(client: SpondClient, platform: "Platform") -> None:
    platform.answers([event(inviteTime="2026-10-20T07:00:00Z"), event("E2", inviteTime="soon")], path=EVENTS)

    first, second = await client.calendar("G1").sessions(START, END)

    assert first.invites_at == datetime(2026, 10, 20, 7, tzinfo=UTC)
    assert second.invites_at is None
