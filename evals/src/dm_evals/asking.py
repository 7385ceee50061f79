"""One JSON answer of a Gemini model, for who judges and who plays a person; the agent has a client of its own.

A response that can't be parsed leaves ``parsed`` None without an error, as does a blocked one: that is no answer.
"""

from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Final, Self, cast

import httpx2
from google.genai import Client, errors, types
from google.genai.client import DebugConfig

from dm_evals.observation import ModelCall

TIMEOUT: Final = 600.0
"""Seconds for one answer: whoever stands before the server waits and asks again meanwhile (``live.upstream``)."""


class NoAnswer(Exception):
    """The model gave no answer that can be used; the message says why, and never a key."""


class AskedGemini:
    """One model. Nothing is taken from the environment; ``base_url`` None is Google's. Synchronous.

    ``calls`` are the requests that were answered.
    """

    def __init__(self, model: str, api_key: str, base_url: str | None = None) -> None:
        self.model, self.calls = model, list[ModelCall]()
        self._lock, self._http = Lock(), httpx2.Client(timeout=TIMEOUT, trust_env=False)
        options = types.HttpOptions(
            base_url=base_url, api_version="v1beta", timeout=round(TIMEOUT * 1000), httpx_client=self._http
        )
        debug = DebugConfig(client_mode=None)
        self._client = Client(vertexai=False, api_key=api_key, debug_config=debug, http_options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def ask[T](self, instructions: str, text: str, form: type[T]) -> T:
        """The answer in this form. NoAnswer."""
        begun = monotonic()
        try:
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
        except errors.APIError as error:
            raise NoAnswer(f"{self.model} answered {error.code} {error.status or ''}".strip()) from None
        except httpx2.HTTPError as error:
            raise NoAnswer(f"{self.model} could not be reached: {type(error).__name__}") from None
        except ValueError:  # an answer in another shape than the library knows
            raise NoAnswer(f"{self.model} gave no answer that can be read") from None
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
