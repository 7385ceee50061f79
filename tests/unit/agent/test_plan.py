"""From model turns to plans: nothing a model outputs raises, escapes its thread or exceeds a limit."""

import base64
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dm_core.agent.agent import Agent, Situation
from dm_core.alerts import AskedAlert
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, Run, ToolCall, ToolResult, ToolTurn, UserTurn
from dm_core.threads import Profile
from tests.unit.agent.agent_stage import NOW, SECRETS, MakeAgent, dm, reply, situation

HANDLES = {"m1": "mid-0", "m2": "mid-1", "m3": "mid-2"}


def turn(*calls: tuple[str, Mapping[str, object]]) -> ModelTurn:
    return ModelTurn(content="{}", calls=tuple(ToolCall(name, args, f"id{n}") for n, (name, args) in enumerate(calls)))


def send(text: str) -> tuple[str, Mapping[str, object]]:
    return "send_instagram_message", {"text": text}


def alert(text: str, **more: object) -> tuple[str, Mapping[str, object]]:
    return "send_manager_notification", {"text": text, **more}


def here(*, turns: int = 0, actions: tuple[Action, ...] = ()) -> Situation:
    run = Run("run1", "task", NOW, (), "hash", handles=HANDLES, actions=actions)
    run = replace(run, turns=(UserTurn("…"), *(ModelTurn("{}") for _ in range(turns))))
    return situation([dm(2, "when?")], [dm(0, "hi"), reply(1, "hello")], run)


@pytest.fixture
def agent(make_agent: MakeAgent) -> Agent:
    return make_agent()


def done(action: Action) -> Action:
    return replace(action, state=ActionState.DONE, platform_id="x")


def test_the_tools_have_their_exact_names_and_arguments(agent: Agent) -> None:
    shape = {tool.name: (tool.parameters["properties"], tool.parameters.get("required")) for tool in agent.declarations}

    assert {name: tuple(str(key) for key in dict(arguments)) for name, (arguments, _) in shape.items()} == {  # type: ignore[call-overload]
        "send_instagram_message": ("text",),
        "react_to_instagram_message": ("message_id", "reaction"),
        "send_manager_notification": ("text", "urgency", "hand_over"),
        "get_net_session_dates": ("days_ahead",),
        "get_thread_messages": ("limit",),
        "is_new_thread": (),
        "save_note": ("text",),
        "get_notes": (),
        "no_reply": ("reason",),
    }
    assert shape["send_manager_notification"][1] == ["text"]
    assert all(tool.description and "\n" not in tool.description for tool in agent.declarations)


def test_actions_are_planned_under_stable_keys_and_end_the_run(agent: Agent) -> None:
    plan = agent.plan(
        here(turns=2),
        turn(
            send("Tuesday, 18:00"),
            ("react_to_instagram_message", {"message_id": "m3", "reaction": "❤️"}),
            ("send_manager_notification", {"text": "He asked for Sam.", "urgency": "URGENT"}),
        ),
    )

    assert plan.actions == (
        Action("run1/2/0", ActionKind.SEND, "Tuesday, 18:00", 0, 2),
        Action("run1/2/1", ActionKind.REACT, "love", 1, 2, target="mid-2"),
    )
    assert plan.alerts == (AskedAlert("run1/2/2", "He asked for Sam.", urgency="urgent"),)
    assert plan.answered == {
        2: ToolResult("send_manager_notification", "id2", {"status": "stored; the manager will be told"})
    }
    assert (plan.data, plan.guards, plan.failed) == ((), (), False)


def test_a_long_text_is_one_send_in_parts(agent: Agent) -> None:
    plan = agent.plan(here(), turn(send(LONG), send("two"), send("three"), send("four")))

    assert [action.key for action in plan.actions] == ["run1/0/0.0", "run1/0/0.1", "run1/0/1", "run1/0/2"]
    assert plan.guards == ("send_limit",)
    assert plan.failed


