"""A simulated user: writes on until the goal is reached or patience ends, by a model over HTTP or as recorded."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dm_evals.asking import NoAnswer
from dm_evals.observation import Observation
from dm_evals.reading import Unusable, write_json_lines
from dm_evals.replay.runner import run_trial
from dm_evals.replay.trial_environment import SharedRuntime
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import GeminiUser, RecordedUser, RecordingUser, Said
from dm_sandbox.platforms.answers import blocked_prompt, call, text, turn
from dm_sandbox.platforms.gemini import Gemini

THREAD = ("person: hi", "bot: Hello!")


def scenario(patience: int = 3) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "first_visit",
            "tags": ["x"],
            "about": "x",
            "now": "2026-11-23T17:30:00+00:00",
            "events": [{"text": "hi, can beginners come?"}],
            "user": {"goal": "to know what it costs", "persona": "shy", "patience": patience},
            "expect": {"state": {"replies": 1}},
        }
    )


def writes(text_: str) -> Mapping[str, object]:
    return turn(text(json.dumps({"why": "not there yet", "stop": False, "text": text_})))


STOPS = turn(text(json.dumps({"why": "knows it now", "stop": True})))


def reply(words: str) -> Mapping[str, object]:
    return turn(call("send_instagram_message", text=words))


async def played(
    gemini: Gemini, stand_in: Gemini, answers: Sequence[Mapping[str, object]], patience: int = 3
) -> Observation:
    """One trial, its user played by the model behind ``stand_in``."""
    stand_in.script(dict(each) for each in answers)
    gemini.script(dict(reply(f"Answer {number}.")) for number in range(1, 6))
    with GeminiUser("user-model", stand_in.api_key, stand_in.base_url) as user:
        async with SharedRuntime() as runtime:
            return await run_trial(scenario(patience), 1, gemini.base_url, runtime, user=user)


@pytest.fixture
async def stand_in() -> Gemini:
    return Gemini()


async def test_the_user_reads_the_conversation_writes_on_and_stops_itself(gemini: Gemini, stand_in: Gemini) -> None:
    async with stand_in:
        seen = await played(gemini, stand_in, [writes("and what does it cost?"), STOPS])

    assert seen.crash is None
    assert seen.said == ("and what does it cost?",)
    assert len(seen.replies) == 2
    first, second = ("\n".join(request.user_texts) for request in stand_in.requests)
    assert "You want: to know what it costs" in first
    assert "person: hi, can beginners come?\nbot: Answer 1." in first
    assert "person: and what does it cost?\nbot: Answer 2." in second


async def test_patience_ends_it(gemini: Gemini, stand_in: Gemini) -> None:
    async with stand_in:
        seen = await played(gemini, stand_in, [writes("go on"), writes("and on"), writes("and on")], patience=2)

    assert seen.said == ("go on", "and on")
    assert len(stand_in.requests) == 2


@pytest.mark.parametrize(
    ("answer", "crash"),
    [
        (blocked_prompt(), "user-model gave no answer that can be read"),
        (turn(text('{"why": "x", "stop"')), "user-model gave no answer that can be read"),
        (writes("  "), "wrote an empty message and did not stop"),
    ],
)
async def test_a_user_without_an_answer_ends_the_trial_which_says_so(
    gemini: Gemini, stand_in: Gemini, answer: Mapping[str, object], crash: str
) -> None:
    async with stand_in:
        seen = await played(gemini, stand_in, [answer])

    assert crash in (seen.crash or "")
    assert len(seen.replies) == 1


def test_a_recorded_user_says_it_again_to_the_same_conversation_only(tmp_path: Path) -> None:
    class Curious:
        def next(self, scenario: Scenario, trial: int, thread: Sequence[str]) -> Said:
            return Said(why=f"{scenario.name} {trial}", stop=False, text=f"after {len(thread)}")

    recording = RecordingUser(Curious(), "authored", "2026-11-29")
    recording.next(scenario(), 1, THREAD)
    write_json_lines(tmp_path / "first_visit" / "t1.jsonl", recording.kept)

    again = RecordedUser(tmp_path)

    assert again.next(scenario(), 1, THREAD).text == "after 2"
    with pytest.raises(Unusable, match=r"first_visit/t1.jsonl has no answer to this conversation"):
        again.next(scenario(), 1, ("person: hi", "bot: Good evening!"))
    with pytest.raises(Unusable, match=r"t2.jsonl has no answer"):
        again.next(scenario(), 2, THREAD)


def test_a_line_that_is_none_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "first_visit").mkdir()
    (tmp_path / "first_visit" / "t1.jsonl").write_text('{"why": "x"}\n')

    with pytest.raises(Unusable, match=r"first_visit/t1.jsonl:1: stop: Field required"):
        RecordedUser(tmp_path).next(scenario(), 1, THREAD)


async def test_a_wrong_key_is_told_without_the_key(stand_in: Gemini) -> None:
    async with stand_in:
        with (
            GeminiUser("user-model", "another-key", stand_in.base_url) as user,
            pytest.raises(NoAnswer) as told,
        ):
            await asyncio.to_thread(user.next, scenario(), 1, THREAD)

    assert "user-model answered 400" in str(told.value)
    assert "another-key" not in str(told.value)
