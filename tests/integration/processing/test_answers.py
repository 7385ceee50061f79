"""A DM comes in as Meta signs it; what goes out is what the simulated platforms saw."""

import pytest

from dm_core.messages import Direction, Disposition, Status
from dm_sandbox.inprocess import InProcess
from dm_sandbox.platforms.answers import blocked_prompt, call, finished, no_candidates, text, turn


async def test_a_plain_dm_is_answered_with_one_model_call(system: InProcess) -> None:
    ana = system.person()
    await ana.says("When are nets?")
    system.gemini.script([turn(call("send_instagram_message", text="Tuesday 18:00."))])

    status, result = await system.task(ana.thread_id)

    assert (status, result["status"]) == (200, "processed")
    assert (result["messages"], result["actions"], result["modelTurns"]) == (1, 1, 1)
    assert system.instagram.sent_to(ana.user_id) == ["Tuesday 18:00."]
    assert system.gemini.count() == 1


async def test_afterwards_the_thread_holds_question_and_reply_and_nothing_is_due(system: InProcess) -> None:
    ana = system.person()
    await ana.says("When are nets?")
    system.gemini.script([turn(call("send_instagram_message", text="Tuesday 18:00."))])
    await system.task(ana.thread_id)

    snapshot = await system.store.open(ana.thread_id)

    assert snapshot is not None
    assert [(m.direction, m.status) for m in snapshot.recent] == [
        (Direction.INBOUND, Status.PROCESSED),
        (Direction.OUTBOUND, Status.PROCESSED),
    ]
    thread = snapshot.thread
    assert (thread.lease, thread.run, thread.due_at, thread.pending_count) == (None, None, None, 0)


