"""What a tool is. Each is one file of this folder, and one name in ``registry.py``.

the class of its arguments    the docstring is the description the model reads, the fields are the arguments
its behaviour                 ``plan`` of a tool that acts, ``read`` of one that looks something up
``prompt``                    its words for the system prompt, where the description is not enough
``examples``                  when the sandbox's scripted model calls it
``TOOL``                      all of it together, under the tool's exact name
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from inspect import getdoc
from typing import Final

from dm_core.agent.guards import Refusal
from dm_core.agent.model import ToolDeclaration
from dm_core.agent.plan import PlannedCall
from dm_core.agent.sources import LookUp
from dm_core.agent.tools.arguments import Arguments, parse, schema_of

GO_ON_WITHOUT: Final = "unavailable just now. Go on without it, and don't guess what it would have said."


class Kind(Enum):
    """What a call of the tool does to the run."""

    ACTION = "action"  # the outside sees it: planned, checkpointed, then done
    DATA = "data"  # read and given back to the model
    NOTE = "note"  # kept with the next commit, answered at once
    END = "end"  # ends the run


def _says_nothing(_: Mapping[str, object]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Example:
    """When a model would call the tool. Data for the sandbox's scripted model; the functions never read it.

    ``when``: a regular expression, found in what the person wrote, in any letter case. ``arguments`` of the call; in
    their texts ``{words}`` stands for the newest DM and ``{handle}`` for its handle. ``says``: what the person is told
    of the result (of ``{"error": …}`` too), or beside an action. ``alone``: the call is the whole answer.
    """

    when: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    says: Callable[[Mapping[str, object]], str] = _says_nothing
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(ABC):
    """What every tool has. ``prompt``: for prompts/system.md, as a list item or as a section that begins with ``#``."""

    name: str
    kind: Kind
    arguments: type[Arguments]
    prompt: str = ""
    examples: tuple[Example, ...] = ()

    @property
    def declaration(self) -> ToolDeclaration:
        """The tool as the model sees it."""
        return ToolDeclaration(self.name, " ".join((getdoc(self.arguments) or "").split()), schema_of(self.arguments))

    def unknown(self, given: Mapping[str, object]) -> tuple[str, ...]:
        """Names of arguments the tool does not have."""
        known = {spec.name for spec in fields(self.arguments)}
        return tuple(name for name in given if name not in known)

    @abstractmethod
    def settle(self, call: PlannedCall) -> Refusal | None:
        """Plan a call of the tool. Raises BadArguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTool[A: Arguments](Tool):
    """A tool that acts, keeps or ends. ``plan`` is pure; it leaves in the call what is to be done, or refuses."""

    arguments: type[A]
    plan: Callable[[A, PlannedCall], Refusal | None]

    def settle(self, call: PlannedCall) -> Refusal | None:
        return self.plan(parse(self.arguments, self.name, call.call.arguments), call)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTool[A: Arguments](Tool):
    """A tool that looks something up. ``read`` returns what the model is told, or None where there is nothing to be
    had now: then, and when it fails or takes too long, ``unavailable`` is the error."""

    arguments: type[A]
    read: Callable[[A, LookUp], Awaitable[Mapping[str, object] | None]]
    kind: Kind = field(init=False, default=Kind.DATA)
    unavailable: str = GO_ON_WITHOUT

    def settle(self, call: PlannedCall) -> Refusal | None:
        parse(self.arguments, self.name, call.call.arguments)
        call.look_up()

    async def answer(self, given: Mapping[str, object], look_up: LookUp) -> Mapping[str, object] | None:
        """Answer a call. Raises BadArguments, and what ``read`` raises."""
        return await self.read(parse(self.arguments, self.name, given), look_up)
