"""The same DM answered anew: what the model would say now, with the profile as it is now. Nothing is sent."""

from collections.abc import Mapping
from typing import Final

from dm_core.agent.model import Model
from dm_core.agent.prompt import system_prompt
from dm_core.agent.tools.declare import Kind
from dm_core.agent.tools.registry import DECLARATIONS, TOOLS
from dm_core.bootstrap.files import load_files
from dm_core.runs import ModelTurn, ToolResult, ToolTurn, Turn, UserTurn
from dm_core.settings import ModelSettings
from dm_core.store.turn_documents import parse_turn, turn_document
from dm_sandbox.events import EventLog
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.profile_files import PROCESSOR_FOLDER

MOST_TURNS: Final = 4


class Again:
    """Asks the model that answers the sandbox, over its real client."""

    def __init__(self, log: EventLog, settings: ModelSettings) -> None:
        self._log, self._settings = log, settings
        self._client: Model | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    @property
    def _model(self) -> Model:
        if self._client is None:
            from dm_core.agent.gemini import GeminiModel  # takes a second to load, which the start has not

            self._client = GeminiModel(self._settings)
        return self._client

    async def ask(self, run_id: str) -> dict[str, object]:
        """The old answer and a new one. Raises LookupError for an unknown run, ModelUnavailable, Misconfigured.

        Look-ups are answered with what they brought then; what was not looked up then ends the new answer.
        """
        calls = [entry.record for entry in self._log.of_run(run_id) if entry.kind == "model_called"]
        if not calls:
            raise LookupError(f"no model call of the run {run_id} is known")
        files = load_files(PROCESSOR_FOLDER)
        system = system_prompt(files.system_md, files.profile).text
        turns = [turn for turn in _turns(calls[0]) if isinstance(turn, UserTurn)]
        brought = {result.name: result for call in calls for result in _results(_turns(call))}
        answers: list[ModelTurn] = []
        conversation: list[Turn] = [*turns]
        for _ in range(MOST_TURNS):
            answer = await self._model.generate(conversation, DECLARATIONS, system)
            answers.append(answer)
            look_ups = [call for call in answer.calls if _is_look_up(call.name)]
            if not look_ups or len(look_ups) < len(answer.calls) or any(c.name not in brought for c in look_ups):
                break
            results = tuple(
                ToolResult(call.name, call.id, brought[call.name].output, brought[call.name].error) for call in look_ups
            )
            conversation += [answer, ToolTurn(results)]
        return {
            "old": [_shown(call.get("answer")) for call in calls],
            "new": [_shown(turn_document(a)) for a in answers],
        }


def _is_look_up(name: str) -> bool:
    return name in TOOLS and TOOLS[name].kind is Kind.DATA


def _turns(call: Mapping[str, object]) -> list[Turn]:
    return [parse_turn(as_object(turn)) for turn in as_list(call.get("turns"))]


def _results(turns: list[Turn]) -> list[ToolResult]:
    return [result for turn in turns if isinstance(turn, ToolTurn) for result in turn.results]


def _shown(answer: object) -> dict[str, object]:
    fields = as_object(answer)
    return {"text": fields.get("text", ""), "calls": as_list(fields.get("calls")), "ms": fields.get("latencyMs", 0)}
