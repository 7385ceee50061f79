"""Queues, tasks and events of the emulator, as values. Times are ms since 1970, durations are seconds."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

QUEUE_NAME = re.compile(r"projects/[A-Za-z0-9:.-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]{1,100}")
TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")

OK = 0
"""gRPC's code of success, as in google.rpc.Status."""


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """How a queue dispatches and retries; every queue starts with the emulator's, UpdateQueue changes one queue's.

    ``max_attempts`` -1 and ``max_retry_duration`` 0 mean no limit; a task is given up once both are exhausted.
    ``reservation_seconds`` is how long the name of a task that is done or deleted stays taken.
    ``min_dispatch_deadline`` is 15 s in the real service; tests lower it.
    A worker's 429 or 503 cuts the queue's rate to a tenth; it recovers tenfold every ``throttle_seconds``.
    """

    max_dispatches_per_second: float = 500.0
    max_concurrent_dispatches: int = 1000
    max_attempts: int = -1
    max_retry_duration: float = 0.0
    min_backoff: float = 0.1
    max_backoff: float = 3600.0
    max_doublings: int = 16
    reservation_seconds: float = 86_400.0
    min_dispatch_deadline: float = 15.0
    throttle_seconds: float = 5.0

    def check(self) -> None:
        """Raises Invalid for what the service would refuse
        (https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues)."""
        wrong = {
            "max_dispatches_per_second must be over 0, and 500 at most": not 0 < self.max_dispatches_per_second <= 500,
            "max_concurrent_dispatches must be from 1 to 5,000": not 1 <= self.max_concurrent_dispatches <= 5_000,
            "max_attempts must be -1, or 1 and more": self.max_attempts < -1 or self.max_attempts == 0,
            "max_doublings must not be negative": self.max_doublings < 0,
            "durations must not be negative": min(self.min_backoff, self.max_backoff, self.max_retry_duration) < 0,
        }
        if found := [problem for problem, is_there in wrong.items() if is_there]:
            raise Invalid("; ".join(found))

    def backoff(self, failures: int) -> float:
        """Seconds to wait after the n-th failure (n from 1): doubles, then grows linearly, then stays at the maximum.

        The service's own example: 10 s, 300 s and 3 doublings give 10, 20, 40, 80, 160, 240, 300, 300, …
        """
        doublings = min(failures - 1, self.max_doublings)
        steps = max(failures - self.max_doublings, 1)
        return min(self.min_backoff * 2**doublings * steps, self.max_backoff)

    def gives_up(self, attempts: int, first_attempt_at: int, now: int) -> bool:
        """Whether a task that has failed ``attempts`` times is not tried again."""
        if 0 <= self.max_attempts <= attempts:
            return now - first_attempt_at >= self.max_retry_duration * 1000
        return False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery. ``code`` is gRPC's; ``status`` is the HTTP status, 0 if there was no answer."""

    scheduled_at: int
    dispatched_at: int
    responded_at: int = 0
    code: int = OK
    status: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task. ``name`` is the full resource name; ``schedule_at`` is the time of the next attempt.

    ``response_count``: attempts that were answered; ``execution_count``: those that were not answered with 5xx either.
    """

    name: str
    url: str
    method: str
    headers: Mapping[str, str]
    body: bytes
    schedule_at: int
    created_at: int
    dispatch_deadline: float
    email: str = ""
    audience: str = ""
    dispatch_count: int = 0
    response_count: int = 0
    execution_count: int = 0
    first_attempt_at: int = 0
    last: Attempt | None = None

    @property
    def queue(self) -> str:
        return self.name.rpartition("/tasks/")[0]

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]


EventKind = Literal[
    "created",
    "deduplicated",
    "dispatched",
    "succeeded",
    "failed",
    "given_up",
    "deleted",
    "throttled",
    "paused",
    "resumed",
    "purged",
]


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """Something that happened in a queue. ``task`` is the short name, empty where the whole queue is meant."""

    kind: EventKind
    at: int
    queue: str
    task: str = ""
    detail: Mapping[str, object] = field(default_factory=dict[str, object])


OnEvent = Callable[[QueueEvent], None]


@dataclass(slots=True)
class Counters:
    """What a queue emulator has done since it started. ``failed`` counts attempts, ``given_up`` counts tasks."""

    created: int = 0
    deduplicated: int = 0
    dispatched: int = 0
    succeeded: int = 0
    failed: int = 0
    given_up: int = 0


class QueueError(Exception):
    """A request the service refuses; the class says which status it is answered with."""


class NotFound(QueueError):
    """No such task, or no such queue."""


class AlreadyTaken(QueueError):
    """The name belongs to a task that exists, or existed recently."""


class NotKept(QueueError):
    """The disk takes no more tasks."""


class TooRecent(QueueError):
    """A queue of this name was deleted a while ago."""


class Invalid(QueueError):
    """The request is malformed."""
