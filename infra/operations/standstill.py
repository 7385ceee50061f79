"""What stands still although everything answers: a queue or a job that was paused, a queue that is not there although
it was made, a service whose traffic was pinned to an older revision, or whose newest one does not start.

A restore pauses (docs/deploy.md#restore), a rollback by hand pins (docs/platforms/google-cloud.md#functions), and
nothing puts that back but whoever looks next. What can't be asked is not reported.
"""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from configuration import Configuration
from operations.running import Answer, ask
from operations.stacks import json_object

JOBS: Final = ("sweep", "refresh-token", "check")
"""The scheduler's, without the stack's prefix."""


def standing_still(configuration: Configuration) -> Iterator[str]:
    """A line for each, with the command that sets it going."""
    region, project = configuration.region, configuration.project
    place = f"--location={region} --project={project}"
    for queue in configuration.queue_names:
        yield from _queue(queue, "queueName", place, configuration.stack)
    yield from _queue(configuration.alerts_queue_name, "alertsQueueName", place, configuration.stack)
    for job in JOBS:
        yield from _paused("scheduler jobs", f"{configuration.prefix}-{job}", place, "ENABLED")
    for function in (configuration.webhook, configuration.processor):
        yield from _behind(function.name, f"--region={region} --project={project}")


def _queue(name: str, key: str, place: str, stack: str) -> Iterator[str]:
    """For up to three days after one of its name was deleted, a create only appears to succeed
    (https://docs.cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues/delete)."""
    answer = _described("tasks queues", name, place)
    if not answer.good and "NOT_FOUND" in answer.error:
        run = f"pulumi config set dm-agent:{key} ANOTHER --stack {stack}"
        yield f"{name} is not there: a deleted one's name is blocked for 3 days. Run: {run} && make up STACK={stack}"
    yield from _paused("tasks queues", name, place, "RUNNING", answer)


def _described(kind: str, name: str, place: str) -> Answer:
    return ask(["gcloud", *kind.split(), "describe", name, *place.split(), "--format=value(state)"])


def _paused(kind: str, name: str, place: str, going: str, answer: Answer | None = None) -> Iterator[str]:
    answer = answer or _described(kind, name, place)
    state = answer.out.strip()
    if answer.good and state not in ("", going):
        yield f"{name} is {state.lower()}. Run: gcloud {kind} resume {name} {place}"


def _behind(service: str, place: str) -> Iterator[str]:
    """Names are compared, because a deployment may name the newest revision instead of calling it the latest."""
    answer = ask(["gcloud", "run", "services", "describe", service, *place.split(), "--format=json(status)"])
    status = cast("Mapping[str, object]", json_object(answer.out).get("status") or {})
    made, ready = status.get("latestCreatedRevisionName"), status.get("latestReadyRevisionName")
    parts = cast("list[Mapping[str, object]]", status.get("traffic") or [])
    serving = sorted({str(part.get("revisionName")) for part in parts if part.get("percent")})
    if made != ready:
        yield f"{service}'s newest revision {made} does not start: the first lines of its log say why"
    elif serving not in ([], [ready]):
        command = f"gcloud run services update-traffic {service} --to-latest {place}"
        yield f"{service} serves {', '.join(serving)}, not its newest revision {ready}. Run: {command}"
