"""What the model cost, by day or by thread."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from dm_admin.reads import Reads, of_each
from dm_admin.views.threads import thread_line
from dm_core.durations import DAY_MS
from dm_core.usage import Spent


@dataclass(frozen=True, slots=True)
class CostLine:
    """``what``: a day (UTC), or a thread's id with ``who``. ``usd`` None: the price of a call in it is not known."""

    what: str
    who: str
    runs: int | None
    model_calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None


def _line(what: str, who: str, runs: int | None, spent: Spent) -> CostLine:
    output = spent.output_tokens + spent.thought_tokens
    return CostLine(what, who, runs, spent.calls, spent.input_tokens, output, spent.usd)


async def costs_by_day(reads: Reads, since: int) -> tuple[CostLine, ...]:
    """Each day since then (ms since 1970) with an ended run. Reads every thread active since and its runs of the time.

    A run counts on the day on which it ended.
    """
    days: dict[str, list[Spent]] = {}
    threads = await reads.active(since - DAY_MS)
    for runs in await of_each(threads, lambda thread: reads.runs_since(thread.id, since - DAY_MS)):
        for archived in runs:
            if archived.ended_at >= since:
                day = datetime.fromtimestamp(archived.ended_at / 1000, UTC).strftime("%Y-%m-%d")
                days.setdefault(day, []).append(archived.run.spent)
    return tuple(_line(day, "", len(spent), _sum(spent)) for day, spent in sorted(days.items()))


async def costs_by_thread(reads: Reads, now: int, limit: int = 50) -> tuple[CostLine, ...]:
    """The newest threads, the dearest first: what their ended runs cost in all. As many documents read."""
    threads = await reads.store.newest_threads(limit)
    lines = [_line(thread.id, thread_line(thread, now).who, None, thread.spent) for thread in threads]
    return tuple(sorted(lines, key=lambda line: -(line.usd or 0)))


def _sum(spent: Iterable[Spent]) -> Spent:
    total = Spent()
    for each in spent:
        total += each
    return total
