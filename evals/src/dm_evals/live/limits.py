"""What a live run may ask and spend.

A lane says when a model may be asked: a set rate, and the waits its server names, kept for everybody who asks it. After
a throttle one request goes first; the others follow once it was answered.

A budget says what may be spent, in US dollars: the tried models and the judge together.

    before a trial   spent + what each trial under way, and this one, may cost  ≤ budget?   no: it is not begun
    before a call    spent + what each call under way, and this one, may cost   ≤ budget?   no: it is not sent

What one may cost is what the dearest one so far did. Until one is known they go one by one. So the budget is exceeded
at most by what a call costs more than every call before it.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

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
    _next: float = 0.0
    _throttled: bool = False
    _in_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for the turn. Within it a request is made; ``held`` or ``free`` says what came of it."""
        async with self._in_turn:
            while (wait := self._next - monotonic()) > 0:  # noqa: ASYNC110 - a throttle may move the turn meanwhile
                await asyncio.sleep(wait)
            self._next = monotonic() + self.interval
            if self._throttled:
                yield
                return
        yield

    def held(self, seconds: float) -> None:
        """The server said to come again after so long."""
        self._throttled = True
        self._next = max(self._next, monotonic() + seconds)

    def free(self) -> None:
        """It answered."""
        self._throttled = False


@dataclass(slots=True)
class Reserve:
    """How many are under way, and what the dearest one cost that ended."""

    dearest: float | None = None
    under_way: int = 0
    _one_ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def begin(self, left: float) -> bool:
        """Whether one more may begin. The second waits until the first one's cost is known."""
        async with self._one_ended:
            await self._one_ended.wait_for(lambda: self.dearest is not None or self.under_way == 0)
            if left <= 0 or (self.dearest or 0.0) * (self.under_way + 1) > left:
                return False
            self.under_way += 1
            return True

    async def end(self, cost: float) -> None:
        async with self._one_ended:
            self.under_way -= 1
            self.dearest = max(self.dearest or 0.0, cost)
            self._one_ended.notify_all()


@dataclass(slots=True)
class Budget:
    """``usd`` None: no limit. ``spent`` may begin with what an earlier part of the run cost."""

    usd: float | None = None
    spent: float = 0.0
    trials: Reserve = field(default_factory=Reserve)
    calls: Reserve = field(default_factory=Reserve)

    @property
    def used_up(self) -> str:
        """The reason, for what is not done."""
        return f"the budget of {self.usd or 0:g} USD allows no more ({self.spent:.4f} spent)"

    async def begin(self, reserve: Reserve) -> bool:
        """Whether one more trial or call may begin."""
        return self.usd is None or await reserve.begin(self.usd - self.spent)

    async def end(self, reserve: Reserve, cost: float) -> None:
        """It ended, and cost this much. (What calls cost is spent; a trial's cost is the sum of its calls'.)"""
        if reserve is self.calls:
            self.spent += cost
        if self.usd is not None:
            await reserve.end(cost)
