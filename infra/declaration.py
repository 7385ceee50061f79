"""The whole deployment, top to bottom: what there is and what is made from what."""

from collections.abc import Mapping
from pathlib import Path

import pulumi

from bundling import FUNCTIONS, Bundle, bundle
from components.callers import Callers, CallersArgs
from components.event_store import EventStore, EventStoreArgs
from components.functions import Functions, FunctionsArgs
from components.observability import Observability, ObservabilityArgs
from components.ordering import after
from components.project_apis import ProjectApis, ProjectApisArgs
from components.retries import attempts_needed
from components.schedules import Schedules, SchedulesArgs
from components.secrets import Secrets, SecretsArgs
from components.work_queue import WorkQueue, WorkQueueArgs
from configuration import Configuration

ROOT = Path(__file__).resolve().parent.parent

type Outputs = dict[str, pulumi.Output[str] | str]


def declare(config: Configuration, sources: Mapping[str, Bundle] | None = None) -> Outputs:
    """Make every resource of a stack; returns its outputs. ``sources``: the functions' bundles where they are made
    already, else both are bundled here. Raises BundlingError."""
    project, region, labels = config.project, config.region, config.labels
    apis = ProjectApis("apis", ProjectApisArgs(project, bool(config.vertex_location), bool(config.budget)))
    ready = after(apis.enabled)
    secrets = Secrets("secrets", SecretsArgs(project, config.prefix, config.needed_secrets, labels), ready)
    if config.secrets_only:
        return {"next": f"make secrets STACK={config.stack}"}
    store = EventStore("event-store", EventStoreArgs(project, config.database), ready)
    queue = WorkQueue("work-queue", _queue_args(config), ready)
    callers = Callers("callers", CallersArgs(project, config.prefix), ready)
    made = FunctionsArgs(config, sources or _bundles(), store, queue, callers, secrets)
    functions = Functions("functions", made, ready)
    Schedules(
        "schedules",
        SchedulesArgs(project, region, functions.processor.url, callers.scheduler.email, config.time_zone),
        after([*apis.enabled, *functions.processor.invokers]),
    )
    observability = Observability("observability", _observability_args(config), ready)
    return {
        "webhookUrl": functions.webhook.url,
        "processorUrl": functions.processor.url,
        "webhook": functions.webhook.function.name,
        "processor": functions.processor.function.name,
        "queue": queue.name,
        "database": store.database.name,
        "sourceBucket": functions.build.bucket.name,
        "imageRepository": functions.build.repository.name,
        "dashboardUrl": observability.dashboard_url,
    }


def _bundles() -> Mapping[str, Bundle]:
    return {name: bundle(name, ROOT, ROOT / ".state" / "bundles") for name in FUNCTIONS}


def _queue_args(config: Configuration) -> WorkQueueArgs:
    """What the processor takes and how long it tries decide: the queue never sends more, nor gives up first."""
    processor = config.processor
    return WorkQueueArgs(
        project=config.project,
        region=config.region,
        name=config.queue_name,
        existing=config.existing_queue,
        dispatches_per_second=config.dispatches_per_second,
        capacity=processor.capacity,
        max_attempts=attempts_needed(config.max_attempts, config.lease_seconds, processor.timeout),
    )


def _observability_args(config: Configuration) -> ObservabilityArgs:
    return ObservabilityArgs(
        project=config.project,
        region=config.region,
        labels=config.labels,
        webhook_name=config.webhook.name,
        processor_name=config.processor.name,
        queue_name=config.queue_name,
        alert_email=config.alert_email,
        budget=config.budget,
        silence_hours=config.silence_hours,
    )
