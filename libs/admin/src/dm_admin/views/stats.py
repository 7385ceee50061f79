"""How conversations went in a time: what became of the DMs, and how long people waited."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dm_admin.reads import Reads, of_each
from dm_core.messages import Direction, Disposition, Message, Status


@dataclass(frozen=True, slots=True)
class Stats:
    """DMs that arrived since ``since`` (ms since 1970), by what became of them.

    ``answered``: by the agent. ``others``: every other disposition. Medians in seconds from a DM's arrival, None where
    there is none: to the end of the run that answered it, and to the next message of a human where one was to answer.
    """

    since: int
    threads: int
    dms: int
    answered: int
    handed_over: int
    refused: int
    waiting: int
    failed: int
    others: Mapping[str, int]
    median_answer_seconds: float | None
    median_human_seconds: float | None


async def stats(reads: Reads, since: int) -> Stats:
    """Reads every thread active since then, and its messages of the time."""
    threads = await reads.active(since)
    return counted(await of_each(threads, lambda thread: reads.messages_since(thread.id, since)), since)


def counted(threads: Sequence[Sequence[Message]], since: int) -> Stats:
    """The figures of these threads' messages, each thread's in their order."""
    dms = [message for messages in threads for message in messages if message.direction is Direction.INBOUND]
    outcomes = Counter(_outcome(message) for message in dms)
    named = ("answered", Disposition.HANDED_OVER.value, Disposition.REFUSED.value, "waiting", Status.FAILED.value)
    answered = [(m.processed_at or 0) - m.created_at for m in dms if _outcome(m) == "answered"]
    return Stats(
        since,
        len(threads),
        len(dms),
        *(outcomes[name] for name in named),
        others={name: count for name, count in sorted(outcomes.items()) if name not in named},
        median_answer_seconds=_seconds(answered),
        median_human_seconds=_seconds([wait for messages in threads for wait in _human_waits(messages)]),
    )


def _outcome(message: Message) -> str:
    if message.is_unprocessed:
        return "waiting"
    if message.status is Status.FAILED:
        return Status.FAILED.value
    return message.disposition.value if message.disposition else "answered"


def _human_waits(messages: Sequence[Message]) -> Iterable[int]:
    """From the first DM that was left to a human to that human's next message."""
    waiting: int | None = None
    for message in messages:
        if message.direction is Direction.HUMAN and waiting is not None:
            yield message.created_at - waiting
            waiting = None
        elif message.disposition in (Disposition.HUMAN, Disposition.HANDED_OVER) and waiting is None:
            waiting = message.created_at


def _seconds(times: Sequence[int]) -> float | None:
    return round(median(times) / 1000, 1) if times else None
