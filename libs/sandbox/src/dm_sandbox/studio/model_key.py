"""Whether a key opens the real Gemini, asked once at the start."""

from collections.abc import Mapping
from typing import Final

import httpx

from dm_core.settings import table

GEMINI: Final = "https://generativelanguage.googleapis.com"
LOOK_SECONDS: Final = 10.0


async def problem_of_key(env: Mapping[str, str]) -> str | None:
    """What is wrong with ``GEMINI_API_KEY`` and ``GEMINI_MODEL``, in one line without the key; None if nothing is."""
    model = env.get(table.GEMINI_MODEL.name) or table.GEMINI_MODEL.default
    base = (env.get(table.GOOGLE_GEMINI_BASE_URL.name) or GEMINI).rstrip("/")
    key = env.get(table.GEMINI_API_KEY.name, "").strip()
    try:
        async with httpx.AsyncClient(timeout=LOOK_SECONDS) as client:
            answer = await client.get(f"{base}/v1beta/models/{model}", headers={"x-goog-api-key": key})
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
        return f"Gemini can't be reached ({type(error).__name__}); without GEMINI_API_KEY a scripted model answers"
    match answer.status_code:
        case 200:
            return None
        case 404:
            return f"GEMINI_MODEL: Gemini knows no model {model!r}"
        case 400 | 401 | 403:
            return f"GEMINI_API_KEY is not accepted by Gemini ({answer.status_code}): check it, or unset it"
        case status:
            return f"Gemini answers {status} when asked for {model!r}: try again, or unset GEMINI_API_KEY"
