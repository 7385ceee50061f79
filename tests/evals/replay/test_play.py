"""A scenario plays through the real thing, in order of its own time."""

import asyncio
from collections.abc import Callable

import pytest

from dm_evals.replay.runner import run_trial
from dm_evals.replay.trial_environment import SharedRuntime
from dm_evals.scenarios.scenario import WRITTEN, EventKind, Scenario
from dm_sandbox.platforms.answers import Body, call, text, turn
from dm_sandbox.platforms.gemini import Gemini

pytestmark = pytest.mark.asyncio(loop_scope="module")

MakeScenario = Callable[..., Scenario]
NETS = {"starts": "2026-11-24T18:00:00+00:00", "ends": "2026-11-24T20:00:00+00:00"}


def reply(words: str = "Hello!") -> Body:
    return turn(call("send_instagram_message", text=words))


def shown(model: Gemini, request: int = -1) -> str:
    return "\n".join(model.requests[request].user_texts)


async def test_a_question_about_nets_is_looked_up_and_answered(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([turn(call("get_net_session_dates", days_ahead=7)), reply("Tuesday at 18:00.")])

    seen = await run_trial(scenario({"text": "when?"}, world={"sessions": [NETS]}), 3, model.base_url, runtime=runtime)

    assert seen.crash is None
    assert seen.trial == 3
    assert [(use.turn, use.name, use.outcome) for use in seen.calls] == [
        (1, "get_net_session_dates", "answered"),
        (2, "send_instagram_message", "done"),
    ]
    assert "Tuesday 24 November 2026" in str(seen.calls[0].result)
    assert seen.replies == ("Tuesday at 18:00.",)
    assert [(m.direction, m.status) for m in seen.messages] == [("inbound", "processed"), ("outbound", "processed")]
    assert seen.runs == ("answered",)
    assert seen.answers == (200, 200)  # the DM and the echo of the reply
    assert seen.sessions == ("2026-11-24T18:00:00+00:00",)
    assert [each.turn for each in seen.model_calls] == [1, 2]
    assert [bubble.author for bubble in seen.bubbles] == ["person", "tool", "tool", "bot"]


async def test_two_trials_make_the_same_requests_byte_for_byte(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    rich = scenario(
        {"text": "first", "id": "a"},
        {"text": "second", "to": "a", "at": "2s"},
        {"kind": "photo", "during": 2},
        {"text": "later", "at": "5m"},
        world={
            "sessions": [NETS],
            "notes": ["likes spin"],
            "history": [{"by": "person", "text": "old", "ago": "3d"}, {"by": "human", "text": "hello", "ago": "2d"}],
            "faults": [{"platform": "instagram", "kind": "throttle", "operation": "send", "wait_minutes": 2}],
        },
    )
    bodies: list[list[object]] = []

    for another in (False, True):
        answers = [turn(call("get_net_session_dates", days_ahead=7)), reply("a"), reply("b"), reply("c"), reply("d")]
        model.script(answers)
        if another:
            async with SharedRuntime() as other:
                seen = await run_trial(rich, 1, model.base_url, runtime=other)
        else:
            seen = await run_trial(rich, 1, model.base_url, runtime=runtime)
        assert seen.crash is None
        bodies.append([record.body for record in model.records])
        model.records.clear()

    assert len(bodies[0]) == 5  # the answer that was throttled for two minutes is too old to be sent
    assert repr(bodies[0]) == repr(bodies[1])


async def test_a_burst_is_one_run_and_a_later_dm_another(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply("one"), reply("two")])
    burst = scenario({"text": "a"}, {"text": "b", "at": "2s"}, {"text": "c", "at": "2h"})

    seen = await run_trial(burst, 1, model.base_url, runtime=runtime)

    assert seen.replies == ("one", "two")
    assert len(seen.runs) == 2
    assert '"text": "a"' in shown(model, 0)
    assert '"text": "b"' in shown(model, 0)
    assert "19:30" in shown(model, 1)


async def test_a_dm_during_a_turn_arrives_before_that_turn_is_answered(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply("too early"), reply("for both")])

    seen = await run_trial(
        scenario({"text": "a"}, {"text": "wait, one more", "during": 1}), 1, model.base_url, runtime=runtime
    )

    assert seen.replies == ("for both",)
    assert [(use.turn, use.outcome) for use in seen.calls] == [(1, "discarded"), (2, "done")]
    assert "wait, one more" in shown(model, 1)


async def test_a_human_who_answers_during_a_turn_has_the_last_word(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply("never seen")])
    taken = scenario({"text": "a", "id": "ask"}, {"kind": "human", "text": "I am here", "during": 1})

    seen = await run_trial(taken, 1, model.base_url, runtime=runtime)

    assert seen.replies == ()
    assert seen.paused
    assert seen.runs == ("human",)
    assert [(m.id, m.disposition) for m in seen.messages if m.direction == "inbound"] == [("ask", "human")]


