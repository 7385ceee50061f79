"""What a function runs as, and every right that it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudtasks, projects, secretmanager, serviceaccount

from components.project_apis import ProjectApis
from components.settling import Settling, below


@dataclass(frozen=True, slots=True)
class FunctionIdentityArgs:
    """``secrets``: containers it reads, by variable. ``refreshes``: the one it also adds versions to.
    ``queues``: those it enqueues to, by what the right is called. ``project_roles``: roles over the whole project, none
    of them basic."""

    project: str
    region: str
    account_id: str
    apis: ProjectApis
    settling: Settling
    database: pulumi.Input[str]
    queues: Mapping[str, pulumi.Input[str]]
    tasks_invoker: serviceaccount.Account
    secrets: Mapping[str, secretmanager.Secret]
    refreshes: secretmanager.Secret | None
    project_roles: tuple[str, ...]


class FunctionIdentity(pulumi.ComponentResource):
    """Owns a service account and its rights: its database, enqueuing, acting as the tasks' identity, its secrets.

    ``rights`` is what the function must wait for: Cloud Run refuses a revision whose secrets it may not read.
    Deliberately makes no key, gives no basic role, and no right over a database but the deployment's own.
    """

    def __init__(self, name: str, args: FunctionIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:FunctionIdentity", name, None, opts)
        self._name, self._args = name, args
        self._inside = below(self, hooks=args.settling.spreading)
        self._on_project = below(self, [args.apis.enabled["cloudresourcemanager"]], args.settling.spreading)
        self.account = serviceaccount.Account(
            name,
            project=args.project,
            account_id=args.account_id,
            display_name=f"The {name} function",
            opts=args.apis.options(self, "iam"),
        )
        self.rights: list[pulumi.Resource] = [
            self._database(),
            *self._tasks(),
            *(self._reads(variable, secret) for variable, secret in args.secrets.items()),
            *self._refreshes(),
            *(self._project_role(role) for role in args.project_roles),
        ]
        self.register_outputs({"email": self.account.email})

    def _database(self) -> pulumi.Resource:
        """Firestore has no rights of its own on a database; a condition on the project's role is Google's way."""
        project = self._args.project
        expression = pulumi.Output.from_input(self._args.database).apply(
            lambda database: f'resource.name == "projects/{project}/databases/{database}"'
        )
        return projects.IAMMember(
            f"{self._name}-database",
            project=project,
            role="roles/datastore.user",
            member=self.account.member,
            condition=projects.IAMMemberConditionArgs(title="only-this-database", expression=expression),
            opts=self._on_project,
        )

    def _tasks(self) -> Sequence[pulumi.Resource]:
        """Enqueue, and act as the identity that the task will call the processor with: both are needed for a task."""
        enqueue = [
            cloudtasks.QueueIamMember(
                f"{self._name}-{key}",
                project=self._args.project,
                location=self._args.region,
                name=queue,
                role="roles/cloudtasks.enqueuer",
                member=self.account.member,
                opts=self._inside,
            )
            for key, queue in self._args.queues.items()
        ]
        act_as = serviceaccount.IAMMember(
            f"{self._name}-act-as",
            service_account_id=self._args.tasks_invoker.name,
            role="roles/iam.serviceAccountUser",
            member=self.account.member,
            opts=self._inside,
        )
        return [*enqueue, act_as]

    def _secret_role(self, name: str, secret: secretmanager.Secret, role: str) -> pulumi.Resource:
        return secretmanager.SecretIamMember(
            f"{self._name}-{name}",
            project=self._args.project,
            secret_id=secret.secret_id,
            role=role,
            member=self.account.member,
            opts=self._inside,
        )

    def _reads(self, variable: str, secret: secretmanager.Secret) -> pulumi.Resource:
        name = f"reads-{variable.lower().replace('_', '-')}"
        return self._secret_role(name, secret, "roles/secretmanager.secretAccessor")

    def _refreshes(self) -> tuple[pulumi.Resource, ...]:
        secret = self._args.refreshes
        if secret is None:
            return ()
        return (self._secret_role("adds-token-versions", secret, "roles/secretmanager.secretVersionAdder"),)

    def _project_role(self, role: str) -> pulumi.Resource:
        return projects.IAMMember(
            f"{self._name}-{role.removeprefix('roles/').replace('.', '-')}",
            project=self._args.project,
            role=role,
            member=self.account.member,
            opts=self._on_project,
        )
