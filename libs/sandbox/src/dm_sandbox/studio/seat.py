"""Who answers as the model: the scripted club secretary, or whoever sits at the page.

Behind Gemini's own protocol, so that the real client asks either of them.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from dm_core.agent.tools.registry import DECLARATIONS, TOOLS
from dm_sandbox.platforms.answers import call, text
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.model_request import ModelRequest, Part, parts_of
from dm_sandbox.platforms.scripted_model import answer_as_the_club
from dm_sandbox.platforms.server import as_object

Sitter = Literal["scripted", "you"]
PATIENCE: Final = 55.0
"""Seconds until the script answers for you, other questions before this one included: a little less than the functions
wait for a model."""


@dataclass(slots=True)
class Question:
    """What the model is asked, where its answer goes, and until when (by the loop's clock) somebody waits for it."""

    number: int
    request: ModelRequest
    answer: "asyncio.Future[list[Part]]"
    until: float

    def shown(self) -> dict[str, object]:
        """As JSON values: the conversation part by part, and the tools with their schemas."""
        said: list[dict[str, str]] = []
        for content in self.request.contents:
            role = str(content.get("role"))
            said += [{"role": role, "text": _part_words(part)} for part in parts_of(content)]
        tools = [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in DECLARATIONS
            if tool.name in self.request.tools
        ]
        left = self.until - self.answer.get_loop().time()
        return {"number": self.number, "said": said, "tools": tools, "patience": left}


class Seat:
    """The model's seat of a simulator of Gemini."""

    def __init__(self, gemini: Gemini) -> None:
        self.sitter: Sitter = "scripted"
        self.question: Question | None = None
        self.instead: Callable[[ModelRequest], list[Part]] | None = None
        self.on_change: Callable[[], None] = lambda: None
        self._asked = 0
        self._turn = asyncio.Lock()
        gemini.model = self._answer

    def sit(self, sitter: Sitter) -> None:
        """Change who answers; a question that is open goes to the script."""
        self.sitter = sitter
        if sitter == "scripted" and self.question is not None:
            self._settle(answer_as_the_club(self.question.request))
        self.on_change()

    def answer(self, number: int, words: str, tool: str, arguments: Mapping[str, object]) -> bool:
        """Answer the open question with a call of a tool, or with text; False if it is not open any more."""
        if self.question is None or self.question.number != number:
            return False
        self._settle([call(tool, **arguments)] if tool in TOOLS else [text(words)])
        return True

    async def _answer(self, request: ModelRequest) -> list[Part]:
        if self._is_yours:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE) as patience, self._turn:
                    if self._is_yours:  # still: another question may have been open for long
                        return await self._ask(request, patience.when() or 0)
        return self.instead(request) if self.instead else answer_as_the_club(request)

    @property
    def _is_yours(self) -> bool:
        return self.sitter == "you" and self.instead is None

    async def _ask(self, request: ModelRequest, until: float) -> list[Part]:
        self._asked += 1
        self.question = Question(self._asked, request, asyncio.get_running_loop().create_future(), until)
        self.on_change()
        try:
            return await self.question.answer
        finally:
            self.question = None
            self.on_change()

    def _settle(self, parts: list[Part]) -> None:
        if self.question is not None and not self.question.answer.done():
            self.question.answer.set_result(parts)


def _part_words(part: Part) -> str:
    if "text" in part:
        return str(part["text"])
    for name in ("functionCall", "functionResponse"):
        if found := as_object(part.get(name)):
            content = found.get("args") if name == "functionCall" else found.get("response")
            return f"{found.get('name')}({json.dumps(content, ensure_ascii=False)})"
    return "(something that is not text)"
