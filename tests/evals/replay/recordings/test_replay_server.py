"""The server answers only what was recorded, and says exactly what changed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from dm_core.runs import ModelTurn
from dm_evals.replay.digests import Prompt, own_prompt
from dm_evals.replay.recordings import Recording
from dm_evals.replay.replay_server import ReplayServer
from tests.evals.replay.recordings.recorded_trials import Asking

Record = Callable[..., Awaitable[Recording]]
Prompts = Callable[..., Prompt]
Change = Callable[[Asking, Prompts], None]


async def test_what_was_recorded_is_answered(asking: Asking, recording: Recording) -> None:
    async with ReplayServer(recording) as server:
        said = await asking.ask(server.base_url)

    assert [turn.calls[0].name for turn in said if isinstance(turn, ModelTurn)] == [
        "get_net_session_dates",
        "send_instagram_message",
    ]
    assert (server.stale, server.missing, server.unused) == ([], [], ())
    assert [(call.turn, call.origin, call.input_tokens) for call in server.calls] == [
        (1, "authored", None),
        (2, "authored", None),
    ]


async def test_the_same_trial_twice_makes_the_same_recording(record: Record) -> None:
    assert await record() == await record()


def _model(asking: Asking, prompts: Prompts) -> None:
    asking.model = "gemini-other"


def _tool(asking: Asking, prompts: Prompts) -> None:
    asking.tools = (replace(asking.tools[0], description="Something else."), *asking.tools[1:])


def _prompt(asking: Asking, prompts: Prompts) -> None:
    asking.prompt = prompts(template=own_prompt().template.replace("You act only through tools.", "Use tools."))


def _persona(asking: Asking, prompts: Prompts) -> None:
    asking.prompt = prompts(persona="You are brief.")


def _line(asking: Asking, prompts: Prompts) -> None:
    asking.opening = "hello\nis there cake?"


@pytest.mark.parametrize(
    ("change", "part", "told"),
    [
        (_model, "model", "recorded gemini-test, now gemini-other"),
        (_tool, "tools", "dm_core/agent/tools/"),
        (_prompt, "system", "prompts/system.md"),
        (_persona, "persona", "profile/persona.md"),
        (_line, "contents[0]", "-are there nets?\n+is there cake?"),
    ],
    ids=["model", "tool", "prompt", "persona", "history"],
)
async def test_a_stale_turn_names_exactly_what_changed_and_ends_the_trial(
    asking: Asking, recording: Recording, other_prompt: Prompts, change: Change, part: str, told: str
) -> None:
    change(asking, other_prompt)

    async with ReplayServer(recording, prompt=asking.prompt) as server:
        said = await asking.ask(server.base_url)
        again = await asking.ask(server.base_url)

    assert [stale.changed for stale in server.stale] == [(part,)]
    assert told in server.stale[0].diff
    assert said == again == [f"the model answered 400 FAILED_PRECONDITION: turn 1 is stale: changed {part}"]
    assert server.calls == []


@pytest.mark.parametrize(("facts", "changed"), [((), []), (("membership.student",), [("knowledge",)])])
async def test_the_knowledge_counts_where_a_fact_of_it_is_named(
    asking: Asking, recording: Recording, other_prompt: Prompts, facts: tuple[str, ...], changed: list[tuple[str]]
) -> None:
    asking.prompt = other_prompt(knowledge="Nets cost £6.")

    async with ReplayServer(recording, prompt=asking.prompt, facts=facts) as server:
        await asking.ask(server.base_url)

    assert [stale.changed for stale in server.stale] == changed


async def test_a_changed_tool_result_is_stale_where_it_is_told_to_the_model(
    asking: Asking, recording: Recording
) -> None:
    asking.result = "Friday"

    async with ReplayServer(recording) as server:
        await asking.ask(server.base_url)

    assert [(stale.turn, stale.changed) for stale in server.stale] == [(2, ("contents[2]",))]
    assert '-[result] get_net_session_dates {"output":{"day":"Thursday"}}' in server.stale[0].diff
    assert '+[result] get_net_session_dates {"output":{"day":"Friday"}}' in server.stale[0].diff


async def test_an_edited_answer_makes_the_turns_after_it_stale(asking: Asking, recording: Recording) -> None:
    first, second = recording.turns
    edited = first.model_copy(update={"response": second.response})

    async with ReplayServer(replace(recording, turns=(edited, second))) as server:
        await asking.ask(server.base_url)

    assert [(stale.turn, stale.changed) for stale in server.stale] == [(2, ("contents[1]", "contents[2]"))]


async def test_with_allow_stale_it_is_answered_by_position_and_marked(asking: Asking, recording: Recording) -> None:
    asking.opening = "is there cake?"

    async with ReplayServer(recording, allow_stale=True) as server:
        said = await asking.ask(server.base_url)

    assert all(isinstance(turn, ModelTurn) for turn in said)
    assert [stale.turn for stale in server.stale] == [1, 2]


async def test_a_turn_beyond_the_end_is_missing_even_if_stale_is_allowed(asking: Asking, recording: Recording) -> None:
    asking.turns = 3

    async with ReplayServer(recording, allow_stale=True) as server:
        said = await asking.ask(server.base_url)

    assert server.missing == [3]
    assert said[2] == "the model answered 400 FAILED_PRECONDITION: turn 3 is not recorded (there are 2)"


async def test_a_turn_nobody_asked_for_is_unused(asking: Asking, recording: Recording) -> None:
    asking.turns = 1

    async with ReplayServer(recording) as server:
        await asking.ask(server.base_url)

    assert server.unused == (2,)


async def test_without_a_recording_every_turn_is_missing(asking: Asking) -> None:
    async with ReplayServer(None) as server:
        said = await asking.ask(server.base_url)

    assert server.missing == [1]
    assert said == ["the model answered 400 FAILED_PRECONDITION: turn 1 is not recorded (there are 0)"]
