"""What the model is asked and answers, counted in this repository's own prompt, declarations and recorded scenarios.

A recording that a model answered carries the usage that it billed. One that was written by hand has none: there
characters are counted, and four of them are taken for a token (https://ai.google.dev/gemini-api/docs/tokens, "about 4
characters"). Nobody thinks in a hand-written answer, so thoughts can be counted in recorded ones only.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import yaml

from dm_core.agent.profile import load_profile
from dm_core.agent.prompt import system_prompt
from dm_core.agent.tools.registry import DECLARATIONS

type Fields = Mapping[str, object]

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = Path(__file__).with_name("measured.json")
CHARACTERS_A_TOKEN: Final = 4
_NO_DM: Final = frozenset({"unsend", "edit", "human", "automatic"})
"""Kinds of a scenario's events that nobody has to be answered for."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over all recorded model calls, in tokens; ``thought_tokens`` None: not known.

    ``billed_calls``: how many of them carry the model's own usage; then the means are of those alone.
    """

    dms: int
    calls: int
    billed_calls: int
    input_tokens: int
    output_tokens: int
    thought_tokens: int | None

    @property
    def calls_a_dm(self) -> float:
        return self.calls / self.dms


def kept() -> Measured:
    """What was counted when the table was made."""
    return Measured(**json.loads(KEPT.read_text(encoding="utf-8")))


def keep(measured: Measured) -> None:
    """For the next table, and for the test that compares."""
    KEPT.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")


def measure(root: Path = ROOT) -> Measured:
    """Count in this tree. Raises ValueError where nothing is recorded."""
    turns = [turn for _, recorded in _recordings(root) for turn in recorded]
    if not turns:
        raise ValueError(f"nothing is recorded in {root / 'evals' / 'recordings'}")
    billed = [_object(turn["usage"]) for turn in turns if turn.get("usage")]
    dms = sum(_dms(root / "evals" / "scenarios" / f"{name}.yaml") for name, _ in _recordings(root))
    if billed:
        received, answered, thought = (
            _mean([_number(usage.get(field)) for usage in billed])
            for field in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
        )
        return Measured(dms, len(turns), len(billed), received, answered, thought)
    each_time = len(_system(root)) + len(_declarations())
    received = _mean([each_time + _shown(turn) for turn in turns]) / CHARACTERS_A_TOKEN
    answered = _mean([_said(turn) for turn in turns]) / CHARACTERS_A_TOKEN
    return Measured(dms, len(turns), 0, round(received), round(answered), None)


def _recordings(root: Path) -> Iterator[tuple[str, Sequence[Fields]]]:
    """One trial of each scenario: its name, and its turns."""
    for folder in sorted((root / "evals" / "recordings").iterdir()):
        for file in sorted(folder.glob("*.jsonl"))[:1]:
            yield folder.name, [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _dms(scenario: Path) -> int:
    """DMs of a scenario. A redelivery (``repeat``) is the same DM."""
    events = cast("Sequence[Fields]", yaml.safe_load(scenario.read_text(encoding="utf-8"))["events"])
    return sum(event.get("kind", "say") not in _NO_DM for event in events)


def _system(root: Path) -> str:
    processor = root / "functions" / "processor"
    template = (processor / "prompts" / "system.md").read_text(encoding="utf-8")
    return system_prompt(template, load_profile(processor / "profile")).text


def _declarations() -> str:
    return _compact(
        [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in DECLARATIONS]
    )


def _shown(turn: Fields) -> int:
    """Characters of the conversation that this turn was asked with."""
    return sum(len(str(content.get("text", ""))) for content in _objects(_object(turn["request"]).get("contents")))


def _said(turn: Fields) -> int:
    """Characters of an answer; a call is its name and its arguments. Signatures are not billed as output."""
    contents = (
        _object(candidate.get("content")) for candidate in _objects(_object(turn["response"]).get("candidates"))
    )
    return sum(_part(part) for content in contents for part in _objects(content.get("parts")))


def _part(part: Fields) -> int:
    call = _object(part.get("functionCall"))
    return len(str(part.get("text", ""))) + (
        len(str(call["name"])) + len(_compact(call.get("args", {}))) if call else 0
    )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)


def _mean(values: Sequence[float]) -> int:
    return round(sum(values) / len(values))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _object(value: object) -> Fields:
    return cast("Fields", value) if isinstance(value, dict) else {}


def _objects(value: object) -> Sequence[Fields]:
    return [_object(each) for each in cast("list[object]", value)] if isinstance(value, list) else []
