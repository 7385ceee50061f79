"""The Instagram simulator: shapes, rules and errors of docs/platforms/instagram.md, over plain HTTP."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.platforms.meta import WebhookSender, signature

SAM = "819898670256713"


def _headers(instagram: Instagram) -> dict[str, str]:
    return {"authorization": f"Bearer {instagram.tokens[0]}"}


async def _post(
    client: httpx.AsyncClient, instagram: Instagram, node: str | None = None, **body: Any
) -> httpx.Response:
    url = f"{instagram.base_url}/v26.0/{node or instagram.node}/messages"
    return await client.post(url, json={"recipient": {"id": SAM}, **body}, headers=_headers(instagram))


async def _get(client: httpx.AsyncClient, instagram: Instagram, path: str, **query: str) -> httpx.Response:
    return await client.get(f"{instagram.base_url}/{path}", params=query, headers=_headers(instagram))


async def test_a_text_is_delivered_and_answered_with_a_long_mid(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    instagram.meet(SAM)

    answers = [(await _post(client, instagram, message={"text": text})).json() for text in ("one", "two")]

    mids = [answer["message_id"] for answer in answers]
    assert instagram.sent_to(SAM) == ["one", "two"]
    assert answers[0]["recipient_id"] == SAM
    assert mids[0] != mids[1]
    assert all(150 <= len(mid) <= 170 for mid in mids)
    assert mids[0][:130] == mids[1][:130]
    assert [record.facts["mid"] for record in instagram.records] == mids


@pytest.mark.parametrize(
    ("body", "code", "subcode"),
    [
        ({"message": {"text": "é" * 501}}, 100, 2534052),
        ({"message": {}}, 100, 2534015),
        ({"message": {"text": "x"}, "recipient": {"id": "404"}}, 100, 2534014),
        ({"sender_action": "react", "payload": {"message_id": "unknown", "reaction": "love"}}, 100, 2534064),
    ],
)
async def test_what_the_platform_refuses(
    client: httpx.AsyncClient, instagram: Instagram, body: dict[str, Any], code: int, subcode: int
) -> None:
    instagram.meet(SAM)

    answer = await _post(client, instagram, **body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, code, subcode)
    assert error["type"] == "IGApiException"
    assert instagram.sent == []


async def test_half_a_surrogate_pair_is_no_text_and_breaks_nothing(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    instagram.meet(SAM)
    body = b'{"recipient": {"id": "%s"}, "message": {"text": "a\\ud83d"}}' % SAM.encode()

    url = f"{instagram.base_url}/v26.0/me/messages"
    answer = await client.post(url, content=body, headers=_headers(instagram))

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert (len(instagram.records), instagram.sent) == (1, [])


async def test_a_text_of_exactly_a_thousand_bytes_passes(client: httpx.AsyncClient, instagram: Instagram) -> None:
    instagram.meet(SAM)

    assert (await _post(client, instagram, message={"text": "é" * 500})).status_code == 200


async def test_the_window_closes_after_24_hours_and_opens_with_the_next_dm(
    client: httpx.AsyncClient, instagram: Instagram, clock: Any
) -> None:
    instagram.hear(SAM, "mid-1", "hello")
    clock.pass_hours(24)

    late = await _post(client, instagram, message={"text": "too late"})
    instagram.hear(SAM, "mid-2", "still there?")
    again = await _post(client, instagram, message={"text": "yes"})

    assert (late.json()["error"]["code"], late.json()["error"]["error_subcode"]) == (10, 2534022)
    assert again.status_code == 200


async def test_a_wrong_token_is_190(client: httpx.AsyncClient, instagram: Instagram) -> None:
    answer = await client.get(f"{instagram.base_url}/v26.0/me", headers={"authorization": "Bearer EAAwrong"})

    assert answer.json()["error"]["code"] == 190


async def test_a_node_of_the_other_flavour_is_refused(client: httpx.AsyncClient) -> None:
    page = Instagram(flavor="page")
    async with page:
        page.meet(SAM)
        wrong = await _post(client, page, page.account_id, message={"text": "x"})
        right = await _post(client, page, page.page_id, message={"text": "x"})

    assert wrong.json()["error"]["code"] == 3
    assert wrong.json()["error"]["type"] == "OAuthException"
    assert right.status_code == 200


async def test_reactions_take_love_or_an_emoji_and_can_be_taken_back(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    instagram.hear(SAM, "mid-1", "thanks")

    def payload(**more: str) -> dict[str, str]:
        return {"message_id": "mid-1", **more}

    word = await _post(client, instagram, sender_action="react", payload=payload(reaction="smile"))
    love = await _post(client, instagram, sender_action="react", payload=payload(reaction="love"))
    emoji = await _post(client, instagram, sender_action="react", payload=payload(reaction="🙏"))
    back = await _post(client, instagram, sender_action="unreact", payload=payload())

    assert [answer.status_code for answer in (word, love, emoji, back)] == [400, 200, 200, 200]
    assert love.json() == {"recipient_id": SAM}
    assert [reaction.reaction for reaction in instagram.reactions] == ["love", "🙏", None]


async def test_the_conversation_shows_the_newest_twenty_newest_first(
    client: httpx.AsyncClient, instagram: Instagram, clock: Any
) -> None:
    for number in range(25):
        clock.pass_hours(0.01)
        instagram.hear(SAM, f"mid-{number}", f"text {number}")
    await _post(client, instagram, message={"text": "answer"})
    fields = "messages{id,created_time,from,to,message}"

    answer = await _get(
        client, instagram, f"v26.0/{instagram.node}/conversations", platform="instagram", user_id=SAM, fields=fields
    )

    messages = answer.json()["data"][0]["messages"]["data"]
    assert len(messages) == 20
    assert (messages[0]["message"], messages[0]["from"]["id"]) == ("answer", instagram.account_id)
    assert messages[1]["message"] == "text 24"
    assert messages[0]["created_time"].endswith("+0000")


async def test_a_lagging_conversation_does_not_show_the_latest_yet(
    client: httpx.AsyncClient, instagram: Instagram, clock: Any
) -> None:
    instagram.conversation_lag = 30
    instagram.hear(SAM, "mid-1", "hello")
    path = f"v26.0/{instagram.node}/conversations"

    before = await _get(client, instagram, path, platform="instagram", user_id=SAM)
    clock.pass_hours(0.1)
    after = await _get(client, instagram, path, platform="instagram", user_id=SAM)

    assert (before.json()["data"], len(after.json()["data"])) == ([], 1)


async def test_profiles_have_a_name_or_a_reason(client: httpx.AsyncClient, instagram: Instagram) -> None:
    contact = instagram.meet(SAM, "Sam Jones", "sam.jones")

    told = await _get(client, instagram, f"v26.0/{SAM}", fields="name,username")
    codes: list[int] = []
    for code in (230, 9010):
        contact.profile_error = code
        codes.append((await _get(client, instagram, f"v26.0/{SAM}", fields="name")).json()["error"]["code"])

    assert told.json() == {"name": "Sam Jones", "username": "sam.jones", "id": SAM}
    assert codes == [230, 9010]


async def test_a_refreshed_token_works_and_a_young_one_is_not_refreshed(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    query = {"grant_type": "ig_refresh_token", "access_token": instagram.tokens[0]}

    fresh = (await client.get(f"{instagram.base_url}/refresh_access_token", params=query)).json()
    headers = {"authorization": f"Bearer {fresh['access_token']}"}
    me = await client.get(f"{instagram.base_url}/v26.0/me", params={"fields": "user_id"}, headers=headers)
    instagram.token_age_hours = 3
    young = await client.get(f"{instagram.base_url}/refresh_access_token", params=query)
    posted = await client.post(f"{instagram.base_url}/refresh_access_token", params=query)

    assert (fresh["token_type"], fresh["expires_in"]) == ("bearer", 5_184_000)
    assert me.json()["user_id"] == instagram.account_id
    assert [answer.status_code for answer in (young, posted)] == [400, 400]
    assert "IGAA" not in str([record.query for record in instagram.records])


async def test_a_subscription_replaces_the_one_before(client: httpx.AsyncClient, instagram: Instagram) -> None:
    path = f"{instagram.base_url}/v26.0/me/subscribed_apps"

    async def subscribe(fields: str) -> httpx.Response:
        return await client.post(path, params={"subscribed_fields": fields}, headers=_headers(instagram))

    first, second = await subscribe("messages,messaging_seen"), await subscribe("messages")
    unknown = await subscribe("mesages")
    read = await client.get(path, headers=_headers(instagram))

    assert (first.json(), second.json()) == ({"success": True}, {"success": True})
    assert unknown.status_code == 400
    assert read.json()["data"][0]["subscribed_fields"] == ["messages"]


async def test_a_sent_text_comes_back_as_a_signed_echo_without_app_id(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    arrived: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()

    async def webhook(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await arrived.put((await request.body(), request.headers["x-hub-signature-256"]))
        await PlainTextResponse("EVENT_RECEIVED")(scope, receive, send)

    server = LocalServer(webhook)
    await server.start()
    sender = WebhookSender(server.base_url, "secret")
    instagram.echo_delay = 0
    instagram.connect(sender)
    instagram.meet(SAM)

    sent = (await _post(client, instagram, message={"text": "blåbær 🫐"})).json()
    body, signed = await asyncio.wait_for(arrived.get(), 5)
    await instagram.settle()
    await sender.close()
    await server.stop()

    item = httpx.Response(200, content=body).json()["entry"][0]["messaging"][0]
    assert signed == signature(body, "secret")
    assert body.isascii()
    assert item["message"] == {"mid": sent["message_id"], "text": "blåbær 🫐", "is_echo": True}
    assert (item["sender"]["id"], item["recipient"]["id"]) == (instagram.account_id, SAM)


async def test_without_a_webhook_there_is_no_echo(client: httpx.AsyncClient, instagram: Instagram) -> None:
    instagram.meet(SAM)

    answer = await _post(client, instagram, message={"text": "x"})

    assert answer.status_code == 200  # and nothing is left running, or the event loop would complain
