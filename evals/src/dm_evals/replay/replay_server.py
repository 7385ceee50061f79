"""A recording as a model server: Gemini's REST shape on a free port of this machine, answers by position and content.

    request of turn n ─▶ digests as recorded? ── yes ─▶ the recorded answer
                              └─ no: stale ─▶ by default an error that ends the trial; with ``allow_stale`` the
                                              recorded answer, and the turn is marked
    beyond the last turn ─▶ missing: an error that ends the trial
    turns nobody asked for ─▶ ``unused``

The error is one of the account (``FAILED_PRECONDITION``): the run does not ask again, tells nothing anew and counts no
attempt. It waits, and the scheduler ends the trial there. Once a trial ended, further requests get the same error.
A ``{{canary}}`` in a recorded answer is the prompt's canary of now.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dm_evals.observation import ModelCall, Observation, Stale
from dm_evals.replay.canonical import canonical, marks
from dm_evals.replay.digests import Prompt, TakenRequest, explain, own_prompt, take_request, with_canary
from dm_evals.replay.recordings import RecordedTurn, Recording
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.faults import Fault
from dm_sandbox.platforms.model_request import parts_of
from dm_sandbox.platforms.server import Call, Platform, Reply, as_list, as_object

Against = Callable[[Scenario, int, "ModelServer"], Awaitable[Observation]]
"""Plays a trial against a model server that is not started yet; the observation with what the server knows."""

_ADDRESS: Final = re.compile(r"/v1(?:beta|beta1)?/(?:.*/)?models/([^/:]+):generateContent")


@dataclass(frozen=True, slots=True)
class Asked:
    """The request of one turn, as it is compared and as it came."""

    turn: int
    request: TakenRequest
    call: Call


class ModelServer(Platform):
    """What stands in for Gemini in one trial. ``asked``: every turn that was asked for, in order."""

    name = "gemini"

    def __init__(self, prompt: Prompt | None = None) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.calls: list[ModelCall] = []
        self.stale: list[Stale] = []
        self.missing: list[int] = []
        self.ended: str | None = None
        """Why no further turn is answered; None while turns are."""
        self.prompt = prompt or own_prompt()
        """What the system text of the requests should be made of."""

    @property
    def unused(self) -> tuple[int, ...]:
        """Turns that are there and were not asked for."""
        return ()

    def operation(self, call: Call) -> str:
        return "generateContent" if call.method == "POST" and _ADDRESS.fullmatch(call.path) else "unknown"

    async def process(self, operation: str, call: Call) -> Reply:
        if operation != "generateContent":
            return refusal(f"{call.path} is not found", 404)
        if self.ended is None:
            address = call.path.removeprefix("/v1beta/models/").removesuffix(":generateContent")
            asked = Asked(len(self.calls) + 1, take_request(address, call.fields, self.prompt), call)
            self.asked.append(asked)
            reply = await self.answer(asked)
            if reply is not None:
                return replace(reply, body=with_canary(reply.body, self.prompt))
        return refusal(self.ended or "no answer")

    @abstractmethod
    async def answer(self, asked: Asked) -> Reply | None:
        """Answer a turn. None: there is no answer, and ``ended`` says why."""

    def error(self, fault: Fault) -> Reply:
        return refusal(fault.message or "The model is overloaded.", fault.status or 503, "UNAVAILABLE")


class RecordingServer(ModelServer):
    """Keeps its answers; ``recording`` is what was kept."""

    def __init__(self, scenario: str, trial: int, prompt: Prompt | None = None) -> None:
        super().__init__(prompt)
        self.scenario, self.trial = scenario, trial
        self._kept: list[RecordedTurn] = []

    @property
    def recording(self) -> Recording:
        return Recording(self.scenario, self.trial, tuple(self._kept))

    def keep(self, turn: RecordedTurn) -> Reply:
        """The answer of this turn."""
        self._kept.append(turn)
        self.calls.append(turn.call)
        return Reply(turn.response)


class ReplayServer(ModelServer):
    """Answers one trial from its recording; without one every turn is missing.

    ``facts``: those the scenario names; what the knowledge says of them must be what it said then.
    """

    def __init__(
        self,
        recording: Recording | None,
        allow_stale: bool = False,
        prompt: Prompt | None = None,
        facts: Collection[str] = (),
    ) -> None:
        super().__init__(prompt)
        self._turns = recording.turns if recording is not None else ()
        self._allow_stale, self._facts = allow_stale, facts

    @property
    def unused(self) -> tuple[int, ...]:
        return tuple(turn.turn for turn in self._turns[len(self.calls) :])

    async def answer(self, asked: Asked) -> Reply | None:
        number, request = asked.turn, asked.request
        if number > len(self._turns):
            self.missing.append(number)
            self.ended = f"turn {number} is not recorded (there are {len(self._turns)})"
            return None
        recorded = self._turns[number - 1]
        changed = request.changed_from(recorded.request, self._facts)
        if not changed and not self._returns_marks(asked):
            changed = ("signatures",)
        if changed:
            self.stale.append(Stale(number, changed, explain(changed, recorded.request, request)))
            if not self._allow_stale:
                self.ended = f"turn {number} is stale: changed {', '.join(changed)}"
                return None
        self.calls.append(recorded.call)
        return Reply(recorded.response)

    def _returns_marks(self, asked: Asked) -> bool:
        """Signatures of thoughts and ids of calls go back as recorded, and results under the ids of the calls.

        A turn of the model's that does not go back whole is not looked at.
        """
        answers = [content_of(turn.response) for turn in self._turns[: asked.turn - 1]]
        called: list[object] = []
        for content in map(as_object, as_list(asked.call.fields.get("contents"))):
            ids = [id_ for _, id_ in marks(content) if id_ is not None]
            if content.get("role") == "model":
                own = [marks(answer) for answer in answers if canonical(answer) == canonical(content)]
                if own and marks(content) not in own:
                    return False
                called = ids
            elif '"functionResponse"' in json.dumps(content) and ids != called:
                return False
        return True


def content_of(answer: Mapping[str, object]) -> Mapping[str, object]:
    """The content of an answer on the wire; empty where it has none."""
    candidates = as_list(answer.get("candidates"))
    return as_object(as_object(candidates[0] if candidates else None).get("content"))


def refusal(message: str, status: int = 400, word: str = "FAILED_PRECONDITION") -> Reply:
    """An error in Gemini's shape."""
    return Reply({"error": {"code": status, "message": message, "status": word}}, status)


def said_in(answer: Mapping[str, object]) -> tuple[tuple[tuple[str, Mapping[str, object]], ...], str]:
    """The calls and the text of an answer on the wire, without thoughts."""
    parts = parts_of(content_of(answer))
    calls = (as_object(part.get("functionCall")) for part in parts if "functionCall" in part)
    texts = (part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought"))
    return tuple((str(call.get("name", "")), as_object(call.get("args"))) for call in calls), "".join(map(str, texts))
