"""A stored thread becomes a scenario that plays as it was, with nobody in it, and that counts in no gate yet."""

import asyncio
import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from dm_core.agent.profile import load_profile
from dm_core.store.firestore import FirestoreStore
from dm_evals.baseline import Baseline
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import main
from dm_evals.gate import Gate
from dm_evals.observation import Observation
from dm_evals.production.make import Made, default_name, make_scenario
from dm_evals.production.store import read_thread
from dm_evals.reading import Unusable
from dm_evals.replay.replay_server import ReplayServer
from dm_evals.replay.runner import RuntimePool
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import Outcome, Report, TrialResult
from dm_evals.scenarios.loading import load
from dm_sandbox.inprocess import CrashPoints, InProcess, MovableClock
from dm_sandbox.person import Person
from dm_sandbox.platforms.answers import blocked_prompt, call, finished, turn

SAM, SAMS_ID = "Sam Joneson", "5550011223344"
PRIVATE = ("Joneson", "sam.joneson", SAMS_ID, "07911 123456", "sam@mail.example", "Wilhelmina")


def send(text: str) -> dict[str, object]:
    return dict(turn(call("send_instagram_message", text=text)))


async def sam(system: InProcess) -> Person:
    """Has asked, been answered, and asked again with a photo; the manager knows."""
    person = system.person(SAMS_ID, SAM, "sam.joneson")
    await person.says("hi, my name is Sam. My daughter Wilhelmina wants to play")
    await person.says("call me on 07911 123456 or sam@mail.example, when are nets?")
    system.gemini.script(
        [
            turn(call("get_net_session_dates", days_ahead=7)),
            turn(
                call("send_manager_notification", text="Sam Joneson wants a call: 07911 123456", urgency="normal"),
                call("send_instagram_message", text="Hi Sam, the club's assistant here! I've passed it on."),
            ),
        ]
    )
    status, _ = await system.task(person.thread_id, "one")
    assert status == 200
    system.clock.forward(300)
    await person.sends_photo()
    system.gemini.script([send("Thanks Sam, I can't see photos, please tell me in words.")])
    assert (await system.task(person.thread_id, "two"))[0] == 200
    return person


async def made_of(system: InProcess, person: Person, tmp_path: Path, runtimes: RuntimePool) -> Made:
    stored = await read_thread(f"sqlite:///{tmp_path}/threads.sqlite3", person.thread_id, {})
    return await make_scenario(stored, "from_sam", load_profile(PROCESSOR_FOLDER / "profile"), runtimes.play)


async def played(made: Made, runtimes: RuntimePool) -> Observation:
    """Played from its recording, as a replay does."""
    assert made.recording is not None, made.said
    return await runtimes.play(made.scenario, 1, ReplayServer(made.recording))


async def test_the_scenario_plays_as_it_was(system: InProcess, tmp_path: Path, runtimes: RuntimePool) -> None:
    person = await sam(system)

    made = await made_of(system, person, tmp_path, runtimes)
    observation = await played(made, runtimes)

    assert (observation.stale, observation.missing_turns, observation.unused_turns) == ((), (), ())
    assert judge_trial(made.scenario, observation).outcome is Outcome.PASS
    assert [use.name for use in observation.calls] == [
        "get_net_session_dates",
        "send_manager_notification",
        "send_instagram_message",
        "send_instagram_message",
    ]
    assert len(observation.sessions) > 0
    assert observation.runs == ("answered", "answered")


async def test_nobody_is_left_in_it(system: InProcess, tmp_path: Path, runtimes: RuntimePool) -> None:
    person = await sam(system)

    made = await made_of(system, person, tmp_path, runtimes)

    assert made.recording is not None
    for file in (made.yaml(), *(line.line() for line in made.recording.turns)):
        assert [word for word in PRIVATE if word.casefold() in file.casefold()] == []
    texts = [event.text for event in made.scenario.events]
    assert texts[0] == "hi, my name is Person One. My daughter Person Two wants to play"
    assert made.recording.turns[-1].response["candidates"] is not None
    assert "Person One" in made.recording.turns[1].line()


