"""Gemini as the judge, over google-genai: structured output, three votes, no answer where there is none.

A response that can't be parsed leaves ``parsed`` None without an error, as does a blocked one: that is a vote ``none``,
never a no. Synchronous: call it off the event loop.
"""

from types import TracebackType
from typing import Final, Self

import httpx2
from google.genai import Client, errors, types
from google.genai.client import DebugConfig
from pydantic import BaseModel

from dm_evals.judge.judge import INSTRUCTIONS, VOTES, Ruling, Vote

TIMEOUT_SECONDS: Final = 60.0
_RETRIED: Final = [408, 429, 500, 502, 503, 504]


class Answer(BaseModel):
    """What the judge is asked to fill in; the reason first, so that it is thought before the verdict."""

    reason: str
    holds: bool


class GeminiJudge:
    """One judge model. Nothing is taken from the environment; ``base_url`` None is Google's."""

    def __init__(self, model: str, api_key: str, base_url: str | None = None, *, attempts: int = 3) -> None:
        self.model = model
        self._http = httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._client = Client(
            vertexai=False,
            api_key=api_key,
            debug_config=DebugConfig(client_mode=None),
            http_options=types.HttpOptions(
                base_url=base_url,
                api_version="v1beta",
                timeout=round(TIMEOUT_SECONDS * 1000),
                retry_options=types.HttpRetryOptions(
                    attempts=attempts, initial_delay=0.5, max_delay=8, http_status_codes=_RETRIED
                ),
                httpx_client=self._http,
            ),
        )

    def rule(self, item: str, text: str) -> Ruling:
        """Two votes; the third only where it can still decide. Raises nothing: trouble is a vote ``none``."""
        votes: list[Vote] = []
        reasons: list[str] = []
        while len(votes) < VOTES and max(votes.count("yes"), votes.count("no")) <= VOTES // 2:
            vote, reason = self._vote(item, text)
            votes.append(vote)
            reasons.append(reason)
        winner: Vote = "yes" if votes.count("yes") > votes.count("no") else "no"
        decided = max(votes.count("yes"), votes.count("no")) > VOTES // 2
        why = reasons[votes.index(winner)] if decided else "; ".join(dict.fromkeys(filter(None, reasons)))
        return Ruling(tuple(votes), why)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _vote(self, item: str, text: str) -> tuple[Vote, str]:
        asked = f"<text>\n{text}\n</text>\n\n<statement>\n{item}\n</statement>"
        try:
            response = self._client.models.generate_content(
                model=self.model,
                contents=asked,
                config=types.GenerateContentConfig(
                    system_instruction=INSTRUCTIONS,
                    response_mime_type="application/json",
                    response_schema=Answer,
                    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
                    automatic_continuation=False,
                ),
            )
        except errors.APIError as error:
            return "none", f"the judge answered {error.code} {error.status or ''}".strip()
        except httpx2.HTTPError as error:
            return "none", f"the judge could not be reached: {type(error).__name__}"
        if not isinstance(response.parsed, Answer):
            return "none", "the judge gave no answer that can be read"
        return ("yes" if response.parsed.holds else "no"), response.parsed.reason
