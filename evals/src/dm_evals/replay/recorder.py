"""Records: the trial is played against a real model, and what it answers is kept as the recording.

    core ─▶ this server ─▶ Gemini (or any ``base_url`` in its shape)
              keeps: the request's digests, the body of the answer, model version, date, latency, usage
              never keeps: key, host, headers

A busy model (429, 503 …) is asked again, since production would wait with the whole thread; another refusal is passed
on as it is. Only the answer counts.
Vertex AI is not recorded from: it has no key in a header.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

import httpx2

from dm_evals.observation import ModelCall
from dm_evals.replay.digests import Prompt, without_canary
from dm_evals.replay.recordings import RecordedTurn, Recording
from dm_evals.replay.replay_server import Asked, ModelServer, OnTurn, nothing, tokens
from dm_sandbox.platforms.server import Reply, as_object

GEMINI: Final = "https://generativelanguage.googleapis.com"
TIMEOUT: Final = 120.0
"""Seconds for one answer of the model; the client behind has its own, shorter one."""
AGAIN_AFTER: Final = (1.0, 4.0, 16.0)
"""Seconds before a busy model is asked again, try by try."""
_BUSY: Final = frozenset((429, 500, 502, 503, 504))


class Recorder(ModelServer):
    """Passes a trial's turns on to ``base_url`` and keeps them; ``recording`` is what was kept.

    ``origin`` of its ``calls`` is ``live``: they are made now. ``timer`` is in seconds.
    """

    def __init__(
        self,
        scenario: str,
        trial: int,
        *,
        date: str,
        api_key: str,
        base_url: str = GEMINI,
        prompt: Prompt | None = None,
        on_turn: OnTurn = nothing,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(on_turn, prompt)
        self._scenario, self._trial, self._date = scenario, trial, date
        self._key, self._target, self._timer = api_key, base_url.rstrip("/"), timer
        self._kept: list[RecordedTurn] = []
        self._client: httpx2.AsyncClient | None = None

    @property
    def recording(self) -> Recording:
        return Recording(self._scenario, self._trial, tuple(self._kept))

    async def answer(self, asked: Asked) -> Reply | None:
        started = self._timer()
        try:
            answer = await self._asked(asked)
            for wait in AGAIN_AFTER:
                if answer.status_code not in _BUSY:
                    break
                await asyncio.sleep(wait)
                answer = await self._asked(asked)
            body: object = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            return Reply(_unreachable(type(error).__name__), 503)
        if answer.status_code != 200:
            return Reply(body, answer.status_code)
        fields = as_object(body)
        latency = round((self._timer() - started) * 1000)
        self._keep(asked, fields, latency)
        await self.on_turn(asked.turn)
        return Reply(fields)

    async def _asked(self, asked: Asked) -> httpx2.Response:
        path, headers = asked.call.path, {"x-goog-api-key": self._key}
        return await self._opened().post(self._target + path, json=asked.call.body, headers=headers)

    async def stop(self) -> None:
        await super().stop()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False)
        return self._client

    def _keep(self, asked: Asked, body: Mapping[str, object], latency: int) -> None:
        usage = as_object(body.get("usageMetadata")) or None
        model = str(body.get("modelVersion") or asked.request.digests.model)
        self._kept.append(
            RecordedTurn(
                scenario=self._scenario,
                trial=self._trial,
                turn=asked.turn,
                origin="recorded",
                model=model,
                date=self._date,
                latency_ms=latency,
                usage=usage,
                request=asked.request,
                response=as_object(without_canary(body, self.prompt)),
            )
        )
        used, answered = tokens(usage)
        self.calls.append(ModelCall(asked.turn, "live", model, used, answered, latency))


def _unreachable(why: str) -> dict[str, object]:
    return {"error": {"code": 503, "message": f"the model could not be reached ({why})", "status": "UNAVAILABLE"}}
