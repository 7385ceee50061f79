"""The runner loses no trial: whatever breaks is errored, and only a pass is a pass."""

from dataclasses import replace

from dm_evals.checks.outcome import judge_trial
from dm_evals.observation import Observation
from dm_evals.replay.author import author, parse_turns
from dm_evals.replay.recordings import Recording, Recordings
from dm_evals.replay.runner import RuntimePool, Trial, run, run_trials
from dm_evals.results import Outcome, TrialResult
from dm_evals.scenarios.scenario import Event, Scenario


def _scenario(name: str = "say_hi") -> Scenario:
    return Scenario.model_validate(
        {
            "name": name,
            "tags": ["sessions"],
            "about": "Somebody asks about nets.",
            "now": "2026-11-24T18:05:00+00:00",
            "events": [{"text": "Hi, are there nets this week?"}],
            "expect": {
                "state": {"replies": 1},
                "calls": {"required": [{"tool": "send_instagram_message"}]},
            },
        }
    )


async def _recording(scenario: Scenario) -> Recording:
    turns = parse_turns("- calls: [{send_instagram_message: {text: I am the automated assistant. Nothing is listed.}}]")
    async with RuntimePool(1) as runtimes:
        return (await author(scenario, 1, turns, runtimes.play, "2026-11-22")).recording


def _held(recording: Recording) -> Recordings:
    return Recordings({(recording.scenario, recording.trial): recording})


async def _nothing(trial: Trial) -> Observation:
    return Observation(trial.scenario.name, trial.number)


def _passes(scenario: Scenario, observation: Observation) -> TrialResult:
    return TrialResult(scenario.name, observation.trial, scenario.tags, Outcome.PASS, (), observation)


async def test_a_good_recording_passes_and_the_report_says_where_its_turns_come_from() -> None:
    scenario = _scenario()

    report = await run([scenario], _held(await _recording(scenario)), judge_trial)

    assert [(result.outcome, result.reason) for result in report.results] == [(Outcome.PASS, "")]
    assert (report.mode, report.origins, report.model) == ("replay", {"authored": 1}, "authored")


async def test_a_stale_recording_is_stale_and_never_a_pass_even_if_allowed() -> None:
    scenario = _scenario()
    recordings = _held(await _recording(scenario))
    asked = scenario.model_copy(update={"events": (Event(text="Is there cake?"),)})

    strict = await run([asked], recordings, judge_trial)
    allowed = await run([asked], recordings, judge_trial, allow_stale=True)

    assert [(r.outcome, r.reason) for r in strict.results] == [(Outcome.STALE, "turn 1 is stale: changed contents[0]")]
    assert [r.outcome for r in allowed.results] == [Outcome.STALE]
    assert allowed.results[0].reason.endswith("(turn 1: contents[0]); judged like that: pass")
    assert allowed.results[0].observation.replies == ("I am the automated assistant. Nothing is listed.",)


async def test_a_turn_too_many_and_a_turn_too_few_never_pass() -> None:
    scenario = _scenario()
    made = await _recording(scenario)
    longer = replace(made, turns=(*made.turns, made.turns[0].model_copy(update={"turn": 2})))

    many = await run([scenario], _held(longer), judge_trial)
    few = await run([scenario], _held(replace(made, turns=())), judge_trial)

    assert [r.outcome for r in many.results] == [Outcome.FAIL]
    assert [r.outcome for r in few.results] == [Outcome.STALE]


async def test_a_scenario_without_a_recording_is_errored_not_missing() -> None:
    scenario = _scenario()

    missing = await run([scenario], Recordings(), judge_trial)
    broken = await run([scenario], Recordings(broken=frozenset({"say_hi"})), judge_trial)

    assert [(r.outcome, "no recording" in r.reason) for r in missing.results] == [(Outcome.ERRORED, True)]
    assert [(r.outcome, "broken" in r.reason) for r in broken.results] == [(Outcome.ERRORED, True)]


async def test_a_crashing_trial_and_a_crashing_judgement_are_errored() -> None:
    async def playing(trial: Trial) -> Observation:
        if trial.number == 1:
            raise RuntimeError("the environment fell down")
        return await _nothing(trial)

    def judging(scenario: Scenario, observation: Observation) -> TrialResult:
        if observation.trial == 2:
            raise RuntimeError("the check fell over")
        return _passes(scenario, observation)

    trials = [Trial(_scenario(), number) for number in (1, 2, 3)]

    results = await run_trials(trials, playing, judging)

    assert [(result.trial, result.outcome) for result in results] == [
        (1, Outcome.ERRORED),
        (2, Outcome.ERRORED),
        (3, Outcome.PASS),
    ]
    assert "the environment fell down" in results[0].reason
    assert "the check fell over" in results[1].reason


async def test_every_trial_is_told_its_own_number() -> None:
    trials = [Trial(_scenario(name), number) for name in ("say_hi", "say_ho") for number in (1, 2)]

    results = await run_trials(trials, _nothing, _passes)

    assert [(r.scenario, r.trial, r.observation.trial) for r in results] == [
        ("say_hi", 1, 1),
        ("say_hi", 2, 2),
        ("say_ho", 1, 1),
        ("say_ho", 2, 2),
    ]
