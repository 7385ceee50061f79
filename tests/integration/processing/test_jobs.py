"""The processor's other paths: malformed tasks, the sweep, token refresh, the watchdog."""

import json
from pathlib import Path
from typing import cast

import pytest

from dm_core.http import Request
from dm_core.store.port import Deletion
from dm_sandbox.inprocess import CrashPoints, InProcess, InstanceDied


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"threadId": 7}',
        b'{"threadId": "no underscore"}',
        b'{"threadId": "a_b/../c"}',
        b"\xff",
        b"[" * 100000,
        b'{"threadId": "' + b"9" * 500 + b'_1"}',
    ],
)
async def test_a_malformed_task_is_ignored_with_200(system: InProcess, body: bytes) -> None:
    status, result = await system.job("/", body)

    assert (status, result["status"]) == (200, "ignored")


async def test_a_thread_nobody_knows_is_nothing_to_do(system: InProcess) -> None:
    status, result = await system.task("178414_404")

    assert (status, result["status"]) == (200, "nothing_to_do")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("POST", "/health", 405),
        ("GET", "/", 405),
        ("GET", "/sweep", 405),
        ("POST", "/no", 404),
    ],
)
async def test_routes(system: InProcess, method: str, path: str, status: int) -> None:
    assert (await system.instance().handle(Request(method, path))).status == status


async def test_the_sweep_wakes_a_thread_whose_task_was_lost(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.queue.wake_ups.clear()
    assert (await system.job("/sweep"))[1]["overdue"] == 0

    system.clock.forward(120)
    status, result = await system.job("/sweep")

    assert (status, result["overdue"]) == (200, 1)
    assert [wake_up.thread_id for wake_up in system.queue.wake_ups.values()] == [ana.thread_id]


async def test_the_sweep_finds_a_thread_whose_instance_died(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    with pytest.raises(InstanceDied):
        await system.task(ana.thread_id, app=system.instance(CrashPoints(at=3, when="before")))
    system.queue.wake_ups.clear()

    system.clock.forward(330 + 61)
    await system.job("/sweep")

    [wake_up] = system.queue.wake_ups.values()
    assert (await system.task(ana.thread_id, wake_up.name))[1]["status"] == "processed"
    assert len(system.instagram.sent) == 1


async def test_a_thread_at_rest_is_never_swept(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.says("hi")
    await system.task(ana.thread_id)
    await ana.says("oops")
    await ana.unsends(ana.mids[-1])
    await system.task(ana.thread_id, "task-2")
    assert mid

    system.clock.forward(100_000)

    assert (await system.job("/sweep"))[1]["overdue"] == 0


async def test_a_sweep_that_can_not_schedule_fails(system: InProcess) -> None:
    await system.person().says("hi")
    system.clock.forward(120)
    system.queue.down = True

    status, result = await system.job("/sweep")

    assert status == 500
    assert "1 of 1 overdue tasks could not be scheduled: QueueUnavailable: switched off" in str(result["error"])


async def test_the_sweep_completes_a_deletion_that_was_cut_short(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    await system.store.put_deletion(Deletion("code", ana.user_id, system.clock()))

    assert (await system.job("/sweep"))[1]["deletions"] == 1

    assert await system.store.open(ana.thread_id) is None
    done = await system.store.get_deletion("code")
    assert done is not None
    assert done.completed_at is not None


async def test_a_refreshed_token_is_kept_and_used_by_every_later_instance(system: InProcess, tmp_path: Path) -> None:
    system.env["INSTAGRAM_TOKEN_FILE"] = str(tmp_path / "token")
    old = system.instagram.tokens[0]

    status, result = await system.job("/maintenance/refresh-token")

    assert (status, result["status"]) == (200, "refreshed")
    system.instagram.tokens.remove(old)
    ana = system.person()
    await ana.says("hi")
    assert (await system.task(ana.thread_id))[1]["status"] == "processed"
    assert len(system.instagram.sent) == 1


async def test_a_refused_refresh_is_an_error_that_an_alert_can_count(system: InProcess, tmp_path: Path) -> None:
    system.env["INSTAGRAM_TOKEN_FILE"] = str(tmp_path / "token")
    system.instagram.token_age_hours = 3

    status, _ = await system.job("/maintenance/refresh-token")

    assert status == 500
    assert not (tmp_path / "token").exists()


async def test_a_refresh_without_a_place_for_the_token_says_what_to_set(
    system: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    status, result = await system.job("/maintenance/refresh-token")

    assert status == 500
    assert "INSTAGRAM_TOKEN_SECRET is missing" in str(result["error"])
    (failed,) = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "error" in line]
    assert (failed["message"], failed["error"]) == ("job_failed", result["error"])


async def test_the_check_names_what_a_person_must_mend(system: InProcess) -> None:
    system.instagram.subscribed = ()
    await system.store.put_document("maintenance", "token", {"expiresAt": system.clock() + 5 * 86_400_000 + 60_000})

    status, result = await system.job("/maintenance/check")

    assert (status, result["status"]) == (200, "problems")
    assert result["problems"] == [
        "the account is not subscribed to: messages",
        "the Instagram token ends in 5 days",
    ]


async def test_the_check_says_why_it_could_not_ask(system: InProcess) -> None:
    system.instagram.faults.add("not_json", "subscribed_apps", times=9, status=502)
    system.whatsapp.faults.add("error", "health", times=9, code=190, subcode=463, status=401)

    _, result = await system.job("/maintenance/check")

    subscription, whatsapp = cast("list[str]", result["problems"])
    assert subscription == "the subscription could not be read (RetryLater: Instagram: a temporary failure (HTTP 502))"
    assert whatsapp == "WhatsApp could not be asked whether it can send (AccountStopped 190/463)"


@pytest.mark.parametrize("subscribed", [("messages",), ("messages", "messaging_postbacks")])
async def test_an_account_whose_taps_do_not_arrive_is_warned_of(system: InProcess, subscribed: tuple[str, ...]) -> None:
    system.instagram.subscribed = subscribed

    _, result = await system.job("/maintenance/check")

    assert result["status"] == "ok"
    warnings = "".join(cast("list[str]", result["warnings"]))
    assert ("taps do not arrive: messaging_postbacks is not subscribed to" in warnings) == (len(subscribed) == 1)


async def test_the_check_is_content_when_all_is_well(system: InProcess) -> None:
    system.instagram.subscribed = ("messages", "message_reactions")
    await system.person().says("hi")

    _, result = await system.job("/maintenance/check")

    assert (result["status"], result["problems"]) == ("ok", [])
    assert isinstance(result["lastInboundAt"], int)
