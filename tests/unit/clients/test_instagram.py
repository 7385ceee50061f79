"""The Instagram client against a scripted platform, both flavours."""

import logging
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dm_core.clients.http import HttpClient
from dm_core.clients.instagram import InstagramClient
from dm_core.clients.port import AccessToken, PlatformMessage
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Uncertain
from dm_core.settings import Flavor, InstagramSettings
from dm_core.threads import Profile

if TYPE_CHECKING:
    from tests.unit.clients.conftest import Now, Platform

TOKEN = "IGAAfirst-token"
NOW = 1_790_000_000_000


def configured(url: str, flavor: Flavor = "instagram") -> InstagramSettings:
    return InstagramSettings(
        flavor=flavor,
        base_url=url,
        version="v26.0",
        node="178414",
        access_token=TOKEN,
        token_secret=None,
        token_file=None,
    )


@pytest.fixture
def client(platform: "Platform", http: HttpClient, now: "Now") -> InstagramClient:
    return InstagramClient(configured(platform.url), http)


@pytest.fixture
def page_client(platform: "Platform", http: HttpClient, now: "Now") -> InstagramClient:
    return InstagramClient(configured(platform.url, "page"), http)


async def test_a_text_is_sent_as_instagram_login_wants_it(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"recipient_id": "9001", "message_id": "aWdX"})

    mid = await client.send_text("9001", "Nets Tue 18:00 æøå 🏏")

    request = platform.requests[0]
    assert mid == "aWdX"
    assert (request.method, request.path, request.query) == ("POST", "/v26.0/178414/messages", {})
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"recipient": {"id": "9001"}, "message": {"text": "Nets Tue 18:00 æøå 🏏"}}


async def test_the_page_flavour_names_the_messaging_type(platform: "Platform", page_client: InstagramClient) -> None:
    platform.answers({"message_id": "m"})

    await page_client.send_text("9001", "Hi")

    assert platform.requests[0].json["messaging_type"] == "RESPONSE"


async def test_a_version_in_the_base_url_is_not_added_again(platform: "Platform", http: HttpClient, now: "Now") -> None:
    client = InstagramClient(configured(f"{platform.url}/v25.0"), http)
    platform.answers({"message_id": "m", "access_token": "t"})

    await client.send_text("9001", "Hi")
    await client.refresh_token(NOW)

    assert [request.path for request in platform.requests] == ["/v25.0/178414/messages", "/refresh_access_token"]


@pytest.mark.parametrize(
    "answer", [{}, {"recipient_id": "9001"}, {"message_id": ""}, {"message_id": 5}, [], b"OK", b""]
)
async def test_only_a_message_id_proves_a_send(platform: "Platform", client: InstagramClient, answer: object) -> None:
    platform.answers(answer)

    with pytest.raises(Uncertain):
        await client.send_text("9001", "Hi")

    assert len(platform.requests) == 1


async def test_a_send_that_times_out_after_it_was_written_is_posted_once(
    platform: "Platform", client: InstagramClient
) -> None:
    platform.stalls()

    with pytest.raises(Uncertain):
        await client.send_text("9001", "Hi")

    assert len(platform.requests) == 1


@pytest.mark.parametrize("text", ["", " \n", "a" * 1_001, "æ" * 501])
async def test_a_text_the_platform_would_not_take_is_not_sent(
    platform: "Platform", client: InstagramClient, text: str
) -> None:
    with pytest.raises(Refused):
        await client.send_text("9001", text)

    assert platform.requests == []


async def test_a_text_of_exactly_a_thousand_bytes_is_sent(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"message_id": "m"})

    await client.send_text("9001", "æ" * 500)

    assert len(platform.requests) == 1


async def test_a_reaction_names_the_message(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"recipient_id": "9001"})

    await client.react("9001", "aWdA1", "love")

    assert platform.requests[0].json == {
        "recipient": {"id": "9001"},
        "sender_action": "react",
        "payload": {"message_id": "aWdA1", "reaction": "love"},
    }


async def test_a_reaction_of_unknown_outcome_is_not_repeated(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"error": {"code": 2}}, 400)

    with pytest.raises(Uncertain):
        await client.react("9001", "aWdA1", "love")

    assert len(platform.requests) == 1


@pytest.mark.parametrize("action", ["mark_seen", "typing_on", "typing_off"])
async def test_a_sender_action_is_one_call(
    platform: "Platform", client: InstagramClient, action: Literal["mark_seen", "typing_on", "typing_off"]
) -> None:
    platform.answers({"recipient_id": "9001"})

    await client.indicate("9001", action)

    assert platform.requests[0].json == {"recipient": {"id": "9001"}, "sender_action": action}


