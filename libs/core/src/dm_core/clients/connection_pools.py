"""Many small connection pools in place of one large one.

httpcore looks at every connection of a pool, with a system call each, whenever a request begins or ends, and closes
idle ones as soon as *all* its connections outnumber the idle ones it may keep. So 200 requests at once over one pool
cost each other more CPU than themselves. Pools are filled one after the other: with few requests there is one pool, and
connections are used again as they would be without this.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

POOL_SIZE: Final = 8
"""Connections of one pool."""
MAX_POOLS: Final = 32
IDLE_SECONDS: Final = 15.0
"""How long an idle connection is kept: well below the minute or more after which the platforms' servers hang up: a
request that meets that moment is lost, and a send then uncertain."""


@dataclass(slots=True)
class _Pool[T]:
    """A pool and how many requests it has now."""

    connections: T
    requests: int = 0


class Pools[T]:
    """Pools of ``POOL_SIZE`` connections, each made when those before it are full."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._pools: list[_Pool[T]] = []

    @contextmanager
    def one(self) -> Generator[T]:
        """A pool for one request: the first that has room. When all are full the emptiest, to wait in its line."""
        pool = self._with_room()
        pool.requests += 1
        try:
            yield pool.connections
        finally:
            pool.requests -= 1

    def taken(self) -> list[T]:
        """All pools, for closing them; the next request makes new ones."""
        pools, self._pools = self._pools, []
        return [pool.connections for pool in pools]

    def _with_room(self) -> _Pool[T]:
        for pool in self._pools:
            if pool.requests < POOL_SIZE:
                return pool
        if len(self._pools) == MAX_POOLS:
            return min(self._pools, key=lambda pool: pool.requests)
        self._pools.append(_Pool(self._make()))
        return self._pools[-1]
