"""Every answer a model could give, through the real adapter, the planner and a whole run.

An input is the HTTP status on its first line and the body after it; the model gives the same answer each time it is
asked, so that whatever it can repeat, it repeats.
"""

import json
import zlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final, Self

from hypothesis import strategies as st

from dm_core.agent.agent import Agent, Situation, TurnPlan
from dm_core.agent.gemini import GeminiModel
from dm_core.agent.gemini_turns import MAX_CONTENT_BYTES
from dm_core.agent.reading import read_turn
from dm_core.agent.tools.registry import DECLARATIONS
from dm_core.errors import AccountStopped, ModelRefused, ModelUnavailable
from dm_core.runs import Finish, ModelTurn, Run, UserTurn
from dm_core.settings import ProcessorSettings
from dm_core.threads import Thread
from dm_sandbox.fuzzing.answers import (
    ATTEMPTS,
    TURNS,
    WAITS,
    check_conversation,
    check_outside,
    check_words,
    operation,
    proper,
    run_to_the_end,
)
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.inputs import changed, changed_bytes, written
from dm_sandbox.fuzzing.seeds import ACCOUNT, MODEL_ANSWERS, ODD_ANSWERS, PERSON, parts_of
from dm_sandbox.fuzzing.stage import Stage
from dm_sandbox.fuzzing.wire import Asked, answered
from dm_sandbox.platforms.server import as_object

_PARTS: Final = [part for answer in (*MODEL_ANSWERS[:10], *ODD_ANSWERS) for part in parts_of(answer)]
_STATUSES: Final = [b"200"] * 40 + b"201 204 301 400 403 404 429 500".split()
EVERY: Final = 8
"""One input in so many is answered to a whole run; all of them to the adapter and the planner."""


class ModelTarget:
    """A stage whose model says the input."""

    name = "model"

    def __init__(self) -> None:
        self.deep = False
        self.seeds: Sequence[bytes] = tuple(b"200\n" + json.dumps(body).encode() for body in MODEL_ANSWERS)
        self._stack = AsyncExitStack()
        self._said = b""
        self._calls = 0

    async def __aenter__(self) -> Self:
        self.stage = await self._stack.enter_async_context(Stage(self._answer))
        self._model = GeminiModel(ProcessorSettings.load(self.stage.env).model)
        self._stack.push_async_callback(self._model.close)
        self._agent: Agent = self.stage.instance().processor.runtime.agent
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _answer(self, asked: Asked) -> bytes:
        if operation(asked) != "model":
            return proper(asked)
        self._calls += 1
        status, _, body = self._said.partition(b"\n")
        return answered(body, f"{status.decode('latin-1') or 200} X")

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """Answers with parts of other answers in them, and bytes."""
        body = changed(MODEL_ANSWERS, st.sampled_from(_PARTS)).map(written)
        bodies = st.one_of(body, body, body, changed_bytes([written(answer) for answer in MODEL_ANSWERS]))
        return st.tuples(st.sampled_from(_STATUSES), bodies.map(lambda body: body[:300_000])).map(b"\n".join)

    async def check(self, data: bytes) -> str:
        """A turn or an error of the port's; a plan that settles every call once; a run that ends within its limits."""
        status = data.partition(b"\n")[0]
        if not (status.isascii() and status.isdigit() and len(status) == 3 and status >= b"200"):
            return "no HTTP"
        self._said = data
        word = await self._turn()
        if self.deep or data in self.seeds or zlib.crc32(data) % EVERY == 0:
            word = await self._whole_run()
        return word

    async def _turn(self) -> str:
        try:
            turn = await self._model.generate((UserTurn("hello"),), DECLARATIONS, "system")
        except (ModelUnavailable, ModelRefused, AccountStopped) as error:
            if self.stage.env["GEMINI_API_KEY"] in str(error) or len(str(error)) > 400:
                raise Broken("an error quotes too much") from error
            return type(error).__name__
        if len(turn.content.encode()) > MAX_CONTENT_BYTES:
            raise Broken("a turn of unbounded size was kept")
        if turn.finish is Finish.COMPLETE:
            self._check_plan(turn)
        return turn.finish

    def _check_plan(self, turn: ModelTurn) -> None:
        run = Run("r", "t", 1, (), "h", handles={"m1": "aWdA1"})
        situation = Situation(Thread(f"{ACCOUNT}_{PERSON}", ACCOUNT, PERSON), run, self.stage.clock(), ())
        plan = self._agent.plan(situation, turn)
        if plan != self._agent.plan(situation, turn) or read_turn(run, turn) != read_turn(run, turn):
            raise Broken("the same turn was planned in two ways")
        if sorted(_settled(plan)) != list(range(max(1, len(turn.calls)))):
            raise Broken("a call was not settled exactly once")
        if len(plan.alerts) > 1:
            raise Broken("more alerts than a run may ask for")

    async def _whole_run(self) -> str:
        self.stage.forget()
        self._calls = 0
        word = await run_to_the_end(self.stage, PERSON)
        if self._calls > TURNS * ATTEMPTS + WAITS:
            raise Broken(f"{self._calls} calls of the model for one DM")
        check_outside(self.stage, PERSON, 1, ())
        check_words(self.stage)
        for asked in self.stage.asked:
            if operation(asked) == "model":
                check_conversation(as_object(json.loads(asked.body)))
        return f"run {word}"


def _settled(plan: TurnPlan) -> list[int]:
    """The calls a plan deals with; several actions of one call are one text in parts."""
    return [*plan.answered, *plan.data, *{action.call_index for action in plan.actions}]
