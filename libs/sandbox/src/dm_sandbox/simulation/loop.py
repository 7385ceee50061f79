"""An asyncio event loop in virtual time: when nothing is left to do now, the clock jumps to the next timer.

``asyncio.sleep``, ``timeout`` and everything else on it work unchanged, and an hour costs what happens in it.
There is no I/O: what waits for nothing but I/O waits for ever, and that is told as ``Stalled``.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

MAX_STEPS: Final = 400_000
"""Turns of the loop in one simulation; a usual one needs a few thousand."""


class Stalled(Exception):
    """Somebody waits, and nothing will ever happen again."""


class Livelock(Exception):
    """The simulation goes round and round without an end."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Time starts at 0 s. ``on_idle`` is asked before the clock moves; it returns True if it found something to do."""

    def __init__(self, on_idle: Callable[[], bool] | None = None, most_steps: int = MAX_STEPS) -> None:
        super().__init__()
        self._most_steps = most_steps
        self._now = 0.0
        self._steps = 0
        self._on_idle = on_idle
        self._selector = self  # the base class asks it to wait for I/O; here that is what moves the clock
        self.set_exception_handler(self._keep)
        self.unhandled: list[BaseException] = []

    def time(self) -> float:
        return self._now

    def begin_again(self) -> None:
        """Count turns from here: what is cancelled has as many to end as what ran had."""
        self._steps = 0

    def select(self, timeout: float | None) -> list[Any]:
        """Called by the base class once a turn; ``timeout`` is 0 while something is ready, None if nothing ever will.

        Raises Stalled, Livelock.
        """
        self._steps += 1
        if self._steps > self._most_steps:
            raise Livelock(f"no end after {self._most_steps} turns of the loop")
        if timeout == 0 or (self._on_idle is not None and self._on_idle()):
            return []
        if timeout is None:
            raise Stalled("everybody waits and no timer is set")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _keep(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Errors nobody awaited: whoever runs the simulation judges them."""
        error = cast("BaseException | None", context.get("exception"))
        self.unhandled.append(error or RuntimeError(str(context.get("message"))))


def run_virtual[T](work: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run to the end on this loop, then cancel what is left of it and close it. Raises what ``work`` raises."""
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.begin_again()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            asyncio.set_event_loop(None)
            loop.close()
