"""The commands that write recordings: ``author``, ``refresh``, ``record``; and ``schema``."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.choice import Chosen, choose
from dm_evals.observation import Observation
from dm_evals.reading import Unusable, yaml_list
from dm_evals.replay.author import author, parse_turns
from dm_evals.replay.digest_file import NAME as DIGESTS
from dm_evals.replay.offline import offline
from dm_evals.replay.recorder import GEMINI, Recorder
from dm_evals.replay.refresh import FROM_FILES, Refreshed, follow_files, parse_parts, refresh
from dm_evals.replay.runner import RuntimePool
from dm_evals.results import BROKEN, HELD, NOT_JUDGED
from dm_evals.scenarios.loading import shown_path
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import GeminiUser, RecordedUser, RecordingUser
from dm_evals.user.user import ScriptedUser, Written
from dm_sandbox.environment import SANDBOX_MODEL_KEY


def author_command(args: argparse.Namespace) -> int:
    """Play the scenario with the turns on stdin, write the recording, and say how it would be judged."""
    chosen = choose(args, [args.scenario])
    scenario, trial = chosen.scenarios[0], int(args.trial)

    user = RecordingUser(_written_user(args.user), "authored", _today())

    async def made() -> tuple[Path, Observation]:
        async with RuntimePool(1) as runtimes:
            against = partial(runtimes.play, user=user)
            played = await author(scenario, trial, parse_turns(sys.stdin.read()), against, _today())
        return played.recording.write(args.recordings), played.observation

    with offline():
        path, observation = asyncio.run(made())
    if user.kept:
        user.write(_user_path(args, scenario.name, trial))
    print(f"wrote {shown_path(path)}: {len(observation.model_calls)} turns")
    _tell(scenario, observation)
    return HELD


def _written_user(path: Path | None) -> ScriptedUser:
    """``- {text: …}`` a message, in order; after the last one the user stops."""
    said = yaml_list(path.read_text("utf-8"), Written, path) if path else ()
    return ScriptedUser([each.text for each in said])


def _user_path(args: argparse.Namespace, scenario: str, trial: int) -> Path:
    return args.recordings.parent / "users" / scenario / f"t{trial}.jsonl"


def refresh_command(args: argparse.Namespace) -> int:
    """Bring the chosen recordings up to date; refused ones are left as they are, and exit code 1."""
    parts = parse_parts(args.parts)
    chosen = choose(args, args.scenario)
    if parts <= FROM_FILES:
        return _followed(chosen, parts, args.recordings)
    with offline():
        done = asyncio.run(_refreshed(chosen, parts, args.recordings))
    for each in done:
        if each.refused:
            print(f"refused  {each.scenario} t{each.trial}: {each.refused}")
        elif each.turns:
            print(f"updated  {each.scenario} t{each.trial}: turn {', '.join(map(str, each.turns))}")
    refused, updated = sum(bool(each.refused) for each in done), sum(bool(each.turns) for each in done)
    print(f"{len(done)} recordings: {updated} updated, {refused} refused, {len(done) - updated - refused} as they are")
    code = BROKEN if refused else HELD
    return _with_problems((*chosen.problems, *chosen.recordings.problems), code if done else NOT_JUDGED)


def _followed(chosen: Chosen, parts: frozenset[str], folder: Path) -> int:
    recordings = [
        chosen.recordings.by_address[scenario.name, trial]
        for scenario in chosen.scenarios
        for trial in chosen.recordings.trials(scenario.name)
    ]
    updated = follow_files(recordings, parts, folder)
    print(f"{len(recordings)} recordings: {updated} updated in {DIGESTS}, {len(recordings) - updated} as they are")
    return _with_problems((*chosen.problems, *chosen.recordings.problems), HELD if recordings else NOT_JUDGED)


async def _refreshed(chosen: Chosen, parts: frozenset[str], folder: Path) -> list[Refreshed]:
    done: list[Refreshed] = []
    async with RuntimePool(1) as runtimes:
        against = partial(runtimes.play, user=RecordedUser(folder.parent / "users"))
        for scenario in chosen.scenarios:
            for trial in chosen.recordings.trials(scenario.name):
                recording = chosen.recordings.by_address[scenario.name, trial]
                done.append(await refresh(scenario, recording, parts, against, folder))
    return done


def record_command(args: argparse.Namespace) -> int:
    """Record each chosen scenario anew, trial by trial; one that could not be played to its end is not written."""
    key = os.environ.get("GEMINI_API_KEY", "").strip()
    if not key and not args.base_url:
        raise Unusable("recording asks the real Gemini: set GEMINI_API_KEY (or name another server with --base-url)")
    chosen = choose(args, args.scenario)
    target, base_url = key or SANDBOX_MODEL_KEY, str(args.base_url or GEMINI)
    failed = asyncio.run(_recorded(chosen.scenarios, args, target, base_url))
    return _with_problems(chosen.problems, NOT_JUDGED if failed or not chosen.scenarios else HELD)


async def _recorded(scenarios: Sequence[Scenario], args: argparse.Namespace, key: str, base_url: str) -> int:
    """How many could not be recorded."""
    failed = 0
    playing = GeminiUser(args.user, key, base_url) if args.user else None
    async with RuntimePool(1, model=args.model, live=True) as runtimes:
        for scenario in scenarios:
            for trial in range(1, args.trials + 1):
                recorder = Recorder(scenario.name, trial, date=_today(), api_key=key, base_url=base_url)
                user = RecordingUser(playing, "recorded", _today(), args.user) if playing else None
                if scenario.user is not None and user is None:
                    raise Unusable(f"{scenario.name} has a simulated user: say which model plays it, with --user MODEL")
                observation = await runtimes.play(scenario, trial, recorder, user)
                try:
                    if observation.crash is not None:
                        raise Unusable(observation.crash)
                    path = recorder.recording.write(args.recordings)
                    if user is not None and user.kept:
                        user.write(_user_path(args, scenario.name, trial))
                    print(f"wrote {shown_path(path)}: {len(observation.model_calls)} turns")
                except Unusable as error:
                    failed += 1
                    print(f"not written: {scenario.name} t{trial}: {'; '.join(error.args)}", file=sys.stderr)
    return failed


def schema_command(_: argparse.Namespace) -> int:
    """Write the schema that editors use."""
    from dm_evals.scenarios.schema import SCHEMA_PATH, write_schema

    write_schema()
    print(f"wrote {shown_path(SCHEMA_PATH)}")
    return HELD


def _tell(scenario: Scenario, observation: Observation) -> None:
    """What went out, and what would not hold."""
    for bubble in observation.bubbles:
        print(f"  {bubble.author:>8}  {bubble.text}" + (f"  → {bubble.detail[:160]}" if bubble.detail else ""))
    result = judge_trial(scenario, observation, None)
    print(f"judged without a judge: {result.outcome}{f' ({result.reason})' if result.reason else ''}")
    for check in result.broken:
        print(f"  {check.verdict:>8}  {check.name}: expected {check.expected}; observed {check.observed}")


def _with_problems(problems: Iterable[str], code: int) -> int:
    lines = list(problems)
    for line in lines:
        print(line, file=sys.stderr)
    return NOT_JUDGED if lines else code


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
