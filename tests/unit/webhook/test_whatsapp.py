"""WhatsApp's deliveries: signed, in any order, twice, late, about anything; and the manager's own messages."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dm_core.alerts import Alert, AlertCount, AlertLimits, AlertState, AskedAlert, ManagerContact, new_alerts
from dm_core.errors import StoreUnavailable
from dm_core.http import Request, Response
from tests.unit.webhook.webhook_stage import NOW, SECRETS, THREAD, Stage, dm, messaging

NUMBER_ID, MANAGER = "555", "4790000000"
META_SECRET = "meta-app-secret"
SECONDS = NOW // 1000


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage.build(
        tmp_path / "store.db",
        WHATSAPP_APP_SECRET=META_SECRET,
        WHATSAPP_VERIFY_TOKEN="whatsapp-token",
        WHATSAPP_PHONE_NUMBER_ID=NUMBER_ID,
        MANAGER_WHATSAPP_NUMBER="+47 900 00 000, +44 7700 900123",
    )
    yield stage
    await stage.store.close()


async def stored(stage: Stage, key: str = "r/0/0") -> Alert:
    ((alert,), _) = new_alerts([AskedAlert(key, "ring Ana")], "1_2", AlertCount(), NOW, AlertLimits())
    await stage.store.create_alert(alert)
    return alert


async def read(stage: Stage, alert: Alert) -> Alert:
    found = await stage.store.get_alert(alert.id)
    assert found is not None
    return found.alert


def status(
    alert_id: object, kind: str, at: object = SECONDS, code: int = 0, wamid: str = "wamid.1"
) -> dict[str, object]:
    item = {"id": wamid, "status": kind, "timestamp": str(at), "recipient_id": MANAGER}
    errors = {"errors": [{"code": code, "title": "x"}]} if code else {}
    return {**item, **errors, **({} if alert_id is None else {"biz_opaque_callback_data": alert_id})}


def delivery(*statuses: object, number_id: object = NUMBER_ID, field: str = "messages", **value: object) -> bytes:
    told = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": number_id}, **value}
    if statuses:
        told["statuses"] = list(statuses)
    entry = {"id": "777", "changes": [{"field": field, "value": told}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


async def post(stage: Stage, body: bytes, secret: str = META_SECRET) -> Response:
    return await stage.post(body, secret, "/whatsapp")


OK = Response(200, "EVENT_RECEIVED")


async def test_the_verification_has_its_own_token(stage: Stage) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "123"}

    assert await stage.get("/whatsapp", **query, **{"hub.verify_token": "whatsapp-token"}) == Response(
        200, "123", "text/plain"
    )
    assert (await stage.get("/whatsapp", **query, **{"hub.verify_token": "open sésame"})).status == 403
    assert (await stage.get("/", **query, **{"hub.verify_token": "whatsapp-token"})).status == 403
    assert (await stage.app.handle(Request("PUT", "/whatsapp"))).status == 405


async def test_unsigned_and_wrongly_signed_are_401(stage: Stage) -> None:
    alert = await stored(stage)
    body = delivery(status(alert.id, "delivered"))

    assert (await stage.app.handle(Request("POST", "/whatsapp", body=body))).status == 401
    assert (await post(stage, body, SECRETS[0])).status == 401
    assert (await stage.post(body, "guess", "/")).status == 401
    assert (await read(stage, alert)).delivered_at is None


def _object_last(body: bytes) -> bytes:
    return json.dumps(dict(sorted(json.loads(body).items()))).encode()


@pytest.mark.parametrize("secret", [SECRETS[0], META_SECRET])
async def test_what_is_told_the_other_address_is_taken_by_its_object(
    tmp_path: Path, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a secret for each, and with one for both; ``object`` may stand last."""
    stage = Stage.build(tmp_path / "store.db", WHATSAPP_APP_SECRET=secret, WHATSAPP_PHONE_NUMBER_ID=NUMBER_ID)
    alert = await stored(stage)

    dms, statuses = json.dumps(messaging(dm("m"))).encode(), delivery(status(alert.id, "delivered"))
    assert await stage.post(_object_last(dms), SECRETS[0], "/whatsapp") == OK
    assert await stage.post(_object_last(statuses), secret, "/") == OK

    assert (await stage.message()).mid == "m"
    assert (await read(stage, alert)).delivered_at == NOW
    assert stage.store.quarantined == {}
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    misdirected = [(line["path"], line["belongs"]) for line in logged if line["message"] == "webhook_misdirected"]
    assert misdirected == [("/whatsapp", "/"), ("/", "/whatsapp")]
    await stage.store.close()


