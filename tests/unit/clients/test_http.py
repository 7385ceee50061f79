"""The retry engine against a real server: what is repeated, what never is, and how long it waits."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from dm_core.clients.graph_errors import classify
from dm_core.clients.http import Call, HttpClient, Timeouts
from dm_core.clients.http_response import Response, told_wait
from dm_core.clients.owners import Operation
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Service, Uncertain

if TYPE_CHECKING:
    from tests.unit.clients.conftest import Pauses, Platform

NOW = 1_790_000_000_000
TOKEN = "IGAAsecret-token"
THROTTLED = {"error": {"message": "x", "code": 4}}


def post(url: str, token: str = TOKEN) -> Call:
    return Call(
        Service.INSTAGRAM, "POST", f"{url}/messages", idempotent=False, token=token, body={"text": "private words"}
    )


def get(url: str) -> Call:
    return Call(Service.INSTAGRAM, "GET", f"{url}/things", idempotent=True, token=TOKEN)


def judge_post(reply: Response) -> PlatformError | None:
    return classify(reply, Service.INSTAGRAM, Operation.SEND)


def judge_get(reply: Response) -> PlatformError | None:
    return classify(reply, Service.INSTAGRAM, Operation.READ)


async def test_calls_share_one_connection(platform: "Platform", http: HttpClient) -> None:
    platform.answers({"ok": True})

    for _ in range(5):
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 5
    assert platform.connections == 1


async def test_a_client_makes_nothing_before_its_first_call_and_opens_again_after_a_close(platform: "Platform") -> None:
    client = HttpClient()
    await client.close()
    assert platform.connections == 0

    for _ in range(2):
        await client.request(get(platform.url), judge_get)
        await client.close()

    assert platform.connections == 2


async def test_a_timeout_after_writing_is_uncertain_and_posted_once(
    platform: "Platform", http: HttpClient, pauses: "Pauses"
) -> None:
    platform.stalls()

    with pytest.raises(Uncertain):
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 1
    assert pauses.seconds == []


@pytest.mark.parametrize("fault", ["resets", "breaks_off"])
async def test_a_connection_lost_after_writing_is_uncertain_and_posted_once(
    platform: "Platform", http: HttpClient, fault: str
) -> None:
    (platform.resets if fault == "resets" else platform.breaks_off)()

    with pytest.raises(Uncertain):
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_leaves_a_post_uncertain(platform: "Platform", http: HttpClient, status: int) -> None:
    platform.answers(b"<html>oops</html>", status, {"retry-after": "1"})

    with pytest.raises(Uncertain):
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 1


async def test_an_attempt_as_a_whole_is_bounded(platform: "Platform") -> None:
    platform.stalls()
    client = HttpClient(timeouts=Timeouts(read=0.1))

    async with asyncio.timeout(5):
        with pytest.raises(Uncertain):
            await client.request(post(platform.url), judge_post)

    await client.close()


async def test_a_refused_connection_is_tried_three_times_then_left_for_later(
    nowhere: str, http: HttpClient, pauses: "Pauses"
) -> None:
    with pytest.raises(RetryLater) as caught:
        await http.request(post(nowhere), judge_post)

    assert caught.value.wait_seconds is None
    assert pauses.seconds == [0.5, 1.0]


async def test_a_read_is_repeated_after_any_unknown_outcome(
    platform: "Platform", http: HttpClient, pauses: "Pauses"
) -> None:
    platform.resets()
    platform.answers(status=502)
    platform.answers({"found": 1})

    reply = await http.request(get(platform.url), judge_get)

    assert reply.body == {"found": 1}
    assert len(platform.requests) == 3
    assert pauses.seconds == [0.5, 1.0]


async def test_a_read_that_never_works_is_left_for_later(platform: "Platform", http: HttpClient) -> None:
    platform.answers(status=500)

    with pytest.raises(RetryLater):
        await http.request(get(platform.url), judge_get)

    assert len(platform.requests) == 3


async def test_a_throttled_post_is_repeated_because_it_was_rejected(
    platform: "Platform", http: HttpClient, pauses: "Pauses"
) -> None:
    platform.answers(THROTTLED, 400)
    platform.answers({"ok": True})

    await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 2
    assert pauses.seconds == [0.5]


async def test_a_lasting_throttle_without_a_time_ends_after_three_attempts(
    platform: "Platform", http: HttpClient
) -> None:
    platform.answers(THROTTLED, 400)

    with pytest.raises(RetryLater) as caught:
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 3
    assert (caught.value.wait_seconds, caught.value.code) == (None, 4)


async def test_a_short_wait_the_platform_asks_for_is_kept(
    platform: "Platform", http: HttpClient, pauses: "Pauses"
) -> None:
    platform.answers(THROTTLED, 429, {"Retry-After": "2"})
    platform.answers({"ok": True})

    await http.request(post(platform.url), judge_post)

    assert pauses.seconds == [2.0]


async def test_a_long_wait_the_platform_asks_for_ends_the_call_at_once(
    platform: "Platform", http: HttpClient, pauses: "Pauses"
) -> None:
    usage = {"178414": [{"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 4}]}
    platform.answers(THROTTLED, 400, {"X-Business-Use-Case-Usage": json.dumps(usage)})

    with pytest.raises(RetryLater) as caught:
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 1
    assert pauses.seconds == []
    assert caught.value.wait_seconds == 240


async def test_a_wait_that_does_not_fit_into_the_quick_tries_ends_the_call_at_once(
    platform: "Platform", http: HttpClient, pauses: "Pauses"
) -> None:
    platform.answers(THROTTLED, 429, {"Retry-After": "3"})

    with pytest.raises(RetryLater) as caught:
        await http.request(post(platform.url), judge_post)

    assert caught.value.wait_seconds == 3
    assert pauses.seconds == [3.0]
    assert len(platform.requests) == 2


async def test_tries_end_with_the_time_they_took(platform: "Platform", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dm_core.clients.http.QUICK_SECONDS", 0.3)
    client = HttpClient(timeouts=Timeouts(read=0.2))
    platform.stalls()

    with pytest.raises(RetryLater):
        await client.request(get(platform.url), judge_get)
    await client.close()

    assert len(platform.requests) == 1


@pytest.mark.parametrize("scripted", ["throttle", "stall"])
async def test_a_surrounding_deadline_ends_a_call_in_its_pauses_too(platform: "Platform", scripted: str) -> None:
    client = HttpClient(jitter=lambda: 1.0)
    if scripted == "throttle":
        platform.answers(THROTTLED, 400)
    else:
        platform.stalls()

    async def end_soon_after_the_request(deadline: asyncio.Timeout) -> None:
        while not platform.requests:  # noqa: ASYNC110 - the platform tells nobody
            await asyncio.sleep(0.001)
        deadline.reschedule(asyncio.get_running_loop().time() + 0.1)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60) as deadline, asyncio.TaskGroup() as both:
            both.create_task(end_soon_after_the_request(deadline))
            await client.request(post(platform.url), judge_post)
    await client.close()

    assert len(platform.requests) == 1


async def test_a_refusal_is_never_repeated(platform: "Platform", http: HttpClient) -> None:
    platform.answers({"error": {"code": 100}}, 400)

    with pytest.raises(Refused):
        await http.request(post(platform.url), judge_post)

    assert len(platform.requests) == 1


async def test_backoff_grows_and_is_spread_by_jitter(platform: "Platform") -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    spread = iter([0.0, 1.0])
    client = HttpClient(sleep=sleep, jitter=lambda: next(spread))
    platform.answers(THROTTLED, 400)
    with pytest.raises(RetryLater):
        await client.request(post(platform.url), judge_post)
    await client.close()

    assert waits == [0.25, 1.5]


async def test_redirects_are_not_followed(platform: "Platform", http: HttpClient) -> None:
    platform.answers(b"", 302, {"location": f"{platform.url}/elsewhere"})

    with pytest.raises(Uncertain):
        await http.request(post(platform.url), judge_post)

    assert [request.path for request in platform.requests] == ["/messages"]


async def test_a_proxy_named_by_the_environment_is_not_used(
    platform: "Platform", http: HttpClient, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", nowhere)
    monkeypatch.setenv("ALL_PROXY", nowhere)

    await http.request(get(platform.url), judge_get)

    assert len(platform.requests) == 1


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "schlüssel"])
async def test_a_malformed_token_stops_before_anything_is_written(
    platform: "Platform", http: HttpClient, token: str
) -> None:
    with pytest.raises(AccountStopped) as caught:
        await http.request(post(platform.url, token), judge_post)

    assert platform.requests == []
    assert not token or token not in str(caught.value)


async def test_an_endless_answer_is_not_read_to_its_end(
    platform: "Platform", http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dm_core.clients.http.MAX_ANSWER_BYTES", 100)
    platform.answers({"filler": "x" * 200})

    with pytest.raises(Uncertain):
        await http.request(post(platform.url), judge_post)


async def test_lone_surrogates_and_deep_nesting_break_nothing(platform: "Platform", http: HttpClient) -> None:
    platform.answers(b"[" * 200_000)
    call = Call(Service.INSTAGRAM, "POST", platform.url, idempotent=False, body={"text": "\ud800"})

    with pytest.raises(Uncertain):
        await http.request(call, judge_post)


async def test_no_token_and_no_body_is_ever_logged(
    platform: "Platform",
    http: HttpClient,
    nowhere: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection"):
        caplog.set_level(logging.DEBUG, name)
    platform.answers({"error": {"code": 4, "message": "answered words"}}, 400)
    call = Call(Service.INSTAGRAM, "GET", f"{platform.url}/x", idempotent=True, query={"access_token": TOKEN})

    failures: list[str] = []
    for each in (call, post(platform.url), post(nowhere)):
        with pytest.raises(PlatformError) as caught:
            await http.request(each, judge_post)
        failures.append(f"{each!r} {caught.value!r}")

    written = capsys.readouterr()
    everything = caplog.text + written.out + written.err + "".join(failures)
    assert '"message": "platform_call_retried"' in written.out
    for secret in (TOKEN, "private words", "answered words"):
        assert secret not in everything


def test_the_wait_is_the_longest_that_is_asked_for() -> None:
    usage = {"1": [{"estimated_time_to_regain_access": 2}], "2": [{"estimated_time_to_regain_access": 9}, "odd"]}

    assert told_wait({"x-business-use-case-usage": json.dumps(usage), "retry-after": "60"}, NOW) == 540


def test_a_wait_may_be_a_date() -> None:
    date = datetime.fromtimestamp(NOW / 1_000, UTC) + timedelta(seconds=90)

    assert told_wait({"retry-after": format_datetime(date, usegmt=True)}, NOW) == 90


def test_full_usage_without_a_time_means_stop() -> None:
    assert told_wait({"x-app-usage": '{"call_count": 100, "total_time": 3}'}, NOW) == 300
    assert told_wait({"x-app-usage": '{"call_count": 99, "total_time": 3}'}, NOW) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "soon"},
        {"retry-after": "-5"},
        {"retry-after": "0"},
        {"retry-after": "NaN"},
        {"retry-after": "inf"},
        {"retry-after": "<html>"},
        {"retry-after": "9" * 5_000},
        {"retry-after": "٣"},
        {"x-business-use-case-usage": f'{{"1": [{{"estimated_time_to_regain_access": {10**400}}}]}}'},
        {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": -9}]}'},
        {"x-business-use-case-usage": "<html>busy</html>"},
        {"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"x-business-use-case-usage": "not json"},
        {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'},
        {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": NaN}]}'},
        {"x-business-use-case-usage": '{"1": {"estimated_time_to_regain_access": "9"}}'},
        {"x-app-usage": "[1]"},
    ],
)
def test_headers_that_name_no_time_ask_for_none(headers: dict[str, str]) -> None:
    assert told_wait(headers, NOW) is None


@pytest.mark.parametrize("huge", ["5000", "999999999", "1e300", "9" * 200])
def test_no_wait_is_longer_than_an_hour(huge: str) -> None:
    usage = f'{{"1": [{{"estimated_time_to_regain_access": {huge}}}]}}'

    assert told_wait({"x-business-use-case-usage": usage}, NOW) == 3_600
    assert told_wait({"retry-after": huge.replace("e", "0")}, NOW) == 3_600
    assert told_wait({"retry-after": "Fri, 01 Jan 2027 00:00:00 GMT"}, NOW) == 3_600
