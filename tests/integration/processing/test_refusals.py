"""Whose fault a platform's no is decides what happens: one post to somebody who blocked us, never two of anything."""

import pytest

from dm_core.messages import Disposition, Status
from dm_sandbox.inprocess import InProcess
from dm_sandbox.platforms.answers import call, turn
from tests.integration.processing.schedule import Deliveries, stored


def answers(system: InProcess, *texts: str) -> None:
    system.gemini.script([turn(call("send_instagram_message", text=text)) for text in texts or ["Tuesday."] * 20])


@pytest.mark.parametrize(("code", "subcode"), [(100, 2534014), (10, 2534022), (551, 0)])
@pytest.mark.parametrize(("reached", "told"), [((), 1), ((1,), 0), ((0, 1), 0)])
async def test_an_account_that_reaches_nobody_is_told_of(
    system: InProcess, code: int, subcode: int, reached: tuple[int, ...], told: int
) -> None:
    app = system.instance()
    for number in range(3):
        person = system.person(f"900{number}")
        system.gemini.script([turn(call("send_instagram_message", text="Tuesday."))])
        if number not in reached:
            system.instagram.faults.add("error", "send", code=code, subcode=subcode)
        await person.says("when?")
        assert (await system.task(person.thread_id, app=app))[1]["status"] == "processed"

    assert ["replies to nobody" in alert for alert in await system.told()] == [True] * told
    assert len(system.gemini.requests) == 3


@pytest.mark.parametrize(
    ("code", "subcode"),
    [(551, 0), (551, 1545041), (200, 1545041), (100, 2018001), (100, 2534014), (100, 33), (100, 2534001)],
)
async def test_a_person_who_cannot_be_written_to_costs_one_post_and_one_model_call(
    system: InProcess, code: int, subcode: int
) -> None:
    ana = system.person()
    answers(system)
    system.instagram.faults.add("error", "send", times=100, code=code, subcode=subcode, status=400)
    await ana.says("hi")

    status, result = await system.task(ana.thread_id)

    assert (status, result["status"], result["ending"]) == (200, "processed", "refused")
    assert (system.instagram.count("send"), system.gemini.count()) == (1, 1)
    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition) == (Status.PROCESSED, Disposition.REFUSED)
    assert await system.told() == []


@pytest.mark.parametrize(("code", "subcode"), [(10, 2534022), (10, 2018065), (10, 2018108), (10, 2018278)])
async def test_a_closed_window_ends_as_expired(system: InProcess, code: int, subcode: int) -> None:
    ana = system.person()
    answers(system)
    system.instagram.faults.add("error", "send", times=100, code=code, subcode=subcode, status=403)
    await ana.says("hi")

    _, result = await system.task(ana.thread_id)

    assert (result["status"], result["ending"], system.instagram.count("send")) == ("processed", "expired", 1)


async def test_what_the_manager_was_to_know_is_told_although_the_person_blocked_us(system: InProcess) -> None:
    ana = system.person()
    both = (
        call("send_instagram_message", text="Help is coming."),
        call("send_manager_notification", text="A child reports being touched.", urgency="urgent"),
    )
    system.gemini.script([turn(*both)])
    system.instagram.faults.add("error", "send", times=100, code=551, status=400)
    await ana.says("help")

    _, result = await system.task(ana.thread_id)

    assert result["ending"] == "refused"
    [alert] = await system.told()
    assert "A child reports being touched." in alert


@pytest.mark.parametrize(
    ("code", "subcode"),
    [(1200, 2018024), (-1, 2018012), (-1, 2207001), (20, 1772107), (4_711, 0), (1, 1357046), (2, 0), (4, 2207051)],
)
@pytest.mark.parametrize("status", [400, 403, 500])
async def test_an_error_that_is_no_known_refusal_never_counts_as_not_sent(
    system: InProcess, code: int, subcode: int, status: int
) -> None:
    ana = system.person()
    answers(system)
    system.instagram.faults.add("error_after", "send", code=code, subcode=subcode, status=status)
    await ana.says("hi")

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], len(system.instagram.sent)) == ("answered", 1)


