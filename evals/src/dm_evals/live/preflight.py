"""Before the first trial: is the key accepted, is there such a model, can the judge be used? One call each."""

from collections.abc import Iterable
from typing import Final

from dm_evals.live.upstream import Upstream
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
            why = upstream.stopped or f"the model {model} gives no answer: {answer.trouble}"
            raise Unusable(" ".join(why.split()))
