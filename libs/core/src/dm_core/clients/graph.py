"""What an answer of Meta's Graph API means, by code and subcode; pure. The HTTP status is unreliable there.

Codes: facts/meta.md sections 3.5 (Instagram) and 7.3 (WhatsApp). Subcodes are unique across codes, so they are asked
first. An error's text is in our own words: the platform's may hold a token or what a person wrote. Only a code we do
not know brings the platform's words along, with everything that could be an id, a number or a token taken out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from dm_core.clients.answers import OUTAGE_WAIT_SECONDS, THROTTLE_WAIT_SECONDS, Reply, clean, fields
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Uncertain

OUTSIDE_WINDOW_WHATSAPP: Final = 131047
NO_PROFILE: Final = frozenset({230, 9010})
"""The person has not consented, or there is no such person to show: go on without a profile."""


class Verdict(Enum):
    """What the caller must do."""

    THROTTLED = "throttled"  # rejected before it was processed
    UNKNOWN = "unknown"  # it may have happened
    REFUSED = "refused"  # this call never will
    STOPPED = "stopped"  # no call will until a person acts


@dataclass(frozen=True, slots=True)
class Meaning:
    """A verdict and why; ``wait_seconds`` is for throttles that name no time."""

    verdict: Verdict
    text: str
    wait_seconds: float = THROTTLE_WAIT_SECONDS


def _throttled(text: str, wait_seconds: float = THROTTLE_WAIT_SECONDS) -> Meaning:
    return Meaning(Verdict.THROTTLED, text, wait_seconds)


def _unknown(text: str) -> Meaning:
    return Meaning(Verdict.UNKNOWN, text)


def _refused(text: str) -> Meaning:
    return Meaning(Verdict.REFUSED, text)


def _stopped(text: str) -> Meaning:
    return Meaning(Verdict.STOPPED, text)


_CONTROLLED = _refused("another app controls the thread")
_WINDOW = _refused("outside the 24 h window")
_MEDIA = _refused("the media could not be taken")
_TEMPLATE = _refused("the template does not fit")
_BAD_PARAMETER = _refused("a parameter was not accepted")

SUBCODES: Final[Mapping[int, Meaning]] = {
    2534022: _WINDOW,
    2018278: _WINDOW,
    1893063: _stopped("the account is restricted from sending for a while"),
    2534014: _refused("no such Instagram user"),
    2534029: _stopped("the account is blocked from the messaging API"),
    2534080: _MEDIA,
    2018047: _MEDIA,
    2534041: _stopped("the owner has switched off access to messages"),
    1545041: _refused("the person is not available"),
    2018300: _CONTROLLED,
    2018321: _CONTROLLED,
    2534001: _refused("the thread is archived or deleted"),
    2446079: _throttled("throttled"),
    2534040: _throttled("throttled"),
    1357046: _unknown("an error, although messages were sent"),
    1545133: _unknown("a temporary failure"),
}

CODES: Final[Mapping[int, Meaning]] = {
    0: _stopped("not authorised"),
    1: _unknown("an unknown error"),
    2: _unknown("a temporary failure"),
    3: _stopped("the app lacks this capability, or the id is not of this API flavour"),
    4: _throttled("the app is throttled"),
    10: _stopped("a permission is missing"),
    17: _throttled("the user is throttled"),
    32: _throttled("the page is throttled"),
    100: _BAD_PARAMETER,
    190: _stopped("the access token is not valid"),
    230: _refused("the person has not consented to a profile"),
    368: _stopped("blocked for breaking the platform's policies"),
    551: _refused("the person is not available"),
    613: _throttled("throttled"),
    9010: _refused("no matching user"),
    80001: _throttled("the page is throttled"),
    80002: _throttled("the Instagram account is throttled"),
    80006: _throttled("messaging is throttled"),
    80007: _throttled("the WhatsApp account is throttled"),
    2018300: _CONTROLLED,
    2018321: _CONTROLLED,
    2534001: _refused("the thread is archived or deleted"),
    130429: _throttled("the number's throughput is used up", 60.0),
    131000: _unknown("an unknown error"),
    131008: _BAD_PARAMETER,
    131009: _BAD_PARAMETER,
    131016: _unknown("the service is overloaded"),
    131026: _refused("undeliverable"),
    131030: _stopped("the recipient is not on the test number's list"),
    131031: _stopped("the account is locked"),
    131042: _stopped("payment is due"),
    OUTSIDE_WINDOW_WHATSAPP: _WINDOW,
    131048: _refused("restricted as spam"),
    131049: _refused("the person's marketing limit is reached"),
    131050: _refused("the person wants no marketing"),
    131051: _refused("this type of message is not supported"),
    131052: _MEDIA,
    131053: _MEDIA,
    131056: _throttled("too many messages to this number", 60.0),
    131062: _refused("this message needs a phone number"),
    131064: _stopped("messaging is limited for misclassified templates"),
    132000: _TEMPLATE,
    132001: _refused("no such template in this language"),
    132005: _TEMPLATE,
    132007: _refused("the template breaks a policy"),
    132008: _TEMPLATE,
    132012: _TEMPLATE,
    132015: _refused("the template is paused"),
    132016: _refused("the template is disabled"),
    133010: _stopped("the number is not registered"),
}

_TOKEN_FAULTS: Final[Mapping[int, str]] = {
    458: "the app was removed",
    460: "the password was changed",
    463: "it has expired",
    2069032: "it is of the wrong kind for this API flavour",
}


def classify(reply: Reply, *, platform: str, idempotent: bool) -> PlatformError | None:
    """The error of an answer, or None for a success that is a JSON object.

    ``idempotent`` (reads): an unknown outcome is RetryLater, because nothing can have happened. Never raises.
    """
    error = fields(reply.body).get("error")
    code, subcode = _number(fields(error).get("code")), _number(fields(error).get("error_subcode"))
    meaning = _known(code, subcode) or _by_status(reply, error)
    if meaning is None:
        return None
    known = _known(code, subcode) is not None
    text = f"{platform}: {meaning.text}{_details(fields(error), code, subcode, known=known)}"
    return _error(meaning, text, code or 0, subcode or 0, idempotent=idempotent)


def unproven(platform: str, what: str) -> Uncertain:
    """A success that does not prove itself: only a message id does (facts/meta.md section 3.6)."""
    return Uncertain(f"{platform}: a success without {what}")


def graph_root(base_url: str, version: str) -> str:
    """Base URL with its version, which is not added twice."""
    return base_url if re.search(r"/v[0-9]+\.[0-9]+$", base_url) else f"{base_url}/{version}"


def bare_root(base_url: str) -> str:
    """Base URL without a version."""
    return re.sub(r"/v[0-9]+\.[0-9]+$", "", base_url)


def _known(code: int | None, subcode: int | None) -> Meaning | None:
    if code == 190:
        fault = _TOKEN_FAULTS.get(subcode or 0)
        return _stopped(f"{CODES[190].text}: {fault}") if fault else CODES[190]
    meaning = SUBCODES.get(subcode or 0)
    if meaning is None and code is not None:
        meaning = CODES.get(code)
    if meaning is None and code is not None and 200 <= code < 300:
        return _stopped("a permission is missing, or the owner has not given access")
    return meaning


def _by_status(reply: Reply, error: object) -> Meaning | None:
    """For answers without a code we know."""
    if reply.is_success:
        if error is None and isinstance(reply.body, dict):
            return None
        return _unknown("an error in a success" if error is not None else "a success that is no JSON object")
    if reply.status == 429:
        return _throttled("throttled")
    if reply.status >= 500 or reply.status == 408 or fields(error).get("is_transient") is True:
        return _unknown("a temporary failure")
    if reply.status == 401:
        return _stopped("not authorised")
    return _refused("refused")


def _error(meaning: Meaning, text: str, code: int, subcode: int, *, idempotent: bool) -> PlatformError:
    match meaning.verdict:
        case Verdict.THROTTLED:
            return RetryLater(text, wait_seconds=meaning.wait_seconds, code=code, subcode=subcode)
        case Verdict.UNKNOWN if idempotent:
            return RetryLater(text, wait_seconds=OUTAGE_WAIT_SECONDS, code=code, subcode=subcode)
        case Verdict.UNKNOWN:
            return Uncertain(text, code=code, subcode=subcode)
        case Verdict.REFUSED:
            return Refused(text, code=code, subcode=subcode)
        case Verdict.STOPPED:
            return AccountStopped(text, code=code, subcode=subcode)


def _details(error: Mapping[str, object], code: int | None, subcode: int | None, *, known: bool) -> str:
    numbers = "" if code is None else f" (code {code}/{subcode})" if subcode else f" (code {code})"
    trace = re.sub(r"[^0-9A-Za-z_-]", "", clean(error.get("fbtrace_id"), 40) or "")
    words = "" if known else _harmless(clean(error.get("message"), 2_000) or "")
    return numbers + (f" [trace {trace}]" if trace else "") + (f": {words}" if words else "")


def _harmless(message: str) -> str:
    """At most 200 characters without anything that could be a token, an id, a number, an address or a quotation."""
    message = re.sub(r"\"[^\"]*\"?|\S*@\S*|\S*://\S*|\S*\d{5,}\S*|[^\s]{24,}", "…", message)
    return " ".join("".join(char if char.isprintable() else " " for char in message).split())[:200]


def _number(value: object) -> int | None:
    """A whole number of at most 10 digits, also when written as text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = value if isinstance(value, str) else str(value) if abs(value) < 10**10 else ""
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) else None
