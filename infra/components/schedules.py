"""What calls the processor by the clock."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudscheduler

from components.project_apis import ProjectApis
from components.settling import Settling, below


@dataclass(frozen=True, slots=True)
class SchedulesArgs:
    """``processor_url``: the service's URL without a path, which is the audience its platform checks.
    ``invokers``: the rights to call it. ``time_zone``: a tz name; only the weekly job's hour depends on it."""

    project: str
    region: str
    prefix: str
    apis: ProjectApis
    settling: Settling
    invokers: Sequence[pulumi.Resource]
    processor_url: pulumi.Input[str]
    invoker_email: pulumi.Input[str]
    time_zone: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """One job. Times in seconds; ``retry_for`` is how long after its time a failed call is tried again."""

    name: str
    path: str
    cron: str
    what: str
    deadline: int
    retries: int
    backoff: tuple[int, int]
    retry_for: int


SCHEDULES = (
    # The next minute's sweep comes anyway, so a failed one is hardly retried.
    Schedule(
        name="sweep",
        path="/sweep",
        cron="* * * * *",
        what="Wake every thread and alert that is overdue",
        deadline=60,
        retries=1,
        backoff=(10, 30),
        retry_for=30,
    ),
    # Off the full hour, when everybody's jobs run. The refresh has weeks of slack (a token lives 60 days), the check
    # has its next hour.
    Schedule(
        name="refresh-token",
        path="/maintenance/refresh-token",
        cron="17 4 * * 1",
        what="Renew the Instagram token",
        deadline=120,
        retries=5,
        backoff=(60, 3_600),
        retry_for=14_400,
    ),
    Schedule(
        name="check",
        path="/maintenance/check",
        cron="23 * * * *",
        what="See that the account is subscribed, its token young and the manager can be told",
        deadline=120,
        retries=3,
        backoff=(30, 300),
        retry_for=900,
    ),
)


class Schedules(pulumi.ComponentResource):
    """Owns the scheduler's jobs: the sweep each minute, the token's refresh each week, the check each hour.

    Deliberately does not own the identity they call as, nor its right to call (the processor's function grants that),
    nor what the paths do.
    """

    def __init__(self, name: str, args: SchedulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:Schedules", name, None, opts)
        origin = pulumi.Output.from_input(args.processor_url).apply(lambda url: url.rstrip("/"))
        self.jobs = {each.name: self._job(each, args, origin) for each in SCHEDULES}
        self.register_outputs({})

    def _job(self, schedule: Schedule, args: SchedulesArgs, origin: pulumi.Output[str]) -> cloudscheduler.Job:
        low, high = schedule.backoff
        return cloudscheduler.Job(
            schedule.name,
            project=args.project,
            region=args.region,
            name=f"{args.prefix}-{schedule.name}",
            description=schedule.what,
            schedule=schedule.cron,
            time_zone=args.time_zone,
            attempt_deadline=f"{schedule.deadline}s",
            http_target=cloudscheduler.JobHttpTargetArgs(
                uri=pulumi.Output.concat(origin, schedule.path),
                http_method="POST",
                oidc_token=cloudscheduler.JobHttpTargetOidcTokenArgs(
                    service_account_email=args.invoker_email, audience=origin
                ),
            ),
            retry_config=cloudscheduler.JobRetryConfigArgs(
                retry_count=schedule.retries,
                min_backoff_duration=f"{low}s",
                max_backoff_duration=f"{high}s",
                max_doublings=5,
                max_retry_duration=f"{schedule.retry_for}s",
            ),
            opts=below(self, [args.apis.enabled["cloudscheduler"], *args.invokers], args.settling.settled),
        )
