"""One attempt: the HTTP request that the real service sends, and what its answer means.

Header names and meanings: https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler. What they hold on a
retry was recorded from the real service: https://github.com/aertje/cloud-tasks-emulator/pull/114.
"""

import asyncio
import base64
import functools
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from dm_sandbox.cloud_tasks.records import OK, Attempt, TaskRecord

UNKNOWN, DEADLINE_EXCEEDED, UNAVAILABLE = 2, 4, 14
GATEWAY_TIMEOUT = 504
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 499: 1, 500: 13, 501: 12, 503: UNAVAILABLE, 504: 4}

_REPLACED = ("host", "content-length", "user-agent", "authorization")
_REPLACED_PREFIXES = ("x-google-", "x-appengine-", "x-cloudtasks-")

EMULATOR_ISSUER = "https://cloud-tasks-emulator.invalid"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. ``status`` is 0 if no answer came; ``retry_after`` in seconds."""

    code: int
    status: int
    reason: str
    retry_after: float = 0.0

    @property
    def succeeded(self) -> bool:
        return self.code == OK

    @property
    def executed(self) -> bool:
        """Whether the service counts it as an execution: its handler answered, and not with 5xx."""
        return 0 < self.status < 500

    @property
    def throttles(self) -> bool:
        """429 and 503 slow down the whole queue, not only this task."""
        return self.status in (429, 503)


def new_client() -> httpx.AsyncClient:
    """Connections are dropped before a server's own idle limit (2 s under gunicorn) could cut one in use."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=1.0)
    return httpx.AsyncClient(limits=limits, timeout=None, trust_env=False, verify=_tls())  # noqa: S113 - the task's deadline rules


@functools.cache
def _tls() -> ssl.SSLContext:
    """Loading the authorities takes 0.2 s: once a process."""
    return httpx.create_ssl_context(trust_env=False)


async def deliver(client: httpx.AsyncClient, task: TaskRecord, now: int) -> Outcome:
    """Send the task once and wait for the answer, at most until its dispatch deadline.

    After the deadline the connection is dropped; the handler may still be running.
    """
    try:
        async with asyncio.timeout(task.dispatch_deadline):
            response = await client.request(task.method, task.url, content=task.body, headers=headers_of(task, now))
    except TimeoutError:
        return Outcome(DEADLINE_EXCEEDED, 0, "DEADLINE_EXCEEDED(4): the worker did not answer in time")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Outcome(UNAVAILABLE, 0, f"UNAVAILABLE(14): {type(error).__name__}")
    if response.is_success:
        return Outcome(OK, response.status_code, "")
    code = _CODES.get(response.status_code, UNKNOWN)
    wait = response.headers.get("retry-after", "")
    return Outcome(
        code,
        response.status_code,
        f"HTTP status code {response.status_code}",
        float(wait) if wait.isdecimal() else 0.0,
    )


def headers_of(task: TaskRecord, now: int) -> dict[str, str]:
    """The task's own headers as far as the service lets them through, and the service's."""
    own = {
        name: value
        for name, value in task.headers.items()
        if name.lower() not in _REPLACED and not name.lower().startswith(_REPLACED_PREFIXES)
    }
    service = {
        "User-Agent": "Google-Cloud-Tasks",
        "X-CloudTasks-QueueName": task.queue.rpartition("/")[2],
        "X-CloudTasks-TaskName": task.short_name,
        "X-CloudTasks-TaskRetryCount": str(max(task.dispatch_count - 1, 0)),
        "X-CloudTasks-TaskExecutionCount": str(task.execution_count),
        "X-CloudTasks-TaskETA": f"{task.schedule_at / 1000:.6f}",
    }
    if task.last is not None and (previous := _previous_response(task.last)):
        service["X-CloudTasks-TaskPreviousResponse"] = str(previous)
        service["X-CloudTasks-TaskRetryReason"] = ""
    if task.email:
        service["Authorization"] = f"Bearer {emulated_token(task, now)}"
    return own | service


def _previous_response(last: Attempt) -> int:
    """A handler that ran into its deadline counts as 504. What is told of one that was not reached is not known: 0."""
    return GATEWAY_TIMEOUT if last.code == DEADLINE_EXCEEDED else last.status


def emulated_token(task: TaskRecord, now: int) -> str:
    """An OIDC token of the right shape that nobody can take for a real one: not signed, issued by ``.invalid``."""
    seconds = now // 1000
    claims = {
        "aud": task.audience or task.url,
        "azp": task.email,
        "email": task.email,
        "email_verified": True,
        "exp": seconds + 3600,
        "iat": seconds,
        "iss": EMULATOR_ISSUER,
        "sub": task.email,
    }
    header = {"alg": "none", "kid": "cloud-tasks-emulator", "typ": "JWT"}
    return f"{_segment(header)}.{_segment(claims)}."


def _segment(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
