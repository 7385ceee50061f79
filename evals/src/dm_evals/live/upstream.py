"""The one way to a real model, for trials, recordings, the judge and users: paced, tried again, counted, paid.

    trials' gateways ─┐
    the judge ────────┼──▶ Upstream ── turn of the model's lane ─▶ budget? ─▶ Gemini, or any server in its shape
    preflight ────────┘       ▲                                                  │
                              └── 408, 429, 5xx, no or no readable answer ◀──────┘  waited out, for ``patience``

What is not answered in the end is answered as 503 with why. Once the budget or a day's quota is used up, the key or the
model is refused, or a model was silent for ``SILENCE``, everything is answered as 402. Neither is the agent's doing.
"""

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from types import TracebackType
from typing import Final, Self

import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dm_core.agent.gemini_waits import body_wait
from dm_core.clients.http_response import told_wait
from dm_core.clock import system_clock
from dm_evals.asking import AskedGemini
from dm_evals.checks.pricing import price
from dm_evals.live.limits import Budget, Lane, is_for_today
from dm_evals.reading import Unusable
from dm_evals.replay.gateway import LATENCY
from dm_evals.replay.recordings import tokens
from dm_sandbox.platforms.local_server import LocalServer
from dm_sandbox.platforms.server import JSON_TYPE, as_object

