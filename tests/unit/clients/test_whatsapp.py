"""The channel to the manager against a scripted platform."""

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dm_core.clients.http import HttpClient
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Uncertain, Unreachable
from dm_core.settings import WhatsAppSettings

if TYPE_CHECKING:
    from conftest import Now, Platform

ACCEPTED = {"messaging_product": "whatsapp", "contacts": [{"wa_id": "47"}], "messages": [{"id": "wamid.1"}]}
OUTSIDE = {"error": {"code": 131047, "message": "Re-engagement message"}}


def configured(url: str, number: str = "+47 900 00 000", template: str | None = "dm_alert") -> WhatsAppSettings:
    return WhatsAppSettings(
        base_url=url,
        version="v26.0",
        access_token="EAAtoken",
        phone_number_id="555",
        manager_number=number,
        template=template,
    )


@pytest.fixture
def client(platform: "Platform", http: HttpClient, now: "Now") -> WhatsAppClient:
    return WhatsAppClient(configured(platform.url), now, http=http)


def parameter(body: dict[str, object]) -> str:
    template = cast("dict[str, list[dict[str, list[dict[str, str]]]]]", body["template"])
    return template["components"][0]["parameters"][0]["text"]


async def test_free_text_goes_to_the_managers_number(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers(ACCEPTED)

    message_id = await client.notify("A person asks\nfor you", "run-1/0/0")

    request = platform.requests[0]
    assert message_id == "wamid.1"
    assert (request.method, request.path) == ("POST", "/v26.0/555/messages")
    assert request.headers["authorization"] == "Bearer EAAtoken"
    assert request.json == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "4790000000",
        "type": "text",
        "text": {"body": "A person asks\nfor you"},
        "biz_opaque_callback_data": "run-1/0/0",
    }


async def test_outside_the_window_the_template_is_sent(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers(OUTSIDE, 400)
    platform.answers(ACCEPTED)

    message_id = await client.notify("Line 1\n\nLine 2\tend     here", "ref")

    body = platform.requests[1].json
    assert message_id == "wamid.1"
    assert body["type"] == "template"
    assert body["biz_opaque_callback_data"] == "ref"
    assert body["template"] == {
        "name": "dm_alert",
        "language": {"code": "en"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Line 1 Line 2 end here"}]}],
    }


async def test_the_template_may_name_its_language(platform: "Platform", http: HttpClient, now: "Now") -> None:
    client = WhatsAppClient(configured(platform.url, template="dm_alert:nb_NO"), now, http=http)
    platform.answers(OUTSIDE, 400)
    platform.answers(ACCEPTED)

    await client.notify("x", "ref")

    template = cast("dict[str, object]", platform.requests[1].json["template"])
    assert (template["name"], template["language"]) == ("dm_alert", {"code": "nb_NO"})


async def test_without_a_template_the_closed_window_is_a_refusal(
    platform: "Platform", http: HttpClient, now: "Now"
) -> None:
    client = WhatsAppClient(configured(platform.url, template=None), now, http=http)
    platform.answers(OUTSIDE, 400)

    with pytest.raises(Refused, match="WHATSAPP_TEMPLATE") as caught:
        await client.notify("x", "ref")

    assert caught.value.code == 131047
    assert len(platform.requests) == 1


async def test_texts_are_cut_to_what_whatsapp_takes(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers(OUTSIDE, 400)
    platform.answers(ACCEPTED)

    await client.notify("æ" * 5_000, "r" * 600)

    free, template = (request.json for request in platform.requests)
    text = cast("dict[str, str]", free["text"])["body"]
    assert len(text) == 4_096
    assert text.endswith("…")
    assert len(parameter(template)) == 1_024
    assert free["biz_opaque_callback_data"] == "r" * 512


@pytest.mark.parametrize("number", ["+47 900 00 000", "004790000000", "47 (900) 00-000"])
async def test_the_number_is_sent_as_digits(platform: "Platform", http: HttpClient, now: "Now", number: str) -> None:
    platform.answers(ACCEPTED)

    await WhatsAppClient(configured(platform.url, number), now, http=http).notify("x", "ref")

    assert platform.requests[0].json["to"] == "4790000000"


@pytest.mark.parametrize("answer", [b"{}", b'{"messages": []}', b'{"messages": [{}]}', b'{"messages": "odd"}', b"OK"])
async def test_only_a_message_id_proves_a_notification(
    platform: "Platform", client: WhatsAppClient, answer: object
) -> None:
    platform.answers(answer)

    with pytest.raises(Uncertain):
        await client.notify("x", "ref")

    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("code", "kind", "calls"),
    [(131056, RetryLater, 3), (131026, Unreachable, 1), (131000, Uncertain, 1), (131042, AccountStopped, 1)],
)
async def test_errors_are_sorted_by_what_to_do(
    platform: "Platform", client: WhatsAppClient, code: int, kind: type[PlatformError], calls: int
) -> None:
    platform.answers({"error": {"code": code}}, 400)

    with pytest.raises(kind) as caught:
        await client.notify("x", "ref")

    assert type(caught.value) is kind
    assert len(platform.requests) == calls


async def test_a_template_of_unknown_outcome_is_posted_once(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers(OUTSIDE, 400)
    platform.stalls()

    with pytest.raises(Uncertain):
        await client.notify("x", "ref")

    assert len(platform.requests) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("messages", "error"), JSON)),
    status=st.sampled_from([200, 400, 500]),
    text=st.text(),
)
async def test_whatever_the_platform_answers_only_platform_errors_come_out(
    platform: "Platform", client: WhatsAppClient, body: object, status: int, text: str
) -> None:
    platform.forget()
    platform.answers(body, status)

    try:
        assert await client.notify(text, "ref")
    except PlatformError as error:
        assert str(error).startswith("WhatsApp")
