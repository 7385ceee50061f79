"""The WhatsApp and Spond simulators, held against docs/platforms/whatsapp.md and docs/platforms/spond.md."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from dm_core.clients.spond import SpondClient
from dm_core.clock import system_clock
from dm_core.settings import SpondSettings
from dm_sandbox.platforms.meta import WebhookSender
from dm_sandbox.platforms.spond import Event, Spond
from dm_sandbox.platforms.whatsapp import WhatsApp
from dm_sandbox.platforms.whatsapp_statuses import Statuses

MANAGER = "+44 7700 900123"


async def _alert(client: httpx.AsyncClient, whatsapp: WhatsApp, **body: Any) -> httpx.Response:
    return await client.post(
        f"{whatsapp.base_url}/v26.0/{whatsapp.phone_number_id}/messages",
        json={"messaging_product": "whatsapp", "to": MANAGER, **body},
        headers={"authorization": f"Bearer {whatsapp.token}"},
    )


def _template(text: str, name: str = "dm_alert") -> dict[str, Any]:
    parameters = [{"type": "text", "text": text}]
    components = [{"type": "body", "parameters": parameters}]
    return {"type": "template", "template": {"name": name, "language": {"code": "en"}, "components": components}}


async def test_an_alert_is_accepted_with_a_wamid_and_keeps_its_reference(
    client: httpx.AsyncClient, whatsapp: WhatsApp
) -> None:
    answer = await _alert(client, whatsapp, type="text", text={"body": "Hi"}, biz_opaque_callback_data="run/1/0")

    body = answer.json()
    assert body["contacts"] == [{"input": MANAGER, "wa_id": "447700900123"}]
    assert body["messages"][0]["id"].startswith("wamid.")
    assert [(a.to, a.text, a.reference) for a in whatsapp.alerts] == [("447700900123", "Hi", "run/1/0")]


async def test_outside_the_window_only_a_known_template_passes(
    client: httpx.AsyncClient, whatsapp: WhatsApp, clock: Any
) -> None:
    whatsapp.hear(MANAGER)
    inside = await _alert(client, whatsapp, type="text", text={"body": "Hi"})
    clock.pass_hours(24)

    outside = await _alert(client, whatsapp, type="text", text={"body": "Hi"})
    template = await _alert(client, whatsapp, **_template("Hi"))
    unknown = await _alert(client, whatsapp, **_template("Hi", "nobody_made_this"))
    lines = await _alert(client, whatsapp, **_template("two\nlines"))

    assert inside.status_code == 200
    assert outside.json()["error"]["code"] == 131047
    assert "24 hours" in outside.json()["error"]["error_data"]["details"]
    assert template.status_code == 200
    assert unknown.json()["error"]["code"] == 132001
    assert lines.json()["error"]["code"] == 100
    assert [alert.template for alert in whatsapp.alerts] == [None, "dm_alert"]


async def test_a_closed_window_can_be_set(client: httpx.AsyncClient, whatsapp: WhatsApp) -> None:
    whatsapp.windows_open = False

    assert (await _alert(client, whatsapp, type="text", text={"body": "Hi"})).json()["error"]["code"] == 131047


async def _login(client: httpx.AsyncClient, spond: Spond, password: str | None = None) -> httpx.Response:
    credentials = {"email": spond.username, "password": password or spond.password}
    return await client.post(f"{spond.api_url}/auth2/login", json=credentials)


async def _token(client: httpx.AsyncClient, spond: Spond) -> dict[str, str]:
    return {"authorization": f"Bearer {(await _login(client, spond)).json()['accessToken']['token']}"}


async def test_the_calendar_has_a_cancelled_and_a_full_session(client: httpx.AsyncClient, spond: Spond) -> None:
    headers = await _token(client, spond)

    events = (await client.get(f"{spond.api_url}/sponds/", params={"groupId": spond.group_id}, headers=headers)).json()

    assert len(events) == 6
    assert [event.get("cancelled", False) for event in events] == [False, False, True, False, False, False]
    full = [event for event in events if len(event["responses"]["acceptedIds"]) >= event["maxAccepted"]]
    assert full == [events[3]]
    assert all(event["startTimestamp"].endswith("Z") for event in events)
    assert events[0]["location"]["feature"]


async def test_the_calendar_is_filtered_by_time_and_group(client: httpx.AsyncClient, spond: Spond) -> None:
    headers = await _token(client, spond)
    starts = sorted(event.starts_at for event in spond.events)
    until = starts[1].strftime("%Y-%m-%dT%H:%M:%S.000Z")

    async def ask(**query: str) -> int:
        return len((await client.get(f"{spond.api_url}/sponds", params=query, headers=headers)).json())

    assert await ask(maxStartTimestamp=until) == 2
    assert await ask(minStartTimestamp=until) == 5
    assert await ask(max="1") == 1
    assert await ask(groupId="SOMEONE-ELSES") == 0


async def test_tokens_expire_and_logins_run_out(client: httpx.AsyncClient, spond: Spond) -> None:
    headers = await _token(client, spond)
    spond.attempts_left = 2

    before = await client.get(f"{spond.api_url}/groups/", headers=headers)
    spond.expire_tokens()
    after = await client.get(f"{spond.api_url}/groups/", headers=headers)
    wrong = [(await _login(client, spond, "wrong")).json()["errorKey"] for _ in range(3)]

    assert before.json()[0]["id"] == spond.group_id
    assert after.status_code == 401
    assert wrong == ["invalidCredentials", "invalidCredentials", "outOfLoginAttempts"]


async def test_a_two_factor_account_gets_no_token(client: httpx.AsyncClient, spond: Spond) -> None:
    spond.two_factor = True

    assert set((await _login(client, spond)).json()) == {"token", "phoneNumber"}


async def test_the_firewall_answers_with_a_page(client: httpx.AsyncClient, spond: Spond) -> None:
    spond.faults.add("error", "login", status=403)

    answer = await _login(client, spond)

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (403, "text/html")


async def test_a_session_with_later_invitations_is_told_only_to_whoever_asks_for_it(spond: Spond) -> None:
    now = datetime.fromtimestamp(spond.clock() / 1000, UTC)
    soon = Event(
        "E9", "Nets", now + timedelta(days=2), now + timedelta(days=2, hours=2), group_id="G2", subgroup_id="S1"
    )
    spond.events = [replace(soon, invites_at=now + timedelta(days=1))]
    settings = SpondSettings(spond.api_url, spond.username, spond.password, ("G2/S1",))
    client = SpondClient(settings, spond.clock)

    found = await client.calendar("G2/S1").sessions(now, now + timedelta(days=7))
    others = await client.calendar("G2/S2").sessions(now, now + timedelta(days=7))

    assert [session.id for session in found] == ["E9"]
    assert others == ()
    await client.close()


async def test_waiting_for_statuses_ends_though_the_last_one_has_ended_just_now() -> None:
    def nobody_listens(wamid: str, status: str) -> None:
        raise ConnectionError(wamid, status)

    sender = WebhookSender("http://127.0.0.1:9/", "secret", system_clock)
    statuses = Statuses("1", "2", system_clock, webhook=sender, on_told=nobody_listens)

    statuses.tell("wamid.1", MANAGER, "")
    await asyncio.sleep(0)  # its task is over, and still on the list
    await statuses.told()
