"""Meta's compliance callbacks: an account that withdrew its consent, and a request to be erased.

Both carry a ``signed_request``; its ``user_id`` is whoever had authorised the app, in the app's own numbering
(https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback). A request is
recorded and answered at once; ``dm_core.erasing`` carries it out.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from dm_core.erasing.requests import DeletionRequests, RequestFromFuture, RequestTooOld
from dm_core.http import Request, Response
from dm_core.store.port import ComplianceStore
from dm_core.telemetry import emit, hashed
from dm_core.webhook.signature import SignatureWrong, SignedRequest, SignedRequestMalformed, parse_signed_request

MAX_FORM_BYTES: Final = 32_768
"""Longest form looked at."""

_MAX_FORM_FIELDS: Final = 20
_CODE: Final = re.compile(r"[0-9a-f]{32}")
_NOTHING_FOUND: Final = (
    "Nothing is stored under the id that this request names. Instagram gives a person one id for authorising an app "
    "and another for writing to an account. If you wrote to this account, send it a message that asks it to erase what "
    "you wrote.\n"
)
"""Of those who ask through Meta few are found: see https://github.com/chatwoot/chatwoot/issues/13201."""


def signed_request_field(request: Request) -> str:
    """The form field of that name. Raises SignedRequestMalformed."""
    try:
        if len(request.body) > MAX_FORM_BYTES:
            raise SignedRequestMalformed
        form = parse_qs(request.body.decode("ascii"), max_num_fields=_MAX_FORM_FIELDS)
    except ValueError as error:
        raise SignedRequestMalformed from error
    values = form.get("signed_request", [])
    if len(values) != 1:
        raise SignedRequestMalformed
    return values[0]


def deauthorize(request: Request, secrets: Sequence[str]) -> Response:
    """The account withdrew its consent: said in the log, for the operator to act on."""
    verified = _verified(request, secrets)
    if isinstance(verified, Response):
        return verified
    emit("account_deauthorized", "WARNING", user=hashed(verified.user_id))
    return Response(200, "OK")


async def delete_data(request: Request, secrets: Sequence[str], requests: DeletionRequests) -> Response:
    """Record a request; answer where its state can be read. Raises StoreUnavailable: Meta may ask again.

    A request that was recorded before is only confirmed: a replay of it erases nothing that came since.
    """
    verified = _verified(request, secrets)
    if isinstance(verified, Response):
        return verified
    try:
        code = await requests.take(verified.user_id, verified.issued_at, secrets[verified.secret])
    except (RequestFromFuture, RequestTooOld) as error:
        emit("callback_rejected", "WARNING", path=request.path, reason=type(error).__name__)
        return Response(400, "issued_at is in the future, or too long ago")
    return Response.json(200, {"url": f"{request.base_url}/data-deletion/{code}", "confirmation_code": code})


async def deletion_status(code: str, store: ComplianceStore) -> Response:
    """What became of a request, for a person to read."""
    deletion = await store.get_deletion(code) if _CODE.fullmatch(code) else None
    if deletion is None:
        return Response(404, "There is no deletion request with this code.")
    page = f"Deletion request {deletion.code}\nReceived: {_date(deletion.requested_at)}\n"
    if deletion.completed_at is None:
        page += "State: in progress. You need not do anything.\n"
        return Response(200, f"{page}Conversations erased so far: {deletion.threads}.\n")
    page += f"State: completed on {_date(deletion.completed_at)}.\nConversations erased: {deletion.threads}.\n"
    return Response(200, page if deletion.threads else page + _NOTHING_FOUND)


def _verified(request: Request, secrets: Sequence[str]) -> SignedRequest | Response:
    """What a genuine request says, or the answer that refuses it."""
    try:
        return parse_signed_request(signed_request_field(request), secrets)
    except SignedRequestMalformed:
        return Response(400, "signed_request is missing or malformed")
    except SignatureWrong:
        emit("callback_rejected", "WARNING", path=request.path, reason="signature")
        return Response(401, "signature does not match")


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
