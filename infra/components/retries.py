"""How the queue's retries fit the processor's clock, computed in one place.

    |attempt 1 ── timeout ──|                                                   the request is cut
    |lease ─────────────────────|                                               then the thread may be claimed again
    |dispatch deadline ──────|  backoff  |attempt 2 …                           the queue gives up on the answer

The processor itself counts the runs of a DM and gives up after ``max_attempts`` of them. The queue must still be
retrying by then, also when every other attempt of its own met a live lease (409): so its number of attempts is the
least whose backoffs alone last longer than all those runs and leases.
"""

from typing import Final

MIN_BACKOFF: Final = 5
MAX_BACKOFF: Final = 300
MAX_DOUBLINGS: Final = 6
LEAST_ATTEMPTS: Final = 20
DEADLINE_GRACE: Final = 5
"""How much longer than the function's timeout the queue waits for its answer; dm_core sets it on each task."""


def backoff(attempt: int) -> int:
    """Seconds between an attempt (1, 2, …) and the next."""
    return min(MAX_BACKOFF, MIN_BACKOFF * 2 ** min(attempt - 1, MAX_DOUBLINGS))


def attempts_needed(max_attempts: int, lease_seconds: int, timeout: int) -> int:
    """Attempts of the queue that outlast ``max_attempts`` runs, each cut at its timeout and waited for by its lease."""
    must_last = max_attempts * (lease_seconds + timeout + DEADLINE_GRACE)
    attempts, lasted = 1, 0
    while lasted <= must_last or attempts < LEAST_ATTEMPTS:
        lasted += backoff(attempts)
        attempts += 1
    return attempts
