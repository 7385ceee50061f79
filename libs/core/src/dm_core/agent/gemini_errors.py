"""An exception of google-genai as an error sorted by its owner (``clients.owners``).

An error's text holds no word of the service's: it quotes what was sent, so a person's words or the key.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import httpx2
from google.auth.exceptions import DefaultCredentialsError
from google.genai.errors import APIError

from dm_core.agent.gemini_waits import body_wait
from dm_core.clients.http_response import bounded_wait, fields, items, told_wait
from dm_core.clients.owners import model_owner
from dm_core.errors import AccountStopped, ModelRefused, ModelUnavailable, Owner, PlatformError, Service

_WORD: Final = re.compile(r"[A-Z][A-Z_]{1,59}")


def model_error(error: Exception, now: int) -> PlatformError:
    """ModelUnavailable, AccountStopped or ModelRefused. ``now`` in ms since 1970; never raises."""
    if isinstance(error, APIError):
        return _answered(error, now)
    if isinstance(error, TimeoutError):
        return ModelUnavailable("the model did not answer in time")
    if isinstance(error, DefaultCredentialsError):
        return AccountStopped("there are no credentials for the model", service=Service.MODEL)
    if isinstance(error, UnicodeEncodeError):
        return AccountStopped("the model's key holds what no header may", service=Service.MODEL)
    return ModelUnavailable(f"the model could not be asked: {type(error).__name__}")


def _answered(error: APIError, now: int) -> PlatformError:
    status = error.code if isinstance(error.code, int) else 0  # pyright: ignore[reportUnnecessaryIsInstance]
    details: object = getattr(error, "details", None)
    body = fields(fields(details).get("error")) or fields(details)
    message = _text(body.get("message"))
    reasons = frozenset(_reasons(body))
    rpc_status = _word(body.get("status"))
    text = " ".join(filter(None, ("the model answered", str(status), rpc_status, *sorted(reasons))))
    match model_owner(status, rpc_status, reasons, message):
        case Owner.ACCOUNT:
            return AccountStopped(text, service=Service.MODEL, code=status)
        case Owner.REQUEST:
            return ModelRefused(text, code=status)
        case _:
            return ModelUnavailable(text, wait_seconds=_wait(error, body, now), code=status)


def _reasons(body: Mapping[str, object]) -> Iterator[str]:
    """Those of ``google.rpc.ErrorInfo``, such as API_KEY_INVALID."""
    for detail in items(body.get("details")):
        if reason := _word(fields(detail).get("reason")):
            yield reason


def _wait(error: APIError, body: Mapping[str, object], now: int) -> float | None:
    """As the body says, else Retry-After: seconds, at most an hour."""
    if found := body_wait(body):
        return bounded_wait(found)
    response: object = getattr(error, "response", None)
    if not isinstance(response, httpx2.Response):
        return None
    return told_wait({"retry-after": response.headers.get("retry-after", "")}, now)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _word(value: object) -> str:
    """A name of Google's (NOT_FOUND), or nothing: a proxy puts any words there."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""
