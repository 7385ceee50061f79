"""Hand-written turns: parsed strictly, played for real, and only written where they fit the scenario."""

import pytest

from dm_evals.reading import Unusable
from dm_evals.replay.author import ScriptedTurn, author, parse_turns
from dm_evals.replay.replay_server import ReplayServer
from dm_evals.replay.runner import RuntimePool
from dm_evals.scenarios.scenario import Scenario

GOOD = """
- calls: [get_net_session_dates]
- calls: [{send_instagram_message: {text: Nothing is listed this week.}}]
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "- calls: [{send_instagram_mesage: {text: a}}]",
            'unknown tool "send_instagram_mesage", did you mean',
        ),
        ("- cals: []", 'the turns:1: cals: unknown key "cals", did you mean "calls"?'),
        ("- finish: SAFTY", 'the turns:1: unknown finish "SAFTY", did you mean "SAFETY"?'),
        ("- {empty: true, text: a}", "the turns:1: empty stands alone"),
        ("- text: a\n- {}", "the turns:2: neither a call nor a text"),
        ("- calls: []", "the turns:1: neither a call nor a text"),
        ("calls: []", "the turns:1: must be a list"),
        ("- [", "the turns:1: is no YAML"),
    ],
)
def test_a_mistake_in_the_turns_is_named(text: str, told: str) -> None:
    with pytest.raises(Unusable) as caught:
        parse_turns(text)

    assert told in str(caught.value)


def test_odd_answers_can_be_written() -> None:
    safety, empty, malformed, invented = parse_turns(
        "- finish: SAFETY\n- empty: true\n- malformed: true\n- {calls: [fly], invented: true}"
    )

    assert safety.body == {"candidates": [{"finishReason": "SAFETY", "index": 0}]}
    assert empty.body == {}
    assert malformed.body is not None
    assert "MALFORMED_FUNCTION_CALL" in str(malformed.body)
    assert invented == ScriptedTurn(calls=(("fly", {}),))


def test_a_date_in_the_turns_stays_a_text() -> None:
    (turn,) = parse_turns("- calls: [{save_note: {text: 2026-11-24}}]")

    assert turn.calls[0][1] == {"text": "2026-11-24"}


async def test_two_runs_write_the_same_and_a_replay_is_not_stale(scenario: Scenario) -> None:
    async with RuntimePool(1) as runtimes:
        first = await author(scenario, 1, parse_turns(GOOD), runtimes.play, "2026-11-22")
        second = await author(scenario, 1, parse_turns(GOOD), runtimes.play, "2026-11-22")
        replayed = await runtimes.play(scenario, 1, ReplayServer(first.recording))

    assert first.recording == second.recording
    assert (replayed.stale, replayed.missing_turns, replayed.unused_turns, replayed.crash) == ((), (), (), None)
    assert replayed.replies == ("Nothing is listed this week.",)
    assert {call.origin for call in replayed.model_calls} == {"authored"}


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ("- calls: [get_net_session_dates]", "turn 2 is not written"),
        (GOOD + "- text: too much", "nobody asked for turn 3"),
    ],
    ids=["too few", "too many"],
)
async def test_turns_that_do_not_fit_the_scenario_are_refused(scenario: Scenario, turns: str, told: str) -> None:
    async with RuntimePool(1) as runtimes:
        with pytest.raises(Unusable) as caught:
            await author(scenario, 1, parse_turns(turns), runtimes.play, "2026-11-22")

    assert told in str(caught.value)
