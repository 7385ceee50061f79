"""A person's events arrive at a webhook as Meta's bytes, signed."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dm_sandbox.corpus import cases
from dm_sandbox.person import Person
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.platforms.meta import signature, signed_request

ACCOUNT, SAM, SECRET = "17841472020051826", "819898670256713", "app-secret"


class Webhook:
    """Keeps what arrives; answers as told, 200 afterwards."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.statuses: list[int] = []
        self.server = LocalServer(self._serve)

    @property
    def items(self) -> list[dict[str, Any]]:
        entries = [entry for body in self.bodies for entry in json.loads(body)["entry"]]
        return [item for entry in entries for item in entry.get("messaging", entry.get("standby", []))]

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.bodies.append(await request.body())
        self.signatures.append(request.headers["x-hub-signature-256"])
        status = self.statuses.pop(0) if self.statuses else 200
        await PlainTextResponse("EVENT_RECEIVED", status)(scope, receive, send)


@pytest.fixture
async def webhook() -> AsyncGenerator[Webhook]:
    webhook = Webhook()
    await webhook.server.start()
    yield webhook
    await webhook.server.stop()


@pytest.fixture
async def sam(webhook: Webhook) -> AsyncGenerator[Person]:
    person = Person(webhook.server.base_url, SECRET, ACCOUNT, SAM, clock=lambda: 1_795_000_000_000)
    yield person
    await person.close()


async def test_the_bytes_are_escaped_and_the_signature_is_over_them(webhook: Webhook, sam: Person) -> None:
    mid = await sam.says("Blåbær 🫐 </b>")

    body = webhook.bodies[0]
    assert b"Bl\\u00e5b\\u00e6r \\ud83e\\uded0 <\\/b>" in body
    assert webhook.signatures == [signature(body, SECRET)]
    assert webhook.items[0] == {
        "sender": {"id": SAM},
        "recipient": {"id": ACCOUNT},
        "timestamp": 1_795_000_000_000,
        "message": {"mid": mid, "text": "Blåbær 🫐 </b>"},
    }
    assert sam.sender.deliveries[0].status == 200


@pytest.mark.parametrize("name", [case.name for case in cases()])
async def test_every_kind_of_the_corpus_can_be_sent(webhook: Webhook, sam: Person, name: str) -> None:
    await sam.sends(name)

    raw = webhook.bodies[0].decode()
    assert '"9001"' not in raw
    assert '"178414"' not in raw
    assert "aWdA1" not in raw
    assert webhook.signatures == [signature(webhook.bodies[0], SECRET)]


async def test_a_kind_keeps_its_shape_and_its_words(webhook: Webhook, sam: Person) -> None:
    await sam.sends("later/edits_in_the_wrong_order")

    third, first, second = webhook.items
    assert third["message_edit"]["mid"] == first["message"]["mid"] == second["message_edit"]["mid"] == sam.mids[0]
    assert (third["sender"], third["recipient"]) == ({"id": SAM}, {"id": ACCOUNT})
    assert (third["message_edit"]["text"], third["timestamp"]) == ("third", 1_795_000_000_000)


async def test_attachments_of_known_and_unknown_kinds(webhook: Webhook, sam: Person) -> None:
    await sam.sends_photo("https://x.example/1", text="look")
    await sam.sends_attachment("hologram", {})

    first, second = (item["message"] for item in webhook.items)
    assert first["attachments"] == [{"type": "image", "payload": {"url": "https://x.example/1"}}]
    assert first["text"] == "look"
    assert second["attachments"] == [{"type": "hologram", "payload": {}}]
    assert "text" not in second


async def test_later_events_reuse_the_mid_and_a_postback_has_its_own(webhook: Webhook, sam: Person) -> None:
    mid = await sam.says("one")
    await sam.edits(mid, "two")
    await sam.unsends(mid)
    await sam.reacts(mid)
    await sam.sees(mid)
    pressed = await sam.presses("Join", "JOIN")
    echoed = await sam.human_replies("hello from the owner")
    await sam.standby("elsewhere")

    items = webhook.items
    assert items[1]["message_edit"] == {"mid": mid, "text": "two", "num_edit": 1}
    assert items[2]["message"] == {"mid": mid, "is_deleted": True}
    assert items[3]["reaction"]["mid"] == items[4]["read"]["mid"] == mid
    assert items[5]["postback"]["mid"] == pressed != mid
    assert items[6]["message"] == {"mid": echoed, "text": "hello from the owner", "is_echo": True}
    assert items[6]["sender"]["id"] == ACCOUNT
    assert "standby" in json.loads(webhook.bodies[7])["entry"][0]


async def test_several_texts_can_come_in_one_request(webhook: Webhook, sam: Person) -> None:
    mids = await sam.says_at_once("one", "two", "three")

    assert len(webhook.bodies) == 1
    assert [item["message"]["mid"] for item in webhook.items] == mids
    assert len(set(mids)) == 3


async def test_what_is_not_acknowledged_is_delivered_again(webhook: Webhook, sam: Person) -> None:
    webhook.statuses = [500, 500]

    await sam.says("keep trying")

    assert [delivery.status for delivery in sam.sender.deliveries] == [500, 500, 200]
    assert len(set(webhook.bodies)) == 1


async def test_an_unreachable_webhook_is_a_delivery_without_status(sam: Person) -> None:
    sam.sender.url = "http://127.0.0.1:1/"

    delivery = await sam.sender.post({})

    assert delivery.status == 0


async def test_the_platform_learns_of_the_person_and_their_words(webhook: Webhook) -> None:
    instagram = Instagram()
    sam = Person(webhook.server.base_url, SECRET, instagram.account_id, SAM, "Sam", "sam.j", platform=instagram)

    mid = await sam.says("hello")
    await sam.human_replies("hi Sam")
    await sam.close()

    assert (instagram.contacts[SAM].name, instagram.contacts[SAM].username) == ("Sam", "sam.j")
    assert [(m.mid == mid, m.text, m.by_api) for m in instagram.messages] == [
        (True, "hello", False),
        (False, "hi Sam", False),
    ]


def test_a_signed_request_has_the_documented_form() -> None:
    signed = signed_request({"algorithm": "HMAC-SHA256", "user_id": "9001"}, SECRET)

    mac, _, payload = signed.partition(".")
    assert "=" not in signed
    assert (len(mac), payload[:2]) == (43, "ey")
