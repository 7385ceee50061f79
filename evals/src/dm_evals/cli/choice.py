"""What a command line chose: scenarios by name and tag, with their recordings."""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dm_evals.reading import Unusable, nearest
from dm_evals.replay.recordings import Recordings, load_recordings
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen scenarios. ``problems``: lines about scenario files that can't be used, and may be among them."""

    scenarios: tuple[Scenario, ...]
    recordings: Recordings
    problems: tuple[str, ...]
    everything: bool
    """Nothing was left out on purpose."""


def choose(args: argparse.Namespace, names: Sequence[str], tags: Sequence[str] = ()) -> Chosen:
    """Raises Unusable for a name or tag that does not exist."""
    folder: Path = args.scenarios
    loaded = load([folder])
    written = {path.stem for path in folder.rglob("*.yaml")}
    named = {scenario.name for scenario in loaded.scenarios}
    for name in names:
        if name not in named:
            if name in written:
                raise Unusable(*(problem for problem in loaded.problems if f"{name}.yaml" in problem))
            raise Unusable(f'there is no scenario "{name}"{nearest(name, sorted(named))}')
    known_tags = sorted({tag for scenario in loaded.scenarios for tag in scenario.tags})
    for tag in tags:
        if tag not in known_tags:
            raise Unusable(f'no scenario has the tag "{tag}"{nearest(tag, known_tags)}')
    chosen = tuple(scenario for scenario in loaded.scenarios if _wanted(scenario, names, tags))
    everything = not names and not tags
    only = None if everything else {scenario.name for scenario in chosen}
    recordings = load_recordings(args.recordings, named | written, only)
    problems = () if names else loaded.problems  # a broken file is none of those that were named
    return Chosen(chosen, recordings, problems, everything)


def _wanted(scenario: Scenario, names: Iterable[str], tags: Iterable[str]) -> bool:
    return (not names or scenario.name in names) and (not tags or not set(tags).isdisjoint(scenario.tags))
