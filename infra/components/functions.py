"""The two functions, put together from the deployment's parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import organizations

from bundling import Bundle
from components.callers import Callers
from components.event_store import EventStore
from components.function_build import FunctionBuild, FunctionBuildArgs
from components.function_identity import FunctionIdentity, FunctionIdentityArgs
from components.http_function import HttpFunction, HttpFunctionArgs, PinnedSecret, service_url
from components.project_apis import ProjectApis
from components.secrets import Secrets
from components.settling import Settling
from components.work_queue import WorkQueue
from configuration import Configuration, FunctionPlan
from environment import Environment, Surroundings, processor_environment, webhook_environment
from variables import REFRESHED, Function

APIS: Final = ("cloudfunctions", "cloudbuild", "run", "aiplatform")
"""What a function is deployed through or asks at once; the rest it reaches through the parts that it uses."""


@dataclass(frozen=True, slots=True)
class FunctionsArgs:
    """``settling``: what waits for the functions' rights to spread; ``calls``: for the rights to call them."""

    config: Configuration
    sources: Mapping[str, Bundle]
    apis: ProjectApis
    settling: Settling
    calls: Settling
    store: EventStore
    wake_ups: Sequence[WorkQueue]
    alerts: WorkQueue
    callers: Callers
    secrets: Secrets


class Functions(pulumi.ComponentResource):
    """Owns what builds the functions, and both of them with their identities.

    The processor comes before the webhook: no task may be made for an address that does not answer yet. The processor
    enqueues to itself; it is told the address it will have, so there is no cycle. Deliberately owns none of the parts
    that they use.
    """

    def __init__(self, name: str, args: FunctionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:Functions", name, None, opts)
        self._args, config = args, args.config
        self._inside = pulumi.ResourceOptions(parent=self)
        self._number = _project_number(config)
        self.build = FunctionBuild("build", self._build_args(), self._inside)
        itself = service_url(config.processor.name, self._number, config.region)
        called_by = {"tasks": args.callers.tasks.member, "scheduler": args.callers.scheduler.member}
        environment = processor_environment(config, self._around(itself))
        self.processor = self._function("processor", config.processor, environment, called_by)
        environment = webhook_environment(config, self._around(self.processor.url))
        self.webhook = self._function("webhook", config.webhook, environment, _webhook_invokers(config))
        self.register_outputs({})

    def _build_args(self) -> FunctionBuildArgs:
        args, config = self._args, self._args.config
        return FunctionBuildArgs(
            project=config.project,
            project_number=self._number,
            region=config.region,
            apis=args.apis,
            settling=args.settling,
            prefix=config.prefix,
            labels=config.labels,
        )

    def _around(self, processor_url: pulumi.Output[str]) -> Surroundings:
        args = self._args
        return Surroundings(
            database=args.store.database.name,
            queue=args.wake_ups[0].name,
            queue_shards=_after(args.wake_ups, str(args.config.queue_shards)),
            alerts_queue=args.alerts.name,
            tasks_invoker=args.callers.tasks.email,
            processor_url=processor_url,
        )

    def _function(
        self,
        function: Function,
        plan: FunctionPlan,
        environment: Environment,
        invokers: Mapping[str, pulumi.Input[str]],
    ) -> HttpFunction:
        args, config = self._args, self._args.config
        secrets = {name: args.secrets.containers[name] for name in config.secrets_of(function)}
        pinned = {name: PinnedSecret(secret, config.secret_versions[name]) for name, secret in secrets.items()}
        return HttpFunction(
            function,
            HttpFunctionArgs(
                project=config.project,
                project_number=self._number,
                region=config.region,
                plan=plan,
                runtime=config.runtime,
                source=args.sources[function],
                build=self.build,
                identity=self._identity(function, plan.name),
                environment=environment,
                secrets=pinned,
                invokers=invokers,
                labels=config.labels,
                settling=args.settling,
                calls=args.calls,
                after=[*args.store.queryable, *(args.apis.enabled[api] for api in APIS if api in args.apis.enabled)],
            ),
            self._inside,
        )

    def _identity(self, function: Function, account_id: str) -> FunctionIdentity:
        args, config = self._args, self._args.config
        containers = args.secrets.containers
        refreshes = function == "processor" and config.refreshes_token
        asks_vertex = function == "processor" and config.vertex_location is not None
        return FunctionIdentity(
            function,
            FunctionIdentityArgs(
                project=config.project,
                region=config.region,
                account_id=account_id,
                apis=args.apis,
                settling=args.settling,
                database=args.store.database.name,
                queues={**_enqueued(args.wake_ups), "enqueue-alerts": args.alerts.name},
                tasks_invoker=args.callers.tasks,
                secrets={name: containers[name] for name in config.secrets_of(function)},
                refreshes=containers[REFRESHED] if refreshes else None,
                project_roles=("roles/aiplatform.user",) if asks_vertex else (),
            ),
            self._inside,
        )


def _enqueued(wake_ups: Sequence[WorkQueue]) -> Mapping[str, pulumi.Input[str]]:
    first, *more = wake_ups
    return {"enqueue": first.name, **{f"enqueue-{number}": queue.name for number, queue in enumerate(more, 1)}}


def _after(queues: Sequence[WorkQueue], value: str) -> pulumi.Output[str]:
    """The value, once these queues exist."""
    return pulumi.Output.all(*(queue.name for queue in queues)).apply(lambda _: value)


def _webhook_invokers(config: Configuration) -> Mapping[str, str]:
    """Everybody, because Meta signs its requests and does not log in to Google; or the members the stack names, each
    under its own name: under that of a place in the list, one who moves up would lose the right."""
    if config.public:
        return {"everybody": "allUsers"}
    return {member: member for member in config.webhook_invokers}


def _project_number(config: Configuration) -> pulumi.Output[str]:
    if config.project_number is not None:
        return pulumi.Output.from_input(config.project_number)
    return organizations.get_project_output(project_id=config.project).apply(lambda project: project.number)
