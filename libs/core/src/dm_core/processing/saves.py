"""A conditional save, and what remains of it where the store goes away in the middle.

save ─┬─ answered ───────────────────────────▶ saved, or something else was faster
      └─ not answered ─ read ─┬─ applied ────▶ saved
                  │           └─ not applied ─ once more
                  └─ not answered either ────▶ StoreUnavailable; ``Unsettled`` keeps what only this process knows
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dm_core.errors import StoreUnavailable
from dm_core.store.port import Conflict, Version


async def settled(
    save: Callable[[], Awaitable[Version | Conflict]], applied: Callable[[], Awaitable[Version | None]]
) -> Version | Conflict:
    """Make a conditional save, and find out what happened if its answer was lost.

    ``applied`` reads the document: its version if it is as it was to be, else None. One that was not applied is made
    once more: if the first is still on its way, either of the two loses its condition.
    Raises StoreUnavailable when the document can't be read either, or the second one is not answered.
    """
    try:
        return await save()
    except StoreUnavailable:
        if (version := await applied()) is not None:
            return version
    outcome = await save()
    return (await applied() or outcome) if isinstance(outcome, Conflict) else outcome


@dataclass(frozen=True, slots=True)
class _Left[T]:
    value: T
    until: int


class Unsettled[T]:
    """What this process left when the store went away, by document, for as long as its claim keeps others waiting.

    Only a shortcut: the store decides, and whoever goes on does so on the version that it reads.
    """

    def __init__(self) -> None:
        self._left: dict[str, _Left[T]] = {}

    def keep(self, key: str, value: T, until: int, now: int) -> None:
        """``until`` and ``now`` in ms since 1970."""
        self._left = {each: left for each, left in self._left.items() if now < left.until} | {key: _Left(value, until)}

    def get(self, key: str) -> T | None:
        left = self._left.get(key)
        return None if left is None else left.value

    def values(self) -> list[T]:
        return [left.value for left in self._left.values()]

    def forget(self, key: str) -> None:
        self._left.pop(key, None)
