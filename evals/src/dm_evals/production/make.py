"""From a stored thread with its archived runs to a scenario with a recording, marked as not reviewed.

    store ──▶ thread, messages, runs ──▶ names replaced ──▶ scenario ──▶ played with the archived turns ──▶ recording

The requests of the recording are those of the replay, so it is not stale when it is written; the answers are those of
then. What could not be rebuilt is said at the head of the file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import yaml

from dm_admin.reads import ArchivedRun
from dm_core.agent.profile import BusinessProfile
from dm_core.messages import Direction, Message
from dm_core.threads import Thread
from dm_evals.production.anonymous import Anonymous
from dm_evals.production.events import Story, arranged, covering, history, sessions
from dm_evals.production.expect import as_played, expectations
from dm_evals.production.store import StoredThread
from dm_evals.production.turns import is_overtaken, played_turns
from dm_evals.reading import Unusable
from dm_evals.replay.author import AUTHORED, Script, ScriptedTurn
from dm_evals.replay.digests import own_prompt
from dm_evals.replay.recordings import Recording, today
from dm_evals.replay.replay_server import Against
from dm_evals.scenarios.scenario import Person, Scenario, World

TAG: Final = "production"
WIDTH: Final = 118
SCHEMA: Final = "# yaml-language-server: $schema=schema.json"
TO_REVIEW: Final = (
    "# Made from a stored thread, TO BE REVIEWED: it counts in no gate until `reviewed: true`. Check that",
    "#  - nobody can be recognised: no machine finds every name; read this file and the recording",
    "#  - what happened was right, and what is expected says why (`about`, tags, reply, rubric)",
)
AS_THEN: Final = "# The answers are those of then, with names replaced; their thought signatures are made up."


@dataclass(frozen=True, slots=True)
class Made:
    """A scenario of a thread. ``recording`` None: its turns can't be played again, ``said`` says why.

    ``said`` are lines about what is not as it was; ``replaced`` counts what was made anonymous.
    """

    scenario: Scenario
    recording: Recording | None
    said: tuple[str, ...]
    replaced: dict[str, int]

    def yaml(self) -> str:
        """The file: what to check before ``reviewed: true``, then the scenario."""
        said = (f"#  - {' '.join(line.split())}" for line in self.said)
        return scenario_text(self.scenario, [SCHEMA, *TO_REVIEW, AS_THEN, *said])


def scenario_text(scenario: Scenario, head: Sequence[str]) -> str:
    """The file of a scenario of production, with these comments at its head."""
    fields = scenario.model_dump(mode="json", exclude_defaults=True)
    ordered = {"name": fields["name"], "tags": fields["tags"], "about": fields["about"], "reviewed": scenario.reviewed}
    body = yaml.safe_dump(ordered | fields, sort_keys=False, allow_unicode=True, width=WIDTH)
    return "\n".join(head) + "\n" + body


def default_name(thread_id: str) -> str:
    """The same for the same thread, and nobody's id."""
    return f"production_{hashlib.sha256(thread_id.encode()).hexdigest()[:8]}"


async def make_scenario(
    stored: StoredThread, name: str, profile: BusinessProfile, against: Against, anonymous: Anonymous | None = None
) -> Made:
    """``anonymous`` has met the thread (None: it is alone). Raises Unusable where there is nothing to make it of."""
    runs = [each.run for each in stored.runs]
    said = _of_the_archive(stored)
    anonymous = anonymous or meet(profile, (), (stored,))
    messages = sorted(stored.messages, key=lambda message: (message.created_at, message.order))
    arrived = [message for message in messages if message.direction is not Direction.OUTBOUND]
    start = _start(arrived, stored.runs)
    turns = [played_turns(run, anonymous) for run in runs]
    story = Story(anonymous, start)
    shown = [message for message in arrived if message.created_at >= start]
    _tell(story, shown, stored.runs, turns)
    known = stored.thread.profile
    who, handle = anonymous.knows(known.name, known.username) if known is not None else (None, None)
    world = World(
        sessions=sessions(runs, profile.time_zone, anonymous, said),
        history=history(messages, start, anonymous, said),
        notes=tuple(anonymous.text(note.text) for note in stored.thread.notes if note.created_at < start),
    )
    scenario = Scenario.model_validate(
        {
            "name": name,
            "tags": (TAG,),
            "about": "What happened in a thread; say here what it is an example of.",
            "reviewed": False,
            "now": datetime.fromtimestamp(start / 1000, UTC),
            "person": Person(name=who, username=handle),
            "world": world,
            "events": tuple(story.events),
            "expect": expectations(runs, shown, anonymous),
        }
    )
    played = [turn for each in turns for turn in each]
    if any(turn.model == AUTHORED for turn in played):
        said.append("some model turns are by hand: the archive keeps none that was overtaken or unusable")
    scenario, recording = await _played(scenario, played, against, said)
    return Made(scenario, recording, tuple(dict.fromkeys((*said, *story.said))), anonymous.replaced)


