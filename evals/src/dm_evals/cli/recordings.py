"""The commands that write recordings: ``author``, ``refresh``, ``record``; and ``schema``."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.choice import choose
from dm_evals.live.upstream import GEMINI, Upstream
from dm_evals.observation import Observation
from dm_evals.reading import Unusable, text_of, typed, write_json_lines, yaml_list
from dm_evals.replay.author import author, parse_turns
from dm_evals.replay.digest_file import NAME as DIGESTS
from dm_evals.replay.recorder import Recorder
from dm_evals.replay.recordings import Recording, today
from dm_evals.replay.refresh import FROM_FILES, Refreshed, follow_files, parse_parts, refresh
from dm_evals.replay.runner import RuntimePool, in_one_runtime
from dm_evals.results import BROKEN, HELD, NOT_JUDGED
from dm_evals.scenarios.loading import shown_path
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import GeminiUser, RecordedUser, RecordingUser, ScriptedUser, Written
from dm_sandbox.environment import SANDBOX_MODEL_KEY


def author_command(args: argparse.Namespace) -> int:
    """Play the scenario with the turns on stdin, write the recording, and say how it would be judged."""
    scenario = choose(args, [args.scenario]).scenarios[0]
    said = yaml_list(text_of(args.user), Written, args.user) if args.user else ()
    user = RecordingUser(ScriptedUser([each.text for each in said]), "authored", today())
    turns = parse_turns(typed("the turns"))
    played = in_one_runtime(lambda it: author(scenario, args.trial, turns, partial(it.play, user=user), today()))
    _keep(args.recordings, played.recording, user)
    _tell(scenario, played.observation)
    return HELD


def _keep(folder: Path, recording: Recording, user: RecordingUser | None) -> None:
    """The recording, and what the simulated user said. Raises Unusable."""
    path = recording.write(folder)
    if user is not None and user.kept:
        write_json_lines(folder.parent / "users" / recording.scenario / path.name, user.kept)
    print(f"wrote {shown_path(path)}: {len(recording.turns)} turns")


def _tell(scenario: Scenario, observation: Observation) -> None:
    """What went out, and what would not hold."""
    for bubble in observation.bubbles:
        print(f"  {bubble.author:>8}  {bubble.text}" + (f"  → {bubble.detail[:160]}" if bubble.detail else ""))
    result = judge_trial(scenario, observation, None)
    print(f"judged without a judge: {result.outcome}{f' ({result.reason})' if result.reason else ''}")
    for check in result.broken:
        print(f"  {check.verdict:>8}  {check.name}: expected {check.expected}; observed {check.observed}")


def refresh_command(args: argparse.Namespace) -> int:
    """Bring the chosen recordings up to date; refused ones are left as they are, and exit code 1."""
    parts = parse_parts(args.parts)
    chosen = choose(args, args.scenario)
    problems = (*chosen.problems, *chosen.recordings.problems)
    if parts <= FROM_FILES:
        recordings = [recording for _, recording in chosen.recorded]
        updated = follow_files(recordings, parts, args.recordings)
        print(f"{len(recordings)} recordings: {updated} updated in {DIGESTS}, {len(recordings) - updated} as they are")
        return _with_problems(problems, HELD if recordings else NOT_JUDGED)
    user = RecordedUser(args.recordings.parent / "users")

    async def refreshed(runtimes: RuntimePool) -> list[Refreshed]:
        against = partial(runtimes.play, user=user)
        return [await refresh(*pair, parts, against, args.recordings) for pair in chosen.recorded]

    done = in_one_runtime(refreshed)
    for each in done:
        if each.refused:
            print(f"refused  {each.scenario} t{each.trial}: {each.refused}")
        elif each.turns:
            print(f"updated  {each.scenario} t{each.trial}: turn {', '.join(map(str, each.turns))}")
    refused, updated = sum(bool(each.refused) for each in done), sum(bool(each.turns) for each in done)
    print(f"{len(done)} recordings: {updated} updated, {refused} refused, {len(done) - updated - refused} as they are")
    return _with_problems(problems, NOT_JUDGED if not done else BROKEN if refused else HELD)


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
    async with Upstream(base_url) as upstream, RuntimePool(1, model=args.model, live=True) as runtimes:
        playing = upstream.asked(GeminiUser, "user", args.user, key) if args.user else None
        for scenario, trial in ((each, number) for each in scenarios for number in range(1, args.trials + 1)):
            if scenario.user is not None and playing is None:
                raise Unusable(f"{scenario.name} has a simulated user: say which model plays it, with --user MODEL")
            recorder = Recorder(scenario.name, trial, upstream, key)
            user = RecordingUser(playing, "recorded", today(), args.user) if playing else None
            observation = await runtimes.play(scenario, trial, recorder, user)
            try:
                if observation.crash is not None:
                    raise Unusable(observation.crash)
                _keep(args.recordings, recorder.recording, user)
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


def _with_problems(problems: Iterable[str], code: int) -> int:
    lines = list(problems)
    for line in lines:
        print(line, file=sys.stderr)
    return NOT_JUDGED if lines else code
