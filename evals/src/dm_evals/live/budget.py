"""What a run may spend, in US dollars: the tried models and the judge together.

    before a trial   spent + what each trial under way, and this one, may cost  ≤ budget?   no: it is not begun
    before a call    spent + what each call under way, and this one, may cost   ≤ budget?   no: it is not sent

What one may cost is what the dearest one so far did. Until one is known they go one by one. So the budget is exceeded
at most by what a call costs more than every call before it.
"""

import asyncio
from dataclasses import dataclass, field


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