async def test_an_echo_contradicts_a_refusal(system: InProcess) -> None:
    system.env["ECHO_WAIT_SECONDS"] = "1"
    ana = system.person()
    system.echo_sends()
    answers(system, "Tuesday.", "Tuesday, again.")
    system.instagram.faults.add("error_after", "send", code=100, status=400)
    await ana.says("hi")

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], len(system.instagram.sent)) == ("answered", 1)


async def test_the_late_echo_of_a_refused_text_is_no_takeover(system: InProcess) -> None:
    ana = system.person()
    answers(system)
    system.instagram.faults.add("error_after", "send", code=551, status=400)
    await ana.says("hi")
    await system.task(ana.thread_id)

    await ana.echoes(system.instagram.sent[0].mid, system.instagram.sent[0].text)

    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert snapshot.thread.paused_until is None


async def test_a_text_the_platform_does_not_take_goes_back_to_the_model_twice_and_then_to_a_human(
    system: InProcess,
) -> None:
    ana = system.person()
    answers(system, "One.", "Two.", "Three.", "Four.")
    system.instagram.faults.add("error", "send", times=100, code=100, status=400)
    await ana.says("hi")

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], system.instagram.count("send"), system.gemini.count()) == ("handed_over", 3, 3)
    assert ["Nobody has answered" in alert for alert in await system.told()] == [False, True]


async def test_a_text_that_was_mended_goes_out(system: InProcess) -> None:
    ana = system.person()
    answers(system, "One.", "Two.")
    system.instagram.faults.add("error", "send", code=100, status=400)
    await ana.says("hi")

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], system.instagram.sent_to(ana.user_id)) == ("answered", ["Two."])


@pytest.mark.parametrize(("code", "subcode", "status"), [(190, 463, 401), (10, 0, 403), (230, 0, 403), (200, 0, 403)])
async def test_what_is_the_accounts_waits_with_one_alert_for_all(
    system: InProcess, code: int, subcode: int, status: int
) -> None:
    people = [system.person(f"900{n}") for n in range(4)]
    answers(system)
    queue = Deliveries(system, system.instance())
    for operation in ("send", "typing_on", "mark_seen"):
        system.instagram.faults.add("error", operation, times=10_000, code=code, subcode=subcode, status=status)
    for person in people:
        await person.says("hi")
    await queue.pass_time(1_200)
    sends, model_calls = system.instagram.count("send"), system.gemini.count()

    system.instagram.faults.clear()
    await queue.pass_time(300)

    assert [len(system.instagram.sent_to(person.user_id)) for person in people] == [1] * 4
    assert max(sends, model_calls) <= 8
    assert len(await system.told()) == 1


async def test_a_wrong_key_of_the_model_waits_and_the_manager_is_told_once(system: InProcess) -> None:
    people = [system.person(f"900{n}") for n in range(3)]
    answers(system)
    queue = Deliveries(system, system.instance())
    right, system.gemini.api_key = system.gemini.api_key, "another"
    for person in people:
        await person.says("hi")
    await queue.pass_time(600)

    system.gemini.api_key = right
    await queue.pass_time(300)

    assert [len(system.instagram.sent_to(person.user_id)) for person in people] == [1] * 3
    assert len(await system.told()) == 1


@pytest.mark.parametrize("kind", ["not_json", "drop_before", "stall"])
async def test_an_answer_of_another_kind_is_looked_up_before_anything_else(system: InProcess, kind: str) -> None:
    ana = system.person()
    answers(system)
    if kind == "not_json":
        system.instagram.faults.add("not_json", "send", status=400)
    else:
        system.instagram.faults.add(kind, "send", seconds=0.1)
    queue = Deliveries(system, system.instance())
    await ana.says("hi")

    await queue.pass_time(300)

    assert system.instagram.count("send") == 1
    [alert] = await system.told()
    assert "Tuesday." in alert
