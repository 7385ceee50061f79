"""The processor's bytes: any request, while a thread waits that only its own name may wake."""

import json
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final, Self

from hypothesis import strategies as st

from dm_core.http import Request, Response
from dm_core.processing.app import ProcessorApp
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.inputs import changed, changed_bytes, written
from dm_sandbox.fuzzing.seeds import ACCOUNT
from dm_sandbox.fuzzing.stage import Stage

WAITING: Final = f"{ACCOUNT}_7777"
KNOWN: Final = frozenset({"ignored", "nothing_to_do"})
_NAME: Final = re.compile(r"[0-9A-Za-z.-]{1,128}_[0-9A-Za-z._-]{1,128}")


class ProcessorTarget:
    """``POST /`` and a few other paths, on a store with one waiting DM and clients that reach nobody."""

    name = "processor"

    def __init__(self) -> None:
        self.deep = False
        names = (f"{ACCOUNT}_9001", f"{WAITING}\n", f" {WAITING}", f"{WAITING}/", f"{ACCOUNT}__7777", "_", "a_b")
        tasks: list[object] = [{"threadId": name} for name in names]
        self._tasks: Sequence[object] = (*tasks, {}, [], "x", {"threadId": None}, {"threadId": [WAITING]})
        self.seeds: Sequence[bytes] = tuple(json.dumps(body).encode() for body in self._tasks)
        self._stack = AsyncExitStack()
        self._app: ProcessorApp

    async def __aenter__(self) -> Self:
        stage = await self._stack.enter_async_context(Stage(lambda _: b""))
        await stage.says("7777", "hello")
        self.stage = stage
        self._app = stage.instance()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def inputs(self) -> st.SearchStrategy[bytes]:
        """Tasks that may name a thread, and bytes."""
        names = st.integers(0, 99).map(lambda number: {"threadId": f"{ACCOUNT}_{number}"})
        return st.one_of(changed(self._tasks, names).map(written), changed_bytes(self.seeds))

    async def check(self, data: bytes) -> str:
        """A known answer; ignored exactly when it names no thread; the waiting thread is left alone."""
        named = _named(data)
        if named == WAITING:
            return "the waiting thread itself"
        answer = await self._app.handle(Request("POST", "/", headers={"x-cloudtasks-taskname": "t"}, body=data))
        status = _status(answer)
        if status not in KNOWN or (status == "ignored") != (named is None):
            raise Broken(f"a task that names {'a' if named else 'no'} thread was answered {status}")
        thread = self.stage.store.database.threads[WAITING]
        if thread.lease is not None or thread.pending_count != 1 or self.stage.asked:
            raise Broken("a thread was claimed that the task did not name")
        return status


def _named(data: bytes) -> str | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    name = value.get("threadId") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def _status(answer: Response) -> str:
    if answer.status != 200:
        raise Broken(f"a task was answered {answer.status}")
    return str(json.loads(answer.body)["status"])