async def test_a_throttled_sender_action_is_not_repeated(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"error": {"code": 613}}, 400)

    with pytest.raises(RetryLater):
        await client.indicate("9001", "typing_on")

    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (503, {"code": 2}, RetryLater),
        (500, {}, RetryLater),
        (400, {"code": 2}, RetryLater),
        (404, {}, Uncertain),
        (400, {"code": 100}, Refused),
    ],
)
async def test_a_sender_action_says_whether_instagram_is_down(
    platform: "Platform", client: InstagramClient, status: int, error: dict[str, object], kind: type[Exception]
) -> None:
    platform.answers({"error": error}, status)

    with pytest.raises(kind):
        await client.indicate("9001", "typing_on")


async def test_recent_messages_come_newest_first_from_one_call(platform: "Platform", client: InstagramClient) -> None:
    old = {"id": "m1", "created_time": "2026-11-22T10:00:00+0000", "from": {"id": "9001"}, "message": "When?"}
    new = {"id": "m2", "created_time": "2026-11-22T10:00:05+0000", "from": {"id": "178414"}, "message": "Tue"}
    platform.answers(
        {"data": [{"id": "c", "messages": {"data": [old, new, "odd", {"id": "m3"}, {"created_time": 5}]}}]}
    )

    found = await client.recent_messages("9001")

    request = platform.requests[0]
    assert (request.method, request.path) == ("GET", "/v26.0/178414/conversations")
    assert request.query == {
        "platform": "instagram",
        "user_id": "9001",
        "fields": "messages.limit(20){id,created_time,from,to,message}",
    }
    assert found == (
        PlatformMessage("m2", "178414", "Tue", 1_795_341_605_000),
        PlatformMessage("m1", "9001", "When?", 1_795_341_600_000),
    )
    assert len(platform.requests) == 1


def said(mid: str, sender: str, receiver: str) -> dict[str, object]:
    parties = {"from": {"id": sender}, "to": {"data": [{"id": receiver}]}}
    return {"id": mid, "created_time": "2026-11-22T10:00:00+0000", "message": "Tuesday", **parties}


async def test_a_conversation_that_comes_without_its_messages_is_asked_for_them(
    platform: "Platform", client: InstagramClient
) -> None:
    platform.answers({"data": [{"id": "aWdfZAG06MQ_-=", "updated_time": "2026-11-22T10:00:00+0000"}]})
    platform.answers({"id": "aWdfZAG06MQ_-=", "messages": {"data": [said("m1", "178414", "9001")]}})

    found = await client.recent_messages("9001")

    assert [message.mid for message in found] == ["m1"]
    assert platform.requests[1].path == "/v26.0/aWdfZAG06MQ_-="
    assert platform.requests[1].query == {"fields": "messages.limit(20){id,created_time,from,to,message}"}


async def test_a_conversation_that_cannot_be_read_is_not_an_empty_one(
    platform: "Platform", client: InstagramClient
) -> None:
    platform.answers({"data": [{"id": "../me", "updated_time": "2026-11-22T10:00:00+0000"}]})

    with pytest.raises(RetryLater):
        await client.recent_messages("9001")


async def test_where_the_messages_are_too_much_at_once_fewer_are_asked_for(
    platform: "Platform", client: InstagramClient
) -> None:
    words = "Please reduce the amount of data you're asking for, then retry your request"
    platform.answers({"error": {"code": 1, "message": words}}, 500)
    platform.answers({"data": [{"id": "c", "messages": {"data": [said("m1", "178414", "9001")]}}]})

    found = await client.recent_messages("9001")

    assert [message.mid for message in found] == ["m1"]
    assert [request.query["fields"][:17] for request in platform.requests] == ["messages.limit(20", "messages.limit(5)"]


async def test_what_was_said_to_somebody_else_is_left_out(platform: "Platform", client: InstagramClient) -> None:
    mine = {"id": "c1", "messages": {"data": [said("m1", "178414", "9001"), said("m2", "9001", "178414")]}}
    other = {"id": "c2", "messages": {"data": [said("m3", "178414", "9002"), said("m4", "9002", "178414")]}}
    platform.answers({"data": [other, mine]})

    assert {message.mid for message in await client.recent_messages("9001")} == {"m1", "m2"}


async def test_an_app_without_review_sees_no_messages(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"data": []})

    assert await client.recent_messages("9001") == ()


@pytest.mark.parametrize(("asked", "used"), [(0, 1), (5, 5), (500, 20)])
async def test_no_more_than_twenty_messages_are_asked_for(
    platform: "Platform", client: InstagramClient, asked: int, used: int
) -> None:
    await client.recent_messages("9001", asked)

    assert platform.requests[0].query["fields"].startswith(f"messages.limit({used})")


