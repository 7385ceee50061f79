"""When a model may be asked: a set rate, and the waits its server names, kept for everybody who asks it.

After a throttle one request goes first; the others follow once it was answered.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

Timer = Callable[[], float]
"""Seconds, never set back."""
Sleep = Callable[[float], Awaitable[None]]

_A_DAY: Final = re.compile(r'"quota(?:Id|_limit)":\s*"\w*PerDay|\brequests per day\b', re.IGNORECASE)
"""A quota that is not there again before tomorrow: in ``google.rpc.QuotaFailure``, in ``google.rpc.ErrorInfo``, or in
words (https://github.com/google-gemini/gemini-cli/issues/10925)."""


def is_for_today(body: object) -> bool:
    """Whether the quota of a whole day is used up: waiting is in vain."""
    return _A_DAY.search(json.dumps(body)) is not None


@dataclass(slots=True)
class Lane:
    """One model's. ``interval``: seconds between two requests; 0 where no rate was set."""

    interval: float
    timer: Timer
    sleep: Sleep
    _next: float = 0.0
    _throttled: bool = False
    _in_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for the turn. Within it a request is made; ``held`` or ``free`` says what came of it."""
        async with self._in_turn:
            while (wait := self._next - self.timer()) > 0:
                await self.sleep(wait)
            self._next = self.timer() + self.interval
            if self._throttled:
                yield
                return
        yield

    def held(self, seconds: float) -> None:
        """The server said to come again after so long."""
        self._throttled = True
        self._next = max(self._next, self.timer() + seconds)

    def free(self) -> None:
        """It answered."""
        self._throttled = False
