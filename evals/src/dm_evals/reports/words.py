"""Words and counts that all reports share, so that no two of them tell one run differently."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from dm_evals.results import Outcome, Report, TrialResult

OUTCOMES: Final = (Outcome.PASS, Outcome.FAIL, Outcome.ERRORED, Outcome.STALE, Outcome.SKIPPED)
"""In the order they are told."""
ORIGINS: Final = ("authored", "recorded", "live")
ORIGIN_MEANS: Final = {
    "authored": "written by hand, no model made them",
    "recorded": "a real model made them, earlier",
    "live": "a model made them during this run",
}
MODES: Final = {
    "replay": (
        "The model's answers come from recordings: this run tests our code. "
        "It says nothing of the prompt or the model: only a live run does."
    ),
    "live": "A model answered during this run: it tests the prompt and the model, together with our code.",
}
"""What a run of a mode can tell, and what not."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Share:
    """How many model turns come from one place. ``percent`` is rounded so that only all is 100 and only none is 0."""

    origin: str
    turns: int
    percent: int

    def __str__(self) -> str:
        return f"{self.percent} % {self.origin} ({self.turns})"


def shares(report: Report) -> tuple[Share, ...]:
    """Of all three origins, none left out because it is zero; unknown ones after them."""
    origins = (*ORIGINS, *sorted(set(report.origins) - set(ORIGINS)))
    total = sum(report.origins.values())
    return tuple(
        Share(name, turns, _percent(turns, total)) for name in origins for turns in [report.origins.get(name, 0)]
    )


def unreviewed(report: Report) -> int:
    """Trials that are shown, and never counted."""
    return sum(not result.counts for result in report.results)


def counts_line(report: Report) -> str:
    """``41 pass, 1 fail, 0 errored, 0 stale, 2 skipped; 1 not reviewed (not counted)``."""
    told = ", ".join(f"{report.counts[outcome]} {outcome}" for outcome in OUTCOMES)
    aside = unreviewed(report)
    return told + (f"; {aside} not reviewed (not counted)" if aside else "")


def causes(results: Sequence[TrialResult]) -> tuple[tuple[str, int, int], ...]:
    """What made recordings stale: part, trials, turns; the most frequent first. ``contents[3]`` counts as contents."""
    found: set[tuple[str, str, int, int]] = set()
    for result in results:
        seen, address = result.observation, (result.scenario, result.trial)
        found |= {(part.partition("[")[0], *address, each.turn) for each in seen.stale for part in each.changed}
        found |= {("no recorded turn", *address, turn) for turn in seen.missing_turns}
    turns = Counter(part for part, *_ in found)
    trials = Counter(part for part, *_ in {each[:3] for each in found})
    return tuple((part, trials[part], turns[part]) for part in sorted(trials, key=lambda part: (-trials[part], part)))


def why(result: TrialResult) -> str:
    """A few words: the checks that did not hold; for a stale trial what changed, from which the rest follows."""
    seen = result.observation
    changed = dict.fromkeys(part for each in seen.stale for part in each.changed)
    if result.outcome is Outcome.STALE and (changed or seen.missing_turns):
        return f"changed {', '.join(changed)}" if changed else "asks for a turn that is not recorded"
    return ", ".join(dict.fromkeys(check.name for check in result.broken)) or result.reason


def printable(text: str) -> str:
    """Without what a reader would act on or refuse: control characters, overrides of direction, halves of an emoji."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def _percent(part: int, total: int) -> int:
    if part in (0, total):
        return 100 if part else 0
    return min(99, max(1, round(100 * part / total)))


def in_any_encoding(stream: TextIO) -> None:
    """What the stream's encoding can't hold becomes ``?`` in place of a crash."""
    reconfigure = getattr(stream, "reconfigure", None)
    if callable(reconfigure):
        reconfigure(errors="replace")
