"""The model port over google-genai 3: one request a turn, no loop of the SDK's, nothing taken from the environment.

What the SDK would otherwise decide by itself is set here (docs/platforms/gemini.md#what-the-sdk-decides-by-itself):
backend and key, transport, API version, timeout and retries (none: calls in vain are for the run to count), function
calling and continuation, replay mode.

Answers are read from their JSON and requests written as theirs (``gemini_turns``): the SDK refuses a whole answer for
one odd part of it, and building a request out of its types takes four times the CPU of sending it. What it knows about
backends, addresses and credentials is used; a test compares what is sent with what its own types would send.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import httpx2
from google.genai import Client, types
from google.genai._transformers import t_model as model_path
from google.genai.client import DebugConfig

from dm_core.agent.gemini_errors import NoTurn, answered, model_error
from dm_core.agent.gemini_turns import Json, contents, declarations, model_turn
from dm_core.agent.model import ToolDeclaration
from dm_core.clients.connections import Connections, Patience
from dm_core.clients.http_response import parsed_json
from dm_core.clock import system_clock
from dm_core.errors import DmAgentError
from dm_core.runs import ModelTurn, Turn
from dm_core.settings import ModelSettings

MAX_OUTPUT_TOKENS: Final = 16_384
"""Of one turn. Thoughts count, thousands of them where much is thought of, and a reply that is cut is lost
(https://github.com/googleapis/python-genai/issues/2062); without a limit they may never end."""

_MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024


class _NoSync(httpx2.BaseTransport):
    """Everything is async here; a synchronous request is a mistake, not a reason to open another pool."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.UnsupportedProtocol(f"no synchronous requests: {request.method}")


class _NoTransport(httpx2.AsyncBaseTransport):
    """``_HttpClient`` has no use for one; a default would read the certificates again."""


class _HttpClient(httpx2.AsyncClient):
    """What the SDK asks of its HTTP client, over our connections."""

    def __init__(self, connections: Connections, timeout: float) -> None:
        super().__init__(transport=_NoTransport(), trust_env=False)
        self._connections = connections
        self._patience = Patience(timeout, timeout, _MAX_ANSWER_BYTES)

    async def request(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, method: str, url: str, *, content: bytes, headers: Mapping[str, str], **_: object
    ) -> httpx2.Response:
        answer = await self._connections.request(method, url, headers, content, self._patience)
        if answer.status != 200:
            raise NoTurn(answer.status, answer.headers, parsed_json(answer.body))
        # It is UTF-8, whatever its charset says.
        return httpx2.Response(200, content=answer.body, default_encoding="utf-8-sig")


class GeminiModel:
    """Gemini, by API key or by Vertex AI. The client is made on first use, inside the event loop that uses it."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._client: Client | None = None  # referenced as long as it is used: its finalizer closes it
        self._connections = Connections()

    async def generate(self, turns: Sequence[Turn], tools: Sequence[ToolDeclaration], system: str) -> ModelTurn:
        """See the port. One request: who waits for a model that is down, and how long, is the run's to decide."""
        started = time.monotonic()
        request = {"contents": contents(turns), **_constant(tools, system, self._settings.thinking)}
        try:
            async with asyncio.timeout(self._settings.timeout):
                api = cast("Any", self._opened())._api_client
                path = f"{model_path(api, self._settings.model)}:generateContent"
                response = await api.async_request("POST", path, request)
            return model_turn(answered(response.body), round((time.monotonic() - started) * 1000))
        except DmAgentError:
            raise
        except Exception as error:  # the port's promise, whatever the SDK makes of an odd body or a missing credential
            raise model_error(error, system_clock()) from None  # its text may quote a DM or the key

    async def close(self) -> None:
        """Release connections."""
        self._client = None
        await self._connections.close()

    def _opened(self) -> Client:
        if self._client is None:
            settings = self._settings
            options = types.HttpOptions(
                base_url=settings.base_url,
                api_version=None if settings.vertex else "v1beta",
                timeout=round(settings.timeout * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_async_client=_HttpClient(self._connections, settings.timeout),
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


def _constant(tools: Sequence[ToolDeclaration], system: str, thinking: str) -> dict[str, Json | list[Json]]:
    """What is the same in every request of a run. Temperature, and thinking where no level is configured, stay the
    model's own: its makers tune them per model, and not every model takes them."""
    generation: dict[str, object] = {"maxOutputTokens": MAX_OUTPUT_TOKENS}
    if thinking:
        generation["thinkingConfig"] = {"thinking_level": thinking.upper()}
    said: dict[str, Json | list[Json]] = {"generationConfig": generation}
    if system:
        said["systemInstruction"] = {"parts": [{"text": system}], "role": "user"}
    if tools:
        said["tools"] = [{"functionDeclarations": declarations(tools)}]
        said["toolConfig"] = {"functionCallingConfig": {"mode": "AUTO"}}
    return said
