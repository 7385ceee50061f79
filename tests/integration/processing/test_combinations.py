"""Two troubles at once: each ends as it would alone, nothing goes out twice, nobody is forgotten."""

import json

import pytest

from dm_core.messages import Disposition, Status
from dm_sandbox.inprocess import InProcess
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import call, turn
from dm_sandbox.platforms.model_request import ModelRequest
from tests.integration.processing.schedule import Deliveries, stored

ALWAYS = 1_000_000


def says(*texts: str) -> dict[str, object]:
    return dict(turn(*(call("send_instagram_message", text=text) for text in texts)))


async def half_answered(system: InProcess, *later: dict[str, object]) -> tuple[Person, Deliveries]:
    """Somebody whose answer has two parts, of which the second will be throttled for a minute; ``later`` turns."""
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("One.", "Two."), *later])
    system.instagram.faults.add("delay", "send")
    system.instagram.faults.add("throttle", "send", wait_minutes=1)
    await ana.says("hi")
    return ana, queue


async def test_a_throttle_on_the_second_part_delays_that_part_only(system: InProcess) -> None:
    ana, queue = await half_answered(system)

    await queue.pass_time(200)

    assert system.instagram.sent_to(ana.user_id) == ["One.", "Two."]
    assert (system.gemini.count(), await system.told()) == (1, [])


async def test_a_dm_that_comes_while_the_second_part_waits_is_answered_in_its_place(system: InProcess) -> None:
    ana, queue = await half_answered(system, says("Three."))
    await queue.pass_time(30)
    await ana.says("and on Sunday?")

    await queue.pass_time(200)

    assert system.instagram.sent_to(ana.user_id) == ["One.", "Three."]
    assert {message.status for message in await stored(system, ana.thread_id)} == {Status.PROCESSED}


@pytest.mark.parametrize("minutes", [1, 6])
async def test_what_was_throttled_and_comes_back_as_an_echo_all_the_same_is_not_sent_again(
    system: InProcess, minutes: int
) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("It's on Tuesday."), says("As I said: Tuesday.")])
    system.instagram.faults.add("throttle", "send", wait_minutes=minutes)
    await ana.says("when?")
    await queue.pass_time(20)
    await ana.echoes("mid-of-the-echo", "It&#39;s on  Tuesday.")

    await queue.pass_time(600)

    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition) == (Status.PROCESSED, None)
    assert (system.instagram.count("send"), system.gemini.count(), await system.told()) == (1, 1, [])


async def test_the_echo_of_what_was_throttled_is_found_behind_a_flood_of_dms(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday."), says("The hall.")])
    system.instagram.faults.add("throttle", "send", wait_minutes=1)
    await ana.says("when?")
    await queue.pass_time(20)
    await ana.echoes("mid-of-the-echo", "Tuesday.")
    await ana.says_at_once(*(f"and where? {number}" for number in range(60)))

    await queue.pass_time(300)

    runs = [
        message.run_id for message in await system.store.history(ana.thread_id, 100) if message.direction == "inbound"
    ]
    assert (system.instagram.sent_to(ana.user_id), len(set(runs))) == (["The hall."], 2)
    assert await system.told() == []


@pytest.mark.parametrize("code", [613, 80_002])
async def test_what_was_throttled_and_came_back_at_once_is_not_tried_again(system: InProcess, code: int) -> None:
    ana = system.person()
    system.echo_sends()
    system.gemini.script([says("Tuesday.")])
    system.instagram.faults.add("error_after", "send", times=3, code=code)
    await ana.says("when?")

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], system.instagram.sent_to(ana.user_id)) == ("answered", ["Tuesday."])


@pytest.mark.parametrize("begun", ["with an alert", "with a first part"])
async def test_an_outage_of_hours_is_no_end_for_a_run_that_has_begun(system: InProcess, begun: str) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    if begun == "with an alert":
        alert = call("send_manager_notification", text="She is hurt.", urgency="urgent")
        system.gemini.script([turn(alert, call("send_instagram_message", text="Help comes."))] * 100)
    else:
        system.gemini.script([says("One.", "Two."), *[says("Three.")] * 100])
        system.instagram.faults.add("delay", "send")
    system.instagram.faults.add("throttle", "send", times=ALWAYS, wait_minutes=10)
    await ana.says("help")
    await queue.pass_time(4 * 3600)
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert snapshot.thread.run is not None
    kept = (len(snapshot.thread.run.turns), len(snapshot.thread.run.actions))

    system.instagram.faults.clear()
    await queue.pass_time(1_200)

    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition) == (Status.PROCESSED, None)
    first = [] if begun == "with an alert" else ["One."]
    assert system.instagram.sent_to(ana.user_id) == [*first, "Three." if first else "Help comes."]
    assert len(await system.told()) == (0 if first else 1)
    assert max(kept) < 30


