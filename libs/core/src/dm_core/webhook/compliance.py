"""Meta's compliance callbacks: an account that withdrew its consent, and a request to be erased.

Both carry a ``signed_request``; its ``user_id`` is whoever had authorised the app (facts/meta.md section 6). Erasing
takes three steps, so that a crash in between leaves an open record which ``complete_open_deletions`` finishes:

    record open ─ erase the person ─ record completed
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from dm_core.clock import Clock
from dm_core.http import Answer, Request
from dm_core.store.port import ComplianceStore, Deletion
from dm_core.telemetry import emit, hashed
from dm_core.webhook.signature import SignatureWrong, SignedRequest, SignedRequestMalformed, parse_signed_request

MAX_FORM_BYTES: Final = 32_768
"""Longest form looked at."""

_MAX_FORM_FIELDS: Final = 20
_CODE: Final = re.compile(r"[0-9a-f]{32}")


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


def confirmation_code(signed_request: str) -> str:
    """The same for every delivery of one request: 32 hex digits of its sha256."""
    return hashlib.sha256(signed_request.encode()).hexdigest()[:32]


def deauthorize(request: Request, secrets: Sequence[str]) -> Answer:
    """The account withdrew its consent: said in the log, for the operator to act on."""
    verified = _verified(request, secrets)
    if isinstance(verified, Answer):
        return verified
    emit("account_deauthorized", "WARNING", user=hashed(verified[1].user_id))
    return Answer(200, "OK")


async def delete_data(request: Request, secrets: Sequence[str], store: ComplianceStore, clock: Clock) -> Answer:
    """Erase everything about a person; answer where the state can be read. Raises StoreUnavailable, the record kept.

    A request that was completed before is only confirmed: a replay of it erases nothing that came since.
    """
    verified = _verified(request, secrets)
    if isinstance(verified, Answer):
        return verified
    value, signed = verified
    code = confirmation_code(value)
    deletion = await store.get_deletion(code)
    if deletion is None:
        deletion = Deletion(code, signed.user_id, clock())
        await store.put_deletion(deletion)
        emit("deletion_requested", user=hashed(signed.user_id), code=code)
    if deletion.completed_at is None:
        await _complete(deletion, store, clock)
    return Answer.json(200, {"url": f"{request.base_url}/data-deletion/{code}", "confirmation_code": code})


async def deletion_status(code: str, store: ComplianceStore) -> Answer:
    """What became of a request, for a person to read."""
    deletion = await store.get_deletion(code) if _CODE.fullmatch(code) else None
    if deletion is None:
        return Answer(404, "There is no deletion request with this code.")
    received = f"Deletion request {deletion.code}\nReceived: {_date(deletion.requested_at)}\n"
    if deletion.completed_at is None:
        return Answer(200, received + "State: in progress. It completes by itself.\n")
    done = f"State: completed on {_date(deletion.completed_at)}. Conversations erased: {deletion.threads}.\n"
    return Answer(200, received + done)


async def complete_open_deletions(store: ComplianceStore, clock: Clock, limit: int = 20) -> int:
    """Finish requests that a failure left open; how many. Raises StoreUnavailable."""
    deletions = await store.open_deletions(limit)
    for deletion in deletions:
        await _complete(deletion, store, clock)
    return len(deletions)


async def _complete(deletion: Deletion, store: ComplianceStore, clock: Clock) -> None:
    threads = await store.erase_person(deletion.user_id)
    await store.put_deletion(replace(deletion, completed_at=clock(), threads=threads))
    emit("person_erased", user=hashed(deletion.user_id), code=deletion.code, threads=threads)


def _verified(request: Request, secrets: Sequence[str]) -> tuple[str, SignedRequest] | Answer:
    """The raw signed_request and what it says, or the answer that refuses it."""
    try:
        value = signed_request_field(request)
        return value, parse_signed_request(value, secrets)
    except SignedRequestMalformed:
        return Answer(400, "signed_request is missing or malformed")
    except SignatureWrong:
        emit("callback_rejected", "WARNING", path=request.path, reason="signature")
        return Answer(401, "signature does not match")


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
