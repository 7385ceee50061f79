"""Records: the trial is played against a real model, and what it answers is kept as the recording.

    core ─▶ this server ─▶ Gemini (or any ``base_url`` in its shape)
              keeps: the request's digests, the body of the answer, model version, date, latency, usage
              never keeps: key, host, headers

A busy model (429, 503 …) is asked again, since production would wait with the whole thread; another refusal is passed
on as it is. Only the answer counts.
Vertex AI is not recorded from: it has no key in a header.
"""

import asyncio
from dataclasses import replace
from time import monotonic
from typing import Final

import httpx2

from dm_evals.replay.digests import without_canary
from dm_evals.replay.recordings import RecordedTurn, today
from dm_evals.replay.replay_server import Asked, RecordingServer, refusal
from dm_sandbox.platforms.server import Reply, as_object

GEMINI: Final = "https://generativelanguage.googleapis.com"
TIMEOUT: Final = 120.0
"""Seconds for one answer of the model; the client behind has its own, shorter one."""
AGAIN_AFTER: Final = (1.0, 4.0, 16.0)
"""Seconds before a busy model is asked again, try by try."""
_BUSY: Final = frozenset((429, 500, 502, 503, 504))


class Recorder(RecordingServer):
    """Passes a trial's turns on to ``base_url`` and keeps them. ``origin`` of its ``calls`` is ``live``: they are made
    now."""

    def __init__(self, scenario: str, trial: int, *, api_key: str, base_url: str = GEMINI) -> None:
        super().__init__(scenario, trial)
        self._key, self._target = api_key, base_url.rstrip("/")
        self._client: httpx2.AsyncClient

    async def start(self) -> None:
        self._client = httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False)
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await self._client.aclose()

    async def answer(self, asked: Asked) -> Reply | None:
        started = monotonic()
        try:
            answer = await self._asked(asked)
            for wait in AGAIN_AFTER:
                if answer.status_code not in _BUSY:
                    break
                await asyncio.sleep(wait)
                answer = await self._asked(asked)
            body: object = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            return refusal(f"the model could not be reached ({type(error).__name__})", 503, "UNAVAILABLE")
        if answer.status_code != 200:
            return Reply(body, answer.status_code)
        fields = as_object(without_canary(body, self.prompt))
        made = RecordedTurn(
            scenario=self.scenario,
            trial=self.trial,
            turn=asked.turn,
            origin="recorded",
            model=str(fields.get("modelVersion") or asked.request.digests.model),
            date=today(),
            latency_ms=round((monotonic() - started) * 1000),
            usage=as_object(fields.get("usageMetadata")) or None,
            request=asked.request,
            response=fields,
        )
        reply = self.keep(made)
        self.calls[-1] = replace(self.calls[-1], origin="live")
        return reply

    async def _asked(self, asked: Asked) -> httpx2.Response:
        path, headers = asked.call.path, {"x-goog-api-key": self._key}
        return await self._client.post(self._target + path, json=asked.call.body, headers=headers)
