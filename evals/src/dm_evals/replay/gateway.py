"""Between the model's client and the model server: counts turns, lets the scheduler in, adds Gemini's faults.

    google-genai ──▶ gateway: fault? ─▶ turn n is being asked: events of ``during: n`` ─▶ model server ─▶ answer

The model server is a recording's, the sandbox's, or the real Gemini; the gateway passes bodies on as they are. A fault
of the scenario never reaches the model server: the turn that is asked again is the same turn. What a real model server
does wrong never reaches the run either: it was waited out before (``live/upstream.py``), or it ends the trial.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx

from dm_evals.replay.platforms import InScenarioTime
from dm_evals.replay.replay_server import refusal
from dm_evals.scenarios.clock import ScenarioClock
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.platforms.server import Call, Reply, as_object

OnTurn = Callable[[int], Awaitable[None]]
"""Called with the number of a turn (from 1, over the whole trial) while it is being asked, before it is answered."""

LATENCY: Final = "x-dm-evals-latency-ms"
"""Header of an answer that waited for its turn: the milliseconds without the waiting."""
LONGEST: Final = 600.0
"""Seconds for one answer, its waiting included."""
_PASSED_ON = ("x-goog-api-key", "x-goog-api-client", "authorization", "x-server-timeout")


@dataclass(frozen=True, slots=True)
class Turn:
    """One answered model turn. ``at`` by the scenario's clock; ``latency_ms`` in real time."""

    number: int
    at: int
    model: str
    request: Mapping[str, object]
    answer: Mapping[str, object]
    latency_ms: int


class Gateway(InScenarioTime, Gemini):
    """One serves many trials, one after the other: ``begin`` starts the next.

    ``failure`` is why the model server gave no answer to the turn that was asked last; None when it did.
    """

    def __init__(self) -> None:
        super().__init__(clock=ScenarioClock(0))
        self.turns: list[Turn] = []
        self.failure: str | None = None
        self._target = ""
        self._on_turn: OnTurn
        self._under_way: set[asyncio.Task[httpx.Response]] = set()
        self._clients: dict[bool, httpx.AsyncClient] = {}

    def begin(self, target: str, clock: ScenarioClock, on_turn: OnTurn) -> None:
        """The next trial: nothing of the last one is left."""
        self._drop_requests()
        self._target, self._on_turn = target.rstrip("/"), on_turn
        self.clock, self.turns, self.failure = clock, [], None
        self.records.clear()
        self.faults.clear()

    async def process(self, operation: str, call: Call) -> Reply:  # noqa: ARG002 - one operation there is
        number, begun = len(self.turns) + 1, monotonic()
        try:
            await self._on_turn(number)
        except Exception as error:  # a defect of the scenario or of ours, told by the scheduler after the task
            return self._failed(number, f"{error or type(error).__name__}", 400)
        status = 503
        try:
            answer = await self._forward(call)
            status = answer.status_code
            body: object = answer.json()
        except asyncio.CancelledError:
            return Reply({}, 503)  # the trial that asked is over
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failed(number, f"{type(error).__name__} at the model server", status)
        except ValueError:
            return self._failed(number, f"HTTP {status}, which is not JSON", status)
        if answer.status_code != 200:
            told = as_object(as_object(body).get("error")).get("message", "")
            self.failure = f"turn {number} was not answered: HTTP {answer.status_code} {told}".strip()
            return Reply(body, answer.status_code)
        self.failure = None
        self.clock.tick()
        model = str(as_object(body).get("modelVersion") or call.path.rpartition("/")[2].partition(":")[0])
        latency = int(answer.headers.get(LATENCY) or (monotonic() - begun) * 1000)
        self.turns.append(Turn(number, self.clock(), model, call.fields, as_object(body), latency))
        return Reply(body)

    async def stop(self) -> None:
        self._drop_requests()
        await super().stop()
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _forward(self, call: Call) -> httpx.Response:
        """The model server's answer. Cancelled when its trial is over: a late answer belongs to nobody."""
        request = self._client().request(
            call.method,
            self._target + call.path,
            params=dict(call.query) or None,
            json=call.body,
            headers={name: value for name, value in call.headers.items() if name in _PASSED_ON},
        )
        task = asyncio.create_task(request)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await task

    def _drop_requests(self) -> None:
        for task in self._under_way:
            task.cancel()

    def _failed(self, number: int, why: str, status: int) -> Reply:
        self.failure = f"turn {number} was not answered: {why}"
        return refusal(why, status if status >= 400 else 502, "UNAVAILABLE")

    def _client(self) -> httpx.AsyncClient:
        """Certificates are read (0.1 s) only where they are needed."""
        secure = self._target.startswith("https:")
        if secure not in self._clients:
            self._clients[secure] = httpx.AsyncClient(verify=secure, timeout=LONGEST, trust_env=False)
        return self._clients[secure]
