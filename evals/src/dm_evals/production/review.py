"""What the studio of ``make dev`` reviews threads with: ``scenarios-queue`` prints what waits, as JSON, and
``scenario-review`` keeps what a person said of one of it, read as JSON from standard input.

    {"name": …, "verdict": "right", "why": …}     what happened is expected from now on: reviewed: true
    {"name": …, "verdict": "wrong", "why": …}     it stays, with the reason, until somebody says what should have been
    {"name": …, "verdict": "should", "why": …,    the reply that was is replaced by this one, the thread is played
     "text": …, "turn": 1, "index": 0}            again, and what happens then is expected: reviewed: true

A verdict is a label for the judge as well (``OVERALL``): on the thread as it lies in the queue, and on what was wrong
as it was. ``scenarios-reviewed`` takes it from here (``queue.py`` says what lies where).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import Field, ValidationError

from dm_core.agent.tools.registry import SEND
from dm_evals.cli.rulings import Authored
from dm_evals.judge import Evidence
from dm_evals.judge.agreement import LabelLine
from dm_evals.observation import Observation
from dm_evals.production.expect import as_played, with_replies
from dm_evals.production.make import TO_REVIEW, scenario_text
from dm_evals.production.queue import QUEUE, QueueFolder, played, write_labels
from dm_evals.reading import Strict, Unusable, first_problem, write_whole
from dm_evals.replay.author import Script, ScriptedTurn
from dm_evals.replay.recordings import RecordedTurn, Recording, Recordings, today
from dm_evals.replay.replay_server import said_in
from dm_evals.replay.runner import in_one_runtime
from dm_evals.results import HELD
from dm_evals.scenarios.scenario import Scenario

OVERALL: Final = "What the assistant did in this conversation is what the club would have wanted."
WRONG: Final = "Wrong: "
"""How ``about`` begins where it is known what is wrong, and not what should have been."""


class Review(Strict):
    """What a person says of a thread. ``turn`` and ``index`` name the reply that should have been ``text``; without
    them the last turn should have been this reply."""

    name: str
    verdict: Literal["right", "wrong", "should"]
    why: str = Field(default="", max_length=2_000)
    text: str = Field(default="", max_length=4_000)
    turn: int = 0
    index: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queue", type=Path, default=QUEUE, metavar="DIR")


def main(args: argparse.Namespace) -> int:
    """Print what waits. A file that can't be used is a line of its own, and holds up nothing else."""
    queue = QueueFolder(args.queue)
    loaded = queue.loaded()
    waiting = [each for each in loaded.scenarios if not each.reviewed]
    recordings = queue.recorded(loaded.scenarios)
    seen = played(waiting, recordings) if waiting else dict[str, Observation]()
    ordered = sorted(waiting, key=lambda each: (each.about.startswith(WRONG), each.name))
    shown = {
        "waiting": [_shown(each, seen.get(each.name), _head(queue, each.name)) for each in ordered],
        "reviewed": len(loaded.scenarios) - len(waiting),
        "problems": [*loaded.problems, *recordings.problems],
    }
    print(json.dumps(shown, ensure_ascii=False))
    return HELD


def keep(args: argparse.Namespace) -> int:
    """Keep a review. Raises Unusable, and then nothing is changed."""
    try:
        review = Review.model_validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        raise Unusable(first_problem(error)) from None
    queue = QueueFolder(args.queue)
    loaded = queue.loaded()
    scenario = next((each for each in loaded.scenarios if each.name == review.name), None)
    if scenario is None:
        raise Unusable(
            *(line for line in loaded.problems if f"{review.name}.yaml" in line), f"{review.name} is not queued"
        )
    if review.verdict != "right" and not review.why.strip():
        raise Unusable("why: say what is wrong with it")
    if review.verdict == "right":
        _accept(queue, scenario, f"What happened was right. {review.why}".strip(), review.why)
        queue.told_path(scenario.name).unlink(missing_ok=True)
        return HELD
    was, recordings = scenario, queue.recorded([scenario])
    before = played([scenario], recordings).get(scenario.name)
    if review.verdict == "should":
        scenario, recording = _mended(review, scenario, recordings, before)
        recording.write(queue.recordings)
        _accept(queue, scenario, f"What should have been said is in the recording: {review.why}", review.why)
    else:
        _write(queue, scenario, f"{WRONG}{review.why}", reviewed=False)
    if before is not None:
        told = LabelLine(item=OVERALL, text=Evidence.of(was, before).shown(), verdict="no", why=review.why)
        write_labels(queue.told_path(scenario.name), [told])
    return HELD


