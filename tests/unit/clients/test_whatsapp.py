"""The channel to the manager against a scripted platform."""

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dm_core.clients.http import HttpClient
from dm_core.clients.port import WhatsAppHealth
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Uncertain, Unreachable
from dm_core.settings import Template, WhatsAppSettings
from dm_core.settings.table import utf16_length

if TYPE_CHECKING:
    from tests.unit.clients.conftest import Now, Platform

ACCEPTED = {"messaging_product": "whatsapp", "contacts": [{"wa_id": "47"}], "messages": [{"id": "wamid.1"}]}
TEMPLATE = Template("dm_alert", room=1_024)
OUTSIDE = {"error": {"code": 131047, "message": "Re-engagement message"}}


def configured(url: str, template: Template | None = TEMPLATE) -> WhatsAppSettings:
    return WhatsAppSettings(
        base_url=url,
        version="v26.0",
        access_token="EAAtoken",
        phone_number_id="555",
        manager_numbers=("4790000000", "4791111111"),
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

    message_id = await client.send_text("A person asks\nfor you", "run-1/0/0")

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


async def test_the_template_carries_the_text_on_one_line(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers(ACCEPTED)

    message_id = await client.send_template("Line 1\n\nLine 2\tend     here", "ref")

    body = platform.requests[0].json
    assert message_id == "wamid.1"
    assert body["type"] == "template"
    assert body["biz_opaque_callback_data"] == "ref"
    assert body["template"] == {
        "name": "dm_alert",
        "language": {"code": "en"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Line 1 Line 2 end here"}]}],
    }


async def test_a_named_variable_is_named(platform: "Platform", http: HttpClient, now: "Now") -> None:
    template = Template("dm_alert", "nb_NO", "alert_text", 1_000)
    client = WhatsAppClient(configured(platform.url, template), now, http=http)
    platform.answers(ACCEPTED)

    await client.send_template(" ", "ref")

    sent = cast("dict[str, object]", platform.requests[0].json["template"])
    parameters = [{"type": "text", "text": "-", "parameter_name": "alert_text"}]
    assert (sent["name"], sent["language"]) == ("dm_alert", {"code": "nb_NO"})
    assert sent["components"] == [{"type": "body", "parameters": parameters}]


async def test_outside_the_window_is_told_by_its_code(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers(OUTSIDE, 400)

    with pytest.raises(PlatformError) as caught:
        await client.send_text("x", "ref")

    assert caught.value.code == 131047
    assert len(platform.requests) == 1


async def test_without_a_template_none_is_sent(platform: "Platform", http: HttpClient, now: "Now") -> None:
    client = WhatsAppClient(configured(platform.url, None), now, http=http)

    with pytest.raises(Refused, match="WHATSAPP_TEMPLATE") as caught:
        await client.send_template("x", "ref")

    assert (caught.value.code, client.template_room, platform.requests) == (131047, None, [])


@pytest.mark.parametrize("text", ["æ" * 5_000, "\U0001f44d\U0001f3fd" * 2_000, "e\u0301" * 3_000])
async def test_texts_are_cut_to_what_whatsapp_takes(platform: "Platform", client: WhatsAppClient, text: str) -> None:
    platform.answers(ACCEPTED)

    await client.send_text(text, "r" * 600)
    await client.send_template(text, "ref")

    free, template = (request.json for request in platform.requests)
    body = cast("dict[str, str]", free["text"])["body"]
    for cut, limit in ((body, 4_096), (parameter(template), 1_024)):
        assert limit - 6 < utf16_length(cut) <= limit
        assert cut.endswith("…")
        assert cut[-2] not in "\U0001f3fd\u0301"
    assert free["biz_opaque_callback_data"] == "r" * 512
    assert free["to"] == "4790000000"


@pytest.mark.parametrize("answer", [b"{}", b'{"messages": []}', b'{"messages": [{}]}', b'{"messages": "odd"}', b"OK"])
async def test_only_a_message_id_proves_a_notification(
    platform: "Platform", client: WhatsAppClient, answer: object
) -> None:
    platform.answers(answer)

    with pytest.raises(Uncertain):
        await client.send_text("x", "ref")

    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (131056, RetryLater),
        (131026, Unreachable),
        (131000, Uncertain),
        (131042, AccountStopped),
        (190, AccountStopped),
    ],
)
async def test_errors_are_sorted_by_whose_they_are_and_one_call_is_one_attempt(
    platform: "Platform", client: WhatsAppClient, code: int, kind: type[PlatformError]
) -> None:
    platform.answers({"error": {"code": code}}, 400)

    with pytest.raises(kind) as caught:
        await client.send_text("x", "ref")

    assert type(caught.value) is kind
    assert len(platform.requests) == 1


async def test_a_template_of_unknown_outcome_is_posted_once(platform: "Platform", client: WhatsAppClient) -> None:
    platform.stalls()

    with pytest.raises(Uncertain):
        await client.send_template("x", "ref")

    assert len(platform.requests) == 1


def health(state: str, *entities: dict[str, object]) -> dict[str, object]:
    account = {"entity_type": "WABA", "id": "777", "can_send_message": "AVAILABLE"}
    return {"health_status": {"can_send_message": state, "entities": [account, *entities]}, "id": "555"}


@pytest.mark.parametrize(
    ("templates", "state"),
    [
        ([{"name": "dm_alert", "language": "en", "status": "APPROVED"}], "APPROVED"),
        ([{"name": "dm_alert", "language": "en", "status": "PAUSED"}], "PAUSED"),
        ([{"name": "dm_alert", "language": "nb", "status": "APPROVED"}], "OTHER_LANGUAGE"),
        ([{"name": "dm_alert_2", "language": "en", "status": "APPROVED"}], "MISSING"),
        ([], "MISSING"),
    ],
)
async def test_one_question_about_the_number_leads_to_its_template(
    platform: "Platform", client: WhatsAppClient, templates: list[dict[str, str]], state: str
) -> None:
    platform.answers(health("AVAILABLE"))
    platform.answers({"data": templates})

    found = await client.health()

    assert found == WhatsAppHealth("AVAILABLE", (), state)
    assert [request.path for request in platform.requests] == ["/v26.0/555", "/v26.0/777/message_templates"]
    assert dict(platform.requests[0].query)["fields"] == "health_status"


async def test_what_is_blocked_is_named_without_whatsapps_words(platform: "Platform", client: WhatsAppClient) -> None:
    errors = [{"error_code": 141006, "error_description": "There is an error with the payment method"}]
    blocked: dict[str, object] = {"entity_type": "BUSINESS", "can_send_message": "BLOCKED", "errors": errors}
    platform.answers(health("BLOCKED", blocked))
    platform.answers({"error": {"code": 200, "message": "no permission"}}, 403)

    assert await client.health() == WhatsAppHealth("BLOCKED", ("BUSINESS (141006)",), None)


async def test_a_dead_token_is_found_out_before_it_is_needed(platform: "Platform", client: WhatsAppClient) -> None:
    platform.answers({"error": {"code": 190}}, 401)

    with pytest.raises(AccountStopped):
        await client.health()


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
        assert await client.send_text(text, "ref")
        assert await client.send_template(text, "ref")
        assert (await client.health()).can_send
    except PlatformError as error:
        assert str(error).startswith("WhatsApp")
