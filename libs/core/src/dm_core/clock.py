"""Time and identity as injected sources, so that every test is deterministic."""

import time
import uuid
from collections.abc import Callable

Clock = Callable[[], int]
"""Now, in ms since 1970."""

Ids = Callable[[], str]
"""A fresh identifier, unique for ever."""


def system_clock() -> int:
    """The machine's wall clock, in ms since 1970."""
    return time.time_ns() // 1_000_000


def random_ids() -> str:
    """A random identifier of 32 hex digits."""
    return uuid.uuid4().hex