async def test_a_profile_has_a_name_and_a_username(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"name": "Ann \ud800", "username": "ann", "id": "9001"})

    profile = await client.profile("9001", NOW)

    assert profile == Profile("Ann ?", "ann", NOW)
    assert platform.requests[0].path == "/v26.0/9001"
    assert platform.requests[0].query == {"fields": "name,username"}


@pytest.mark.parametrize(
    "error",
    [
        {"code": 230},
        {"code": 9010},
        {"code": 100, "error_subcode": 9010},
        {"code": 100, "error_subcode": 33},
        {"code": 551, "error_subcode": 1545041},
    ],
)
async def test_without_consent_there_is_no_profile(
    platform: "Platform", client: InstagramClient, error: dict[str, object]
) -> None:
    platform.answers({"error": error}, 400)

    assert await client.profile("9001", NOW) is None


@pytest.mark.parametrize("user_id", ["..", "me/messages", "a?b", "", "a_b"])
async def test_an_id_that_would_change_the_path_is_refused(
    platform: "Platform", client: InstagramClient, user_id: str
) -> None:
    with pytest.raises(Refused):
        await client.profile(user_id, NOW)

    assert platform.requests == []


async def test_a_token_is_refreshed_without_a_version_and_used_when_told(
    platform: "Platform", client: InstagramClient
) -> None:
    platform.answers({"access_token": "IGAAsecond", "token_type": "bearer", "expires_in": 5_184_000})

    token = await client.refresh_token(NOW)
    await client.subscribed_fields()
    client.use_token(token.value)
    await client.subscribed_fields()

    assert token == AccessToken("IGAAsecond", NOW + 5_184_000_000)
    refresh, before, after = platform.requests
    assert (refresh.method, refresh.path) == ("GET", "/refresh_access_token")
    assert refresh.query == {"grant_type": "ig_refresh_token", "access_token": TOKEN}
    assert before.headers["authorization"] == f"Bearer {TOKEN}"
    assert after.headers["authorization"] == "Bearer IGAAsecond"


@pytest.mark.parametrize("expires_in", [None, -1, True, "5", 10**40])
async def test_a_refreshed_token_without_an_end_lasts_sixty_days(
    platform: "Platform", client: InstagramClient, expires_in: object
) -> None:
    platform.answers({"access_token": "t", "expires_in": expires_in})

    assert (await client.refresh_token(NOW)).expires_at == NOW + 60 * 86_400_000


async def test_a_refresh_without_a_token_is_tried_again_later(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"access_token": "two words"})

    with pytest.raises(RetryLater):
        await client.refresh_token(NOW)


async def test_an_expired_token_stops_the_account(platform: "Platform", client: InstagramClient) -> None:
    platform.answers({"error": {"code": 190, "error_subcode": 463}}, 400)

    with pytest.raises(AccountStopped):
        await client.refresh_token(NOW)


async def test_page_tokens_are_not_refreshed(platform: "Platform", page_client: InstagramClient) -> None:
    with pytest.raises(Refused):
        await page_client.refresh_token(NOW)

    assert platform.requests == []


async def test_subscribed_fields_are_read_back(platform: "Platform", client: InstagramClient) -> None:
    apps = [{"subscribed_fields": ["messages", {"name": "standby"}, 5]}, {"subscribed_fields": ["messages"]}, "odd"]
    platform.answers({"data": apps})

    assert await client.subscribed_fields() == ("messages", "standby")
    assert platform.requests[0].path == "/v26.0/178414/subscribed_apps"


async def test_a_token_in_a_query_is_not_logged(
    platform: "Platform",
    client: InstagramClient,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx2")
    platform.answers(status=500)

    with pytest.raises(RetryLater) as caught:
        await client.refresh_token(NOW)

    written = capsys.readouterr()
    assert TOKEN not in caplog.text + written.out + written.err + repr(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "created_time", "from", "message"), JSON))
BODIES = (
    JSON
    | st.fixed_dictionaries({"data": st.lists(st.fixed_dictionaries({"messages": MESSAGES | JSON}) | JSON, max_size=3)})
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("message_id", "access_token", "expires_in", "error"), JSON))
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, status=st.sampled_from([200, 400, 403, 500]))
async def test_whatever_the_platform_answers_only_platform_errors_come_out(
    platform: "Platform", client: InstagramClient, body: object, status: int
) -> None:
    platform.forget()
    platform.answers(body, status)

    for call in (
        client.send_text("9001", "Hi"),
        client.react("9001", "m", "love"),
        client.recent_messages("9001"),
        client.profile("9001", NOW),
        client.refresh_token(NOW),
        client.subscribed_fields(),
    ):
        try:
            await call
        except PlatformError as error:
            assert str(error).startswith("Instagram")
