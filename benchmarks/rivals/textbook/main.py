"""The textbook way: the framework's sync default, an interactive transaction, an unnamed task, one after the other."""

import hashlib
import hmac
import json
import os
from functools import cache
from typing import Any, cast

import functions_framework
import grpc
from flask import Request
from google.cloud import firestore, tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

_SECRET = os.environ["INSTAGRAM_APP_SECRET"].encode()
_QUEUE = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/europe-west2/queues/dm-processing"


@cache
def _firestore() -> Any:
    return firestore.Client(project=os.environ["GOOGLE_CLOUD_PROJECT"])


@cache
def _tasks() -> Any:
    channel = grpc.insecure_channel(os.environ["CLOUD_TASKS_EMULATOR_HOST"])
    return tasks_v2.CloudTasksClient(transport=cast("Any", CloudTasksGrpcTransport)(channel=channel))


def _store(transaction: Any, thread: Any, message: Any, item: dict[str, Any]) -> None:
    snapshot = thread.get(transaction=transaction)
    stored: dict[str, Any] = snapshot.to_dict() or {}
    pending = int(stored.get("pendingCount", 0))
    transaction.set(message, {"message": item, "status": "pending"})
    transaction.set(thread, {"lastInboundAt": item["timestamp"], "pendingCount": pending + 1}, merge=True)


@functions_framework.http  # pyright: ignore[reportUnknownMemberType]
def webhook(request: Request) -> tuple[str, int]:
    """Answer."""
    if request.method == "GET":
        return "OK", 200
    body = request.get_data()
    expected = "sha256=" + hmac.new(_SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
        return "forbidden", 401
    for entry in json.loads(body)["entry"]:
        for item in entry["messaging"]:
            thread_id = f"{entry['id']}_{item['sender']['id']}"
            thread = _firestore().collection("conversations").document(thread_id)
            message = thread.collection("messages").document(
                hashlib.sha256(item["message"]["mid"].encode()).hexdigest()
            )
            cast("Any", firestore).transactional(_store)(_firestore().transaction(), thread, message, item)
            call = tasks_v2.HttpRequest(url="http://127.0.0.1:9/", body=json.dumps({"threadId": thread_id}).encode())
            _tasks().create_task(parent=_QUEUE, task=tasks_v2.Task(http_request=call))
    return "EVENT_RECEIVED", 200
