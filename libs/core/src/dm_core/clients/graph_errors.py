"""An answer of Meta's Graph API as an error sorted by its owner (``clients.owners``); pure.

The HTTP status is unreliable there: it counts only for an answer without a code. An error's text is in our own words:
the platform's may hold a token or what a person wrote. Only a code we don't know brings the platform's words along,
with everything that could be an id, a number or a token taken out.
"""

import re
from collections.abc import Mapping
from typing import Final

from dm_core.clients.http_response import Response, fields, string
from dm_core.clients.owners import DEAD_TOKEN, Operation, Row, graph_row
from dm_core.errors import AccountStopped, Owner, PlatformError, Refused, RetryLater, Service, Uncertain, Unreachable

OUTSIDE_WINDOW_WHATSAPP: Final = 131047

NAMES: Final = {Service.INSTAGRAM: "Instagram", Service.WHATSAPP: "WhatsApp", Service.SPOND: "Spond"}
"""How errors name a service."""


def classify(reply: Response, service: Service, operation: Operation) -> PlatformError | None:
    """The error of an answer, or None for a success that is a JSON object. Never raises.

    Of an idempotent operation an unknown outcome is RetryLater, because nothing can have happened.
    """
    error = fields(reply.body).get("error")
    code, subcode = _number(fields(error).get("code")), _number(fields(error).get("error_subcode"))
    message = string(fields(error).get("message"), 2_000) or ""
    row = graph_row(service, operation, code, subcode, message)
    owner, what = _of_row(row, fields(error)) if row is not None else _by_status(reply, error, code)
    if owner is None:
        return None
    text = f"{NAMES[service]}: {what}{_details(fields(error), code, subcode, known=row is not None)}"
    window = row is not None and row.window
    return _error(owner, text, service, code or 0, subcode or 0, idempotent=operation.is_idempotent, window=window)


def unproven(service: Service, what: str) -> Uncertain:
    """A success that does not prove itself: only a message id does.

    Seen: a send reported as done that never was (https://github.com/fazer-ai/chatwoot/pull/683).
    """
    return Uncertain(f"{NAMES[service]}: a success without {what}", service=service)


def graph_root(base_url: str, version: str) -> str:
    """Base URL with its version, which is not added twice."""
    return base_url if re.search(r"/v[0-9]+\.[0-9]+$", base_url) else f"{base_url}/{version}"


def bare_root(base_url: str) -> str:
    """Base URL without a version."""
    return re.sub(r"/v[0-9]+\.[0-9]+$", "", base_url)


def _of_row(row: Row, error: Mapping[str, object]) -> tuple[Owner, str]:
    """A row's owner. What Meta itself calls transient is no refusal, except by a dead token."""
    transient = error.get("is_transient") is True and row.owner in (Owner.REQUEST, Owner.ACCOUNT)
    if transient and row.code.partition("/")[0] != str(DEAD_TOKEN):
        return Owner.UNKNOWN, "a temporary failure"
    return row.owner, row.text


def _by_status(reply: Response, error: object, code: int | None) -> tuple[Owner | None, str]:
    """For answers without a code we know. With one that we don't, no status proves that nothing happened."""
    if reply.is_success:
        if error is None and isinstance(reply.body, dict):
            return None, ""
        what = "an error in a success" if error is not None else "a success that is no JSON object"
        return Owner.UNKNOWN, f"{what} (HTTP {reply.status})"
    if code is not None:
        return Owner.UNKNOWN, "an error that is not known"
    if reply.status == 429:
        return Owner.OUTAGE, "throttled"
    if reply.status == 401:
        return Owner.ACCOUNT, "not authorised"
    if reply.status >= 500 or reply.status == 408 or fields(error).get("is_transient") is True:
        return Owner.UNKNOWN, f"a temporary failure (HTTP {reply.status})"
    return Owner.UNKNOWN, f"an error without a code (HTTP {reply.status})"


def _error(
    owner: Owner, text: str, service: Service, code: int, subcode: int, *, idempotent: bool, window: bool
) -> PlatformError:
    match owner:
        case Owner.OUTAGE:
            return RetryLater(text, service=service, code=code, subcode=subcode)
        case Owner.ACCOUNT:
            return AccountStopped(text, service=service, code=code, subcode=subcode)
        case Owner.PERSON:
            return Unreachable(text, window=window, service=service, code=code, subcode=subcode)
        case Owner.REQUEST:
            return Refused(text, service=service, code=code, subcode=subcode)
        case _ if idempotent:
            return RetryLater(text, service=service, code=code, subcode=subcode)
        case _:
            return Uncertain(text, service=service, code=code, subcode=subcode)


def _details(error: Mapping[str, object], code: int | None, subcode: int | None, *, known: bool) -> str:
    numbers = "" if code is None else f" (code {code}/{subcode})" if subcode else f" (code {code})"
    trace = re.sub(r"[^0-9A-Za-z_-]", "", string(error.get("fbtrace_id"), 40) or "")
    words = "" if known or code is None else _harmless(string(error.get("message"), 2_000) or "")
    return numbers + (f" [trace {trace}]" if trace else "") + (f": {words}" if words else "")


def _harmless(message: str) -> str:
    """At most 200 characters without anything that could be a token, an id, a number, an address or a quotation."""
    message = re.sub(r"\"[^\"]*\"?|\S*@\S*|\S*://\S*|\S*\d{5,}\S*|[^\s]{24,}", "…", message)
    return " ".join("".join(char if char.isprintable() else " " for char in message).split())[:200]


def _number(value: object) -> int | None:
    """A whole number of at most 10 digits, negative ones too, also when written as text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = value.strip() if isinstance(value, str) else str(value) if abs(value) < 10**10 else ""
    return int(text) if re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) else None
