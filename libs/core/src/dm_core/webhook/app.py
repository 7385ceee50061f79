"""The webhook's routes, from a request to an answer (docs/architecture.md#requests-and-answers). No framework."""

import hmac
import re
import traceback
from dataclasses import dataclass
from typing import Final

from dm_core.clock import Clock
from dm_core.erasing.requests import DeletionRequests
from dm_core.errors import Unavailable, described
from dm_core.http import Request, Response
from dm_core.store.port import ComplianceStore
from dm_core.telemetry import emit
from dm_core.webhook import compliance
from dm_core.webhook.payload import NotJson, parse
from dm_core.webhook.receiver import Receiver
from dm_core.webhook.signature import matching_secret
from dm_core.webhook.whatsapp import WhatsAppReceiver

_CHALLENGE: Final = re.compile(r"[0-9A-Za-z_-]{1,256}")
_DELETIONS: Final = "/data-deletion/"
_OF_INSTAGRAM: Final = re.compile(rb'[\s\[]*\{\s*"object"\s*:\s*"instagram"')
"""A body that begins as Meta begins its deliveries of Instagram's events."""


@dataclass(frozen=True, slots=True, repr=False)
class WebhookApp:
    """Answers every request; never raises."""

    verify_token: str
    app_secrets: tuple[str, ...]
    receiver: Receiver
    store: ComplianceStore
    deletions: DeletionRequests
    whatsapp: WhatsAppReceiver
    clock: Clock

    async def handle(self, request: Request) -> Response:
        """The answer. 500 asks Meta for a redelivery, so it is given only when something may not be stored."""
        try:
            return await self._route(request)
        except Exception as error:  # whatever it is: 500 means "deliver again", and nothing is lost by it
            emit("request_failed", "ERROR", path=request.path[:100], error=_described(error))
        return Response(500, "not stored, please deliver again")

    async def _route(self, request: Request) -> Response:
        method, path = request.method, request.path
        if path == "/":
            return await self._root(request)
        if path == "/whatsapp":
            return await self._whatsapp(request)
        if path == "/health":
            return Response(200, "OK") if method in ("GET", "HEAD") else _not_allowed()
        if path == "/deauthorize":
            return compliance.deauthorize(request, self.app_secrets) if method == "POST" else _not_allowed()
        if path == "/data-deletion":
            return await self._delete_data(request) if method == "POST" else _not_allowed()
        if path.startswith(_DELETIONS):
            return await self._deletion_status(request) if method in ("GET", "HEAD") else _not_allowed()
        return Response(404, "not found")

    async def _root(self, request: Request) -> Response:
        if request.method == "GET":
            return _subscription(request, self.verify_token)
        return await self._events(request) if request.method == "POST" else _not_allowed()

    async def _whatsapp(self, request: Request) -> Response:
        """The manager's side: its own verification, its own signature. DMs that Meta was told to bring here are DMs."""
        if request.method == "GET":
            return _subscription(request, self.whatsapp.verify_token)
        if request.method != "POST":
            return _not_allowed()
        if _OF_INSTAGRAM.match(request.body) and self._signed_with(request) is not None:
            emit("webhook_misdirected", "ERROR", path="/whatsapp")
            return await self._events(request)
        return await self.whatsapp.receive(request.headers.get("x-hub-signature-256"), request.body)

    async def _events(self, request: Request) -> Response:
        secret = self._signed_with(request)
        if secret is None:
            emit("webhook_rejected", "WARNING", signed="x-hub-signature-256" in request.headers)
            return Response(401, "signature does not match")
        try:
            events = parse(request.body, self.clock())
        except NotJson:
            emit("webhook_rejected", "ERROR", secret=secret, bytes=len(request.body), reason="not JSON")
            return Response(400, "not JSON")
        receipt = await self.receiver.receive(events)
        emit("webhook_received", secret=secret, counts=dict(receipt.counts), threads=list(receipt.threads))
        if receipt.failures:
            errors = sorted({_described(failure) for failure in receipt.failures})
            emit("webhook_not_stored", "ERROR", failures=len(receipt.failures), errors=errors[:20])
            return Response(500, "not stored, please deliver again")
        return Response(200, "EVENT_RECEIVED")

    def _signed_with(self, request: Request) -> int | None:
        """Which of Instagram's secrets signed it."""
        return matching_secret(request.headers.get("x-hub-signature-256"), request.body, self.app_secrets)

    async def _delete_data(self, request: Request) -> Response:
        return await compliance.delete_data(request, self.app_secrets, self.deletions)

    async def _deletion_status(self, request: Request) -> Response:
        return await compliance.deletion_status(request.path.removeprefix(_DELETIONS), self.store)


def _subscription(request: Request, verify_token: str) -> Response:
    """Meta's check of a callback: the challenge goes back verbatim, and only if it can't be a page."""
    token = request.query.get("hub.verify_token", "")
    genuine = hmac.compare_digest(_bytes(token), _bytes(verify_token))
    if not genuine or request.query.get("hub.mode") != "subscribe":
        emit("subscription_refused", "WARNING", path=request.path)
        return Response(403, "forbidden")
    challenge = request.query.get("hub.challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        return Response(400, "challenge is missing or malformed")
    emit("subscription_verified", path=request.path)
    return Response(200, challenge, "text/plain")


def _not_allowed() -> Response:
    return Response(405, "method not allowed")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _described(error: BaseException) -> str:
    """An error and, for a surprise, where it came from; never a surprise's words, which may quote a person."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, Unavailable) or not frames:
        return described(error)
    return f"{type(error).__name__} at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
