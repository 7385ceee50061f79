"""What is no turn of Gemini's, as an error sorted by its owner (``clients.owners``).

Errors come as Google writes them, alone in a list (https://github.com/google-gemini/gemini-cli/issues/14025), as JSON
inside the message of a proxy's own error (https://github.com/google-gemini/gemini-cli/issues/2020), under a status of
200, or as a page of a server in between. An error's text holds no word of the service's: it quotes what was sent, so a
person's words or the key.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from google.auth.exceptions import DefaultCredentialsError

from dm_core.agent.gemini_waits import body_wait
from dm_core.clients.http_response import alone, bounded_wait, fields, items, parsed_json, told_wait
from dm_core.clients.owners import model_owner
from dm_core.errors import AccountStopped, ModelRefused, ModelUnavailable, Owner, PlatformError, Service

_WORD: Final = re.compile(r"[A-Z][A-Z_]{1,59}")
_MAX_MESSAGE_CHARS: Final = 2_000


class NoTurn(Exception):
    """The model was asked, and what it answered is no turn. ``headers`` have lower-case names; ``body`` is JSON."""

    def __init__(self, status: int, headers: Mapping[str, str], body: object) -> None:
        super().__init__(status)
        self.status, self.headers, self.body = status, headers, body


def answered(body: str) -> Mapping[str, object]:
    """The object in a body that came with 200. Raises NoTurn where there is none, or an error in its place."""
    value = alone(parsed_json(body))
    answer = fields(value)
    if not isinstance(value, dict) or (answer.get("error") and not answer.get("candidates")):
        code = _error_in(answer).get("code")
        raise NoTurn(code if isinstance(code, int) and 400 <= code < 600 else 200, {}, answer)
    return answer


def model_error(error: Exception, now: int) -> PlatformError:
    """ModelUnavailable, AccountStopped or ModelRefused. ``now`` in ms since 1970; never raises."""
    if isinstance(error, NoTurn):
        return _sorted(error, now)
    if isinstance(error, TimeoutError):
        return ModelUnavailable("the model did not answer in time")
    if isinstance(error, DefaultCredentialsError):
        return AccountStopped("there are no credentials for the model", service=Service.MODEL)
    if isinstance(error, UnicodeEncodeError):
        return AccountStopped("the model's key holds what no header may", service=Service.MODEL)
    return ModelUnavailable(f"the model could not be asked: {type(error).__name__}")


def _sorted(error: NoTurn, now: int) -> PlatformError:
    status, body = error.status, _error_in(error.body)
    reasons = frozenset(_reasons(body))
    rpc_status = _word(body.get("status"))
    text = " ".join(filter(None, ("the model answered", str(status), rpc_status, *sorted(reasons))))
    words = " ".join((*_quotas(body), _text(body.get("message"))))[:_MAX_MESSAGE_CHARS]
    match model_owner(status, rpc_status, reasons, words):
        case Owner.ACCOUNT:
            return AccountStopped(text, wait_seconds=_wait(error, body, now), service=Service.MODEL, code=status)
        case Owner.REQUEST:
            return ModelRefused(text, code=status)
        case _:
            return ModelUnavailable(text, wait_seconds=_wait(error, body, now), code=status)


def _error_in(body: object) -> Mapping[str, object]:
    """The fields of an error, of the innermost where one is written into another's message."""
    whole = fields(alone(body))
    found = fields(whole.get("error")) or whole
    inner = fields(fields(alone(parsed_json(_text(found.get("message"))))).get("error"))
    return inner or found


def _reasons(body: Mapping[str, object]) -> Iterator[str]:
    """Those of ``google.rpc.ErrorInfo``, such as API_KEY_INVALID."""
    for detail in items(body.get("details")):
        if reason := _word(fields(detail).get("reason")):
            yield reason


def _quotas(body: Mapping[str, object]) -> Iterator[str]:
    """Names of ``google.rpc.QuotaFailure``, such as GenerateRequestsPerDayPerProjectPerModel-FreeTier."""
    for detail in items(body.get("details")):
        for violation in items(fields(detail).get("violations")):
            yield _text(fields(violation).get("quotaId"))


def _wait(error: NoTurn, body: Mapping[str, object], now: int) -> float | None:
    """As the body says, else Retry-After: seconds, at most an hour."""
    if found := body_wait(body):
        return bounded_wait(found)
    return told_wait({"retry-after": error.headers.get("retry-after", "")}, now)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _word(value: object) -> str:
    """A name of Google's (NOT_FOUND), or nothing: a proxy puts any words there."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""