@pytest.mark.parametrize("path", ["/", "/whatsapp"])
async def test_whatsapps_secret_signs_no_dm(stage: Stage, path: str) -> None:
    """Refused, so that it comes again: a 200 would lose it."""
    assert (await stage.post(json.dumps(messaging(dm("m"))).encode(), META_SECRET, path)).status == 401

    assert await stage.store.open(THREAD) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"nonsense"])
async def test_what_is_not_json_is_400(stage: Stage, body: bytes) -> None:
    assert (await post(stage, body)).status == 400


async def test_each_status_writes_its_own_field_in_any_order(stage: Stage) -> None:
    alert = await stored(stage)

    for kind, at in (("read", SECONDS - 1), ("delivered", SECONDS - 2), ("sent", SECONDS - 3), ("read", SECONDS - 1)):
        assert await post(stage, delivery(status(alert.id, kind, at))) == OK

    told = await read(stage, alert)
    assert (told.sent_at, told.delivered_at, told.read_at) == (NOW - 3_000, NOW - 2_000, NOW - 1_000)
    assert (told.failed_at, told.state, told.due_at) == (None, AlertState.WAITING, NOW)
    assert stage.alert_queue.ticks == []
    contact = await stage.store.manager_contact()
    assert (contact.status_seen_at, contact.last_inbound_at, contact.closed_at) == (NOW, None, None)


async def test_a_failure_makes_the_alert_due_and_asks_for_a_tick(stage: Stage) -> None:
    alert = await stored(stage)

    assert await post(stage, delivery(status(alert.id, "failed", SECONDS - 4, 131047))) == OK

    told = await read(stage, alert)
    assert (told.failed_at, told.failed_code, told.failed_wamid) == (NOW - 4_000, 131047, "wamid.1")
    assert told.due_at == NOW - 4_000
    assert stage.alert_queue.ticks == [(alert.id, NOW)]
    assert (await stage.store.manager_contact()).closed_at == NOW - 4_000


async def test_of_several_errors_the_closed_window_is_the_one_that_can_be_mended(stage: Stage) -> None:
    alert = await stored(stage)
    errors = [{"code": 131000, "title": "Something went wrong"}, {"code": 131047, "title": "Re-engagement message"}]

    assert await post(stage, delivery({**status(alert.id, "failed"), "errors": errors})) == OK

    assert (await read(stage, alert)).failed_code == 131047


async def test_a_status_without_our_reference_is_found_by_its_message(stage: Stage) -> None:
    alert = await stored(stage)
    found = await stage.store.get_alert(alert.id)
    assert found is not None
    await stage.store.save_alert(replace(alert, state=AlertState.SENT, wamids=("wamid.1",)), found.version)

    assert await post(stage, delivery(status(None, "delivered"), status(None, "failed", wamid="wamid.2"))) == OK
    assert await post(stage, delivery(status(None, "failed", code=131047))) == OK

    told = await read(stage, alert)
    assert (told.delivered_at, told.failed_code) == (NOW - NOW % 1_000, 131047)
    assert stage.alert_queue.ticks == [(alert.id, NOW)]


async def test_a_list_of_envelopes_is_read_like_each_of_them(stage: Stage) -> None:
    alert = await stored(stage)
    bodies = [json.loads(delivery(status(alert.id, kind))) for kind in ("sent", "delivered")]

    assert await post(stage, json.dumps(bodies).encode()) == OK

    assert (await read(stage, alert)).delivered_at == NOW - NOW % 1_000


async def test_a_tick_that_can_not_be_made_is_left_to_the_sweep(stage: Stage) -> None:
    alert = await stored(stage)
    stage.alert_queue.refusing = True

    assert await post(stage, delivery(status(alert.id, "failed", code=131026))) == OK

    assert (await read(stage, alert)).failed_code == 131026


@pytest.mark.parametrize(
    "item",
    [
        status("f" * 64, "delivered"),
        status(None, "delivered"),
        status("", "delivered"),
        status("a/b", "failed", code=131047),
        status(7, "sent"),
        status("f" * 64, "deleted"),
        status("f" * 64, "failed", "not a time", -1),
        {},
        None,
        "status",
        [],
    ],
)
async def test_statuses_of_nothing_are_200_and_make_no_document(stage: Stage, item: object) -> None:
    assert await post(stage, delivery(item)) == OK

    assert await stage.store.get_alert("f" * 64) is None
    assert await stage.store.manager_contact() == ManagerContact()
    assert stage.alert_queue.ticks == []


