"""The two identities that call the processor: the queue's tasks and the scheduler's jobs."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import serviceaccount

from components.project_apis import ProjectApis


@dataclass(frozen=True, slots=True)
class CallersArgs:
    project: str
    prefix: str
    apis: ProjectApis


class Callers(pulumi.ComponentResource):
    """Owns two service accounts whose one right is to call the processor (which the processor's function grants).

    They are apart from the functions' identities, so that a function can't call the processor by itself, and apart
    from each other, so that a log line says who called.
    """

    def __init__(self, name: str, args: CallersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:Callers", name, None, opts)

        def account(key: str, what: str) -> serviceaccount.Account:
            return serviceaccount.Account(
                key,
                project=args.project,
                account_id=f"{args.prefix}-{key}",
                display_name=what,
                opts=args.apis.options(self, "iam"),
            )

        self.tasks = account("tasks", "What wake-ups call the processor as")
        self.scheduler = account("scheduler", "What the scheduler calls the processor as")
        self.register_outputs({})