async def test_turns_of_the_archive_are_recorded_ones_with_their_tokens(
    system: InProcess, tmp_path: Path, runtimes: RuntimePool
) -> None:
    person = await sam(system)

    made = await made_of(system, person, tmp_path, runtimes)

    assert made.recording is not None
    assert {line.origin for line in made.recording.turns} == {"recorded"}
    assert all(line.usage and line.latency_ms is not None for line in made.recording.turns)


async def test_a_dm_that_came_while_the_model_thought_comes_then_again(
    system: InProcess, tmp_path: Path, runtimes: RuntimePool
) -> None:
    person = system.person(SAMS_ID, SAM, "sam.joneson")
    await person.says("when are nets?")
    system.gemini.script([send("On Tuesday, Sam."), send("Both on Tuesday.")])
    points = CrashPoints(at=3, meanwhile=lambda: person.says("and for juniors?"))
    system_app = system.instance(points)
    await system.task(person.thread_id, "one", system_app)
    assert points.struck == "model.generate"

    made = await made_of(system, person, tmp_path, runtimes)
    observation = await played(made, runtimes)

    assert made.scenario.events[1].during == 1
    assert made.recording is not None
    assert [line.origin for line in made.recording.turns] == ["authored", "recorded"]
    assert observation.replies == ("Both on Tuesday.",)
    assert observation.stale == ()
    assert any("by hand" in line for line in made.said)


@pytest.mark.parametrize("odd", [finished("MALFORMED_FUNCTION_CALL"), {}, finished("MAX_TOKENS")])
async def test_an_unusable_answer_is_unusable_again(
    system: InProcess, tmp_path: Path, runtimes: RuntimePool, odd: dict[str, object]
) -> None:
    person = system.person(SAMS_ID, SAM, "sam.joneson")
    await person.says("hello there")
    system.gemini.script([odd, send("Hello!")])
    await system.task(person.thread_id, "one")

    made = await made_of(system, person, tmp_path, runtimes)

    assert (await played(made, runtimes)).replies == ("Hello!",)


async def test_a_withheld_answer_is_handed_over_again(system: InProcess, tmp_path: Path, runtimes: RuntimePool) -> None:
    person = system.person(SAMS_ID, SAM, "sam.joneson")
    await person.says("something awful")
    system.gemini.script([blocked_prompt()])
    await system.task(person.thread_id, "one")

    made = await made_of(system, person, tmp_path, runtimes)
    observation = await played(made, runtimes)

    assert observation.runs == ("handed_over",)
    assert judge_trial(made.scenario, observation).outcome is Outcome.PASS


async def test_what_was_said_before_the_archive_begins_is_history(
    system: InProcess, tmp_path: Path, runtimes: RuntimePool
) -> None:
    person = await sam(system)
    stored = await read_thread(f"sqlite:///{tmp_path}/threads.sqlite3", person.thread_id, {})
    older = replace(stored, runs=stored.runs[1:], lost=1)

    made = await make_scenario(older, "from_sam", load_profile(PROCESSOR_FOLDER / "profile"), runtimes.play)

    assert [past.by for past in made.scenario.world.history] == ["person", "person", "bot"]
    assert [event.kind for event in made.scenario.events] == ["photo"]
    assert any("1 runs are not in the archive" in line for line in made.said)
    assert (await played(made, runtimes)).stale == ()


async def test_a_human_who_took_over_does_so_again(system: InProcess, tmp_path: Path, runtimes: RuntimePool) -> None:
    person = system.person(SAMS_ID, SAM, "sam.joneson")
    await person.says("can I pay in two parts?")
    system.gemini.script([send("I don't know, Sam.")])
    points = CrashPoints(at=3, meanwhile=lambda: person.human_replies("Hi Sam, yes you can."))
    await system.task(person.thread_id, "one", system.instance(points))

    made = await made_of(system, person, tmp_path, runtimes)
    observation = await played(made, runtimes)

    assert [(event.kind, event.during) for event in made.scenario.events] == [("say", None), ("human", 1)]
    assert (observation.replies, observation.paused, observation.runs) == ((), True, ("human",))
    assert judge_trial(made.scenario, observation).outcome is Outcome.PASS


