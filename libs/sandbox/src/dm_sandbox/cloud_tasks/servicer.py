"""The gRPC face: google.cloud.tasks.v2.CloudTasks as far as this project, its infrastructure and its tests use it.

google-cloud-tasks ships no servicer, so methods are registered by name. What is not here (batches, IAM, locations) is
answered UNIMPLEMENTED.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.cloud.tasks_v2 import (
    CreateQueueRequest,
    CreateTaskRequest,
    DeleteQueueRequest,
    DeleteTaskRequest,
    GetQueueRequest,
    GetTaskRequest,
    ListQueuesRequest,
    ListQueuesResponse,
    ListTasksRequest,
    ListTasksResponse,
    PauseQueueRequest,
    PurgeQueueRequest,
    Queue,
    ResumeQueueRequest,
    RunTaskRequest,
    UpdateQueueRequest,
)
from google.protobuf.empty_pb2 import Empty

from dm_core.clock import Clock
from dm_sandbox.cloud_tasks import wire
from dm_sandbox.cloud_tasks.engine import Engine
from dm_sandbox.cloud_tasks.records import (
    AlreadyTaken,
    Invalid,
    NotFound,
    NotKept,
    QueueConfig,
    QueueError,
    TooRecent,
)
from dm_sandbox.cloud_tasks.runner import QueueRunner

SERVICE = "google.cloud.tasks.v2.CloudTasks"
MAX_PAGE = 1000
MAX_TASK_BYTES = 1024 * 1024 - 7
"""Of the stored task as a message, measured at the real service
(https://github.com/aertje/cloud-tasks-emulator/blob/9a49454/internal/engine/tasksize.go)."""

_STATUS: dict[type[QueueError], grpc.StatusCode] = {
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyTaken: grpc.StatusCode.ALREADY_EXISTS,
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    NotKept: grpc.StatusCode.UNAVAILABLE,
    TooRecent: grpc.StatusCode.FAILED_PRECONDITION,
}


@dataclass(frozen=True, slots=True)
class CloudTasksServicer:
    """Turns requests into operations of the engine and their results into answers."""

    engine: Engine
    clock: Clock

    def handler(self) -> grpc.GenericRpcHandler:
        """What a grpc.aio server is given."""
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "CreateTask": _method(CreateTaskRequest, self._create_task),
            "GetTask": _method(GetTaskRequest, self._get_task),
            "ListTasks": _method(ListTasksRequest, self._list_tasks),
            "DeleteTask": _method(DeleteTaskRequest, self._delete_task),
            "RunTask": _method(RunTaskRequest, self._run_task),
            "GetQueue": _method(GetQueueRequest, self._get_queue),
            "ListQueues": _method(ListQueuesRequest, self._list_queues),
            "CreateQueue": _method(CreateQueueRequest, self._create_queue),
            "DeleteQueue": _method(DeleteQueueRequest, self._delete_queue),
            "UpdateQueue": _method(UpdateQueueRequest, self._update_queue),
            "PauseQueue": _method(PauseQueueRequest, self._pause_queue),
            "ResumeQueue": _method(ResumeQueueRequest, self._resume_queue),
            "PurgeQueue": _method(PurgeQueueRequest, self._purge_queue),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _create_task(self, request: CreateTaskRequest) -> object:
        asked = wire.task_from(request, self.clock())
        if wire.stored_bytes(asked) > MAX_TASK_BYTES:
            raise Invalid("the task is over 1 MiB")
        record = self.engine.create(request.parent, asked)
        return wire.task_to(record, request.response_view)

    def _get_task(self, request: GetTaskRequest) -> object:
        return wire.task_to(self.engine.task(request.name), request.response_view)

    def _list_tasks(self, request: ListTasksRequest) -> object:
        """Pages go by name: the token is the last name of the page before."""
        queue = self.engine.queue(request.parent)
        names = sorted(name for name in queue.tasks if name > request.page_token)
        page = names[: request.page_size if 0 < request.page_size < MAX_PAGE else MAX_PAGE]
        response = wire.new(ListTasksResponse)
        response.tasks.extend([wire.task_to(queue.tasks[name], request.response_view) for name in page])
        response.next_page_token = page[-1] if len(names) > len(page) else ""
        return response

    def _delete_task(self, request: DeleteTaskRequest) -> object:
        self.engine.delete(request.name)
        return Empty()

    def _run_task(self, request: RunTaskRequest) -> object:
        return wire.task_to(self.engine.run(request.name), request.response_view)

    def _get_queue(self, request: GetQueueRequest) -> object:
        return _answer(self.engine.queue(request.name))

    def _list_queues(self, request: ListQueuesRequest) -> object:
        response = wire.new(ListQueuesResponse)
        names = sorted(name for name in self.engine.queues if name.startswith(f"{request.parent}/queues/"))
        response.queues.extend([_answer(self.engine.queues[name]) for name in names])
        return response

    def _create_queue(self, request: CreateQueueRequest) -> object:
        wire.config_from(request.queue, QueueConfig()).check()
        queue = self.engine.create_queue(request.queue.name)
        queue.configure(wire.config_from(request.queue, queue.config))
        return _answer(queue)

    def _delete_queue(self, request: DeleteQueueRequest) -> object:
        self.engine.delete_queue(request.name)
        return Empty()

    def _update_queue(self, request: UpdateQueueRequest) -> object:
        queue = self.engine.queue(request.queue.name)
        config = wire.config_from(wire.masked(request), queue.config)
        config.check()
        queue.configure(config)
        return _answer(queue)

    def _pause_queue(self, request: PauseQueueRequest) -> object:
        return self._set_paused(request.name, True)

    def _resume_queue(self, request: ResumeQueueRequest) -> object:
        return self._set_paused(request.name, False)

    def _set_paused(self, name: str, paused: bool) -> object:
        queue = self.engine.queue(name)
        queue.set_paused(paused)
        return _answer(queue)

    def _purge_queue(self, request: PurgeQueueRequest) -> object:
        queue = self.engine.queue(request.name)
        queue.purge()
        return _answer(queue)


def _answer(queue: QueueRunner) -> Queue:
    return wire.queue_to(queue.name, queue.config, queue.limiter, paused=queue.paused, purged_at=queue.purged_at)


def _method[R](kind: type[R], operate: Callable[[R], object]) -> "grpc.RpcMethodHandler[R, object]":
    async def call(request: R, context: "grpc.aio.ServicerContext[R, object]") -> object:
        try:
            return operate(request)
        except QueueError as error:
            return await context.abort(_STATUS[type(error)], str(error))

    return grpc.unary_unary_rpc_method_handler(
        call, request_deserializer=wire.decoder(kind), response_serializer=wire.encode
    )
