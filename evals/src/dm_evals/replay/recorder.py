"""Records: the trial is played against a real model, and what it answers is kept as the recording.

    core ─▶ this server ─▶ upstream ─▶ Gemini (or any server in its shape)
              keeps: the request's digests, the body of the answer, model version, date, latency, usage
              never keeps: key, host, headers

A busy model is waited for upstream, since production would wait with the whole thread; another refusal is passed on as
it is. Only the answer counts. Vertex AI is not recorded from: it has no key in a header.
"""

from dataclasses import replace

from dm_evals.live.upstream import Upstream
from dm_evals.replay.digests import without_canary
from dm_evals.replay.recordings import RecordedTurn, today
from dm_evals.replay.replay_server import Asked, RecordingServer
from dm_sandbox.platforms.server import Reply, as_object


class Recorder(RecordingServer):
    """Passes a trial's turns on and keeps them. ``origin`` of its ``calls`` is ``live``: they are made now."""

    def __init__(self, scenario: str, trial: int, upstream: Upstream, api_key: str) -> None:
        super().__init__(scenario, trial)
        self._upstream, self._key = upstream, api_key

    async def answer(self, asked: Asked) -> Reply | None:
        answer = await self._upstream.ask(asked.call.path, asked.call.body, {"x-goog-api-key": self._key})
        if answer.status != 200:
            return Reply(answer.body, answer.status)
        fields = as_object(without_canary(answer.body, self.prompt))
        made = RecordedTurn(
            scenario=self.scenario,
            trial=self.trial,
            turn=asked.turn,
            origin="recorded",
            model=str(fields.get("modelVersion") or asked.request.digests.model),
            date=today(),
            latency_ms=answer.latency_ms,
            usage=as_object(fields.get("usageMetadata")) or None,
            request=asked.request,
            response=fields,
        )
        reply = self.keep(made)
        self.calls[-1] = replace(self.calls[-1], origin="live")
        return reply