async def test_a_burst_is_one_run(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    await ana.says_at_once("when are nets", "and what do they cost?")
    system.gemini.script([turn(call("send_instagram_message", text="Tuesday, 5 pounds."))])

    _, result = await system.task(ana.thread_id)

    assert (result["messages"], system.gemini.count()) == (3, 1)
    assert len(system.instagram.sent) == 1


async def test_a_second_task_finds_nothing_to_do(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    await system.task(ana.thread_id)

    assert (await system.task(ana.thread_id))[1]["status"] == "nothing_to_do"
    assert len(system.instagram.sent) == 1


async def test_data_is_asked_for_and_then_answered(system: InProcess) -> None:
    ana = system.person()
    await ana.says("When is the next session?")

    _, result = await system.task(ana.thread_id)

    assert result["modelTurns"] == 2
    assert system.spond.count() >= 1
    assert len(system.instagram.sent_to(ana.user_id)) == 1


async def test_the_manager_is_alerted_and_the_person_answered_in_one_turn(system: InProcess) -> None:
    ana = system.person()
    await ana.says("Can I talk to a human please?")

    _, result = await system.task(ana.thread_id)

    assert result["modelTurns"] == 1
    assert ["@ana.bowls" in alert for alert in await system.told()] == [True]
    assert len(system.instagram.sent_to(ana.user_id)) == 1


async def test_a_reaction_alone_is_an_answer(system: InProcess) -> None:
    ana = system.person()
    mid = await ana.says("thanks!")
    system.gemini.script([turn(call("react_to_instagram_message", message_id="m1", reaction="❤️"))])

    _, result = await system.task(ana.thread_id)

    assert [(r.mid, r.user_id) for r in system.instagram.reactions] == [(mid, ana.user_id)]
    assert (result["modelTurns"], system.instagram.sent) == (1, [])


async def test_no_reply_ends_the_run_on_purpose(system: InProcess) -> None:
    ana = system.person()
    await ana.says("ok")
    system.gemini.script([turn(call("no_reply", reason="nothing to add"))])

    _, result = await system.task(ana.thread_id)
    snapshot = await system.store.open(ana.thread_id)

    assert result["ending"] == "no_reply"
    assert snapshot is not None
    assert snapshot.recent[0].disposition is Disposition.NO_REPLY


async def test_plain_text_gets_one_nudge_and_is_then_sent(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([turn(text("Hello!")), turn(text("Hello there!"))])

    _, result = await system.task(ana.thread_id)

    assert result["modelTurns"] == 2
    assert system.instagram.sent_to(ana.user_id) == ["Hello there!"]


async def test_a_plain_text_that_a_guard_refuses_goes_back_to_the_model(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    bad = turn(text("See https://evil.example/login"))
    system.gemini.script([bad, bad, turn(call("send_instagram_message", text="Hello!"))])

    await system.task(ana.thread_id)

    assert system.instagram.sent_to(ana.user_id) == ["Hello!"]


async def test_a_long_reply_is_split_and_arrives_in_order(system: InProcess) -> None:
    ana = system.person()
    await ana.says("tell me everything")
    sentences = " ".join(f"Sentence number {n} about the club and its nets." for n in range(40))
    system.gemini.script([turn(call("send_instagram_message", text=sentences))])

    _, result = await system.task(ana.thread_id)

    sent = system.instagram.sent_to(ana.user_id)
    assert len(sent) == 2
    assert " ".join(sent) == sentences
    assert all(len(part.encode()) <= 1000 for part in sent)
    assert (result["modelTurns"], result["actions"]) == (1, 2)


async def test_a_failed_action_goes_back_to_the_model(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.instagram.faults.add("error", "send", code=100, subcode=0)
    system.gemini.script(
        [
            turn(call("send_instagram_message", text="One")),
            turn(call("send_instagram_message", text="Two")),
        ]
    )

    _, result = await system.task(ana.thread_id)

    assert result["modelTurns"] == 2
    assert system.instagram.sent_to(ana.user_id) == ["Two"]


async def test_a_failed_reaction_beside_a_reply_costs_no_second_model_call(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.instagram.faults.add("error", "react", code=2)
    actions = (
        call("react_to_instagram_message", message_id="m1", reaction="love"),
        call("send_instagram_message", text="Hello!"),
    )
    system.gemini.script([turn(*actions)])

    _, result = await system.task(ana.thread_id)

    assert (result["status"], result["modelTurns"]) == ("processed", 1)
    assert system.instagram.sent_to(ana.user_id) == ["Hello!"]


@pytest.mark.parametrize(
    "odd",
    [
        finished("MALFORMED_FUNCTION_CALL"),
        no_candidates(),
        blocked_prompt("OTHER"),
        turn(finish="STOP"),
        finished("MAX_TOKENS"),
        turn(call("fly_to_the_moon")),
        turn(call("send_instagram_message", words="x")),
        turn(call("send_instagram_message", text=["a", 1])),
    ],
)
async def test_an_odd_model_answer_is_asked_again(system: InProcess, odd: dict[str, object]) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([odd, turn(call("send_instagram_message", text="Hello!"))])

    _, result = await system.task(ana.thread_id)

    assert (result["status"], result["modelTurns"]) == ("processed", 2)
    assert system.instagram.sent_to(ana.user_id) == ["Hello!"]


async def test_a_blocked_prompt_is_handed_to_the_manager(system: InProcess) -> None:
    ana = system.person()
    await ana.says("something awful")
    system.gemini.script([blocked_prompt()])

    _, result = await system.task(ana.thread_id)

    assert (result["status"], result["ending"]) == ("processed", "handed_over")
    assert ["Nobody has answered" in alert for alert in await system.told()] == [False, True]
    assert system.instagram.sent == []


async def test_a_model_that_never_acts_is_stopped_and_handed_over(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.gemini.script([turn(call("is_new_thread")) for _ in range(50)])

    _, result = await system.task(ana.thread_id)

    assert (result["modelTurns"], result["ending"]) == (6, "handed_over")
    assert system.gemini.count() == 6
    assert ["Nobody has answered" in alert for alert in await system.told()] == [False, True]


async def test_an_alert_that_a_model_never_puts_right_is_not_lost(system: InProcess) -> None:
    ana = system.person()
    await ana.says("help, Sam is hurt")
    passed_on = call("send_instagram_message", text="I've told our manager.")
    system.gemini.script([turn(call("send_manager_notification", message="Sam is hurt"), passed_on)] * 6)

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], system.instagram.sent_to(ana.user_id)) == ("answered", ["I've told our manager."])
    assert ["Please read the conversation" in alert for alert in await system.told()] == [True]


async def test_thirty_calls_in_one_turn_stay_within_the_limits(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    many = [call("send_instagram_message", text=f"Message {n}") for n in range(30)]
    system.gemini.script([turn(*many), turn(call("no_reply", reason="done"))])

    await system.task(ana.thread_id)

    assert system.instagram.sent_to(ana.user_id) == ["Message 0", "Message 1", "Message 2"]


async def test_notes_are_kept_for_the_next_run(system: InProcess) -> None:
    ana = system.person()
    await ana.says("I bat left-handed")
    system.gemini.script(
        [turn(call("save_note", text="Bats left-handed."), call("send_instagram_message", text="Noted!"))]
    )
    _, result = await system.task(ana.thread_id)
    await ana.says("what do you know about me?")
    system.gemini.script([turn(call("get_notes")), turn(call("send_instagram_message", text="You bat left-handed."))])
    await system.task(ana.thread_id, "task-2")

    assert result["modelTurns"] == 1
    answer = system.gemini.requests[-1].contents[-1]
    assert "Bats left-handed." in str(answer)


async def test_a_thinking_model_shows_seen_and_typing_and_a_quick_one_does_not(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    await system.task(ana.thread_id)
    assert system.instagram.count("typing_on") == 0

    system.gemini.latency = 1.2
    await ana.says("and now?")
    await system.task(ana.thread_id, "task-2")

    assert (system.instagram.count("mark_seen"), system.instagram.count("typing_on")) == (1, 1)


async def test_a_stalled_indicator_does_not_delay_the_reply(system: InProcess) -> None:
    ana = system.person()
    await ana.says("hi")
    system.instagram.faults.add("stall", "mark_seen", seconds=30)
    system.gemini.latency = 1.0

    _, result = await system.task(ana.thread_id)

    assert result["status"] == "processed"
    assert isinstance(result["durationMs"], int)
    assert result["durationMs"] < 15_000


async def test_a_profile_that_can_not_be_had_does_not_keep_the_alert_back(system: InProcess) -> None:
    ana = system.person()
    await ana.says("Can I talk to a human please?")
    system.instagram.faults.add("error", "profile", code=230, times=5)

    await system.task(ana.thread_id)

    assert [ana.user_id[-4:] in alert for alert in await system.told()] == [True]


async def test_a_model_that_keeps_asking_does_not_keep_calling_a_platform_that_refuses(system: InProcess) -> None:
    ana = system.person()
    await ana.says("what did I write last year?")
    system.instagram.faults.add("error", "conversations", times=50, code=10, status=403)
    ask = turn(*(call("get_thread_messages", limit=30) for _ in range(3)))
    system.gemini.script([ask, ask, ask, turn(call("send_instagram_message", text="I can't see that far back."))])

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], system.instagram.count("conversations")) == ("answered", 1)


async def test_a_model_that_only_ever_looks_the_same_up_is_told_so_and_handed_over(system: InProcess) -> None:
    ana = system.person()
    await ana.says("i know where you lot train")
    again = call("get_net_session_dates", days_ahead=11)  # the local model's answers to this, one after the other
    system.gemini.script([turn(again, again), *[turn(again)] * 5])

    _, result = await system.task(ana.thread_id)

    assert (result["ending"], result["modelTurns"]) == ("handed_over", 6)
    assert system.spond.count("sponds") == 1
    shown = str(system.gemini.requests[-1].contents)
    assert shown.count("already_known") == 5, "of six repeated ones, the last turn's result is shown to nobody"


@pytest.mark.parametrize(("status", "told"), [(401, True), (403, True), (503, False)])
async def test_a_calendar_that_only_a_person_can_mend_is_told_once_and_keeps_nobody_waiting(
    system: InProcess, status: int, told: bool
) -> None:
    system.spond.faults.add("error", "login", times=100, status=status)
    app = system.instance()
    dates, reply = call("get_net_session_dates", days_ahead=7), call("send_instagram_message", text="I can't say.")
    for number in range(3):
        person = system.person(f"900{number}")
        await person.says("When are nets?")
        system.gemini.script([turn(dates), turn(reply)])

        assert (await system.task(person.thread_id, app=app))[1]["ending"] == "answered"
        system.clock.forward(700)

    assert ["Spond: the login" in alert for alert in await system.told()] == [True] * told
