"""``scenarios-from``: a sample of stored threads, anonymised together, to be reviewed; ``reviewed``: what came of it.

The folder in which they wait for review:

scenarios/NAME.yaml    reviewed: false until a person has read it, and mended what was wrong
recordings/NAME/       the model turns of then, names replaced
labels/NAME.yaml       what a person says of it as it lies here: lines as ``rulings --authored`` reads them
labels/NAME.jsonl      what a person said of it as it was, with the conversation: lines of ``evals/agreement/``

``reviewed`` moves each scenario that says so to the others, and what people said of it to the labels that judges are
measured by (``evals/agreement/``).
"""

import argparse
import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dm_core.agent.profile import load_profile
from dm_core.threads import Thread
from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import EVALS
from dm_evals.cli.rulings import Authored, written
from dm_evals.judge import GENERAL, Evidence
from dm_evals.judge.agreement import LabelLine
from dm_evals.observation import Observation
from dm_evals.production.make import Made, default_name, make_scenario, meet
from dm_evals.production.store import StoredThread, opened, store_url, stored_thread
from dm_evals.reading import Unusable, json_lines, write_whole
from dm_evals.replay.recordings import Recordings, load_recordings
from dm_evals.replay.runner import RuntimePool, in_one_runtime, run
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER
from dm_evals.results import HELD, NOT_JUDGED, TrialResult
from dm_evals.scenarios.clock import milliseconds
from dm_evals.scenarios.loading import Loaded, load
from dm_evals.scenarios.scenario import Scenario

QUEUE: Final = EVALS / "queue"
LABELS: Final = """# What do you say of it? Take the # away from the lines that you are sure of; yes or no, and why.
# A line of your own is {item: the statement, verdict: yes or no, why: …}. They measure the judge.
"""


@dataclass(frozen=True, slots=True)
class QueueFolder:
    """The folder at ``path``, which need not be there."""

    path: Path

    @property
    def recordings(self) -> Path:
        return self.path / "recordings"

    def scenario(self, name: str) -> Path:
        return self.path / "scenarios" / f"{name}.yaml"

    def labels(self, name: str) -> Path:
        return self.path / "labels" / f"{name}.yaml"

    def told_path(self, name: str) -> Path:
        return self.path / "labels" / f"{name}.jsonl"

    def loaded(self) -> Loaded:
        """Every scenario, and a line for each file that can't be used."""
        folder = self.path / "scenarios"
        return load([folder]) if any(folder.glob("*.yaml")) else Loaded()

    def recorded(self, scenarios: Iterable[Scenario]) -> Recordings:
        names = [each.name for each in scenarios]
        return load_recordings(self.recordings, names, names)

    def labelled(self, name: str) -> Sequence[Authored]:
        """What is said of it as it lies here. Raises Unusable."""
        path = self.labels(name)
        return written(path) if path.exists() else ()


def played(scenarios: Sequence[Scenario], recordings: Recordings) -> Mapping[str, Observation]:
    """Each that has a recording, played once more."""
    found: dict[str, Observation] = {}

    def noting(scenario: Scenario, observation: Observation) -> TrialResult:
        found[scenario.name] = observation
        return judge_trial(scenario, observation)

    asyncio.run(run(scenarios, recordings, noting))
    return found


def read_labels_of(path: Path) -> list[LabelLine]:
    """A line a label; none where there is no file. Raises Unusable naming the line."""
    return [label for _, label in json_lines(path, LabelLine)]


def write_labels(path: Path, lines: Iterable[LabelLine]) -> None:
    write_whole(path, "".join(f"{line.model_dump_json()}\n" for line in lines))


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
    since = _since(args.since)
    known = {path.stem for folder in (args.queue, args.evals) for path in (folder / "scenarios").glob("*.yaml")}
    threads, stored = asyncio.run(_sampled(store_url(args), since, args.sample, known))
    made, skipped = in_one_runtime(lambda runtimes: _made(threads, stored, runtimes))
    for each in made:
        _queue(each, QueueFolder(args.queue))
    for line in skipped:
        print(f"skipped  {line}")
    day = f"{datetime.fromtimestamp(since / 1000, UTC):%Y-%m-%d}"
    print(f"{len(threads)} threads since {day}: {len(made)} queued for review")
    return HELD if made else NOT_JUDGED


