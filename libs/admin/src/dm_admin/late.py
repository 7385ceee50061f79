"""A queue that is opened by the first task that is made: most commands make none, and its client takes long to load."""

from collections.abc import Callable

from dm_core.queue.port import AlertQueue, WakeUpQueue


class Late[Q: (WakeUpQueue, AlertQueue)]:
    """``open_it`` is called at most once."""

    def __init__(self, open_it: Callable[[], Q]) -> None:
        self._open_it = open_it
        self._opened: Q | None = None

    def get(self) -> Q:
        if self._opened is None:
            self._opened = self._open_it()
        return self._opened

    async def close(self) -> None:
        """Release it, if it was opened."""
        if self._opened is not None:
            await self._opened.close()