async def test_without_a_calendar_the_model_is_told_so(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([turn(call("get_net_session_dates", days_ahead=7)), reply()])

    seen = await run_trial(scenario(world={"sessions": None}), 1, model.base_url, runtime=runtime)

    assert seen.calls[0].outcome == "error"
    assert seen.sessions == ()


async def test_who_wrote_before_is_known_by_history_notes_and_name(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    world = {
        "history": [{"by": "bot", "text": "See you!", "ago": "1d"}, {"by": "person", "text": "I bowl", "ago": "2d"}],
        "notes": ["bowls left-arm"],
    }
    model.script([turn(call("get_notes")), reply()])

    seen = await run_trial(scenario(world=world, person={"name": "Ana"}), 1, model.base_url, runtime=runtime)

    opening = shown(model, 0)
    assert opening.index("I bowl") < opening.index("See you!")
    assert '"first_contact": false' in opening
    assert '"name": "Ana"' in opening
    assert seen.notes == ("bowls left-arm",)
    assert seen.calls[0].result["notes"]
    assert [message.text for message in seen.messages] == ["hi", "Hello!"]
    assert seen.replies == ("Hello!",)


async def test_somebody_new_is_new(runtime: SharedRuntime, model: Gemini, scenario: MakeScenario) -> None:
    model.script([reply()])

    await run_trial(scenario(), 1, model.base_url, runtime=runtime)

    assert '"first_contact": true' in shown(model)


async def test_a_human_of_the_last_hour_still_has_the_thread(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    fresh = scenario(world={"history": [{"by": "human", "text": "on it", "ago": "10m"}]})

    seen = await run_trial(fresh, 1, model.base_url, runtime=runtime)

    assert seen.replies == ()
    assert seen.model_calls == ()
    assert seen.messages[-1].disposition == "human"


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind not in (EventKind.UNSEND, EventKind.EDIT)])
async def test_every_kind_of_message_is_stored(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario, kind: EventKind
) -> None:
    model.script([turn(call("no_reply", reason="nothing to say"))])

    text = "words" if kind in {*WRITTEN, EventKind.PHOTO, EventKind.SHARE} else ""
    seen = await run_trial(scenario({"kind": kind.value, "text": text}), 1, model.base_url, runtime=runtime)

    assert seen.crash is None
    direction = "human" if kind in (EventKind.HUMAN, EventKind.AUTOMATIC) else "inbound"
    assert [message.direction for message in seen.messages] == [direction]


async def test_what_was_taken_back_or_edited_is_so_when_the_model_reads_it(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([reply()])
    changed = scenario(
        {"text": "my number is 123", "id": "secret"},
        {"text": "are nets at five", "id": "typo", "at": "1s"},
        {"kind": "unsend", "to": "secret", "at": "2s"},
        {"kind": "edit", "to": "typo", "text": "are nets at six", "at": "3s"},
    )

    seen = await run_trial(changed, 1, model.base_url, runtime=runtime)

    assert "123" not in shown(model)
    assert "are nets at six" in shown(model)
    assert {m.id: m.disposition for m in seen.messages if m.direction == "inbound"} == {
        "secret": "unsent",
        "typo": None,
    }


async def test_a_dm_delivered_three_times_is_one(runtime: SharedRuntime, model: Gemini, scenario: MakeScenario) -> None:
    model.script([reply()])

    seen = await run_trial(scenario({"text": "hi", "repeat": 3}), 1, model.base_url, runtime=runtime)

    assert seen.answers == (200, 200, 200, 200)
    assert len([m for m in seen.messages if m.direction == "inbound"]) == 1
    assert len(seen.runs) == 1


async def test_reactions_notices_notes_guards_and_refusals_are_seen(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    first = turn(
        call("react_to_instagram_message", message_id="m1", reaction="love"),
        call("send_manager_notification", text="please call", urgency="urgent"),
        call("save_note", text="is hurt"),
        call("send_instagram_message", text="see https://evil.example/x"),
        call("make_tea"),
    )
    model.script([first, reply("Sorry to hear that.")])

    seen = await run_trial(scenario(), 1, model.base_url, runtime=runtime)

    assert [use.outcome for use in seen.calls] == ["done", "done", "answered", "refused", "refused", "done"]
    assert seen.reactions == ("love",)
    assert [notice.urgent for notice in seen.notices] == [True]
    assert "please call" in seen.notices[0].text
    assert seen.notes == ("is hurt",)
    assert "unknown_tool" in seen.guards
    assert seen.replies == ("Sorry to hear that.",)


async def test_a_plain_text_answer_is_a_reply_but_no_call(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    model.script([turn(text("Hi there")), turn(text("Hi there"))])

    seen = await run_trial(scenario(), 1, model.base_url, runtime=runtime)

    assert seen.replies == ("Hi there",)
    assert seen.calls == ()
    assert len(seen.model_calls) == 2


async def test_trials_in_two_houses_at_once_keep_apart(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario
) -> None:
    async with SharedRuntime() as other, Gemini() as elsewhere:
        assert isinstance(elsewhere, Gemini)
        model.script([reply("here")])
        elsewhere.script([reply("there")])

        one, two = await asyncio.gather(
            run_trial(scenario({"text": "a"}), 1, model.base_url, runtime=runtime),
            run_trial(scenario({"text": "b"}), 2, elsewhere.base_url, runtime=other),
        )

    assert (one.replies, two.replies) == (("here",), ("there",))


async def test_what_the_functions_log_stays_off_the_terminal(
    runtime: SharedRuntime, model: Gemini, scenario: MakeScenario, capsys: pytest.CaptureFixture[str]
) -> None:
    model.script([reply()])

    await run_trial(scenario(), 1, model.base_url, runtime=runtime)
    print("after")

    assert capsys.readouterr().out == "after\n"
