"""The people who look at conversations, and those who act on them: what each may do with a deployment."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudtasks, projects, serviceaccount

from components.project_apis import ProjectApis
from components.settling import Settling, below, formerly
from components.work_queue import WorkQueue


@dataclass(frozen=True, slots=True)
class OperatorsArgs:
    """``readers`` and ``operators``: members such as ``group:desk@club.example``, as the stack names them."""

    project: str
    region: str
    apis: ProjectApis
    settling: Settling
    database: pulumi.Input[str]
    queues: Sequence[WorkQueue]
    tasks_invoker: serviceaccount.Account
    readers: tuple[str, ...]
    operators: tuple[str, ...]


class Operators(pulumi.ComponentResource):
    """Owns the rights of whoever types ``make admin``: to read the database, or to read and write it and make tasks.

    An operator can't send anything: a task calls the processor, which alone has the platforms' tokens. Each right is
    named by whose it is: named by a place in the list, one who moves up would lose it. Deliberately gives none of it to
    a function, and no right to a secret or to call the processor to anybody.
    """

    def __init__(self, name: str, args: OperatorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:Operators", name, None, opts)
        self._args = args
        self._inside = below(self, hooks=args.settling.spreading)
        self._on_project = below(self, [args.apis.enabled["cloudresourcemanager"]], args.settling.spreading)
        for number, member in enumerate(args.readers, 1):
            self._database("reader", number, "roles/datastore.viewer", member)
        for number, member in enumerate(args.operators, 1):
            self._database("operator", number, "roles/datastore.user", member)
            self._tasks(number, member)
        self.register_outputs({})

    def _database(self, key: str, place: int, role: str, member: str) -> None:
        """Over the project by a condition, as for the functions."""
        project = self._args.project
        expression = pulumi.Output.from_input(self._args.database).apply(
            lambda database: f'resource.name == "projects/{project}/databases/{database}"'
        )
        projects.IAMMember(
            f"{key}-{member}-database",
            project=project,
            role=role,
            member=member,
            condition=projects.IAMMemberConditionArgs(title="only-this-database", expression=expression),
            opts=formerly(f"{key}-{place}-database", self._on_project),
        )

    def _tasks(self, place: int, member: str) -> None:
        for number, queue in enumerate(self._args.queues, 1):
            cloudtasks.QueueIamMember(
                f"operator-{member}-queue-{number}",
                project=self._args.project,
                location=self._args.region,
                name=queue.name,
                role="roles/cloudtasks.enqueuer",
                member=member,
                opts=formerly(f"operator-{place}-queue-{number}", self._inside),
            )
        serviceaccount.IAMMember(
            f"operator-{member}-act-as",
            service_account_id=self._args.tasks_invoker.name,
            role="roles/iam.serviceAccountUser",
            member=member,
            opts=formerly(f"operator-{place}-act-as", self._inside),
        )
