"""Time and identity as injected sources, so that every test is deterministic."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

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


def utc_day(now: int) -> str:
    """The day of a time (ms since 1970) in UTC, as ``2026-11-29``."""
    return datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