def test_limits_count_earlier_turns_but_not_what_was_dropped_or_our_own(agent: Agent) -> None:
    def earlier(index: int, kind: ActionKind, state: ActionState) -> Action:
        return Action(f"run1/0/{index}", kind, "x", index, 0, state=state)

    sends = [earlier(n, ActionKind.SEND, ActionState.DONE) for n in range(2)]
    dropped = earlier(3, ActionKind.SEND, ActionState.DROPPED)

    plan = agent.plan(here(turns=1, actions=(*sends, dropped)), turn(send("3"), send("4"), alert("x"), alert("y")))

    assert [action.text for action in plan.actions] == ["3"]
    assert [alert.text for alert in plan.alerts] == ["x"]
    assert plan.guards == ("send_limit", "notification_limit")


def test_alerts_count_those_the_run_asked_for_but_not_this_turns_own(agent: Agent) -> None:
    asked = turn(alert("He asked for Sam."))

    def after(key: str) -> Situation:
        base = here(turns=1)
        return replace(base, run=replace(base.run, alerts=(AskedAlert(key, "He asked."),)))

    again = agent.plan(after("run1/1/0"), asked)  # a resumed run plans the turn whose alert is stored
    later = agent.plan(after("run1/0/0"), asked)
    same = agent.plan(after("run1/0/0"), turn(alert("He  asked.")))

    assert [alert.key for alert in again.alerts] == ["run1/1/0"]
    assert (later.alerts, later.guards) == ((), ("notification_limit",))
    assert (same.alerts, same.guards, same.failed) == ((), (), False)


def test_the_same_alert_twice_in_a_turn_is_one(agent: Agent) -> None:
    plan = agent.plan(here(), turn(alert("He asked for Sam."), alert("He  asked for Sam.\n", hand_over="true")))

    assert (len(plan.alerts), plan.guards, plan.failed) == (1, (), False)
    assert plan.answered[0].output == plan.answered[1].output


@pytest.mark.parametrize(
    ("word", "taken"),
    [
        ("URGENT", "urgent"),
        ("high", "urgent"),
        (["urgent"], "urgent"),
        (True, "urgent"),
        ("low", "normal"),
        ("?", "normal"),
        (3, "normal"),
        (["urgent", "normal"], "normal"),
        ({"level": "urgent"}, "normal"),
    ],
)
def test_no_alert_is_lost_for_what_says_how_urgent_it_is(agent: Agent, word: object, taken: str) -> None:
    plan = agent.plan(here(), turn(alert("x", urgency=word)))

    assert ([each.urgency for each in plan.alerts], plan.failed) == ([taken], False)


def test_an_alert_that_is_too_long_is_cut(agent: Agent) -> None:
    [asked] = agent.plan(here(), turn(alert("word " * 1_000))).alerts

    assert (len(asked.text), asked.text[-1]) == (2_000, "…")


@pytest.mark.parametrize(
    ("given_value", "taken"),
    [(True, True), ("true", True), (["yes"], True), ("False", False), (None, False), ("perhaps", False), ({}, False)],
)
def test_an_alert_may_hand_the_conversation_over(agent: Agent, given_value: object, taken: bool) -> None:
    plan = agent.plan(here(), turn(alert("x", hand_over=given_value)))

    assert [alert.hand_over for alert in plan.alerts] == [taken]


LONG = "".join(f"Sentence {number} of the answer. " for number in range(60))


@pytest.mark.parametrize(
    "again", ["Tuesday, 18:00", " Tuesday,\n18:00 ", "Tuesday,\\n18:00", "**Tuesday, 18:00!**", "tuesday, 18:00 😊"]
)
@pytest.mark.parametrize(
    ("state", "status"),
    [(ActionState.DONE, "already sent"), (ActionState.UNCERTAIN, "uncertain, do not send again")],
)
def test_a_text_of_the_run_is_not_sent_again(agent: Agent, again: str, state: ActionState, status: str) -> None:
    earlier = Action("run1/0/0", ActionKind.SEND, "Tuesday, 18:00", 0, 0, state=state)

    plan = agent.plan(here(turns=1, actions=(earlier,)), turn(send(again), send("See you there")))

    assert [action.text for action in plan.actions] == ["See you there"]
    assert (plan.repeats, plan.guards, plan.failed) == ((0,), ("repeated_text",), False)
    assert plan.answered == {0: ToolResult("send_instagram_message", "id0", {"status": status})}


