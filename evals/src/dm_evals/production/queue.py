"""``scenarios-from``: a sample of stored threads, anonymised together, to be reviewed; ``reviewed``: what came of it.

    queue/scenarios/NAME.yaml      reviewed: false; a person reads it, mends it, sets reviewed: true
    queue/recordings/NAME/
    queue/labels/NAME.yaml         what a person says of it: lines as ``rulings --authored`` reads them

``reviewed`` moves each scenario that says so to the others, and its labels to those that judges are measured
by (``evals/agreement/``).
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dm_core.agent.profile import load_profile
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import EVALS, HELD, NOT_JUDGED
from dm_evals.cli.rulings import Authored, written
from dm_evals.judge import GENERAL, Evidence
from dm_evals.observation import Observation
from dm_evals.production.make import Made, default_name, make_scenario, meet
from dm_evals.production.store import opened
from dm_evals.reading import Unusable
from dm_evals.replay.offline import offline
from dm_evals.replay.recordings import Recordings, load_recordings
from dm_evals.replay.runner import RuntimePool, run
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import TrialResult
from dm_evals.scenarios.clock import milliseconds
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Scenario

QUEUE: Final = EVALS / "queue"
LABELS: Final = """# What do you say of it? Take the # away from the lines that you are sure of; yes or no, and why.
# A line of your own is {item: the statement, verdict: yes or no, why: …}. They measure the judge.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", default="7d", help="a date (2026-11-22), or how long ago (7d): threads with a DM since"
    )
    parser.add_argument("--sample", type=int, default=20, help="how many threads at most")
    parser.add_argument("--store-url", default=None, help="sqlite:///path or firestore: (default: STORE_URL)")
    parser.add_argument("--queue", type=Path, default=QUEUE, metavar="DIR")
    parser.add_argument("--evals", type=Path, default=EVALS, metavar="DIR", help="where reviewed scenarios live")


def main(args: argparse.Namespace) -> int:
    """Sample, make, queue. What is queued or reviewed already is left alone."""
    if args.sample < 1:
        raise Unusable("--sample is how many threads: at least 1")
    url, since = str(args.store_url or os.environ.get("STORE_URL") or "firestore:"), _since(args.since)
    known = {path.stem for folder in (args.queue, args.evals) for path in (folder / "scenarios").glob("*.yaml")}
    found, made, skipped = asyncio.run(_made(url, since, args.sample, known))
    for each in made:
        _queue(each, args.queue)
    for line in skipped:
        print(f"skipped  {line}")
    print(f"{found} threads since {datetime.fromtimestamp(since / 1000, UTC):%Y-%m-%d}: {len(made)} queued for review")
    return HELD if made else NOT_JUDGED


def reviewed(args: argparse.Namespace) -> int:
    """Move what was reviewed. Raises Unusable before anything is moved, where a file can't be used."""
    scenarios = [each for each in _loaded(args.queue / "scenarios") if each.reviewed]
    labels = {each.name: _labels(args.queue / "labels" / f"{each.name}.yaml") for each in scenarios}
    names = [each.name for each in scenarios]
    recordings = load_recordings(args.queue / "recordings", names, names)
    if recordings.problems:
        raise Unusable(*recordings.problems)
    evidence = _evidence(scenarios, recordings)
    lines = [
        json.dumps(
            {"item": item, "text": evidence[name], "verdict": label.verdict, "why": label.why}, ensure_ascii=False
        )
        for name, found in labels.items()
        for label in found
        for item in label.items
    ]
    for each in scenarios:
        for trial in recordings.trials(each.name):
            recordings.by_address[each.name, trial].write(args.evals / "recordings")
        (args.evals / "scenarios").mkdir(parents=True, exist_ok=True)
        shutil.move(args.queue / "scenarios" / f"{each.name}.yaml", args.evals / "scenarios")
        shutil.rmtree(args.queue / "recordings" / each.name, ignore_errors=True)
        (args.queue / "labels" / f"{each.name}.yaml").unlink(missing_ok=True)
    if lines:
        path = args.evals / "agreement" / "production.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join([path.read_text("utf-8") if path.exists() else "", *(f"{x}\n" for x in lines)]), "utf-8"
        )
    left = len(_loaded(args.queue / "scenarios"))
    print(f"{len(scenarios)} became scenarios, {len(lines)} labels for the judge; {left} are still to be reviewed")
    return HELD if scenarios else NOT_JUDGED


def _since(text: str) -> int:
    """ms since 1970."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
        return round((datetime.now(UTC) - timedelta(milliseconds=milliseconds(text))).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Unusable(f"{text!r} is no time: write a date such as 2026-11-22, or how long ago, such as 7d") from None


async def _made(url: str, since: int, sample: int, known: set[str]) -> tuple[int, list[Made], list[str]]:
    """How many threads there are, what was made of the sample, and why not of the others."""
    made, skipped = list[Made](), list[str]()
    async with opened(url, os.environ) as reader:
        threads = await reader.since(since)
        new = sorted((each.id for each in threads if default_name(each.id) not in known), key=_lot)
        stored = {default_name(each): await reader.thread(each) for each in new[:sample]}
    profile = load_profile(PROCESSOR_FOLDER / "profile")
    anonymous = meet(profile, threads, tuple(stored.values()))
    with offline():
        async with RuntimePool(1) as runtimes:
            for name, thread in stored.items():
                try:
                    made.append(await make_scenario(thread, name, profile, runtimes.play, anonymous))
                except Unusable as error:
                    skipped.append(f"{name}: {error}")
    return len(threads), made, skipped


def _lot(thread_id: str) -> str:
    """Threads in an order that has nothing to do with them, and is the same each time."""
    return hashlib.sha256(f"sample {thread_id}".encode()).hexdigest()


def _queue(made: Made, queue: Path) -> None:
    name = made.scenario.name
    if made.recording is not None:
        made.recording.write(queue / "recordings")
    lines = "".join(f"# - {{item: general.{each}, verdict: yes, why: }}\n" for each in GENERAL)
    for part, text in (("scenarios", made.yaml()), ("labels", LABELS + lines)):
        (queue / part).mkdir(parents=True, exist_ok=True)
        (queue / part / f"{name}.yaml").write_text(text, encoding="utf-8")


def _loaded(folder: Path) -> Sequence[Scenario]:
    if not any(folder.glob("*.yaml")):
        return ()
    loaded = load([folder])
    if loaded.problems:
        raise Unusable(*loaded.problems)
    return loaded.scenarios


def _labels(path: Path) -> Sequence[Authored]:
    return written(path) if path.exists() else ()


def _evidence(scenarios: Sequence[Scenario], recordings: Recordings) -> Mapping[str, str]:
    """By scenario, the conversation as a judge reads it."""
    found: dict[str, str] = {}

    def noting(scenario: Scenario, observation: Observation) -> TrialResult:
        found[scenario.name] = Evidence.of(scenario, observation).shown()
        return judge_trial(scenario, observation)

    asyncio.run(run(scenarios, recordings, noting))
    return {each.name: found.get(each.name, "") for each in scenarios}
