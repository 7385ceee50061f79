"""The model port, with each call written as events: what was sent, what came back, how long it took.

``prompt_shown``   a system prompt and the tools, once for each hash
``model_called``   the turns as sent and the answer, or the error
"""

import hashlib
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from dm_core.agent.model import Model, ToolDeclaration
from dm_core.errors import described
from dm_core.runs import ModelTurn, Turn
from dm_core.store.turn_documents import turn_document
from dm_core.telemetry import emit

CURRENT_THREAD: ContextVar[str] = ContextVar("CURRENT_THREAD", default="")
"""The thread that the request at work is for; the port itself doesn't know it."""
MAX_SHOWN_CHARS: Final = 60_000
"""Longest text shown of one turn; a line of output is cut at 256 KiB."""


class RecordedModel:
    """Keeps the port around another adapter of it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._shown: set[str] = set()

    async def generate(self, turns: Sequence[Turn], tools: Sequence[ToolDeclaration], system: str) -> ModelTurn:
        prompt = self._show_prompt(tools, system)
        thread = CURRENT_THREAD.get() or None
        started, begun_at = time.monotonic(), time.time()
        sent = [_cut(turn_document(turn)) for turn in turns]
        try:
            answer = await self._model.generate(turns, tools, system)
        except Exception as error:
            taken = round((time.monotonic() - started) * 1000)
            facts = {"prompt": prompt, "begunAt": begun_at, "ms": taken, "turns": sent, "error": described(error)}
            emit("model_called", "WARNING", thread_id=thread, **facts)
            raise
        taken = round((time.monotonic() - started) * 1000)
        facts = {"prompt": prompt, "begunAt": begun_at, "ms": taken, "turns": sent}
        emit("model_called", thread_id=thread, **facts, answer=_cut(turn_document(answer)))
        return answer

    async def close(self) -> None:
        await self._model.close()

    def _show_prompt(self, tools: Sequence[ToolDeclaration], system: str) -> str:
        declared = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]
        digest = hashlib.sha256(f"{system}{declared}".encode("utf-8", "replace")).hexdigest()[:12]
        if digest not in self._shown:
            self._shown.add(digest)
            emit("prompt_shown", prompt=digest, system=system[: 2 * MAX_SHOWN_CHARS], tools=declared)
        return digest


def _cut(document: dict[str, object]) -> dict[str, object]:
    """A turn's document without what nobody reads: texts of any length, signatures."""
    return {key: _cut_text(value) for key, value in document.items() if key != "content"}


def _cut_text(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_SHOWN_CHARS:
        return f"{value[:MAX_SHOWN_CHARS]}… ({len(value)} characters)"
    return value