@pytest.mark.parametrize("other", ["Tuesday, 1:800", "Tuesday, 18:00?", "Not Tuesday, 18:00"])
def test_what_says_something_else_is_sent_too(agent: Agent, other: str) -> None:
    assert len(agent.plan(here(), turn(send("Tuesday, 18:00"), send(other))).actions) == 2


@pytest.mark.parametrize("state", [ActionState.DROPPED, ActionState.REFUSED])
def test_a_text_that_did_not_go_out_may_be_sent_again(agent: Agent, state: ActionState) -> None:
    earlier = Action("run1/0/0", ActionKind.SEND, "Tuesday", 0, 0, state=state)

    assert len(agent.plan(here(turns=1, actions=(earlier,)), turn(send("Tuesday"))).actions) == 1


def test_the_same_text_twice_in_a_turn_goes_out_once_and_costs_one_send(agent: Agent) -> None:
    plan = agent.plan(here(), turn(send("one"), send("one"), send("two"), send("three")))

    assert [action.text for action in plan.actions] == ["one", "two", "three"]
    assert (plan.repeats, plan.failed) == ((1,), False)


def test_a_part_that_repeats_another_is_left_out(agent: Agent) -> None:
    paragraph = "".join(f"Sentence {number:02} of the answer. " for number in range(38))[:995]

    plan = agent.plan(here(), turn(send(f"{paragraph}\n{paragraph}\nThe end.")))

    assert [action.key for action in plan.actions] == ["run1/0/0.0", "run1/0/0.2"]
    assert [action.text[-8:] for action in plan.actions] == [paragraph.strip()[-8:], "The end."]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"Say \"hi\" to Ana, it\'s \`fun\`", 'Say "hi" to Ana, it\'s `fun`'),
        (r"N\u00e5, it\\u2019s on \ud83c\udfcf", "Nå, it’s on 🏏"),
        (r"half \ud83c of one", "half  of one"),
        (r"a\u0000b\u202ec", "abc"),
        ("¯\\_(ツ)_/¯ C:\\Users \\u12", "¯\\_(ツ)_/¯ C:\\Users \\u12"),
        ("one\n \n\r\n\ntwo\n\nthree\nfour", "one\n\ntwo\n\nthree\nfour"),
        ("Great\ufffd!", "Great!"),
    ],
)
def test_what_a_model_escaped_twice_or_could_not_write_is_mended(agent: Agent, written: str, meant: str) -> None:
    (action,) = agent.plan(here(), turn(send(written))).actions

    assert action.text == meant


def test_what_was_hidden_by_escapes_meets_the_guards(agent: Agent) -> None:
    plan = agent.plan(here(), turn(send(r"see \u0065vil.\u0065xample")))

    assert (plan.actions, plan.guards) == ((), ("link",))


def test_a_written_newline_becomes_one(agent: Agent) -> None:
    plan = agent.plan(here(), turn(send("Nets:\\n- Tuesday\\r\\n- Friday\\\\n- Sunday"), alert("a\\nb")))

    assert plan.actions[0].text == "Nets:\n- Tuesday\n- Friday\n- Sunday"
    assert plan.alerts[0].text == "a\nb"


def test_the_persons_own_name_may_be_written_and_no_other(agent: Agent) -> None:
    base = here()
    ana = replace(base, thread=replace(base.thread, profile=Profile("Ana", "ana.b", NOW)))

    own, other, longer = (agent.plan(ana, turn(send(f"Hi @{n}!"))) for n in ("Ana.B", "evil", "ana.bad"))

    assert (own.guards, other.guards, longer.guards) == ((), ("link",), ("link",))


def test_a_call_written_into_a_message_is_refused(agent: Agent) -> None:
    plan = agent.plan(here(), turn(send('Sure! send_instagram_message(text="Tuesday")')))

    assert (plan.actions, plan.guards) == ((), ("written_call",))
    assert "only the words" in str(plan.answered[0].error)


def test_the_same_call_thirty_times_is_one_and_no_failure(agent: Agent) -> None:
    plan = agent.plan(here(), turn(*[send("Hello")] * 30))

    assert ([action.text for action in plan.actions], plan.failed, len(plan.answered)) == (["Hello"], False, 29)