async def test_a_status_that_names_no_number_is_ours(stage: Stage) -> None:
    alert = await stored(stage)

    assert await post(stage, delivery(status(alert.id, "delivered"), number_id=None)) == OK

    assert (await read(stage, alert)).delivered_at is not None


async def test_an_unknown_number_is_200_and_changes_nothing(stage: Stage) -> None:
    alert = await stored(stage)

    assert await post(stage, delivery(status(alert.id, "delivered"), number_id="123456123")) == OK

    assert (await read(stage, alert)).delivered_at is None


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"[]", 0),
        (b"null", 1),
        (b"7", 1),
        (b'{"entry": 7}', 1),
        (b'{"entry": [7, {"changes": [null, {"field": "messages", "value": 3}]}]}', 3),
        (delivery(statuses={"id": "w"}), 1),
        (delivery(messages="hi"), 1),
        (delivery(field="account_update"), 0),
        (delivery(errors=[{"code": 131000}]), 0),
    ],
)
async def test_what_is_not_understood_is_200_and_kept(stage: Stage, body: bytes, kept: int) -> None:
    assert await post(stage, body) == OK

    assert len(stage.store.quarantined) == kept


_WRITTEN = {"from": MANAGER, "id": "wamid.8", "timestamp": str(SECONDS), "type": "text", "text": {"body": "hi"}}
_MALFORMED: dict[str, object] = {
    "type is a list": {**_WRITTEN, "type": ["text"]},
    "type is an object": {**_WRITTEN, "type": {}},
    "text is a string": {**_WRITTEN, "text": "hi"},
    "id is missing": {**_WRITTEN, "id": None},
    "from is an object": {**_WRITTEN, "from": {"wa_id": MANAGER}},
    "everything else is a list": {key: [value] for key, value in _WRITTEN.items()} | {"from": MANAGER},
    "not an object": ["hi"],
}


@pytest.mark.parametrize("name", _MALFORMED)
async def test_a_malformed_message_takes_no_other_with_it(stage: Stage, name: str) -> None:
    alert = await stored(stage)
    odd = _MALFORMED[name]

    answer = await post(stage, delivery(status(alert.id, "delivered"), messages=[odd, {**_WRITTEN, "id": "wamid.9"}]))

    assert answer == OK
    assert (await read(stage, alert)).delivered_at == NOW
    items = [await stage.store.get_outbox(wake_up.outbox_id) for wake_up in stage.queue.wake_ups]
    assert "hi" in [found.item.text for found in items if found is not None]


async def test_one_odd_status_leaves_the_others_alone(stage: Stage) -> None:
    alert = await stored(stage)

    assert await post(stage, delivery(None, status("f" * 64, "read"), status(alert.id, "delivered"))) == OK

    assert (await read(stage, alert)).delivered_at == NOW


async def test_the_managers_message_opens_his_window_and_a_strangers_does_not(stage: Stage) -> None:
    for sender in ("4791111111", "447700900123", ""):
        message = {"from": sender, "id": "wamid.9", "timestamp": str(SECONDS), "type": "text", "text": {"body": "hi"}}
        assert await post(stage, delivery(messages=[message])) == OK
    assert (await stage.store.manager_contact()).last_inbound_at is None

    message = {"from": MANAGER, "id": "wamid.9", "timestamp": str(SECONDS - 60), "type": "image"}
    assert await post(stage, delivery(messages=[message])) == OK
    assert (await stage.store.manager_contact()).last_inbound_at == NOW - 60_000

    message["timestamp"] = str(SECONDS - 3_600)
    assert await post(stage, delivery(messages=[message])) == OK
    assert (await stage.store.manager_contact()).last_inbound_at == NOW - 60_000


NAMELESS = {"from_user_id": "NO.1349", "id": "wamid.7", "timestamp": str(SECONDS)}