async def test_an_unsent_dm_is_unsent_again(system: InProcess, tmp_path: Path, runtimes: RuntimePool) -> None:
    person = system.person(SAMS_ID, SAM, "sam.joneson")
    mid = await person.says("you are all cheats")
    system.clock.forward(1)
    await person.says("what does it cost?")
    await person.unsends(mid)
    system.gemini.script([send("5 pounds for guests.")])
    await system.task(person.thread_id, "one")

    made = await made_of(system, person, tmp_path, runtimes)
    observation = await played(made, runtimes)

    assert [event.kind for event in made.scenario.events] == ["say", "unsend", "say"]
    assert "cheats" not in made.yaml()
    assert observation.replies == ("5 pounds for guests.",)


async def test_a_thread_in_firestore_is_read_as_well(firestore_host: str, runtimes: RuntimePool) -> None:
    project = f"test-{uuid.uuid4().hex[:20]}"
    clock = MovableClock()
    store = FirestoreStore(project, "(default)", clock, firestore_host)
    async with InProcess(store, clock=clock) as system:
        person = await sam(system)
    await store.close()

    env = {"GOOGLE_CLOUD_PROJECT": project, "FIRESTORE_EMULATOR_HOST": firestore_host}
    stored = await read_thread("firestore:", person.thread_id, env)
    made = await make_scenario(stored, "from_sam", load_profile(PROCESSOR_FOLDER / "profile"), runtimes.play)

    assert (len(stored.messages), len(stored.runs), stored.lost) == (5, 2, 0)
    assert (await played(made, runtimes)).runs == ("answered", "answered")


async def test_what_is_not_there_is_said(system: InProcess, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/threads.sqlite3"
    await system.person().says("hi")

    for wrong, thread in ((url, "1_2"), (url, "nonsense"), ("sqlite:////nowhere/x.db", "1_2"), ("mysql:", "1_2")):
        with pytest.raises(Unusable):
            await read_thread(wrong, thread, {})


def unreviewed(outcome: Outcome) -> TrialResult:
    return TrialResult("from_sam", 1, ("production",), outcome, (), Observation("from_sam", 1), counts=False)


def reviewed(outcome: Outcome) -> TrialResult:
    return replace(unreviewed(outcome), scenario="other", observation=Observation("other", 1), counts=True)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_scenario_that_is_not_reviewed_never_counts(outcome: Outcome) -> None:
    gate = Gate.load(Path(__file__).parents[3] / "evals" / "gate.yaml")

    def code(*results: TrialResult) -> int:
        return gate.decide(Report("replay", "", 0.0, results), Baseline()).exit_code

    assert code(reviewed(Outcome.PASS), unreviewed(outcome)) == code(reviewed(Outcome.PASS))
    assert code(unreviewed(outcome)) == code() == 2
    assert code(reviewed(Outcome.FAIL), unreviewed(outcome)) == 1


class TestTheCommand:
    """In a process of its own event loop, as people call it."""

    async def _thread(self, system: InProcess) -> str:
        return (await sam(system)).thread_id

    async def test_it_writes_both_files_and_the_run_command_replays_them(
        self, system: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        thread = await self._thread(system)
        into = tmp_path / "evals"
        typed = ["scenario-from", "--thread", thread, "--store-url", f"sqlite:///{tmp_path}/threads.sqlite3"]

        code = await asyncio.to_thread(main, [*typed, "--into", str(into)])

        name = default_name(thread)
        assert code == 0
        loaded = load([into / "scenarios"])
        assert loaded.problems == ()
        assert [(each.name, each.reviewed) for each in loaded.scenarios] == [(name, False)]
        assert "TO BE REVIEWED" in (into / "scenarios" / f"{name}.yaml").read_text()
        assert "3 recorded, 0 by hand" in capsys.readouterr().out
        again = await asyncio.to_thread(main, [*typed, "--into", str(into)])
        assert (again, "is there already" in capsys.readouterr().err) == (2, True)
        folders = ["--scenarios", str(into / "scenarios"), "--recordings", str(into / "recordings")]
        code = await asyncio.to_thread(main, ["run", *folders, "--no-gate", "--json", str(tmp_path / "report.json")])
        assert code == 2  # nothing that counts
        report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        assert [(each["scenario"], each["outcome"]) for each in report["report"]["results"]] == [(name, "pass")]
