"""Rulings kept in ``evals/rulings/SCENARIO.jsonl``, so that a replay asks nobody.

A ruling is bound to the words of its statements and to what was said and done; of the profile, and of what tools said,
to its quote alone. What changed has no ruling: unknown, never yes. ``authored``: a person ruled, no model did.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import Field

from dm_evals.folded import short_hash
from dm_evals.judge.evidence import Evidence
from dm_evals.judge.judge import GENERAL, Judge, Origin, Ruling, Vote
from dm_evals.reading import Strict, Unusable, json_lines

GENERAL_PREFIX: Final = "general."


class RecordedRuling(Strict):
    """A line of the file: one ruling on one statement, or on several with the same quote.

    ``lines``: rubric items word for word, ``general.NAME`` for those of the general rubric.
    """

    lines: tuple[str, ...] = Field(min_length=1)
    votes: tuple[Vote, ...]
    quote: str = ""
    why: str = ""
    origin: Origin
    model: str = ""
    date: str = ""
    digest: str

    @property
    def statements(self) -> tuple[str, ...]:
        return tuple(map(statement, self.lines))

    @property
    def ruling(self) -> Ruling:
        return Ruling(self.votes, self.why, self.quote, self.origin)


def statement(line: str) -> str:
    """The words of a line, which may be the name of a general one."""
    return GENERAL.get(line.removeprefix(GENERAL_PREFIX), line) if line.startswith(GENERAL_PREFIX) else line


def line_of(text: str) -> str:
    """A statement as it is kept."""
    return next((f"{GENERAL_PREFIX}{name}" for name, words in GENERAL.items() if words == text), text)


def digest(statements: Iterable[str], evidence: Evidence) -> str:
    """What a ruling on these statements is bound to."""
    return short_hash(*statements, evidence.bound)


def read_rulings(path: Path) -> tuple[RecordedRuling, ...]:
    """All lines of a file, none where there is no file. Raises Unusable."""
    found: list[RecordedRuling] = []
    for place, read in json_lines(path, RecordedRuling):
        before = {text for each in found if each.digest == read.digest for text in each.lines}
        for again in filter(before.__contains__, read.lines):
            raise Unusable(f"{place}: there are two rulings on {again!r}: take one out")
        found.append(read)
    return tuple(found)


@dataclass(slots=True)
class RecordedJudge:
    """Answers from recordings only. ``used`` counts rulings by their origin."""

    rulings: dict[str, tuple[RecordedRuling, ...]] = field(default_factory=dict[str, tuple[RecordedRuling, ...]])
    used: Counter[Origin] = field(default_factory=Counter[Origin])

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "RecordedJudge":
        """The files of rulings; a file's name is its scenario's. Raises Unusable."""
        return cls({path.stem: read_rulings(path) for path in paths})

    def asks_in_general(self, scenario: str) -> bool:
        """Where somebody has ruled on it before: a changed answer then needs new rulings."""
        return any(line.startswith(GENERAL_PREFIX) for each in self.rulings.get(scenario, ()) for line in each.lines)

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        found = [self.find(each, evidence) for each in statements]
        self.used.update(each.origin for each in found if not isinstance(each, str))
        return [Ruling((), each) if isinstance(each, str) else each.ruling for each in found]

    def find(self, text: str, evidence: Evidence) -> RecordedRuling | str:
        """The ruling on a statement; why there is none."""
        known = [each for each in self.rulings.get(evidence.scenario, ()) if text in each.statements]
        fitting = [each for each in known if each.digest == digest(each.statements, evidence)]
        if not fitting:
            why = "what was said changed since it was ruled on" if known else "nobody has ruled on it"
        elif fitting[0].quote and not evidence.holds(fitting[0].quote):
            why = f"the evidence no longer says {fitting[0].quote!r}"
        else:
            return fitting[0]
        return f"{why}: python -m dm_evals rulings {evidence.scenario}".rstrip()


@dataclass(slots=True)
class RecordingJudge:
    """Asks another judge what is not known yet. ``kept``: what still holds and what is new, by scenario."""

    judge: Judge
    known: RecordedJudge
    origin: Origin
    date: str
    model: str = ""
    kept: dict[str, list[RecordedRuling]] = field(default_factory=dict[str, list[RecordedRuling]])

    def asks_in_general(self, scenario: str) -> bool:
        return self.judge.asks_in_general(scenario) or self.known.asks_in_general(scenario)

    def rule(self, statements: Sequence[str], evidence: Evidence) -> Sequence[Ruling]:
        kept, found = self.kept.setdefault(evidence.scenario, []), dict[str, Ruling]()
        for text in statements:
            if isinstance(ruling := self.known.find(text, evidence), RecordedRuling):
                found[text] = ruling.ruling
                kept += [] if ruling in kept else [ruling]
        left = [text for text in statements if text not in found]
        groups: dict[Ruling, list[str]] = {}
        for text, ruling in zip(left, self.judge.rule(left, evidence), strict=True):
            found[text] = ruling = replace(ruling, origin=self.origin)
            if ruling.verdict != "unknown":
                groups.setdefault(ruling, []).append(text)
        made = {"model": self.model, "date": self.date}
        for ruling, texts in groups.items():
            fields = {**asdict(ruling), **made, "lines": map(line_of, texts), "digest": digest(texts, evidence)}
            kept.append(RecordedRuling.model_validate(fields))
        return [found[text] for text in statements]