async def test_a_human_who_writes_while_the_second_part_waits_has_the_word(system: InProcess) -> None:
    ana, queue = await half_answered(system, says("Three."))
    await queue.pass_time(30)
    await ana.human_replies("Bob here.")

    await queue.pass_time(200)

    assert system.instagram.sent_to(ana.user_id) == ["One."]
    [message] = await stored(system, ana.thread_id)
    assert message.status is Status.PROCESSED


@pytest.mark.parametrize("outage", [30, 200])
async def test_a_token_that_dies_between_reaction_and_reply_costs_neither(system: InProcess, outage: int) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    both = turn(
        call("react_to_instagram_message", message_id="m1", reaction="❤️"),
        call("send_instagram_message", text="Tuesday."),
    )
    system.gemini.script([both] + [says("Tuesday, again.")] * 5)
    system.instagram.faults.add("error", "send", times=ALWAYS, code=190, subcode=463, status=401)
    await ana.says("thanks!")
    await queue.pass_time(outage)

    system.instagram.faults.clear()
    await queue.pass_time(400)

    assert (len(system.instagram.reactions), len(system.instagram.sent)) == (1, 1)
    assert len(await system.told()) == 1


async def test_the_echo_of_a_held_reply_is_ours_after_the_manager_was_told(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.instagram.conversation_lag = 10_000.0

    def knows(request: ModelRequest) -> dict[str, object]:
        return says(f"{str(request.contents).count('Tuesday.')} seen")

    system.gemini.script([says("Tuesday."), knows])
    system.instagram.faults.add("drop_after", "send")
    await ana.says("when?")
    await queue.pass_time(200)
    told = await system.told()
    [held] = system.instagram.sent

    await ana.echoes(held.mid, held.text)
    await ana.says("and where?")
    await queue.pass_time(60)

    assert len(told) == 1
    assert "Tuesday." in told[0]
    assert system.instagram.sent_to(ana.user_id) == ["Tuesday.", "1 seen"]
    assert len(await system.told()) == 1


async def test_a_dm_that_comes_while_a_reply_is_in_doubt_is_answered_after_it(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday."), says("The hall."), says("The hall.")])
    system.instagram.faults.add("drop_before", "send")
    await ana.says("when?")
    await queue.pass_time(20)
    await ana.says("and where?")

    await queue.pass_time(300)

    assert system.instagram.sent_to(ana.user_id) == ["The hall."]
    first, second = await stored(system, ana.thread_id)
    assert (first.disposition, second.disposition) == (Disposition.UNCERTAIN, None)
    assert len(await system.told()) == 1


async def test_an_echo_is_found_behind_a_flood_of_dms(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.instagram.conversation_lag = 100_000.0
    system.gemini.script([says("Tuesday."), says("The hall.")])
    system.instagram.faults.add("drop_after", "send")
    await ana.says("when?")
    await queue.pass_time(20)
    [sent] = system.instagram.sent
    await ana.echoes(sent.mid, sent.text)
    await ana.says_at_once(*(f"and where? {number}" for number in range(60)))

    await queue.pass_time(200)

    assert system.instagram.sent_to(ana.user_id) == ["Tuesday.", "The hall."]
    assert await system.told() == []


async def test_what_was_unsent_while_its_reply_is_in_doubt_stays_unsent(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday.")] * 3)
    system.instagram.faults.add("drop_before", "send")
    mid = await ana.says("when?")
    await queue.pass_time(20)
    await ana.unsends(mid)

    await queue.pass_time(300)

    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition, message.content.text) == (
        Status.PROCESSED,
        Disposition.UNSENT,
        None,
    )
    assert system.instagram.count("send") == 1


async def test_a_manager_who_cannot_be_told_keeps_no_reply_back(
    system: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    both = turn(
        call("send_manager_notification", text="She is hurt.", urgency="urgent"),
        call("send_instagram_message", text="Help comes."),
    )
    system.gemini.script([both] + [says("Help comes, again.")] * 5)
    system.whatsapp.faults.add("error", "send", times=ALWAYS, code=131047, status=400)
    system.whatsapp.faults.add("error", "template", times=ALWAYS, code=132001, status=404)
    system.instagram.faults.add("throttle", "send", wait_minutes=1)
    await ana.says("help")
    await queue.pass_time(30)

    told = await system.told()
    await queue.pass_time(300)

    assert told == []
    assert len(system.instagram.sent_to(ana.user_id)) == 1
    assert [json.loads(line)["severity"] for line in capsys.readouterr().out.splitlines() if "alert_undel" in line] == [
        "CRITICAL"
    ]


async def test_a_redelivery_after_a_dead_queue_is_answered_once_in_its_first_words(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())

    def repeats(request: ModelRequest) -> dict[str, object]:
        return says("first" if "first words" in str(request.contents) else "other")

    system.gemini.script([repeats] * 3)
    system.queue.down = True
    mid = await ana.says("first words")
    refused = [delivery.status for delivery in ana.sender.deliveries]
    system.queue.down = False
    await ana.repeats(mid, "other words")
    await ana.repeats(mid, "first words")

    await queue.pass_time(60)

    assert set(refused) == {500}
    assert system.instagram.sent_to(ana.user_id) == ["first"]


async def test_a_look_up_that_lists_conversations_without_messages_finds_what_was_sent(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday.")] * 2)
    system.instagram.bare_conversations = True
    system.instagram.faults.add("drop_after", "send")
    await ana.says("when?")

    await queue.pass_time(200)

    [message] = await stored(system, ana.thread_id)
    assert (message.disposition, len(system.instagram.sent), await system.told()) == (None, 1, [])


@pytest.mark.parametrize("seconds", [-11, -6, 11])
async def test_a_reply_in_doubt_is_found_by_a_platform_whose_clock_is_another(system: InProcess, seconds: int) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday.")])
    system.instagram.faults.add("drop_after", "send")
    await ana.says("when?")
    system.instagram.clock = lambda: system.clock() + seconds * 1000

    await queue.pass_time(200)

    [message] = await stored(system, ana.thread_id)
    assert (message.disposition, len(system.instagram.sent), await system.told()) == (None, 1, [])


async def test_a_token_that_dies_with_a_reply_in_doubt_is_told_at_once(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday.")])
    system.instagram.faults.add("drop_after", "send")
    system.instagram.faults.add("error", "conversations", times=ALWAYS, code=190, subcode=460, status=401)
    await ana.says("when?")
    await queue.pass_time(60)
    told = await system.told()

    system.instagram.faults.clear()
    await queue.pass_time(400)

    assert ["190/460" in alert for alert in told] == [True]
    [message] = await stored(system, ana.thread_id)
    assert (message.status, message.disposition, len(system.instagram.sent)) == (Status.PROCESSED, None, 1)
    assert len(await system.told()) == 1


async def test_a_token_that_dies_in_a_reaction_is_told_and_nothing_waits_for_it(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([turn(call("react_to_instagram_message", message_id="m1", reaction="love"))] * 6)
    system.instagram.faults.add("error", "react", times=ALWAYS, code=190, subcode=463, status=401)

    await ana.says("thanks!")
    await queue.pass_time(30)

    [message] = await stored(system, ana.thread_id)
    assert message.status is Status.PROCESSED
    assert ["190/463" in alert for alert in await system.told()].count(True) == 1


async def test_a_reply_in_doubt_is_told_with_what_was_to_follow_it(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("".join(f"Sentence number {n} about the club and its nets. " for n in range(60)))])
    await ana.says("tell me all")
    [first] = system.queue.wake_ups.values()
    system.clock.forward((first.fire_at - system.clock()) / 1000)
    system.instagram.faults.add("delay", "send")
    system.instagram.faults.add("error", "send", status=503)

    await queue.pass_time(300)

    [told] = await system.told()
    assert [text[:18] for text in system.instagram.sent_to(ana.user_id)] == ["Sentence number 0 "]
    assert "Sentence number 30 " in told
    assert "Nor did I send what follows" in told
    assert "Sentence number 59 " in told


async def test_a_platform_that_is_down_is_asked_once_in_a_look_up(system: InProcess) -> None:
    ana = system.person()
    system.gemini.script([says("Tuesday.")])
    system.instagram.faults.add("drop_after", "send")
    system.instagram.faults.add("error", "conversations", times=ALWAYS, code=100, subcode=33)
    await ana.says("when?")

    await system.task(ana.thread_id)

    assert system.instagram.count("conversations") == 1


async def test_a_throttled_look_up_waits_as_long_as_it_is_told(system: InProcess) -> None:
    ana = system.person()
    queue = Deliveries(system, system.instance())
    system.gemini.script([says("Tuesday.")])
    system.instagram.faults.add("drop_after", "send")
    system.instagram.faults.add("throttle", "conversations", times=6, wait_minutes=5)
    await ana.says("when?")
    await queue.pass_time(280)
    throttled = system.instagram.count("conversations")

    await queue.pass_time(200)

    assert throttled <= 6
    [message] = await stored(system, ana.thread_id)
    assert (message.disposition, len(system.instagram.sent), await system.told()) == (None, 1, [])
