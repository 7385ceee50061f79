"""The operations of the service over all queues, free of gRPC.

Queues are made on first use, with the emulator's configuration. (The real service answers NOT_FOUND for a queue that
was not created, as this does for one that was deleted.)
"""

from collections.abc import Mapping
from dataclasses import replace

from dm_core.clock import Clock
from dm_core.durations import DAY_MS
from dm_sandbox.cloud_tasks.delivery import new_client
from dm_sandbox.cloud_tasks.journal import Journal
from dm_sandbox.cloud_tasks.records import (
    QUEUE_NAME,
    TASK_ID,
    AlreadyTaken,
    Counters,
    Invalid,
    NotFound,
    OnEvent,
    QueueConfig,
    TaskRecord,
    TooRecent,
)
from dm_sandbox.cloud_tasks.runner import QueueRunner, Shared

DELETED_DAYS = 3
"""How long a deleted queue's name is blocked
(https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues/delete)."""
MAX_AHEAD_MS = 30 * 24 * 3600 * 1000
MAX_DEADLINE_SECONDS = 1800.0
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


class Engine:
    """All queues of one emulator. Raises the QueueErrors of ``records``; ``create`` returns the stored task."""

    def __init__(
        self,
        config: QueueConfig,
        journal: Journal,
        clock: Clock,
        on_event: OnEvent,
        queues: Mapping[str, QueueConfig],
    ) -> None:
        self.queues: dict[str, QueueRunner] = {}
        self.counters = Counters()
        self._config = config
        self._configs = queues
        self._shared = Shared(clock, new_client(), journal, journal.reserved(clock()), self.counters, on_event)
        for name, paused, queue_config in journal.queues():
            self.queues[name] = QueueRunner(name, queue_config, self._shared, paused=paused)
        for task in journal.tasks():
            self.queue(task.queue).add(task)

    async def stop(self) -> None:
        for queue in self.queues.values():
            await queue.stop()
        await self._shared.client.aclose()
        self._shared.journal.close()

    def deliver_twice(self, count: int, together: bool) -> None:
        """The next ``count`` attempts reach the worker twice: at the same time, or one after the other's answer."""
        self._shared.doubles, self._shared.doubles_together = count, together

    def queue(self, name: str) -> QueueRunner:
        """The queue of this full name, made if need be."""
        if name not in self.queues:
            if self._is_reserved(name):
                raise NotFound(f"the queue was deleted: {name}")
            if not QUEUE_NAME.fullmatch(name):
                raise Invalid(f"not a queue name: {name!r}")
            config = self._configs.get(name.rpartition("/")[2], self._config)
            self.queues[name] = QueueRunner(name, config, self._shared)
        return self.queues[name]

    def create_queue(self, name: str) -> QueueRunner:
        if name in self.queues:
            raise AlreadyTaken("Queue already exists")
        if self._is_reserved(name):
            raise TooRecent(f"a queue of this name was deleted less than {DELETED_DAYS} days ago: {name}")
        return self.queue(name)

    def delete_queue(self, name: str) -> None:
        """With its tasks; attempts under way are dropped. The name is blocked for days."""
        if not QUEUE_NAME.fullmatch(name):
            raise Invalid(f"not a queue name: {name!r}")
        if (queue := self.queues.pop(name, None)) is None:
            raise NotFound(f"no such queue: {name}")
        queue.purge()
        queue.cancel()
        until = self._shared.clock() + DELETED_DAYS * DAY_MS
        self._shared.reserved[name] = until
        self._shared.journal.end_queue(name, until)

    def task(self, name: str) -> TaskRecord:
        task = self.queue(name.rpartition("/tasks/")[0]).tasks.get(name)
        if task is None:
            raise NotFound(f"no such task: {name}")
        return task

    def create(self, parent: str, task: TaskRecord) -> TaskRecord:
        queue = self.queue(parent)
        self._check(queue, task)
        if task.name in queue.tasks or self._is_reserved(task.name):
            self.counters.deduplicated += 1
            queue.emit("deduplicated", parent, task.name)
            raise AlreadyTaken("The task cannot be created because a task with this name existed too recently.")
        task = replace(task, schedule_at=max(task.schedule_at, task.created_at))
        self._shared.journal.add_task(task)
        self.counters.created += 1
        body = task.body.decode("utf-8", "replace")
        queue.emit("created", parent, task.name, fire_at=task.schedule_at, url=task.url, body=body)
        queue.add(task)
        return task

    def delete(self, name: str) -> None:
        self.queue(self.task(name).queue).delete(name)

    def run(self, name: str) -> TaskRecord:
        return self.queue(self.task(name).queue).run_now(name)

    def _is_reserved(self, name: str) -> bool:
        until = self._shared.reserved.get(name)
        if until is not None and until <= self._shared.clock():
            del self._shared.reserved[name]
            return False
        return until is not None

    def _check(self, queue: QueueRunner, task: TaskRecord) -> None:
        shortest = queue.config.min_dispatch_deadline
        problems = {
            "the task's name must be PARENT/tasks/ID": task.queue != queue.name,
            "the task id may hold letters, digits, hyphens and underscores": not TASK_ID.fullmatch(task.short_name),
            "the URL must begin with http:// or https://": not task.url.startswith(("http://", "https://")),
            "a body goes with POST, PUT or PATCH only": bool(task.body) and task.method not in _METHODS_WITH_BODY,
            "the schedule time is over 30 days ahead": task.schedule_at > task.created_at + MAX_AHEAD_MS,
            f"the dispatch deadline must be from {shortest:g} s to 30 min": not (
                shortest <= task.dispatch_deadline <= MAX_DEADLINE_SECONDS
            ),
        }
        found = [problem for problem, is_there in problems.items() if is_there]
        if found:
            raise Invalid("; ".join(found))