# --- showing


def _shown(scenario: Scenario, observation: Observation | None, head: Sequence[str]) -> dict[str, object]:
    """As JSON values: the conversation as it was, each reply with its place, what would be expected from now on."""
    seen = observation or Observation(scenario.name, 1)
    thread = [{"author": each.author, "text": each.text} for each in seen.bubbles if each.author != "tool"]
    events = [{"author": "human" if e.kind == "human" else "person", "text": e.text or e.kind} for e in scenario.events]
    replies = [use for use in seen.calls if use.name == SEND and use.outcome == "done"]
    expected = scenario.expect.model_dump(mode="json", exclude_defaults=True)
    return {
        "name": scenario.name,
        "about": scenario.about,
        "notes": [line.removeprefix("#  - ") for line in head if line.startswith("#  - ")],
        "thread": thread or events,
        "judged": Evidence.of(scenario, seen).shown() if observation else "",
        "replies": [{"turn": u.turn, "index": u.index, "text": str(u.arguments.get("text"))} for u in replies],
        "expected": yaml.safe_dump(expected, sort_keys=False, allow_unicode=True),
        "recorded": observation is not None,
    }


def _head(queue: QueueFolder, name: str) -> list[str]:
    """What is said at the head of the file, but for what the review itself is."""
    lines = queue.scenario(name).read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("#") and line not in TO_REVIEW]


# --- keeping


def _accept(queue: QueueFolder, scenario: Scenario, about: str, why: str) -> None:
    others = [each for each in queue.labelled(scenario.name) if OVERALL not in each.items]
    own = Authored(item=OVERALL, verdict="yes", why=why)
    lines = [each.model_dump(mode="json", exclude_defaults=True) for each in (*others, own)]
    write_whole(queue.labels(scenario.name), yaml.safe_dump(lines, sort_keys=False, allow_unicode=True))
    _write(queue, scenario, about, reviewed=True)


def _write(queue: QueueFolder, scenario: Scenario, about: str, *, reviewed: bool) -> None:
    head = _head(queue, scenario.name) if reviewed else [*TO_REVIEW, *_head(queue, scenario.name)]
    changed = scenario.model_copy(update={"about": " ".join(about.split()), "reviewed": reviewed})
    queue.scenario(scenario.name).write_text(scenario_text(changed, head), "utf-8")


def _mended(
    review: Review, scenario: Scenario, recordings: Recordings, before: Observation | None
) -> tuple[Scenario, Recording]:
    """The thread as it should have been, played. Raises Unusable where it can't be."""
    recording = recordings.find(scenario.name, 1)
    if recording is None or before is None or not recording.turns:
        raise Unusable(
            *recordings.problems, f"{review.name} has no turn to mend: write one with `python -m dm_evals author`"
        )
    if not review.text.strip():
        raise Unusable("text: say what should have been said")
    turns: list[RecordedTurn | ScriptedTurn] = list(recording.turns)
    number = review.turn or len(turns)
    if not 1 <= number <= len(turns):
        raise Unusable(f"turn: {review.name} has {len(turns)} turns")
    turns[number - 1] = _as_it_should_be(recording.turns[number - 1], review)
    server = Script(scenario.name, recording.trial, turns, today(), where="in the recording")
    observation = in_one_runtime(lambda runtimes: runtimes.play(scenario, 1, server))
    if observation.crash or server.missing or server.unused or review.text.strip() not in " ".join(observation.replies):
        refused = (f"{use.name} was {use.outcome} {dict(use.result) or ''}" for use in observation.calls[-1:])
        raise Unusable(
            f"said like this, the thread goes another way: {observation.crash or next(refused, 'nothing is sent')}"
        )
    scenario, differing = as_played(with_replies(scenario, observation), observation)
    if differing:
        raise Unusable(*differing)
    return scenario, server.recording


def _as_it_should_be(turn: RecordedTurn, review: Review) -> ScriptedTurn:
    """The turn with the text of one of its sends replaced; without one, that send in place of all it did."""
    text = review.text.strip()
    if not review.turn:
        return ScriptedTurn(((SEND, {"text": text}),))
    calls = list(said_in(turn.response)[0])
    if not (0 <= review.index < len(calls) and calls[review.index][0] == SEND):
        raise Unusable(f"index: turn {review.turn} sends nothing there")
    said = calls[review.index][1]
    if text == str(said.get("text")).strip():
        raise Unusable("text: this is what was said")
    calls[review.index] = (SEND, {**said, "text": text})
    return ScriptedTurn(tuple(calls))
