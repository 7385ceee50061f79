"""What calls the processor by the clock."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudscheduler


@dataclass(frozen=True, slots=True)
class SchedulesArgs:
    """``processor_url``: the service's URL without a path, which is the audience its platform checks.
    ``time_zone``: a tz name; only the daily job's hour depends on it."""

    project: str
    region: str
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
    Schedule("sweep", "/sweep", "* * * * *", "Wake every thread that is overdue", 60, 1, (10, 30), 30),
    # Off the full hour, when everybody's jobs run. The refresh has weeks of slack (a token lives 60 days), the check
    # has its next hour.
    Schedule(
        *("refresh-token", "/maintenance/refresh-token", "17 4 * * 1", "Renew the Instagram token"),
        *(120, 5, (60, 3_600), 14_400),
    ),
    Schedule(
        *("check", "/maintenance/check", "23 * * * *", "See that the account is subscribed and its token young"),
        *(120, 3, (30, 300), 900),
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
            name=f"{pulumi.get_project()}-{pulumi.get_stack()}-{schedule.name}",  # several stacks in one project
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
            opts=pulumi.ResourceOptions(parent=self),
        )
