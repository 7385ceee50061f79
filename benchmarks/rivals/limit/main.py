"""The limit: an async function that does only HMAC, the commit of a plain DM, and its task.

The same two writes with the same fields as the product's, of the body's own words, through the libraries' raw clients
and their generated classes. No check of what came, no account, no settings, no log, nothing for any other event.
"""

import asyncio
import hashlib
import hmac
import json
import os
import time
from functools import cache
from typing import Any, cast

import functions_framework.aio
import grpc
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.tasks_v2 import CloudTasksAsyncClient, CreateTaskRequest
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from starlette.requests import Request
from starlette.responses import Response

_SECRET = os.environ["INSTAGRAM_APP_SECRET"].encode()
_DATABASE = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/databases/(default)"
_QUEUE = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/europe-west2/queues/dm-processing"
_RETENTION = 90 * 86_400
_Commit, _Create = cast("Any", types.CommitRequest), cast("Any", CreateTaskRequest)
_NOTHING = ("processedAt", "error", "disposition", "runId", "unsentAt", "editedAt")
_NOT_THERE = ("quickReply", "postback", "referral", "replyToMid", "replyToStory")


@cache
def _firestore() -> Any:
    channel = grpc.aio.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
    return FirestoreAsyncClient(transport=cast("Any", FirestoreGrpcAsyncIOTransport)(channel=channel))


@cache
def _tasks() -> Any:
    channel = grpc.aio.insecure_channel(os.environ["CLOUD_TASKS_EMULATOR_HOST"])
    return CloudTasksAsyncClient(transport=cast("Any", CloudTasksGrpcAsyncIOTransport)(channel=channel))


def _message(write: Any, account: str, item: dict[str, Any], now: int) -> None:
    user, mid = item["sender"]["id"], item["message"]["mid"]
    key = hashlib.sha256(f"message:{mid}".encode()).hexdigest()
    write.update.name = f"{_DATABASE}/documents/conversations/{account}_{user}/messages/{key}"
    write.current_document.exists = False
    fields = write.update.fields
    words = {"id": key, "conversationId": f"{account}_{user}", "status": "pending", "direction": "inbound", "mid": mid}
    for name, text in words.items():
        fields[name].string_value = text
    numbers = {"createdAt": now, "updatedAt": now, "attempts": 0, "sentAt": item["timestamp"], "editNumber": 0}
    for name, number in numbers.items():
        fields[name].integer_value = number
    for name in _NOTHING:
        fields[name].null_value = 0
    fields["expireAt"].timestamp_value.seconds = now // 1_000 + _RETENTION
    content = fields["message"].map_value.fields
    content["kind"].string_value, content["text"].string_value = "message", item["message"]["text"]
    content["unsupported"].boolean_value = False
    for name in _NOT_THERE:
        content[name].null_value = 0
    content["attachments"].array_value.SetInParent()
    content["words"].array_value.SetInParent()


def _thread(write: Any, account: str, item: dict[str, Any], now: int) -> None:
    user = item["sender"]["id"]
    write.update.name = f"{_DATABASE}/documents/conversations/{account}_{user}"
    fields = write.update.fields
    fields["accountId"].string_value, fields["userId"].string_value = account, user
    fields["updatedAt"].integer_value = now
    fields["expireAt"].timestamp_value.seconds = now // 1_000 + _RETENTION
    write.update_mask.field_paths.extend(("accountId", "userId", "updatedAt", "expireAt"))
    add = write.update_transforms.add
    add(field_path="revision").increment.integer_value = 1
    add(field_path="createdAt").minimum.integer_value = now
    add(field_path="pendingCount").increment.integer_value = 1
    add(field_path="lastInboundAt").maximum.integer_value = item["timestamp"]
    add(field_path="dueAt").maximum.integer_value = now + 10_000


async def _commit(account: str, item: dict[str, Any], now: int) -> None:
    raw = _Commit.pb()(database=_DATABASE)
    _message(raw.writes.add(), account, item, now)
    _thread(raw.writes.add(), account, item, now)
    await _firestore().commit(request=_Commit.wrap(raw), retry=None, timeout=10)


async def _create_task(account: str, item: dict[str, Any], now: int) -> None:
    thread = f"{account}_{item['sender']['id']}"
    raw = _Create.pb()(parent=_QUEUE)
    task = raw.task
    task.name = f"{_QUEUE}/tasks/{hashlib.sha256(thread.encode()).hexdigest()[:32]}-{now // 10_000}"
    task.schedule_time.seconds, task.dispatch_deadline.seconds = now // 1_000 + 10, 330
    task.http_request.url, task.http_request.http_method = "http://127.0.0.1:9/", 1
    task.http_request.headers["Content-Type"] = "application/json"
    task.http_request.oidc_token.service_account_email = os.environ["TASKS_INVOKER_EMAIL"]
    task.http_request.oidc_token.audience = "http://127.0.0.1:9/"
    task.http_request.body = json.dumps({"threadId": thread}).encode()
    await _tasks().create_task(request=_Create.wrap(raw), retry=None, timeout=10)


@functions_framework.aio.http
async def webhook(request: Request) -> Response:
    """Answer."""
    if request.method == "GET":
        return Response("OK")
    body = await request.body()
    expected = "sha256=" + hmac.new(_SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=401)
    entry = json.loads(body)["entry"][0]
    account, item, now = entry["id"], entry["messaging"][0], round(time.time() * 1_000)
    await asyncio.gather(_commit(account, item, now), _create_task(account, item, now))
    return Response("EVENT_RECEIVED")