def reviewed(args: argparse.Namespace) -> int:
    """Move what was reviewed. Raises Unusable before anything is moved, where a file can't be used."""
    queue = QueueFolder(args.queue)
    queued = queue.loaded()
    if queued.problems:
        raise Unusable(*queued.problems)
    scenarios = [each for each in queued.scenarios if each.reviewed]
    recordings = queue.recorded(scenarios)
    if recordings.problems:
        raise Unusable(*recordings.problems)
    labels = {each.name: queue.labelled(each.name) for each in scenarios}
    seen = played(scenarios, recordings)
    lines = [
        LabelLine(item=item, text=Evidence.of(each, seen[each.name]).shown(), verdict=label.verdict, why=label.why)
        for each in scenarios
        if each.name in seen
        for label in labels[each.name]
        for item in label.items
    ]
    lines += [line for each in queued.scenarios for line in read_labels_of(queue.told_path(each.name))]
    new = _note(lines, args.evals / "agreement" / "production.jsonl")
    for recording in recordings.by_address.values():
        recording.write(args.evals / "recordings")
    (args.evals / "scenarios").mkdir(parents=True, exist_ok=True)
    for each in scenarios:
        shutil.move(queue.scenario(each.name), args.evals / "scenarios")
        shutil.rmtree(queue.recordings / each.name, ignore_errors=True)
        queue.labels(each.name).unlink(missing_ok=True)
    for each in queued.scenarios:
        queue.told_path(each.name).unlink(missing_ok=True)
    left = len(queued.scenarios) - len(scenarios)
    print(f"{len(scenarios)} became scenarios, {new} labels for the judge; {left} are still to be reviewed")
    return HELD if scenarios or new else NOT_JUDGED


def _note(lines: Sequence[LabelLine], path: Path) -> int:
    """Write the labels to the others; how many are new. The later word on the same counts. Raises Unusable."""
    known = {(line.item, line.text): line for line in read_labels_of(path)}
    said = known | {(line.item, line.text): line for line in lines}
    if said != known:
        write_labels(path, said.values())
    return sum(known.get(key) != line for key, line in said.items())


def _since(text: str) -> int:
    """ms since 1970."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            begin = datetime.fromisoformat(text).replace(tzinfo=UTC)
        else:
            begin = datetime.now(UTC) - timedelta(milliseconds=milliseconds(text))
        return round(begin.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Unusable(f"{text!r} is no time: write a date such as 2026-11-22, or how long ago, such as 7d") from None


async def _sampled(
    url: str, since: int, sample: int, known: set[str]
) -> tuple[Sequence[Thread], dict[str, StoredThread]]:
    """The threads there are, and those of the sample by the names of their scenarios."""
    async with opened(url, os.environ) as reads:
        threads = await reads.active(since)
        new = sorted((each.id for each in threads if default_name(each.id) not in known), key=_lot)
        return threads, {default_name(each): await stored_thread(reads, each) for each in new[:sample]}


async def _made(
    around: Sequence[Thread], stored: Mapping[str, StoredThread], runtimes: RuntimePool
) -> tuple[list[Made], list[str]]:
    """What was made of the sample, and why not of the others."""
    made, skipped = list[Made](), list[str]()
    profile = load_profile(PROCESSOR_FOLDER / "profile")
    anonymous = meet(profile, around, tuple(stored.values()))
    for name, thread in stored.items():
        try:
            made.append(await make_scenario(thread, name, profile, runtimes.play, anonymous))
        except Unusable as error:
            skipped.append(f"{name}: {error}")
    return made, skipped


def _lot(thread_id: str) -> str:
    """Threads in an order that has nothing to do with them, and is the same each time."""
    return hashlib.sha256(f"sample {thread_id}".encode()).hexdigest()


def _queue(made: Made, queue: QueueFolder) -> None:
    name = made.scenario.name
    if made.recording is not None:
        made.recording.write(queue.recordings)
    lines = "".join(f"# - {{item: general.{each}, verdict: yes, why: }}\n" for each in GENERAL)
    write_whole(queue.scenario(name), made.yaml())
    write_whole(queue.labels(name), LABELS + lines)