GEMINI: Final = "https://generativelanguage.googleapis.com"
PATIENCE: Final = 300.0
"""Seconds from the first try of a call to its last; waits of the set rate come before it."""
TIMEOUT: Final = 90.0
"""Seconds for one try."""
SILENCE: Final = 600.0
"""Seconds without one answer of a model, after which the run ends; as long as ``patience`` where that is longer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a call is tried again: doubled with each try, unless the server names a longer wait."""
ASKERS: Final = ("judge", "user")
"""Who else asks than the agent: how their addresses begin (``/judge/v1beta/…``), so that the cost is told apart."""
PREFLIGHT_PATIENCE: Final = 90.0
"""Seconds that a model which is busy just now is waited for before the first trial."""
_QUESTION: Final = {
    "contents": [{"role": "user", "parts": [{"text": "Is anybody there? Answer with one word."}]}],
    "generationConfig": {"maxOutputTokens": 256},
}
_AGAIN: Final = frozenset((408, 429, 500, 502, 503, 504))
_PASSED_ON: Final = ("x-goog-api-key", "x-goog-api-client", "authorization")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or why there is none (a status of 503 or 402). ``wait``: the seconds that it
    asks to wait."""

    status: int
    body: Mapping[str, object]
    latency_ms: int = 0
    wait: float = 0.0

    @property
    def told(self) -> str:
        """The message of an error."""
        return str(as_object(self.body.get("error")).get("message") or "no message")

    @property
    def trouble(self) -> str:
        """Why it is no answer, in words."""
        return f"HTTP {self.status} {self.told}" if self.status else self.told


@dataclass(slots=True)
class Counts:
    """What was asked. ``spent`` in US dollars by who asked (the agent, or one of ``ASKERS``); ``unpriced``: calls
    without a known cost; ``troubles``: why calls were tried again."""

    calls: int = 0
    again: int = 0
    troubles: Counter[str] = field(default_factory=Counter[str])
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("agent", *ASKERS), 0.0))
    unpriced: int = 0


class Upstream:
    """``async with`` opens it. ``rate``: requests a minute to one model; None leaves it to the server to say."""

    def __init__(
        self,
        target: str,
        budget: Budget | None = None,
        rate: float | None = None,
        *,
        patience: float = PATIENCE,
        timeout: float = TIMEOUT,
    ) -> None:
        self.budget, self.counts = budget or Budget(), Counts()
        self.stopped: str | None = None
        """Why nothing more is asked; None as long as it is."""
        self._closed = False
        self.target, self._patience, self._timeout = target, patience, timeout
        interval = 60 / rate if rate else 0.0
        self._lanes: defaultdict[str, Lane] = defaultdict(lambda: Lane(interval))
        self._silent_since: dict[str, float] = {}
        """When each model that gives no answer was first asked in vain."""
        self._server = LocalServer(self._serve)
        self._jitter = random.Random(0)
        self._http: httpx2.AsyncClient

    @property
    def base_url(self) -> str:
        return self._server.base_url

    async def __aenter__(self) -> Self:
        secure = self.target.startswith("https:")
        self._http = httpx2.AsyncClient(verify=secure, timeout=self._timeout, trust_env=False)
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._closed = True
        await self._http.aclose()
        await self._server.stop()

    def asked[T: AskedGemini](self, kind: type[T], asker: str, model: str, key: str) -> T:
        """A model besides the agent's, as one of ``ASKERS``."""
        return kind(model, key, f"{self.base_url}/{asker}")

    async def preflight(self, models: Iterable[str], key: str) -> None:
        """Before the first trial: is the key accepted, is there such a model? One call each. Raises Unusable."""
        for model in dict.fromkeys(models):
            path, headers = f"/v1beta/models/{model}:generateContent", {"x-goog-api-key": key}
            answer = await self.ask(path, _QUESTION, headers, PREFLIGHT_PATIENCE)
            if answer.status != 200:
                why = self.stopped or f"the model {model} gives no answer: {answer.trouble}"
                raise Unusable(" ".join(why.split()))

    async def ask(self, path: str, body: object, headers: Mapping[str, str], patience: float | None = None) -> Answer:
        """The model server's answer to one call. Raises nothing for what a server does."""
        self.counts.calls += 1
        asker = next((each for each in ASKERS if path.startswith(f"/{each}/")), "agent")
        path, model = path.removeprefix(f"/{asker}"), path.rpartition("/")[2].partition(":")[0]
        lane, began, tried = self._lanes[model], None, 0
        while True:
            async with lane.place():
                began, tried = began if began is not None else monotonic(), tried + 1
                answer = await self._paid(asker, model, path, body, headers)
                wait = self._wait(model, answer, tried)
            if wait is None or self.stopped or self._closed:
                return replace(answer, status=answer.status or 503)
            if monotonic() - began + wait > (self._patience if patience is None else patience):
                return _none(503, f"after {tried} tries, the last: {answer.trouble}")
            self.counts.again += 1
            self.counts.troubles[f"HTTP {answer.status}" if answer.status else answer.told] += 1
            if answer.status != 429:
                await asyncio.sleep(wait)

    def _wait(self, model: str, answer: Answer, tried: int) -> float | None:
        """Seconds until it is tried again; None where it is not. A throttle holds the whole lane."""
        lane = self._lanes[model]
        if answer.status and answer.status not in _AGAIN:
            lane.free()
            self._silent_since.pop(model, None)
            self.stopped = self.stopped or _refusal(model, answer)
            return None
        silent = monotonic() - self._silent_since.setdefault(model, monotonic())
        if silent > max(SILENCE, self._patience):
            self.stopped = f"{model} gave no answer for {silent / 60:.0f} minutes, the last: {answer.trouble}"
            return None
        if answer.status == 429 and is_for_today(answer.body):
            self.stopped = f"the day's quota of the key is used up: {answer.told}"
            return None
        if answer.status == 429 and answer.wait > max(self._patience, PATIENCE):
            self.stopped = f"the model is not to be asked for {answer.wait / 60:.0f} minutes: {answer.told}"
            return None
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tried - 1)) * self._jitter.uniform(0.75, 1.25)
        wait = max(pause, answer.wait)
        if answer.status == 429:
            lane.held(wait)
        return wait

    async def _paid(self, asker: str, model: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """One try, if the budget allows it; what it cost is noted."""
        if self.stopped is None and not await self.budget.begin(self.budget.calls):
            self.stopped = self.budget.used_up
        if self.stopped is not None:
            return _none(402, self.stopped)
        cost = 0.0
        try:
            answer = await self._once(path, body, headers)
            if answer.status == 200:
                known = _cost(model, answer.body)
                cost = known or 0.0
                self.counts.spent[asker] += cost
                self.counts.unpriced += known is None
                if known is None and self.budget.usd is not None:
                    self.stopped = "the cost of a call is not known, so nothing more is asked under a budget"
            return answer
        finally:
            await self.budget.end(self.budget.calls, cost)

    async def _once(self, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """One try. Status 0: no answer that can be read."""
        began = monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._http.post(self.target.rstrip("/") + path, json=body, headers=dict(headers))
            read: object = answer.json()
        except TimeoutError:
            return _none(0, "no answer in time")
        except httpx2.HTTPError as error:
            return _none(0, type(error).__name__)
        except (ValueError, RuntimeError):  # no JSON, or the run is over and its client closed
            return _none(0, "an answer that is not JSON")
        body = as_object(read)
        if answer.status_code == 200 and read != body:
            return _none(0, "an answer that is not an object")
        header = {"retry-after": answer.headers.get("retry-after", "")}
        wait = 0.0 if answer.status_code == 200 else body_wait(body) or told_wait(header, system_clock()) or 0.0
        return Answer(answer.status_code, body, round((monotonic() - began) * 1000), wait=wait)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked: object = json.loads(await request.body() or b"null")
        headers = {name: value for name, value in request.headers.items() if name in _PASSED_ON}
        answer = await self.ask(request.url.path, asked, headers)
        told = {LATENCY: str(answer.latency_ms)}
        await Response(json.dumps(answer.body), answer.status, told, JSON_TYPE)(scope, receive, send)


def _refusal(model: str, answer: Answer) -> str | None:
    """Why no call will be answered, with this key and this model."""
    said = answer.told
    if answer.status in (401, 403) or (answer.status == 400 and "api key" in said.lower()):
        return f"GEMINI_API_KEY is not accepted: {said} Set a key of https://aistudio.google.com/apikey"
    if answer.status == 404:
        return f"there is no model {model} for this key: {said} Name another with MODEL="
    return None


def _none(status: int, why: str) -> Answer:
    return Answer(status, {"error": {"code": status, "message": why, "status": "UNAVAILABLE"}})


def _cost(model: str, body: Mapping[str, object]) -> float | None:
    used, answered = tokens(as_object(body.get("usageMetadata")))
    if used is None or answered is None:
        return None
    return price(str(body.get("modelVersion") or model), used, answered)
