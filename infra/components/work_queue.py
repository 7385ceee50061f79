"""A Cloud Tasks queue: one or several hold the wake-ups, another the ticks of the manager's alerts."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import cloudtasks

from components.project_apis import ProjectApis
from components.retries import MAX_BACKOFF, MAX_DOUBLINGS, MIN_BACKOFF

SCHEDULER_SHARE: Final = 4
"""Places in the processor that the wake-ups leave free: the scheduler's calls must not meet a full service, which would
answer 429 and make the queue slow down as a whole."""
PAIR_LIMIT_SECONDS: Final = 6
"""WhatsApp takes one message in so many seconds from one sender to one person; a tick sends at most one."""


@dataclass(frozen=True, slots=True)
class WorkQueueArgs:
    """``existing``: another stack owns the queue of this name. ``rate``: dispatches a second; ``concurrent``: how many
    may be under way at once."""

    project: str
    region: str
    apis: ProjectApis
    name: str
    existing: bool
    rate: float
    concurrent: int
    max_attempts: int


class WorkQueue(pulumi.ComponentResource):
    """Owns the queue. Tasks carry their target themselves, so the queue knows no URL and several stacks may share one.

    Deliberately does not own who may enqueue (each function brings that), nor tasks.
    """

    def __init__(self, name: str, resource: str, args: WorkQueueArgs) -> None:
        super().__init__("dmagent:gcp:WorkQueue", name, None)
        opts = args.apis.options(self, "cloudtasks")
        queue = None if args.existing else _queue(resource, args, opts)
        self.name: pulumi.Output[str] = pulumi.Output.from_input(args.name) if queue is None else queue.name
        self.register_outputs({"queue": self.name})


def _queue(resource: str, args: WorkQueueArgs, opts: pulumi.ResourceOptions) -> cloudtasks.Queue:
    return cloudtasks.Queue(
        resource,
        project=args.project,
        location=args.region,
        name=args.name,
        desired_state="RUNNING",
        deletion_policy="DELETE",
        rate_limits=cloudtasks.QueueRateLimitsArgs(
            max_dispatches_per_second=args.rate, max_concurrent_dispatches=args.concurrent
        ),
        retry_config=cloudtasks.QueueRetryConfigArgs(
            max_attempts=args.max_attempts,
            min_backoff=f"{MIN_BACKOFF}s",
            max_backoff=f"{MAX_BACKOFF}s",
            max_doublings=MAX_DOUBLINGS,
        ),
        stackdriver_logging_config=cloudtasks.QueueStackdriverLoggingConfigArgs(sampling_ratio=1.0),
        opts=opts,
    )


def wake_ups_at_once(capacity: int, queues: int) -> int:
    """How many wake-ups each of so many queues sends to a processor of so many requests; 5,000 is the most that Cloud
    Tasks allows."""
    return min(5_000, max(1, (capacity - SCHEDULER_SHARE) // queues))
