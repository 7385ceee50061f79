"""One thing that is wrong with a scenario."""

from dataclasses import dataclass

from dm_evals.scenarios.yaml_lines import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the way to where it stands."""

    place: Place
    message: str
