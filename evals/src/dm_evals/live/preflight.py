"""Before the first trial: is the key accepted, is there such a model, can the judge be used? One call each."""

from collections.abc import Iterable
from typing import Final

from dm_evals.live.upstream import Answer, Upstream
from dm_evals.reading import Unusable

PATIENCE: Final = 90.0
"""Seconds that a model which is busy just now is waited for."""
_QUESTION: Final = {
    "contents": [{"role": "user", "parts": [{"text": "Is anybody there? Answer with one word."}]}],
    "generationConfig": {"maxOutputTokens": 256},
}


async def preflight(upstream: Upstream, models: Iterable[str], api_key: str) -> None:
    """Ask each model one thing. Raises Unusable."""
    for model in dict.fromkeys(models):
        answer = await upstream.ask(
            f"/v1beta/models/{model}:generateContent", _QUESTION, {"x-goog-api-key": api_key}, PATIENCE
        )
        if answer.status != 200:
            raise Unusable(" ".join((upstream.stopped or _why(model, answer)).split()))


def _why(model: str, answer: Answer) -> str:
    said = answer.told
    if answer.status in (401, 403) or (answer.status == 400 and "key" in said.lower()):
        return f"GEMINI_API_KEY is not accepted: {said} Set a key of https://aistudio.google.com/apikey"
    if answer.status == 404:
        return f"there is no model {model} for this key: {said} Name another with MODEL="
    return f"the model {model} gives no answer: {answer.trouble}"
