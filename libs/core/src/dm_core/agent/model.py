"""The model port: one method. Adapters: Gemini, recordings (evals), scripts (tests)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dm_core.runs import ModelTurn, Turn


@dataclass(frozen=True, slots=True)
class ToolDeclaration:
    """A tool as the model sees it. ``parameters`` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, object]


class Model(Protocol):
    """Answers a conversation."""

    async def generate(self, turns: Sequence[Turn], tools: Sequence[ToolDeclaration], system: str) -> ModelTurn:
        """The next turn. Odd answers are turns with a ``finish`` that says so, never exceptions.

        Raises ModelUnavailable when no answer was had within the adapter's timeout, AccountStopped when none will be
        before a person acts (key, permission, model), ModelRefused when the API does not take this history.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
