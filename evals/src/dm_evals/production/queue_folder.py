"""The folder in which sampled threads wait for review; what lies where, and reading it.

scenarios/NAME.yaml    reviewed: false until a person has read it, and mended what was wrong
recordings/NAME/       the model turns of then, names replaced
labels/NAME.yaml       what a person says of it as it lies here: lines as ``rulings --authored`` reads them
labels/NAME.jsonl      what a person said of it as it was, with the conversation: lines of ``evals/agreement/``
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dm_evals.checks.outcome import judge_trial
from dm_evals.cli.main import EVALS
from dm_evals.cli.rulings import Authored, written
from dm_evals.judge.agreement import LabelLine
from dm_evals.observation import Observation
from dm_evals.reading import json_lines, write_whole
from dm_evals.replay.recordings import Recordings, load_recordings
from dm_evals.replay.runner import run
from dm_evals.results import TrialResult
from dm_evals.scenarios.loading import Loaded, load
from dm_evals.scenarios.scenario import Scenario

QUEUE: Final = EVALS / "queue"


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

    def told(self, name: str) -> Sequence[LabelLine]:
        """What was said of it as it was. Raises Unusable."""
        return read_label_file(self.told_path(name))


def read_label_file(path: Path) -> tuple[LabelLine, ...]:
    """A line a label; none where there is no file. Raises Unusable naming the line."""
    return tuple(label for _, label in json_lines(path, LabelLine))


def write_label_file(path: Path, lines: Iterable[LabelLine]) -> None:
    write_whole(path, "".join(f"{line.model_dump_json()}\n" for line in lines))


def played(scenarios: Sequence[Scenario], recordings: Recordings) -> Mapping[str, Observation]:
    """Each that has a recording, played once more."""
    found: dict[str, Observation] = {}

    def noting(scenario: Scenario, observation: Observation) -> TrialResult:
        found[scenario.name] = observation
        return judge_trial(scenario, observation)

    asyncio.run(run(scenarios, recordings, noting))
    return found
