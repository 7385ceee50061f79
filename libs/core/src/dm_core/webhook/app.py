"""The webhook's routes, from a request to an answer (docs/architecture.md#requests-and-answers). No framework."""

import hmac
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dm_core.clock import Clock
from dm_core.erasing.requests import DeletionRequests
from dm_core.errors import Unavailable, described
from dm_core.http import Request, Response
from dm_core.store.port import ComplianceStore
from dm_core.telemetry import emit
from dm_core.webhook import compliance
from dm_core.webhook.events import Event
from dm_core.webhook.payload import INSTAGRAM, NotJson, events_of, load, subject
from dm_core.webhook.receiver import Receiver
from dm_core.webhook.signature import matching_secret
from dm_core.webhook.whatsapp import ADDRESS, WHATSAPP, WhatsAppReceiver

_CHALLENGE: Final = re.compile(r"[0-9A-Za-z_-]{1,256}")
_DELETIONS: Final = "/data-deletion/"
_ROOT: Final = "/"
_POST: Final = "POST"
_READ: Final = ("GET", "HEAD")


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
        if path in (_ROOT, ADDRESS):
            return await self._callback(request)
        if path == "/health":
            return Response(200, "OK") if method in _READ else Response.not_allowed(*_READ)
        if path == "/deauthorize":
            return compliance.deauthorize(request, self.app_secrets) if method == _POST else Response.not_allowed(_POST)
        if path == "/data-deletion":
            return await self._delete_data(request) if method == _POST else Response.not_allowed(_POST)
        if path.startswith(_DELETIONS):
            return await self._deletion_status(request) if method in _READ else Response.not_allowed(*_READ)
        return Response(404, "not found")

    async def _callback(self, request: Request) -> Response:
        """One of the two addresses that Meta calls, each with a verification of its own."""
        if request.method == "GET":
            return _subscription(request, self.verify_token if request.path == _ROOT else self.whatsapp.verify_token)
        return await self._delivery(request) if request.method == _POST else Response.not_allowed("GET", _POST)

    async def _delivery(self, request: Request) -> Response:
        """Whatever Meta delivers, at either address: both products of an app may have been told the same one
        (docs/platforms/instagram.md#delivery). At the other's address a body must say that it is theirs."""
        signature, body, path = request.headers.get("x-hub-signature-256"), request.body, request.path
        ours = matching_secret(signature, body, self.app_secrets)
        secret = ours if ours is not None else self.whatsapp.signed(signature, body)
        if secret is None:
            return _unsigned(request)
        try:
            payload = load(body)
        except NotJson:
            emit("webhook_rejected", "ERROR", path=path, secret=secret, bytes=len(body), reason="not JSON")
            return Response(400, "not JSON")
        about = subject(payload)
        is_managers = about == WHATSAPP or (path == ADDRESS and about != INSTAGRAM)
        managers = self.whatsapp.signed(signature, body) if is_managers else None
        if managers is not None:
            _notice(path, ADDRESS)
            return await self.whatsapp.receive(payload, managers)
        if ours is not None and (about == INSTAGRAM or path == _ROOT):
            _notice(path, _ROOT)
            return await self._events(events_of(payload, self.clock()), ours)
        return _unsigned(request)

    async def _events(self, events: Iterator[Event], secret: int) -> Response:
        receipt = await self.receiver.receive(events)
        emit("webhook_received", secret=secret, counts=dict(receipt.counts), threads=list(receipt.threads))
        if receipt.failures:
            errors = sorted({_described(failure) for failure in receipt.failures})
            emit("webhook_not_stored", "ERROR", failures=len(receipt.failures), errors=errors[:20])
            return Response(500, "not stored, please deliver again")
        return Response(200, "EVENT_RECEIVED")

    async def _delete_data(self, request: Request) -> Response:
        return await compliance.delete_data(request, self.app_secrets, self.deletions)

    async def _deletion_status(self, request: Request) -> Response:
        return await compliance.deletion_status(request.path.removeprefix(_DELETIONS), self.store)


def _subscription(request: Request, verify_token: str) -> Response:
    """Meta's check of a callback: the challenge goes back verbatim, and only if it can't be a page."""
    query = request.query
    token, challenge = query.get("hub.verify_token", ""), query.get("hub.challenge", "")
    if not hmac.compare_digest(_bytes(token), _bytes(verify_token)):
        return _refused(request, "hub.verify_token")
    if query.get("hub.mode") != "subscribe":
        return _refused(request, "hub.mode")
    if not _CHALLENGE.fullmatch(challenge):
        return _refused(request, "hub.challenge")
    emit("subscription_verified", path=request.path)
    return Response(200, challenge, "text/plain")


def _refused(request: Request, wrong: str) -> Response:
    emit("subscription_refused", "WARNING", path=request.path, wrong=wrong, given=bool(request.query.get(wrong)))
    if wrong == "hub.challenge":
        return Response(400, "challenge is missing or malformed")
    return Response(403, "forbidden")


def _unsigned(request: Request) -> Response:
    emit("webhook_rejected", "WARNING", path=request.path, signed="x-hub-signature-256" in request.headers)
    return Response(401, "signature does not match")


def _notice(path: str, address: str) -> None:
    """Say that Meta delivers to another address than it should have been told."""
    if path != address:
        emit("webhook_misdirected", "WARNING", path=path, belongs=address)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _described(error: BaseException) -> str:
    """An error and, for a surprise, where it came from; never a surprise's words, which may quote a person."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, Unavailable) or not frames:
        return described(error)
    return f"{type(error).__name__} at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
