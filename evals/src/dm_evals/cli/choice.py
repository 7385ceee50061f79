"""What a command line chose: scenarios by name and tag, with their recordings."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dm_evals.reading import Unusable, nearest
from dm_evals.replay.recordings import Recording, Recordings, load_recordings
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

    @property
    def recorded(self) -> list[tuple[Scenario, Recording]]:
        """Each of the scenarios with each of its recordings."""
        found = self.recordings
        return [(s, found.by_address[s.name, trial]) for s in self.scenarios for trial in found.trials(s.name)]


def choose(args: argparse.Namespace, names: Sequence[str], tags: Sequence[str] = ()) -> Chosen:
    """Raises Unusable for a name or tag that does not exist."""
    folder: Path = args.scenarios
    loaded = load([folder])
    written = {path.stem for path in folder.rglob("*.yaml")}
    named = {scenario.name for scenario in loaded.scenarios}
    for name in (written - named).intersection(names):
        raise Unusable(*(problem for problem in loaded.problems if f"{name}.yaml" in problem))
    chosen = select(loaded.scenarios, names, tags)
    everything = not names and not tags
    only = None if everything else {scenario.name for scenario in chosen}
    recordings = load_recordings(args.recordings, named | written, only)
    problems = () if names else loaded.problems  # a broken file is none of those that were named
    return Chosen(chosen, recordings, problems, everything)


def select(scenarios: Sequence[Scenario], names: Sequence[str], tags: Sequence[str]) -> tuple[Scenario, ...]:
    """Those with one of the names and one of the tags; none given: all. Raises Unusable for one that is not there."""
    known = [scenario.name for scenario in scenarios]
    for name in names:
        if name not in known:
            raise Unusable(f'there is no scenario "{name}"{nearest(name, known)}')
    tagged = sorted({tag for scenario in scenarios for tag in scenario.tags})
    for tag in tags:
        if tag not in tagged:
            raise Unusable(f'no scenario has the tag "{tag}"{nearest(tag, tagged)}')
    return tuple(
        each
        for each in scenarios
        if (not names or each.name in names) and (not tags or not set(tags).isdisjoint(each.tags))
    )
