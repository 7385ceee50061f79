"""``python -m dm_evals scenario-from --thread ID``: a stored thread as a scenario to be reviewed.

Reads the store and writes two files; nothing that is there is overwritten. Exit code 1 where the scenario has no
recording, 2 where there is none at all.
"""

import argparse
import asyncio
import os
import re
from pathlib import Path

from dm_core.agent.profile import load_profile
from dm_evals.cli.main import EVALS
from dm_evals.production.make import default_name, make_scenario
from dm_evals.production.store import read_thread, store_url
from dm_evals.reading import Unusable, write_whole
from dm_evals.replay.recordings import recording_path
from dm_evals.replay.runner import in_one_runtime
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import BROKEN, HELD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--thread", required=True, metavar="ID", help="{accountId}_{userId}")
    parser.add_argument("--store-url", default=None, help="sqlite:///path or firestore: (default: STORE_URL)")
    parser.add_argument("--name", default=None, help="the scenario's name (default: one made of the id's hash)")
    parser.add_argument("--into", type=Path, default=EVALS, metavar="DIR", help="holds scenarios/ and recordings/")


def main(args: argparse.Namespace) -> int:
    """Read, make, write."""
    name = str(args.name or default_name(args.thread))
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,60}", name):
        raise Unusable(f'"{name}" is no name of a scenario: write lower-case letters, digits and _')
    scenario, recordings = args.into / "scenarios" / f"{name}.yaml", args.into / "recordings"
    for path in (scenario, recording_path(recordings, name, 1)):
        if path.exists():
            raise Unusable(f"{path.name} of {name} is there already: choose another --name")
    stored = asyncio.run(read_thread(store_url(args), args.thread, os.environ))
    profile = load_profile(PROCESSOR_FOLDER / "profile")
    made = in_one_runtime(lambda runtimes: make_scenario(stored, name, profile, runtimes.play))
    turns = made.recording.turns if made.recording is not None else ()
    if made.recording is not None:
        made.recording.write(recordings)
    write_whole(scenario, made.yaml())
    recorded = sum(turn.origin == "recorded" for turn in turns)
    print(f"wrote {scenario.name}: {len(made.scenario.events)} events, to be reviewed")
    print(f"model turns: {recorded} recorded, {len(turns) - recorded} by hand")
    print("replaced: " + (", ".join(f"{count} {kind}" for kind, count in sorted(made.replaced.items())) or "nothing"))
    for line in made.said:
        print(f"  - {line}")
    return HELD if made.recording is not None else BROKEN
