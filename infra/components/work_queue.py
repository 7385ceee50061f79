"""The Cloud Tasks queue that holds the wake-ups."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudtasks

from components.retries import MAX_BACKOFF, MAX_DOUBLINGS, MIN_BACKOFF

SCHEDULER_SHARE = 4
"""Places in the processor that the queue leaves free: the scheduler's calls must not meet a full service, which would
answer 429 and make the queue slow down as a whole."""


@dataclass(frozen=True, slots=True)
class WorkQueueArgs:
    """``existing``: another stack owns the queue of this name. ``capacity``: requests the processor takes at once."""

    project: str
    region: str
    name: str
    existing: bool
    dispatches_per_second: int
    capacity: int
    max_attempts: int


class WorkQueue(pulumi.ComponentResource):
    """Owns the queue. Tasks carry their target themselves, so the queue knows no URL and several stacks may share one.

    Deliberately does not own who may enqueue (each function brings that), nor tasks.
    """

    def __init__(self, name: str, args: WorkQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:WorkQueue", name, None, opts)
        queue = None if args.existing else _queue(args, pulumi.ResourceOptions(parent=self))
        self.name: pulumi.Output[str] = pulumi.Output.from_input(args.name) if queue is None else queue.name
        self.register_outputs({"queue": self.name})


def _queue(args: WorkQueueArgs, opts: pulumi.ResourceOptions) -> cloudtasks.Queue:
    return cloudtasks.Queue(
        "queue",
        project=args.project,
        location=args.region,
        name=args.name,
        desired_state="RUNNING",
        deletion_policy="DELETE",
        rate_limits=cloudtasks.QueueRateLimitsArgs(
            max_dispatches_per_second=args.dispatches_per_second,
            max_concurrent_dispatches=min(5_000, max(1, args.capacity - SCHEDULER_SHARE)),
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
