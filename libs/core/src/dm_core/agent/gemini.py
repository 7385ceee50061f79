"""The model port over google-genai 3: one request a turn, no loop of the SDK's, nothing taken from the environment.

What the SDK would otherwise decide by itself is set here (facts/gemini-evals.md section 3): backend and key (ambient
variables switch them), transport (an installed aiohttp switches it), API version (v1 knows fewer models), timeout and
retries (none: calls in vain are for the run to count), function calling and continuation (it would follow both on its
own), replay mode.

Model turns are kept as the content's JSON and sent back from it: thought signatures must come back byte for byte.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import httpx2
from google.genai import Client, types
from google.genai.client import DebugConfig
from pydantic import ValidationError

from dm_core.agent.gemini_errors import model_error
from dm_core.agent.model import ToolDeclaration
from dm_core.clients.pools import IDLE_SECONDS, POOL_SIZE, Pools
from dm_core.clock import system_clock
from dm_core.errors import DmAgentError
from dm_core.runs import Finish, ModelTurn, ToolCall, ToolResult, ToolTurn, Turn, Usage, UserTurn
from dm_core.settings import ModelSettings

MAX_CONTENT_BYTES: Final = 64 * 1024
"""Largest model turn that is kept; the run's document holds several."""
MAX_OUTPUT_TOKENS: Final = 8_192
"""Of one turn, thoughts included: far above any reply, so that only a runaway is cut."""

_LIMITS: Final = httpx2.Limits(
    max_connections=POOL_SIZE,
    max_keepalive_connections=POOL_SIZE,
    keepalive_expiry=IDLE_SECONDS,
)

_FILTER_WORDS: Final = """SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY
IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION ESCALATION PUP_LIMITED_DISABLED MODEL_ARMOR"""
_BROKEN_WORDS: Final = """MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE
MALFORMED_RESPONSE"""
_BLOCKED: Final = frozenset(_FILTER_WORDS.split())
_MALFORMED: Final = frozenset(_BROKEN_WORDS.split())
_TRUNCATED: Final = frozenset(("MAX_TOKENS", "CONTINUATION"))


class _NoSync(httpx2.BaseTransport):
    """Everything is async here; a synchronous request is a mistake, not a reason to open another pool."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.UnsupportedProtocol(f"no synchronous requests: {request.method}")


class _Connections(httpx2.AsyncBaseTransport):
    """Connections in small pools. A request counts until its answer begins; the rest of that comes at once."""

    def __init__(self) -> None:
        self._pools = Pools(lambda: httpx2.AsyncHTTPTransport(limits=_LIMITS))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with self._pools.one() as transport:
            return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._pools.taken():
            await transport.aclose()


class GeminiModel:
    """Gemini, by API key or by Vertex AI. The client is made on first use, inside the event loop that uses it."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._client: Client | None = None  # referenced as long as it is used: its finalizer closes it
        self._http: httpx2.AsyncClient | None = None

    async def generate(self, turns: Sequence[Turn], tools: Sequence[ToolDeclaration], system: str) -> ModelTurn:
        """See the port. One request: who waits for a model that is down, and how long, is the run's to decide."""
        started = time.monotonic()
        contents, config = _contents(turns), _config(tools, system)
        try:
            async with asyncio.timeout(self._settings.timeout):
                models = self._opened().aio.models
                response = await models.generate_content(  # pyright: ignore[reportUnknownMemberType]
                    model=self._settings.model, contents=contents, config=config
                )
            return _model_turn(response, round((time.monotonic() - started) * 1000))
        except DmAgentError:
            raise
        except Exception as error:  # the port's promise, whatever the SDK makes of an odd body or a missing credential
            raise model_error(error, system_clock()) from None  # its text may quote a DM or the key

    async def close(self) -> None:
        """Release connections."""
        http, self._http, self._client = self._http, None, None
        if http is not None:
            await http.aclose()

    def _opened(self) -> Client:
        if self._client is None:
            settings = self._settings
            self._http = httpx2.AsyncClient(
                transport=_Connections(),
                timeout=settings.timeout,
                trust_env=False,
            )
            options = types.HttpOptions(
                base_url=settings.base_url,
                api_version=None if settings.vertex else "v1beta",
                timeout=round(settings.timeout * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_async_client=self._http,
                httpx_client=httpx2.Client(transport=_NoSync(), trust_env=False),
            )
            self._client = Client(
                vertexai=settings.vertex,
                api_key=None if settings.vertex else settings.api_key,
                project=settings.project if settings.vertex else None,
                location=settings.location if settings.vertex else None,
                debug_config=DebugConfig(client_mode=None),
                http_options=options,
            )
        return self._client


def _config(tools: Sequence[ToolDeclaration], system: str) -> types.GenerateContentConfig:
    """Thinking and temperature stay the model's own: its makers tune them per model, and not every model takes them."""
    return types.GenerateContentConfig(
        system_instruction=system or None,
        tools=[types.Tool(function_declarations=[_declaration(tool) for tool in tools])] if tools else None,
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.AUTO)
        )
        if tools
        else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
        max_output_tokens=MAX_OUTPUT_TOKENS,
    )