@pytest.mark.parametrize("given", [{}, {"from": ""}, {"from": None}, {"from": "NO.13491208655302741918"}])
@pytest.mark.parametrize(
    ("words", "is_managers"),
    [
        ({"type": "text", "text": {"body": "yes"}, "context": {"id": "wamid.1"}}, True),
        ({"type": "interactive", "interactive": {"button_reply": {"id": "send:{}", "title": "Send"}}}, True),
        ({"type": "text", "text": {"body": "yes"}, "context": {"id": "wamid.2"}}, False),
        ({"type": "interactive", "interactive": {"button_reply": {"id": "send:0", "title": "Send"}}}, False),
        ({"type": "text", "text": {"body": "off"}}, False),
    ],
)
async def test_who_answers_an_alert_without_a_number_is_the_manager(
    stage: Stage, given: dict[str, object], words: dict[str, object], *, is_managers: bool
) -> None:
    """People with a user name; the alert went to nobody else."""
    alert = await stored(stage)
    found = await stage.store.get_alert(alert.id)
    assert found is not None
    await stage.store.save_alert(replace(alert, state=AlertState.SENT, wamids=("wamid.1",)), found.version)
    message = json.loads(json.dumps({**NAMELESS, **given, **words}).replace("{}", alert.id))

    assert await post(stage, delivery(messages=[message])) == OK

    assert (await stage.store.manager_contact()).last_inbound_at == (NOW - NOW % 1_000 if is_managers else None)
    items = [await stage.store.get_outbox(wake_up.outbox_id) for wake_up in stage.queue.wake_ups]
    assert [found.item.sender for found in items if found is not None] == [MANAGER] * is_managers


async def test_a_manager_whose_ids_come_as_numbers_is_heard(stage: Stage) -> None:
    message = {"from": int(MANAGER), "id": 90071, "timestamp": SECONDS, "type": "text", "text": {"body": "list"}}

    assert await post(stage, delivery(messages=[message], number_id=int(NUMBER_ID))) == OK

    (asked,) = stage.queue.wake_ups
    found = await stage.store.get_outbox(asked.outbox_id)
    assert found is not None
    assert (found.item.text, found.item.sender) == ("list", MANAGER)


@pytest.mark.parametrize(
    ("configured", "sender", "is_managers"),
    [
        ("+52 55 1234 5678", "5215512345678", True),
        ("+52 1 55 1234 5678", "525512345678", True),
        ("+54 11 1234-5678", "5491112345678", True),
        ("+55 11 98765-4321", "551187654321", True),
        ("+55 31 8765-4321", "5531987654321", True),
        ("+55 11 3765-4321", "5511937654321", False),  # a landline, and somebody else's mobile
        ("+52 55 1234 5678", "52155123456789", False),
        ("+44 7700 900777", "447700900776", False),
    ],
)
async def test_a_number_is_the_managers_with_the_digit_that_whatsapp_adds_or_leaves_out(
    tmp_path: Path, configured: str, sender: str, *, is_managers: bool
) -> None:
    stage = Stage.build(tmp_path / "store.db", MANAGER_WHATSAPP_NUMBER=configured)
    body = delivery(messages=[{"from": sender, "timestamp": str(SECONDS), "type": "text"}])

    assert await stage.post(body, SECRETS[0], "/whatsapp") == OK

    assert (await stage.store.manager_contact()).last_inbound_at == (NOW if is_managers else None)
    await stage.store.close()


async def test_a_store_that_fails_is_500_so_that_meta_delivers_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = await stored(stage)

    async def fail(*_: object) -> bool:
        raise StoreUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(stage.store, "record_status", fail)
        assert (await post(stage, delivery(status(alert.id, "delivered")))).status == 500
    with monkeypatch.context() as broken:
        broken.setattr(stage.store, "note_manager_contact", fail)
        assert (await post(stage, delivery(status(alert.id, "delivered")))).status == 500

    assert await post(stage, delivery(status(alert.id, "delivered"))) == OK
    assert (await read(stage, alert)).delivered_at == NOW
    assert (await stage.store.manager_contact()).status_seen_at == NOW


async def test_start_up_says_that_instagrams_secret_signs_no_whatsapp_webhook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dm_core.bootstrap.webhook import webhook_app
    from dm_core.settings import WebhookSettings
    from dm_sandbox.inprocess import FUNCTIONS
    from tests.unit.webhook.webhook_stage import ENVIRONMENT

    webhook_app(WebhookSettings.load(ENVIRONMENT | {"WHATSAPP_APP_SECRET": "meta"}), FUNCTIONS / "webhook")
    assert "whatsapp_secret_missing" not in capsys.readouterr().out
    webhook_app(WebhookSettings.load(ENVIRONMENT), FUNCTIONS / "webhook")
    assert "whatsapp_secret_missing" in capsys.readouterr().out
