"""The whole deployment, top to bottom: what there is and what is made from what."""

from collections.abc import Mapping
from pathlib import Path

import pulumi

from bundling import FUNCTIONS, Bundle, bundle
from components.callers import Callers, CallersArgs
from components.event_store import EventStore, EventStoreArgs
from components.failed_deployments import Unseen, is_deployed
from components.functions import Functions, FunctionsArgs
from components.observability import Observability, ObservabilityArgs
from components.operators import Operators, OperatorsArgs
from components.project_apis import ProjectApis, ProjectApisArgs
from components.retries import LEAST_ATTEMPTS, attempts_needed
from components.schedules import Schedules, SchedulesArgs
from components.secrets import Secrets, SecretsArgs
from components.settling import Settling
from components.work_queue import PAIR_LIMIT_SECONDS, WorkQueue, WorkQueueArgs, wake_ups_at_once
from configuration import Configuration, ConfigurationError
from reading import NAMESPACE

ROOT = Path(__file__).resolve().parent.parent

type Outputs = dict[str, pulumi.Output[str] | str]


def declare(config: Configuration, sources: Mapping[str, Bundle] | None = None) -> Outputs:
    """Make every resource of a stack; returns its outputs. ``sources``: the functions' bundles where they are made
    already, else both are bundled here. Raises BundlingError, ConfigurationError."""
    project = config.project
    bundles: Mapping[str, Bundle] = {} if config.secrets_only else sources or _bundles()  # before anything is made
    apis = ProjectApis("apis", _apis_args(config))
    secrets = Secrets("secrets", _secrets_args(config, apis))
    if config.secrets_only:
        _refuse_to_take_down(config)
        return {"next": f"make secrets STACK={config.stack}"}
    rights = Settling("rights", config.settle_seconds, "rights that were just granted")
    calls = Settling("calls", config.settle_seconds, "the right to call the processor")
    store = EventStore("event-store", EventStoreArgs(project, config.database, apis))
    wake_ups = _wake_ups(config, apis)
    alerts = WorkQueue("alerts-queue", "alerts-queue", _alerts_args(config, apis))
    callers = Callers("callers", CallersArgs(project, config.prefix, apis))
    made = FunctionsArgs(config, bundles, apis, rights, calls, store, wake_ups, alerts, callers, secrets)
    functions = Functions("functions", made)
    Operators("operators", _operators_args(config, apis, rights, store, (wake_ups[0], alerts, *wake_ups[1:]), callers))
    Schedules("schedules", _schedules_args(config, apis, calls, functions, callers))
    observability = Observability("observability", _observability_args(config, apis))
    return {
        "webhookUrl": functions.webhook.url,
        "processorUrl": functions.processor.url,
        "webhook": functions.webhook.function.name,
        "processor": functions.processor.function.name,
        "queue": wake_ups[0].name,
        "alertsQueue": alerts.name,
        "database": store.database.name,
        "tasksInvoker": callers.tasks.email,
        "sourceBucket": functions.build.bucket.name,
        "imageRepository": functions.build.repository.name,
        "dashboardUrl": observability.dashboard_url,
    }


def _refuse_to_take_down(config: Configuration) -> None:
    """Containers alone would mean that everything else is deleted. Raises ConfigurationError where anything runs, or
    where Google does not say whether it does."""
    remove = f"pulumi config rm {NAMESPACE}:secretsOnly --stack {config.stack}"
    try:
        if not is_deployed(config.project, config.region, config.webhook.name):
            return
        problem = f"{NAMESPACE}:secretsOnly would take down what runs: it is for the first `up` alone ({remove})"
    except Unseen as unseen:
        unsure = f"{NAMESPACE}:secretsOnly: it can't be seen whether anything runs, which it would take down"
        problem = f"{unsure}: {unseen} (make doctor STACK={config.stack})"
    raise ConfigurationError(config.stack, [problem])


def _bundles() -> Mapping[str, Bundle]:
    return {name: bundle(name, ROOT, ROOT / ".state" / "bundles") for name in FUNCTIONS}


def _apis_args(config: Configuration) -> ProjectApisArgs:
    return ProjectApisArgs(
        project=config.project,
        vertex=bool(config.vertex_location),
        budget=bool(config.budget),
        settle_seconds=config.settle_seconds,
    )


def _secrets_args(config: Configuration, apis: ProjectApis) -> SecretsArgs:
    return SecretsArgs(
        project=config.project,
        prefix=config.prefix,
        apis=apis,
        variables=config.secrets,
        labels=config.labels,
        protected=config.database.protected,
    )


def _wake_ups(config: Configuration, apis: ProjectApis) -> tuple[WorkQueue, ...]:
    """The queues of wake-ups that exist, those that only work off what waits in them too."""
    first, *more = config.queue_names
    return (
        WorkQueue("work-queue", "queue", _wake_ups_args(config, apis, first)),
        *(
            WorkQueue(f"work-queue-{number}", f"queue-{number}", _wake_ups_args(config, apis, name))
            for number, name in enumerate(more, 1)
        ),
    )


def _wake_ups_args(config: Configuration, apis: ProjectApis, name: str) -> WorkQueueArgs:
    """What the processor takes and how long it tries decide: the queues never send more, nor give up first."""
    processor = config.processor
    return WorkQueueArgs(
        project=config.project,
        region=config.region,
        apis=apis,
        name=name,
        existing=config.existing_queue,
        rate=config.dispatches_per_second,
        concurrent=wake_ups_at_once(processor.capacity, config.queues_kept),
        max_attempts=attempts_needed(config.max_attempts, config.lease_seconds, processor.timeout),
    )


def _alerts_args(config: Configuration, apis: ProjectApis) -> WorkQueueArgs:
    """One tick at a time, as far apart as WhatsApp wants messages to one person; a tick lost for good is swept."""
    return WorkQueueArgs(
        project=config.project,
        region=config.region,
        apis=apis,
        name=config.alerts_queue_name,
        existing=config.existing_alerts_queue,
        rate=1 / PAIR_LIMIT_SECONDS,
        concurrent=1,
        max_attempts=LEAST_ATTEMPTS,
    )


def _schedules_args(
    config: Configuration, apis: ProjectApis, calls: Settling, functions: Functions, callers: Callers
) -> SchedulesArgs:
    return SchedulesArgs(
        project=config.project,
        region=config.region,
        prefix=config.prefix,
        apis=apis,
        settling=calls,
        invokers=functions.processor.invokers,
        processor_url=functions.processor.url,
        invoker_email=callers.scheduler.email,
        time_zone=config.time_zone,
    )


def _operators_args(
    config: Configuration,
    apis: ProjectApis,
    rights: Settling,
    store: EventStore,
    queues: tuple[WorkQueue, ...],
    callers: Callers,
) -> OperatorsArgs:
    return OperatorsArgs(
        project=config.project,
        region=config.region,
        apis=apis,
        settling=rights,
        database=store.database.name,
        queues=queues,
        tasks_invoker=callers.tasks,
        readers=config.readers,
        operators=config.operators,
    )


def _observability_args(config: Configuration, apis: ProjectApis) -> ObservabilityArgs:
    return ObservabilityArgs(
        project=config.project,
        prefix=config.prefix,
        apis=apis,
        labels=config.labels,
        webhook_name=config.webhook.name,
        processor_name=config.processor.name,
        queue_names=config.queue_names,
        accounts=(config.probed_account,),
        alert_email=config.alert_email,
        budget=config.budget,
        silence_hours=config.silence_hours,
        daily_usd=config.model_daily_usd,
    )
