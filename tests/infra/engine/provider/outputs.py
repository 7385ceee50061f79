"""What Google computes at a create, in the shapes that pulumi-gcp gives back. Inputs and id in, additions out."""

import base64
import hashlib
from typing import cast

from .wire import Properties, asset_bytes, short_hash

PROJECT_NUMBER = "123456789012"
_NOW = "2026-11-22T12:00:00.000000Z"


def nothing(_inputs: Properties, _id: str) -> Properties:
    """The type has no computed output that a program would use."""
    return {}


def named(_inputs: Properties, id_: str) -> Properties:
    """Google names it: the name is the id."""
    return {"name": id_}


def service(inputs: Properties, _id: str) -> Properties:
    """A service that's switched on."""
    return {"checkIfServiceHasUsageOnDestroy": inputs.get("checkIfServiceHasUsageOnDestroy", False)}


def database(_inputs: Properties, id_: str) -> Properties:
    """A Firestore database."""
    return {
        "uid": short_hash(id_, length=32),
        "createTime": _NOW,
        "updateTime": _NOW,
        "etag": short_hash(id_, "etag"),
        "keyPrefix": "",
        "versionRetentionPeriod": "604800s",
        "earliestVersionTime": _NOW,
    }


def queue(inputs: Properties, _id: str) -> Properties:
    """A queue: the burst is computed from the rate."""
    limits = dict(cast("Properties", inputs.get("rateLimits") or {}))
    rate = limits.get("maxDispatchesPerSecond", 500)
    limits["maxBurstSize"] = max(1, int(cast("float", rate)) // 5)
    return {"rateLimits": limits, "state": inputs.get("desiredState", "RUNNING")}


def secret(_inputs: Properties, id_: str) -> Properties:
    """A secret's container: its full name carries the project's number."""
    return {"name": f"projects/{PROJECT_NUMBER}/secrets/{id_.rpartition('/')[2]}", "createTime": _NOW}


def account(_inputs: Properties, id_: str) -> Properties:
    """An identity: its address, and how rights name it."""
    email = id_.rpartition("/")[2]
    return {"email": email, "member": f"serviceAccount:{email}", "name": id_, "uniqueId": _digits(id_)}


def function(inputs: Properties, id_: str) -> Properties:
    """A gen2 function: the Cloud Run service behind it, and its addresses."""
    _, project, _, region, _, name = id_.split("/")
    code = "".join(part[0] for part in region.split("-")) + region[-1]
    config = cast("Properties", inputs.get("serviceConfig") or {})
    build = cast("Properties", inputs.get("buildConfig") or {})
    uri = f"https://{name}-{short_hash(project)}-{code}.a.run.app"
    run_service = f"projects/{project}/locations/{region}/services/{name}"
    return {
        "serviceConfig": {**config, "uri": uri, "gcfUri": uri, "service": run_service},
        "buildConfig": {**build, "build": f"projects/{PROJECT_NUMBER}/locations/{region}/builds/{short_hash(id_)}"},
        "url": f"https://{region}-{project}.cloudfunctions.net/{name}",
        "environment": "GEN_2",
        "state": "ACTIVE",
        "updateTime": _NOW,
    }


def run_service(_inputs: Properties, id_: str) -> Properties:
    """A Cloud Run service."""
    name = id_.rpartition("/")[2]
    return {"uri": f"https://{name}-{short_hash(id_)}-xx.a.run.app", "uid": short_hash(id_, length=32)}


def bucket(inputs: Properties, id_: str) -> Properties:
    """A bucket: its addresses."""
    return {
        "url": f"gs://{id_}",
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{id_}",
        "projectNumber": int(PROJECT_NUMBER),
        "timeCreated": _NOW,
        "storageClass": inputs.get("storageClass", "STANDARD"),
    }


def bucket_object(inputs: Properties, _id: str) -> Properties:
    """An object: generation and checksums of what was sent."""
    content = asset_bytes(inputs.get("source")) or str(inputs.get("content", "")).encode()
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    path = f"{inputs['bucket']}/o/{str(inputs['name']).replace('/', '%2F')}"
    return {
        "generation": int(short_hash(str(inputs["name"]), length=12), 16),
        "md5hash": base64.b64encode(digest).decode(),
        "md5hexhash": digest.hex(),
        "detectMd5hash": base64.b64encode(digest).decode(),
        "outputName": inputs["name"],
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{path}",
        "mediaLink": f"https://storage.googleapis.com/download/storage/v1/b/{path}?alt=media",
        "contentType": "application/zip",
    }


def repository(inputs: Properties, id_: str) -> Properties:
    """A registry of images: its address."""
    _, project, _, location, _, name = id_.split("/")
    return {
        "name": name,
        "registryUri": f"{location}-docker.pkg.dev/{project}/{name}",
        "mode": inputs.get("mode", "STANDARD_REPOSITORY"),
        "createTime": _NOW,
    }


def job(_inputs: Properties, _id: str) -> Properties:
    """A schedule that runs."""
    return {"state": "ENABLED"}


def metric(inputs: Properties, _id: str) -> Properties:
    """A log-based metric."""
    return {"metricDescriptor": inputs.get("metricDescriptor") or {"metricKind": "DELTA", "valueType": "INT64"}}


def _digits(text: str) -> str:
    return str(int(hashlib.sha256(text.encode()).hexdigest(), 16))[:21]
