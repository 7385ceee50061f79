"""One JSON answer of a Gemini model, for who judges and who plays a person; the agent has a client of its own.

A response that can't be parsed leaves ``parsed`` None without an error, as does a blocked one: that is no answer.
"""

from collections.abc import Callable
from threading import Lock
from time import monotonic, sleep
from types import TracebackType
from typing import Final, Self, cast

import httpx2
from google.genai import Client, errors, types
from google.genai.client import DebugConfig

from dm_core.agent.gemini_waits import body_wait
from dm_evals.observation import ModelCall

TIMEOUT_SECONDS: Final = 120.0
LONGEST_WAIT: Final = 65.0
"""Seconds that are waited at most where the server says when to come again."""
_RETRIED: Final = (408, 429, 500, 502, 503, 504)


class NoAnswer(Exception):
    """The model gave no answer that can be used; the message says why, and never a key."""


class AskedGemini:
    """One model. Nothing is taken from the environment; ``base_url`` None is Google's. Synchronous.

    ``timeout`` in seconds for one answer. ``before`` is called before each request, for whoever paces them;
    ``calls`` are the requests that were answered.
    """

    def __init__(
        self,
        model: str,
        api_key: str,
        base_url: str | None = None,
        *,
        attempts: int = 4,
        before: Callable[[], None] = lambda: None,
        wait: Callable[[float], None] = sleep,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.model, self.calls = model, list[ModelCall]()
        self._attempts, self._before, self._wait, self._lock = attempts, before, wait, Lock()
        self._http = httpx2.Client(timeout=timeout, trust_env=False)
        options = types.HttpOptions(
            base_url=base_url, api_version="v1beta", timeout=round(timeout * 1000), httpx_client=self._http
        )
        debug = DebugConfig(client_mode=None)
        self._client = Client(vertexai=False, api_key=api_key, debug_config=debug, http_options=options)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ask[T](self, instructions: str, text: str, form: type[T]) -> T:
        """The answer in this form. While the server is busy it is asked again, after the time it names. NoAnswer."""
        for attempt in range(1, self._attempts + 1):
            try:
                return self._asked(instructions, text, form)
            except errors.APIError as error:
                told: object = getattr(error, "details", None)
                pause = max(body_wait(told) or 0.0, 0.5 * 2**attempt)
                if error.code not in _RETRIED or pause > LONGEST_WAIT or attempt == self._attempts:
                    raise NoAnswer(f"{self.model} answered {error.code} {error.status or ''}".strip()) from None
            except httpx2.HTTPError as error:
                pause = 0.5 * 2**attempt
                if attempt == self._attempts:
                    raise NoAnswer(f"{self.model} could not be reached: {type(error).__name__}") from None
            except ValueError:  # an answer in another shape than the library knows
                raise NoAnswer(f"{self.model} gave no answer that can be read") from None
            self._wait(pause)
        raise NoAnswer(f"{self.model} was not asked")

    def _asked[T](self, instructions: str, text: str, form: type[T]) -> T:
        self._before()
        begun = monotonic()
        response = self._client.models.generate_content(
            model=self.model,
            contents=text,
            config=types.GenerateContentConfig(
                system_instruction=instructions,
                response_mime_type="application/json",
                response_schema=form,
                automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
                automatic_continuation=False,
            ),
        )
        used = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
        out = [each for each in (used.candidates_token_count, used.thoughts_token_count) if each is not None]
        took = round((monotonic() - begun) * 1000)
        name = response.model_version or self.model
        with self._lock:
            tokens = used.prompt_token_count, sum(out) if out else None
            self.calls.append(ModelCall(len(self.calls) + 1, "live", name, *tokens, took))
        if response.parsed is None:
            raise NoAnswer(f"{self.model} gave no answer that can be read")
        return cast("T", response.parsed)
