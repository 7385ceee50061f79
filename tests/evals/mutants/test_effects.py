"""Code that changes what leaves the system, or what the model is shown, fails a replay, without an expectation that
anybody wrote for it."""

from pathlib import Path

from dm_evals.checks.effects import changes
from dm_evals.checks.outcome import judge_trial
from dm_evals.mutants.code import defects
from dm_evals.replay.recordings import load_recordings
from dm_evals.replay.replay_server import ReplayServer
from dm_evals.replay.runner import RuntimePool
from dm_evals.results import Outcome
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Expectations, State

EVALS = Path(__file__).parents[3] / "evals"
NOTHING = Expectations(state=State(paused=False))
"""Expects next to nothing, but for the words that are production's own: what fails by it, fails by the recording."""


async def test_each_planted_defect_is_caught_by_what_left_or_was_shown_alone() -> None:
    scenarios = {scenario.name: scenario for scenario in load([EVALS / "scenarios"]).scenarios}
    tried = [defect for defect in defects().values() if defect.on]
    used = {defect.on for defect in tried}
    recordings = load_recordings(EVALS / "recordings", scenarios, used)
    right: dict[str, Outcome] = {}
    caught: dict[str, bool] = {}

    async with RuntimePool(1) as runtimes:
        for name in used:
            bare = scenarios[name].expect
            known = NOTHING.state.model_copy(update={"alert": bare.state.alert, "notice": bare.state.notice})
            bare = NOTHING.model_copy(update={"changed": bare.changed, "state": known})
            scenarios[name] = scenarios[name].model_copy(update={"expect": bare})
            played = await runtimes.play(scenarios[name], 1, ReplayServer(recordings.find(name, 1)))
            right[name] = judge_trial(scenarios[name], played, exact=True).outcome
    for defect in tried:
        with defect.planted():
            async with RuntimePool(1) as runtimes:
                played = await runtimes.play(scenarios[defect.on], 1, ReplayServer(recordings.find(defect.on, 1)))
        result = judge_trial(scenarios[defect.on], played, exact=True)
        caught[defect.name] = any(check.name.startswith(("effects.", "recording.")) for check in result.broken)

    assert [name for name, outcome in right.items() if outcome is not Outcome.PASS] == []
    assert [name for name, found in caught.items() if not found] == []
    assert len(caught) >= 84


async def test_what_production_changed_is_what_the_scenario_counts() -> None:
    names = ("long_reply_is_split", "burst_before_the_answer", "model_writes_plain_text", "fault_whatsapp_down")
    scenarios = {scenario.name: scenario for scenario in load([EVALS / "scenarios"]).scenarios}
    recordings = load_recordings(EVALS / "recordings", scenarios, names)

    async with RuntimePool(1) as runtimes:
        found = {
            name: changes(await runtimes.play(scenarios[name], 1, ReplayServer(recordings.find(name, 1))))
            for name in names
        }

    assert found == {
        "long_reply_is_split": {"split": 1},
        "burst_before_the_answer": {"overtaken": 1},
        "model_writes_plain_text": {"plain_text": 1},
        "fault_whatsapp_down": {"undelivered": 1},
    }


async def test_what_the_model_is_shown_of_another_person_is_told() -> None:
    scenario = load([EVALS / "scenarios" / "two_people_at_once.yaml"]).scenarios[0]
    recording = load_recordings(EVALS / "recordings", [scenario.name], [scenario.name]).find(scenario.name, 1)

    async with RuntimePool(1) as runtimes:
        with defects()["threads_mixed"].planted():
            played = await runtimes.play(scenario, 1, ReplayServer(recording, allow_stale=True))

    (apart,) = (check for check in judge_trial(scenario, played, exact=True).checks if check.name == "effects.apart")
    assert apart.verdict == "broken"
    assert "asked of the model for mia: 'what does an adult pay for the year?' of the person" in apart.observed
