"""Refreshing touches what is named and nothing else; recording keeps the answers and no secret."""

from dataclasses import replace
from pathlib import Path

import pytest

from dm_evals.live.upstream import Upstream
from dm_evals.reading import Unusable
from dm_evals.replay.author import author, parse_turns
from dm_evals.replay.recorder import Recorder
from dm_evals.replay.recordings import Recording, read_recording
from dm_evals.replay.refresh import parse_parts, refresh
from dm_evals.replay.replay_server import ReplayServer
from dm_evals.replay.runner import RuntimePool
from dm_evals.scenarios.scenario import Event, Scenario
from dm_sandbox.platforms.faults import FaultKind
from dm_sandbox.platforms.gemini import Gemini

TURNS = parse_turns("- calls: [{send_instagram_message: {text: Nothing is listed.}}]")


def _aged(recording: Recording, **digests: str) -> Recording:
    """As if it had been recorded when these parts were others."""
    turns = tuple(
        turn.asked_by(replace(turn.request, digests=replace(turn.request.digests, **digests)))
        for turn in recording.turns
    )
    return replace(recording, turns=turns)


async def test_a_change_in_the_named_part_is_brought_up_to_date(scenario: Scenario, tmp_path: Path) -> None:
    async with RuntimePool(1) as runtimes:
        made = (await author(scenario, 1, TURNS, runtimes.play, "2026-11-22")).recording
        done = await refresh(scenario, _aged(made, system="0"), frozenset({"system"}), runtimes.play, tmp_path)

    assert (done.turns, done.refused) == ((1,), "")
    assert read_recording(tmp_path / "say_hi" / "t1.jsonl") == made


async def test_a_change_in_any_other_part_is_refused_and_named(scenario: Scenario, tmp_path: Path) -> None:
    said = scenario.model_copy(update={"events": (Event(text="Is there cake?"),)})
    async with RuntimePool(1) as runtimes:
        made = (await author(scenario, 1, TURNS, runtimes.play, "2026-11-22")).recording
        old = _aged(made, system="0", tools="0")
        refused = await refresh(said, old, frozenset({"system"}), runtimes.play, tmp_path)
        allowed = await refresh(said, old, frozenset({"system", "tools", "contents"}), runtimes.play, tmp_path)

    assert refused.refused == "turn 1: tools, contents[0] changed too"
    assert allowed.turns == (1,)


async def test_a_trial_that_goes_another_way_is_refused(scenario: Scenario, tmp_path: Path) -> None:
    async with RuntimePool(1) as runtimes:
        made = (await author(scenario, 1, TURNS, runtimes.play, "2026-11-22")).recording
        longer = replace(made, turns=(*made.turns, made.turns[0].model_copy(update={"turn": 2})))
        too_many = await refresh(scenario, longer, frozenset({"system"}), runtimes.play, tmp_path)
        too_few = await refresh(scenario, replace(made, turns=()), frozenset({"system"}), runtimes.play, tmp_path)

    assert too_many.refused == "turn 2 is not asked for any more"
    assert too_few.refused == "turn 1 is asked for now and was not recorded"
    assert not (tmp_path / "say_hi").exists()


def test_an_unknown_part_is_named_with_the_nearest() -> None:
    assert parse_parts("system, contents[2]") == {"system", "contents[2]"}
    with pytest.raises(Unusable, match='unknown part "sistem", did you mean "system"'):
        parse_parts("sistem")


async def test_a_model_is_recorded_with_its_figures_and_replayed(scenario: Scenario, tmp_path: Path) -> None:
    async with Gemini(api_key="a-real-looking-key") as gemini, RuntimePool(1, live=True) as runtimes:
        gemini.faults.add(FaultKind.ERROR, "generateContent", status=503)
        async with Upstream(gemini.base_url) as upstream:
            recorder = Recorder("say_hi", 1, upstream, "a-real-looking-key")
            live = await runtimes.play(scenario, 1, recorder)
        path = recorder.recording.write(tmp_path)
        replayed = await runtimes.play(scenario, 1, ReplayServer(read_recording(path)))

    assert live.crash is None
    assert {call.origin for call in live.model_calls} == {"live"}
    assert {call.origin for call in replayed.model_calls} == {"recorded"}
    assert replayed.replies == live.replies != ()
    assert replayed.stale == ()
    first = recorder.recording.turns[0]
    assert first.usage is not None
    assert first.latency_ms is not None
    assert "a-real-looking-key" not in path.read_text()
    assert gemini.base_url.removeprefix("http://") not in path.read_text()
