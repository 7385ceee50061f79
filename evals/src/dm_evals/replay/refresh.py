"""Brings recordings up to a changed request, where the change is only in the parts one names.

The recorded answers stay: what the model said to the old request is taken as its answer to the new one. That is a
decision only a person can make, part by part; a change anywhere else is refused, and named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dm_evals.observation import Observation
from dm_evals.reading import Unusable, nearest
from dm_evals.replay.digests import PARTS, Prompt, own_prompt
from dm_evals.replay.recordings import Recording, note_digests
from dm_evals.replay.replay_server import Against, ReplayServer
from dm_evals.scenarios.scenario import Scenario

FROM_FILES: Final = frozenset(("persona", "knowledge"))
"""Parts whose digests are known without a request."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of one recording. ``turns`` were brought up to date; ``refused`` says why nothing was written."""

    scenario: str
    trial: int
    turns: tuple[int, ...] = ()
    refused: str = ""


def parse_parts(text: str) -> frozenset[str]:
    """``system,tools`` as a set. ``contents`` stands for all of them, ``contents[2]`` for one. Raises Unusable."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if part.partition("[")[0] not in PARTS:
            raise Unusable(f'unknown part "{part}"{nearest(part, PARTS)} (there are: {", ".join(PARTS)})')
    if not parts:
        raise Unusable(f"name at least one part of: {', '.join(PARTS)}")
    return frozenset(parts)


async def refresh(
    scenario: Scenario,
    recording: Recording,
    parts: frozenset[str],
    against: Against,
    folder: Path,
) -> Refreshed:
    """Play the trial answering by position; write the new digests and requests, or refuse. Answers never change."""
    address = (scenario.name, recording.trial)
    server = ReplayServer(recording, allow_stale=True, facts=scenario.facts)
    observation = await against(scenario, recording.trial, server)
    trouble = _trouble(observation, parts)
    if trouble:
        return Refreshed(*address, refused=trouble)
    changed = {stale.turn: server.asked[stale.turn - 1].request for stale in observation.stale}
    if changed:
        turns = (turn.asked_by(changed.get(turn.turn, turn.request)) for turn in recording.turns)
        replace(recording, turns=tuple(turns)).write(folder)
    return Refreshed(*address, turns=tuple(sorted(changed)))


def follow_files(
    recordings: Sequence[Recording], parts: frozenset[str], folder: Path, prompt: Prompt | None = None
) -> int:
    """Bring recordings up to changed files of the profile, in parts that are FROM_FILES; how many were not yet.

    Nothing is played: what else a request is made of stays as it was recorded, and stale if it changed.
    """
    followed: list[Recording] = []
    for recording in recordings:
        if recording.kept is None:
            continue
        was = recording.kept.prompt
        now = (prompt or own_prompt()).digests(was.model, was.config, was.tools)
        knowledge = {"prose": now.prose, "knowledge": now.knowledge} if "knowledge" in parts else {}
        digests = replace(was, **knowledge, **({"persona": now.persona} if "persona" in parts else {}))
        if digests != was:
            turns = (turn.asked_by(replace(turn.request, digests=digests)) for turn in recording.turns)
            followed.append(replace(recording, turns=tuple(turns)))
    if followed:
        note_digests(folder, followed)
    return len(followed)


def _trouble(observation: Observation, parts: frozenset[str]) -> str:
    """Why the recording can't be brought up to date; empty when it can."""
    if observation.missing_turns:
        return f"turn {observation.missing_turns[0]} is asked for now and was not recorded"
    if observation.crash is not None:
        return f"the trial can't be played: {observation.crash}"
    if observation.unused_turns:
        return f"turn {', '.join(map(str, observation.unused_turns))} is not asked for any more"
    others = [
        (stale.turn, [part for part in stale.changed if parts.isdisjoint((part, part.partition("[")[0]))])
        for stale in observation.stale
    ]
    return "; ".join(f"turn {turn}: {', '.join(other)} changed too" for turn, other in others if other)