def _start(arrived: Sequence[Message], runs: Sequence[ArchivedRun]) -> int:
    """The first DM of the oldest run that is known, or what was unsent just before.

    Without a run the first DM there is. Whole seconds, in ms.
    """
    first = [message for message in arrived if not runs or covering(runs[:1], message) is not None]
    first = first or [message for message in arrived if runs and message.created_at >= runs[0].run.started_at]
    if not first:
        raise Unusable("nothing of what the person wrote is there any more")
    begin = arrived.index(first[0])
    while begin and arrived[begin - 1].unsent_at is not None:
        begin -= 1
    return arrived[begin].created_at // 1000 * 1000


def _of_the_archive(stored: StoredThread) -> list[str]:
    """What is missing, and what was otherwise then."""
    said: list[str] = []
    if stored.lost:
        said.append(f"{stored.lost} runs are not in the archive any more: their DMs are played, their turns are not")
    if stored.thread.run is not None:
        said.append("a run of this thread has not ended: it is left out")
    hashes = {each.run.prompt_hash for each in stored.runs}
    if hashes - {own_prompt().hash}:
        said.append("the model was asked with another prompt than today's: its answers are those to that one")
    failures = sum(bool(each.run.error) for each in stored.runs)
    if failures:
        said.append(f"{failures} runs failed: what failed is not played again")
    if any(action.error for each in stored.runs for action in each.run.actions):
        said.append("a platform refused something: that is not played again (write it as a fault)")
    return said


def meet(profile: BusinessProfile, around: Sequence[Thread], threads: Sequence[StoredThread]) -> Anonymous:
    """Knows everybody before the first text is cleaned: the same person is the same other in each of the threads.

    ``around``: threads whose people may be spoken of.
    """
    public = "\n".join((profile.name, profile.persona, profile.knowledge))
    anonymous = Anonymous(profile.allowed, profile.emails, profile.phones, public)
    for thread in (*around, *(stored.thread for stored in threads)):
        if thread.profile is not None and (thread.profile.name or thread.profile.username):
            anonymous.knows(thread.profile.name, thread.profile.username)
    for stored in threads:
        ordered = sorted(stored.messages, key=lambda message: message.order)
        anonymous.introduces(message.content.text or "" for message in ordered)
        anonymous.introduces(note.text for note in stored.thread.notes)
        anonymous.surnames(alert.text for each in stored.runs for alert in each.run.alerts)
        anonymous.surnames(message.content.text or "" for message in ordered)
    return anonymous


def _tell(
    story: Story, shown: Sequence[Message], runs: Sequence[ArchivedRun], turns: Sequence[Sequence[ScriptedTurn]]
) -> None:
    """Every DM and every message of a human, in its place; ``turns`` are those of each run."""
    overtaken = _overtaken(turns)
    placed = [(message, covering(runs, message)) for message in shown]
    during = [_during(message, position, runs, overtaken) for message, position in placed]
    timed = [index for index, turn in enumerate(during) if turn is None]
    arrivals = [(placed[index][0].created_at - story.start, placed[index][1]) for index in timed]
    at = dict(zip(timed, arranged(arrivals), strict=True))
    if any(at[index] != arrival for index, (arrival, _) in zip(timed, arrivals, strict=True)):
        story.note("DMs of one run were drawn together, or those of two runs apart, so that they are one and two here")
    for index, (message, _) in enumerate(placed):
        story.tell(message, at.get(index, 0), during[index])


def _overtaken(turns: Sequence[Sequence[ScriptedTurn]]) -> list[int | None]:
    """For each run the number of the first turn, over the whole trial, while which something came; else its last."""
    before, found = 0, list[int | None]()
    for each in turns:
        numbers = [number for number, turn in enumerate(each, before + 1) if is_overtaken(turn)]
        before += len(each)
        found.append(numbers[0] if numbers else before if each else None)
    return found


def _during(
    message: Message, position: int | None, runs: Sequence[ArchivedRun], overtaken: Sequence[int | None]
) -> int | None:
    """The turn while which it came, or None: a DM taken into a run that had begun, a human in the middle of one."""
    for index, each in enumerate(runs):
        begun = each.run.started_at < message.created_at
        human = message.direction is Direction.HUMAN and each.run.ending == "human"
        taken_in = position == index or (human and message.created_at <= each.ended_at)
        if begun and overtaken[index] is not None and taken_in:
            return overtaken[index]
    return None


async def _played(
    scenario: Scenario, turns: Sequence[ScriptedTurn], against: Against, said: list[str]
) -> tuple[Scenario, Recording | None]:
    """Play it with the turns of then; the recording of it, if it can be played to its end."""
    server = Script(scenario.name, 1, turns, today(), where="in the archive")
    observation = await against(scenario, 1, server)
    trouble = ""
    if server.missing:
        trouble = f"{server.ended}: played again, the model is asked more often than then"
    elif observation.crash is not None:
        trouble = f"it can't be played to its end: {observation.crash}"
    elif server.unused:
        unused = ", ".join(map(str, server.unused))
        trouble = f"turn {unused} of then is not asked for: played again, something goes another way"
    if trouble:
        said.append(f"THERE IS NO RECORDING ({trouble}): write one with `author`, or record it")
        return scenario, None
    scenario, differing = as_played(scenario, observation)
    said += differing
    return scenario, server.recording