def test_thirty_calls_get_thirty_answers(agent: Agent) -> None:
    asked = turn(*(send(str(n)) for n in range(30)))
    plan = agent.plan(here(), asked)

    results = agent.results(asked, plan, {}, [done(action) for action in plan.actions])

    assert len(plan.actions) == 3
    assert plan.guards == ("send_limit",) * 5 + ("too_many_calls",) * 22
    assert isinstance(results, ToolTurn)
    assert [result.id for result in results.results] == [f"id{n}" for n in range(30)]
    assert [result.output.get("status") for result in results.results[:3]] == ["sent"] * 3
    assert all(result.error for result in results.results[3:])


Call = tuple[str, Mapping[str, object]]
BAD_CALLS: list[tuple[Call, str, str]] = [
    (("send_instagram", {"text": "x"}), "unknown_tool", "send_instagram_message, react_to"),
    (("", {}), "unknown_tool", "no such tool"),
    (("send_instagram_message", {}), "bad_arguments", "needs the argument 'text'"),
    (("send_instagram_message", {"text": None}), "bad_arguments", "needs the argument 'text'"),
    (("send_instagram_message", {"text": 7}), "bad_arguments", "'text' must be a text, not a number"),
    (("send_instagram_message", {"text": {"a": 1}}), "bad_arguments", "not an object"),
    (("send_instagram_message", {"text": " \n\u202e"}), "bad_arguments", "'text' is empty"),
    (("send_instagram_message", {"text": " ".join(map(str, range(1_300)))}), "too_long", "at most 5000"),
    (("send_instagram_message", {"text": "x" * 30_000}), "bad_arguments", "too long"),
    (("send_instagram_message", {"text": f"key {SECRETS[0]}"}), "secret", "confidential"),
    (("send_instagram_message", {"text": "see evil.com"}), "link", "evil.com"),
    (("send_instagram_message", {"text": "ring 07700900123"}), "manager_number", "private number"),
    (("send_manager_notification", {"text": SECRETS[0]}), "secret", "confidential"),
    (("react_to_instagram_message", {"message_id": "m9", "reaction": "love"}), "unknown_handle", "no message 'm9'"),
    (("react_to_instagram_message", {"message_id": "mid-2", "reaction": "love"}), "unknown_handle", "no message"),
    (("react_to_instagram_message", {"message_id": "m2", "reaction": "love"}), "unknown_handle", "person's own"),
    (("react_to_instagram_message", {"message_id": "m3", "reaction": "ok"}), "bad_arguments", "single emoji"),
    (("react_to_instagram_message", {"message_id": "m3", "reaction": "😀😀"}), "bad_arguments", "single emoji"),
    (("get_thread_messages", {"limit": 0}), "bad_arguments", "from 1 to 50"),
    (("get_thread_messages", {"limit": True}), "bad_arguments", "from 1 to 50"),
    (("get_net_session_dates", {"days_ahead": 7.5}), "bad_arguments", "whole number from 1 to 90"),
    (("get_net_session_dates", {"days_ahead": float("nan")}), "bad_arguments", "whole number"),
    (("get_net_session_dates", {"days_ahead": "1e3"}), "bad_arguments", "whole number"),
    (("no_reply", {}), "bad_arguments", "'reason'"),
]


@pytest.mark.parametrize(("call", "guard", "hint"), BAD_CALLS)
def test_a_call_that_cant_be_done_is_answered_with_what_to_do(agent: Agent, call: Call, guard: str, hint: str) -> None:
    plan = agent.plan(here(), turn(call))

    assert plan.actions == ()
    assert plan.guards == (guard,)
    assert hint in str(plan.answered[0].error)
    assert plan.failed
    assert SECRETS[0] not in str(plan.answered[0].error)


def test_the_prompts_marker_does_not_leave(agent: Agent) -> None:
    canary = agent.system.split("The marker ")[1].split(" ")[0]

    plan = agent.plan(here(), turn(send(f"It is {canary.upper()}"), ("send_manager_notification", {"text": canary})))

    assert plan.guards == ("canary", "canary")


@pytest.mark.parametrize("given_number", [7, 7.0, "7", " 7 "])
def test_numbers_are_taken_where_nothing_is_lost(agent: Agent, given_number: object) -> None:
    plan = agent.plan(here(), turn(("get_net_session_dates", {"days_ahead": given_number, "to": "9002"})))

    assert plan.data == (0,)
    assert plan.guards == ("extra_arguments",)


