"""Scripted faults: in order, as often as said, and honest about what was processed."""

import asyncio
import json

import httpx
import pytest

from dm_sandbox.platforms.instagram import Instagram

SAM = "819898670256713"


async def _send(client: httpx.AsyncClient, instagram: Instagram, text: str = "x") -> httpx.Response:
    instagram.meet(SAM)
    return await client.post(
        f"{instagram.base_url}/v26.0/me/messages",
        json={"recipient": {"id": SAM}, "message": {"text": text}},
        headers={"authorization": f"Bearer {instagram.tokens[0]}"},
    )


async def test_faults_come_in_order_and_only_to_their_operation(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    instagram.faults.add("error", "react", code=2)
    instagram.faults.add("error", "send", times=2, status=503)
    instagram.faults.add("error", "send", code=368)

    answers = [await _send(client, instagram) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [503, 503, 400, 200]
    assert answers[2].json()["error"]["code"] == 368
    assert len(instagram.sent) == 1
    assert [fault.operation for fault in instagram.faults.pending] == ["react"]


async def test_a_throttle_says_how_long_in_minutes(client: httpx.AsyncClient, instagram: Instagram) -> None:
    instagram.faults.add("throttle", "send", wait_minutes=7)

    answer = await _send(client, instagram)

    usage = json.loads(answer.headers["x-business-use-case-usage"])[instagram.node][0]
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 80002)
    assert (usage["type"], usage["estimated_time_to_regain_access"]) == ("instagram", 7)
    assert instagram.sent == []


@pytest.mark.parametrize(
    ("kind", "delivered"), [("drop_before", 0), ("drop_after", 1), ("stall", 0), ("stall_after", 1)]
)
async def test_a_cut_connection_tells_nothing_but_the_record_does(
    client: httpx.AsyncClient, instagram: Instagram, kind: str, delivered: int
) -> None:
    instagram.faults.add(kind, "send", seconds=0.01)

    with pytest.raises(httpx.HTTPError):
        await _send(client, instagram)

    record = instagram.records[-1]
    assert (record.status, record.processed) == (0, bool(delivered))
    assert len(instagram.sent) == delivered
    assert (await _send(client, instagram)).status_code == 200


async def test_an_error_after_processing_hides_a_delivery(client: httpx.AsyncClient, instagram: Instagram) -> None:
    instagram.faults.add("error_after", "send", code=1, subcode=1357046)

    answer = await _send(client, instagram)

    assert (answer.status_code, answer.json()["error"]["error_subcode"]) == (500, 1357046)
    assert instagram.sent_to(SAM) == ["x"]


async def test_bodies_that_are_no_json_and_bodies_that_are_too_long(
    client: httpx.AsyncClient, instagram: Instagram
) -> None:
    instagram.faults.add("not_json", "send", status=502)
    instagram.faults.add("huge", "send", size=2_000_000)

    page, huge = await _send(client, instagram), await _send(client, instagram)

    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert page.text.startswith("<!DOCTYPE html>")
    assert len(huge.content) > 2_000_000
    assert instagram.sent == []


async def test_a_stalled_request_does_not_hold_up_the_stop(client: httpx.AsyncClient) -> None:
    instagram = Instagram()
    await instagram.start()
    instagram.faults.add("stall", "send", seconds=60)
    sending = asyncio.create_task(_send(client, instagram))
    async with asyncio.timeout(5):
        while instagram.faults.pending:
            assert not sending.done()
            await asyncio.sleep(0.005)

    await asyncio.wait_for(instagram.stop(), 5)

    with pytest.raises(httpx.HTTPError):
        await sending
