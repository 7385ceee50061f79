"""One thing that is wrong with a scenario, and the guess at what was meant."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from dm_evals.scenarios.yaml_lines import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the way to where it stands."""

    place: Place
    message: str


def meant(word: str, known: Iterable[str]) -> str:
    """``, did you mean "…"?`` where something is near."""
    close = get_close_matches(word.lower(), list(known), 1, 0.55) or get_close_matches(word, list(known), 1, 0.55)
    return f', did you mean "{close[0]}"?' if close else ""