@pytest.mark.parametrize(
    ("reaction", "sent"),
    [
        ("love", "love"),
        ("LOVE", "love"),
        ("❤", "love"),
        ("like", "👍"),
        ("Thumbs up", "👍"),
        (":+1:", "👍"),
        ("👏🏽", "👏🏽"),
        ("👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"),
        ("1️⃣", "1️⃣"),
        ("🇬🇧", "🇬🇧"),
    ],
)
def test_reactions_are_brought_into_the_platforms_form(agent: Agent, reaction: str, sent: str) -> None:
    plan = agent.plan(here(), turn(("react_to_instagram_message", {"message_id": "m1", "reaction": reaction})))

    assert [action.text for action in plan.actions] == [sent]


@pytest.mark.parametrize("handle", ["m1", "M1", "[m1]", ' "m1" ', "#m1"])
def test_a_handle_counts_in_whatever_it_is_wrapped(agent: Agent, handle: str) -> None:
    plan = agent.plan(here(), turn(("react_to_instagram_message", {"message_id": handle, "reaction": "love"})))

    assert [action.target for action in plan.actions] == [HANDLES["m1"]]


def test_a_reaction_to_an_unsent_message_is_refused(agent: Agent) -> None:
    base = here()
    gone = replace(base, recent=(replace(base.recent[0], unsent_at=NOW), *base.recent[1:]))

    plan = agent.plan(gone, turn(("react_to_instagram_message", {"message_id": "m1", "reaction": "love"})))

    assert plan.guards == ("unknown_handle",)


def test_a_note_is_saved_alone_and_beside_a_reply(agent: Agent) -> None:
    note = ("save_note", {"text": "plays U11\x07"})

    alone, beside = agent.plan(here(), turn(note)), agent.plan(here(), turn(note, send("ok")))

    assert (alone.notes, alone.failed) == (("plays U11",), False)
    assert (beside.notes, beside.failed) == (("plays U11",), False)
    assert alone.answered == {0: ToolResult("save_note", "id0", {"status": "saved"})}


def test_no_reply_ends_the_run_and_lets_other_actions_go(agent: Agent) -> None:
    react = ("react_to_instagram_message", {"message_id": "m3", "reaction": "👍"})

    plan = agent.plan(here(), turn(react, ("no_reply", {"reason": "thanks only"})))

    assert (plan.no_reply, plan.failed, len(plan.actions)) == ("thanks only", False, 1)


def test_no_reply_beside_a_refused_answer_does_not_hide_it(agent: Agent) -> None:
    plan = agent.plan(here(), turn(send("see evil.com"), ("no_reply", {"reason": "answered"})))

    assert (plan.no_reply, plan.failed) == (None, True)
    assert "not ended" in str(plan.answered[1].error)


def test_a_plain_text_goes_out_under_the_same_guards(agent: Agent) -> None:
    good, bad = (agent.plan(here(turns=1), ModelTurn("{}", text)) for text in ("Tuesday", "see evil.com"))

    assert good.actions == (Action("run1/1/0", ActionKind.SEND, "Tuesday", 0, 1),)
    assert (bad.actions, bad.guards, bad.failed) == ((), ("link",), True)


def test_the_model_learns_what_became_of_its_actions(agent: Agent) -> None:
    asked = turn(send("one"), send(LONG), send("three"), ("get_notes", {}))
    plan = agent.plan(here(), asked)
    states = [
        replace(plan.actions[0], state=ActionState.UNCERTAIN),
        done(plan.actions[1]),
        replace(plan.actions[2], state=ActionState.REFUSED, error="(#10) outside the window"),
        replace(plan.actions[3], state=ActionState.DROPPED),
    ]
    data = {3: ToolResult("get_notes", "id3", {"notes": []})}

    results = agent.results(asked, plan, data, states)

    assert results == ToolTurn(
        (
            ToolResult("send_instagram_message", "id0", {"status": "uncertain, do not send again"}),
            ToolResult(
                "send_instagram_message",
                "id1",
                error="refused: (#10) outside the window (the first 1 of 2 parts were sent: do not repeat them)",
            ),
            ToolResult("send_instagram_message", "id2", error="not sent: given up before it went out. Decide again."),
            ToolResult("get_notes", "id3", {"notes": []}),
        )
    )