def _declaration(tool: ToolDeclaration) -> types.FunctionDeclaration:
    """Without arguments there is no schema: an object without properties is not accepted everywhere."""
    parameters = dict(tool.parameters) if tool.parameters.get("properties") else None
    return types.FunctionDeclaration(name=tool.name, description=tool.description, parameters_json_schema=parameters)


def _contents(turns: Sequence[Turn]) -> list[types.Content]:
    """The conversation on the wire. An unusable model turn is left out, with the answers to it."""
    contents: list[types.Content] = []
    usable = True
    for turn in turns:
        match turn:
            case UserTurn(text=text):
                contents.append(types.Content(role="user", parts=[types.Part(text=text)]))
            case ModelTurn():
                usable = turn.finish is Finish.COMPLETE and bool(turn.content)
                if usable:
                    contents.append(_sent_back(turn))
            case ToolTurn(results=results):
                if usable and results:
                    contents.append(types.Content(role="user", parts=[_response(result) for result in results]))
    return contents


def _sent_back(turn: ModelTurn) -> types.Content:
    """A model turn as it came. One that was made elsewhere (a script, an older format) goes as its text and calls."""
    try:
        return types.Content.model_validate_json(turn.content)
    except ValidationError:
        text = [types.Part(text=turn.text)] if turn.text else []
        calls = [
            types.Part(function_call=types.FunctionCall(id=call.id, name=call.name, args=dict(call.arguments)))
            for call in turn.calls
        ]
        return types.Content(role="model", parts=[*text, *calls])


def _response(result: ToolResult) -> types.Part:
    response = {"error": result.error} if result.error is not None else {"output": dict(result.output)}
    return types.Part(function_response=types.FunctionResponse(id=result.id, name=result.name, response=response))


def _model_turn(response: types.GenerateContentResponse, latency_ms: int) -> ModelTurn:
    """Any answer as a turn; what can't be used says so in ``finish`` and ``detail``."""
    finish, detail, content = _finish(response)
    text, calls = _said(content)
    if finish is Finish.COMPLETE and not text.strip() and not calls:
        finish, detail = Finish.EMPTY, detail or "no text and no call"
    if finish is Finish.COMPLETE and any(not call.name for call in calls):
        finish, detail = Finish.MALFORMED, "a function call without a name"
    kept = content.model_dump_json(exclude_none=True) if content is not None else ""
    if len(kept) > MAX_CONTENT_BYTES // 4 and (size := len(kept.encode())) > MAX_CONTENT_BYTES:
        finish, detail, kept, text, calls = Finish.MALFORMED, f"a turn of {size} bytes", "", "", ()
    return ModelTurn(
        content=kept,
        text=text,
        calls=calls if finish is Finish.COMPLETE else (),
        finish=finish,
        usage=_usage(response.usage_metadata),
        model_version=response.model_version or "",
        detail=detail,
        latency_ms=latency_ms,
    )


def _finish(response: types.GenerateContentResponse) -> tuple[Finish, str, types.Content | None]:
    """How the answer ended, in a word of the API's, and its content."""
    feedback = response.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        return Finish.BLOCKED, f"prompt: {_word(feedback.block_reason)}", None
    if not response.candidates:
        return Finish.EMPTY, "no candidates", None
    candidate = response.candidates[0]
    word = _word(candidate.finish_reason)
    content = candidate.content
    if content is not None and content.role != "model":
        content = content.model_copy(update={"role": "model"})
    for finish, words in ((Finish.BLOCKED, _BLOCKED), (Finish.MALFORMED, _MALFORMED), (Finish.TRUNCATED, _TRUNCATED)):
        if word in words:
            return finish, word, content
    return Finish.COMPLETE, "" if word == "STOP" else word, content


def _word(value: object) -> str:
    """An enum of the SDK, or what a newer API sends in its place."""
    return str(getattr(value, "value", value) or "")[:80]


def _said(content: types.Content | None) -> tuple[str, tuple[ToolCall, ...]]:
    """Text and calls; thoughts are neither."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    for part in (content.parts or []) if content is not None else []:
        if part.function_call is not None:
            call = part.function_call
            calls.append(ToolCall(call.name or "", dict(call.args or {}), call.id))
        elif part.text and not part.thought:
            texts.append(part.text)
    return "".join(texts), tuple(calls)


def _usage(usage: types.GenerateContentResponseUsageMetadata | None) -> Usage:
    if usage is None:
        return Usage()
    return Usage(
        input_tokens=usage.prompt_token_count,
        cached_tokens=usage.cached_content_token_count,
        output_tokens=usage.candidates_token_count,
        thought_tokens=usage.thoughts_token_count,
    )
