"""Who a person is: read once, beside the first model call, never in the way of a reply."""

import pytest

from dm_core.threads import Profile
from dm_sandbox.inprocess import InProcess


async def profile(system: InProcess) -> Profile | None:
    snapshot = await system.store.open(system.person().thread_id)
    assert snapshot is not None
    return snapshot.thread.profile


async def test_the_name_is_read_once_and_kept_in_the_thread(system: InProcess) -> None:
    ana = system.person()
    for number in range(2):
        await ana.says(f"hi {number}")
        await system.task(ana.thread_id, f"task-{number}")

    found = await profile(system)
    assert found is not None
    assert (found.name, found.username) == ("Ana", "ana.bowls")
    assert system.instagram.count("profile") == 1


async def test_a_refused_name_is_not_asked_for_again(system: InProcess) -> None:
    ana = system.person()
    system.instagram.faults.add("error", "profile", code=230, times=5)
    for number in range(2):
        await ana.says(f"hi {number}")
        await system.task(ana.thread_id, f"task-{number}")

    assert system.instagram.count("profile") == 1
    assert len(system.instagram.sent_to(ana.user_id)) == 2


@pytest.mark.parametrize("kind", ["stall", "throttle"])
async def test_a_name_that_can_not_be_had_now_is_asked_for_another_time(system: InProcess, kind: str) -> None:
    ana = system.person()
    if kind == "stall":
        system.instagram.faults.add("stall", "profile", seconds=30)
    else:
        system.instagram.faults.add("throttle", "profile", times=9)
    await ana.says("hi")
    _, result = await system.task(ana.thread_id)

    assert result["status"] == "processed"
    assert await profile(system) is None
    assert len(system.instagram.sent_to(ana.user_id)) == 1


async def test_an_account_that_fails_is_asked_for_nothing_that_no_reply_needs(system: InProcess) -> None:
    system.instagram.faults.add("error", "profile", code=2, status=503, times=2)
    system.gemini.latency = 1.0
    app, asked = system.instance(), list[tuple[int, int]]()
    for number, seconds in enumerate((0, 20, 11, 31)):
        system.clock.forward(seconds)
        await system.person().says(f"hi {number}")
        await system.task(system.person().thread_id, f"task-{number}", app)
        asked.append((system.instagram.count("profile"), system.instagram.count("mark_seen")))

    assert asked == [(1, 0), (1, 0), (2, 0), (3, 1)]
    assert len(system.instagram.sent_to("9001")) == 4
