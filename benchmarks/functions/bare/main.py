"""The bare limit: HMAC, one commit, one task, and nothing else. No parsing, no validation, no log.

The same clients, transports and generated classes as the product, filled from templates: nothing that does these
three things through Google's clients in this framework can be much faster.
"""

import asyncio
import hashlib
import hmac
import itertools
import os
from functools import cache
from typing import Any, cast

import functions_framework.aio
import grpc
from starlette.requests import Request
from starlette.responses import Response

_SECRET = os.environ["INSTAGRAM_APP_SECRET"].encode()
_DATABASE = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/databases/(default)"
_QUEUE = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/europe-west2/queues/dm-processing"
_numbers = itertools.count()


@cache
def _firestore() -> Any:
    from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
    from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

    channel = grpc.aio.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
    return FirestoreAsyncClient(transport=cast("Any", FirestoreGrpcAsyncIOTransport)(channel=channel))


@cache
def _tasks() -> Any:
    from google.cloud.tasks_v2 import CloudTasksAsyncClient
    from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

    channel = grpc.aio.insecure_channel(os.environ["CLOUD_TASKS_EMULATOR_HOST"])
    return CloudTasksAsyncClient(transport=cast("Any", CloudTasksGrpcAsyncIOTransport)(channel=channel))


async def _commit(number: int, body: bytes) -> None:
    from google.cloud.firestore_v1 import types

    request = cast("Any", types.CommitRequest)
    raw = request.pb()(database=_DATABASE)
    document = raw.writes.add().update
    document.name = f"{_DATABASE}/documents/messages/{number}"
    document.fields["body"].string_value = body.decode()
    await _firestore().commit(request=request.wrap(raw), retry=None, timeout=10)


async def _create_task(number: int) -> None:
    from google.cloud.tasks_v2 import CreateTaskRequest

    request = cast("Any", CreateTaskRequest)
    raw = request.pb()(parent=_QUEUE)
    raw.task.name = f"{_QUEUE}/tasks/{number}"
    raw.task.http_request.url = "http://127.0.0.1:9/"
    raw.task.http_request.body = b'{"threadId": "1_2"}'
    await _tasks().create_task(request=request.wrap(raw), retry=None, timeout=10)


@functions_framework.aio.http
async def webhook(request: Request) -> Response:
    """Answer."""
    if request.method == "GET":
        return Response("OK")
    body = await request.body()
    expected = "sha256=" + hmac.new(_SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=401)
    number = next(_numbers)
    await asyncio.gather(_commit(number, body), _create_task(number))
    return Response("EVENT_RECEIVED")