NAMES = st.sampled_from(
    """send_instagram_message react_to_instagram_message send_manager_notification get_net_session_dates
    get_thread_messages is_new_thread save_note get_notes no_reply send_to_anyone""".split()  # noqa: SIM905
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["m1", "m2", "m3", "m4", "mid-9", "love", "👍", "evil.com", SECRETS[0], "urgent", "word " * 250]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)  # fmt: skip
ARGUMENTS = st.dictionaries(
    st.sampled_from(["text", "message_id", "reaction", "urgency", "days_ahead", "limit", "reason", "recipient"]), VALUES
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(NAMES, ARGUMENTS), max_size=12), min_size=1, max_size=3))
def test_whatever_a_model_asks_for_stays_within_bounds(
    agent: Agent, turns: list[list[tuple[str, Mapping[str, object]]]]
) -> None:
    now = here()
    for calls in turns:
        asked = turn(*calls)
        if not calls:
            continue
        plan = agent.plan(now, asked)
        assert plan == agent.plan(now, asked)
        data = {index: ToolResult(asked.calls[index].name, asked.calls[index].id, {"x": 1}) for index in plan.data}
        results = agent.results(asked, plan, data, [done(action) for action in plan.actions])

        assert isinstance(results, ToolTurn)
        settled = [*plan.answered, *plan.data, *{action.call_index for action in plan.actions}]
        assert sorted(settled) == list(range(len(calls)))
        assert [result.id for result in results.results] == [call.id for call in asked.calls]
        run = now.run
        now = replace(
            now,
            run=replace(
                run,
                turns=(*run.turns, asked, results),
                actions=(*run.actions, *map(done, plan.actions)),
                alerts=(*run.alerts, *plan.alerts),
            ),
        )

    actions = now.run.actions
    assert len({action.key for action in actions}) == len(actions)
    assert len({(a.turn, a.call_index) for a in actions if a.kind is ActionKind.SEND}) <= 3
    assert len(now.run.alerts) <= 1
    assert {a.target for a in actions if a.kind is ActionKind.REACT} <= {"mid-0", "mid-2"}
    assert all(len(a.text.encode()) <= 1_000 for a in actions if a.kind is ActionKind.SEND)
    assert not any(SECRETS[0] in a.text or "evil" in a.text for a in actions if a.kind is ActionKind.SEND)


def test_encodings_of_a_secret_are_refused_in_a_plan(agent: Agent) -> None:
    text = base64.b64encode(b"x" + SECRETS[1].encode()).decode()

    assert agent.plan(here(), turn(send(text))).guards == ("secret",)


def answered(asked: ModelTurn, *, error: str | None = None) -> ToolTurn:
    output = {} if error else {"x": 1}
    return ToolTurn(tuple(ToolResult(call.name, call.id, output, error) for call in asked.calls))


NETS = turn(("get_net_session_dates", {"days_ahead": 11}))


@pytest.mark.parametrize(
    ("before", "is_read"),
    [
        ((NETS, answered(NETS)), False),
        ((NETS, answered(NETS, error="schedule unavailable")), True),
        ((NETS, answered(NETS), UserTurn("new messages")), True),
        ((NETS, answered(NETS), turn(send("Hi!"))), True),
        ((turn(("get_net_session_dates", {"days_ahead": 14})),), True),
    ],
)
def test_what_the_model_has_looked_up_is_not_read_again(
    agent: Agent, before: tuple[ModelTurn | ToolTurn | UserTurn, ...], is_read: bool
) -> None:
    seen = here()
    seen = replace(seen, run=replace(seen.run, turns=(*seen.run.turns, *before)))

    plan = agent.plan(seen, NETS)

    assert plan.data == ((0,) if is_read else ())
    assert plan.guards == (() if is_read else ("repeated_look_up",))
    assert not plan.failed


def test_the_same_look_up_twice_in_a_turn_is_one(agent: Agent) -> None:
    look_up: tuple[str, dict[str, object]] = ("is_new_thread", {})

    plan = agent.plan(here(), turn(look_up, look_up, look_up))

    assert plan.data == (0,)
    assert [set(plan.answered[index].output) for index in (1, 2)] == [{"already_known"}] * 2
