"""How long a thread waits when a service cannot be used, and when a wait is over for good. Pure.

created ──▶ try ✗ wait 15 s ✗ 30 s ✗ … ✗ 4 min ✗ …  last try at the limit ✗ ──▶ expired, the manager is told
                                                    limit: MAX_WAIT_HOURS after the DM arrived, or
                                                    10 minutes before the person's window closes
"""

import hashlib
from collections.abc import Iterable

from dm_core.durations import HOUR_MS
from dm_core.messages import WINDOW_MS, Message
from dm_core.settings import RunLimits
from dm_core.threads import Thread

FIRST_MS = 15_000
LONGEST_MS = 240_000
"""Below the promised five minutes by the width of a wake-up's bucket and the length of a run."""
LONGEST_TOLD_MS = HOUR_MS
"""Longest wait that a service can ask for before we try again."""
BELIEVED = 4
"""So many waits in a row a service is believed that says it needs but a moment; then our own are the least."""
CLOCKS_MS = 2_000
"""How much later than ``not_before`` its wake-up fires at least: by a clock behind, the wait is not over yet."""
WINDOW_MARGIN_MS = 600_000
PROLONGED_MS = 900_000
"""A DM that waits longer than this is an alarm."""


def wait_ms(thread_id: str, wait_count: int, told_seconds: float | None) -> int:
    """The next wait, in ms: the service's own, else doubling, with a jitter of a quarter that spreads the threads.

    The jitter comes from thread and count, so that a repeated decision is the same one. "Retry in 1 s" for minutes on
    end would be a flood: https://github.com/google-gemini/gemini-cli/issues/8437 names seconds for a day's quota.
    """
    if told_seconds is None:
        return _own_ms(thread_id, wait_count)
    told = round(min(max(told_seconds, 1.0) * 1000, LONGEST_TOLD_MS))
    return told if wait_count < BELIEVED else max(told, _own_ms(thread_id, wait_count - BELIEVED))


def _own_ms(thread_id: str, count: int) -> int:
    longest = min(FIRST_MS * 2 ** min(count, 10), LONGEST_MS)
    digest = hashlib.sha256(f"{thread_id}/{count}".encode("utf-8", "surrogatepass")).digest()
    return round(longest * (0.75 + digest[0] / 1024))


def limit_at(message: Message, thread: Thread, limits: RunLimits) -> int:
    """When a DM that waits is tried for the last time, in ms since 1970."""
    window = thread.last_inbound_at + WINDOW_MS - WINDOW_MARGIN_MS
    return min(message.created_at + round(limits.max_wait_hours * HOUR_MS), window)


def over(messages: Iterable[Message], thread: Thread, now: int, limits: RunLimits) -> tuple[Message, ...]:
    """Those whose last try was this one."""
    return tuple(message for message in messages if now >= limit_at(message, thread, limits))


def next_try(messages: Iterable[Message], thread: Thread, now: int, wait: int, limits: RunLimits) -> int:
    """When to try again, in ms since 1970: after the wait, but no later than the first limit."""
    limits_at = [limit_at(message, thread, limits) for message in messages]
    return max(now + 1_000, min([now + wait, *(at for at in limits_at if at > now)]))
