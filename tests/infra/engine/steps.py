"""What an operation of the engine did, as its event log tells."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

UNTOUCHED = frozenset({"same", "read", "discard", "refresh"})


class _Metadata(TypedDict):
    op: str
    urn: str
    type: str


class _Started(TypedDict):
    metadata: _Metadata


class _Event(TypedDict, total=False):
    resourcePreEvent: _Started


@dataclass(frozen=True)
class Step:
    """One thing that the engine did, or would do, to one resource."""

    op: str
    type: str
    name: str

    @property
    def label(self) -> str:
        """Class and name: several resources have the same name."""
        return f"{self.type.rpartition(':')[2]} {self.name}"

    @property
    def is_engines_own(self) -> bool:
        """The stack itself, and its providers."""
        return self.type.startswith(("pulumi:pulumi:", "pulumi:providers:"))


@dataclass(frozen=True)
class Done:
    """How an operation ended."""

    steps: tuple[Step, ...]
    seconds: float
    printed: str
    refused: str | None = None
    """What Pulumi printed, if it ended in an error."""

    @property
    def changes(self) -> dict[str, str]:
        """`Function webhook` → what was done, for each resource that wasn't left as it was."""
        return {step.label: step.op for step in self.steps if step.op not in UNTOUCHED and not step.is_engines_own}

    def by_type(self, *ops: str) -> Counter[str]:
        """How many resources of each type had one of `ops`."""
        return Counter(s.type for s in self.steps if s.type.startswith("gcp:") and s.op in ops)


def steps_of(log: Path) -> tuple[Step, ...]:
    """The steps in an event log, in the order in which they began; none if the engine wrote no log."""
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]  # a killed engine stops midway
    events: list[_Event] = [json.loads(line) for line in whole]
    begun = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
    return tuple(Step(each["op"], each["type"], each["urn"].rpartition("::")[2]) for each in begun)
