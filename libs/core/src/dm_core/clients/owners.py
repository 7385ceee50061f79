"""Whose an error is, for every code a service is known to answer with: one table, each row with its source.

A row is found by service, operation, code and subcode. What is not in the table is unknown: of a send it may have gone
out (reports of refusals that were delivered: 1200/2018024, -1/2018012, -1/2207001, 20/1772107). A subcode names the
same thing under several codes, so it counts under every code that refuses, and where it stands as the code itself;
under a code that is unknown, nothing does but a throttle.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dm_core.errors import Owner, Service

_META: Final = "https://developers.facebook.com/docs"
MESSENGER_PAGE: Final = f"{_META}/messenger-platform/error-codes"
SEND_PAGE: Final = f"{_META}/messenger-platform/reference/send-api/error-codes"
INSTAGRAM_PAGE: Final = f"{_META}/instagram-platform/instagram-graph-api/reference/error-codes"
GRAPH_PAGE: Final = f"{_META}/graph-api/guides/error-handling"
RATE_PAGE: Final = f"{_META}/graph-api/overview/rate-limiting"
WHATSAPP_PAGE: Final = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"
GEMINI_PAGE: Final = "https://ai.google.dev/gemini-api/docs/troubleshooting"
RPC_PAGE: Final = "https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"
VAULT_PAGE: Final = "https://cloud.google.com/secret-manager/docs/reference/rest"
_ISSUES: Final = "https://github.com"


class Operation(StrEnum):
    """What was asked of a platform. The last three only read: what is unknown of them surely did nothing."""

    SEND = "send"
    REACT = "react"
    INDICATE = "indicate"
    PROFILE = "profile"
    READ = "read"
    REFRESH = "refresh"

    @property
    def is_idempotent(self) -> bool:
        return self in _READS


_READS: Final = frozenset({Operation.PROFILE, Operation.READ, Operation.REFRESH})
_ACTS: Final = frozenset(Operation) - _READS
_ABOUT_A_PERSON: Final = _ACTS | {Operation.PROFILE}


@dataclass(frozen=True, slots=True)
class Row:
    """An error and its owner. ``text`` in our words; ``window``: of the person, only because the 24 hours are over.

    ``services`` and ``operations``: those it is of. ``words``: a pattern the platform's English text must hold, for
    errors whose subcode is missing or unknown.
    """

    code: str
    owner: Owner
    text: str
    source: str
    window: bool = False
    services: frozenset[Service] = frozenset({Service.INSTAGRAM, Service.WHATSAPP})
    operations: frozenset[Operation] = frozenset(Operation)
    words: str = ""


def _rows(
    owner: Owner,
    source: str,
    texts: Mapping[str, str],
    *,
    window: bool = False,
    service: Service | None = None,
    operations: frozenset[Operation] = frozenset(Operation),
    words: str = "",
) -> Iterator[Row]:
    for code, text in texts.items():
        row = Row(code, owner, text, source, window, operations=operations, words=words)
        yield row if service is None else replace(row, services=frozenset({service}))


_INSTAGRAM: Final = Service.INSTAGRAM
_WHATSAPP: Final = Service.WHATSAPP
_OUTSIDE: Final = "outside the 24 h window"
_GONE: Final = "this person cannot be written to"
_CONTROLLED: Final = "another app controls the thread"
_MEDIA: Final = "the media could not be taken"
_TEMPLATE: Final = "the template does not fit"

GRAPH_ROWS: Final[tuple[Row, ...]] = (
    # throttles: rejected before they were processed, so surely not sent
    *_rows(
        Owner.OUTAGE,
        RATE_PAGE,
        {
            "4": "the app is throttled",
            "17": "the user is throttled",
            "32": "the page is throttled",
            "341": "the app is throttled",
            "613": "throttled",
            "80000-80014": "a business's use of the API is throttled",
            "*/2446079": "throttled",
        },
    ),
    *_rows(
        Owner.OUTAGE,
        MESSENGER_PAGE,
        {"613/2534040": "throttled", "9/2018352": "too many actions for this person"},
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.OUTAGE,
        WHATSAPP_PAGE,
        {"130429": "the number's throughput is used up", "131056": "too many messages to this number"},
        service=_WHATSAPP,
    ),
    # the account's or the deployment's
    *_rows(
        Owner.ACCOUNT,
        GRAPH_PAGE,
        {
            "0": "not authorised",
            "3": "the app lacks this capability, or the id is not of this API flavour",
            "10": "a permission is missing",
            "101": "the app does not exist any more",
            "102": "the session has ended",
            "104": "the app demands an appsecret_proof",
            "190": "the access token is not valid",
            "190/458": "the access token is not valid: the app was removed",
            "190/459": "the access token is not valid: the owner must log in at Meta",
            "190/460": "the access token is not valid: the password was changed",
            "190/463": "the access token is not valid: it has expired",
            "190/464": "the access token is not valid: the owner must confirm the account",
            "190/467": "the access token is not valid: it was revoked",
            "190/2069032": "the access token is not valid: it is of the wrong kind for this API flavour",
            "200-299": "a permission is missing, or the owner has not given access",
            "368": "blocked for breaking the platform's policies",
            "2500": "no access token, or a path that this version of the API does not have",
        },
    ),
    *_rows(
        Owner.ACCOUNT,
        f"{_ISSUES}/Yoctol/bottender/issues/271",
        {"100": "the app demands an appsecret_proof"},
        words=r"appsecret_proof",
    ),
    *_rows(
        Owner.ACCOUNT,
        INSTAGRAM_PAGE,
        {"25/2207050": "the account is restricted: the owner must sign in to Instagram"},
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.ACCOUNT,
        MESSENGER_PAGE,
        {
            "10/1893063": "the account is restricted from sending for a while",
            "100/2534029": "the account is blocked from the messaging API",
            "200/2534041": "the owner has switched off access to messages",
            "200/2018028": "the app may write to its own testers only",
        },
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.ACCOUNT,
        f"{_ISSUES}/chatwoot/chatwoot/issues/14932",
        {"100": "Meta takes no messages by this API at present"},
        service=_INSTAGRAM,
        words=r"unsupported request",
    ),
    *_rows(
        Owner.ACCOUNT,
        f"{_ISSUES}/geoff-maddock/events-tracker/issues/1900",
        {"100/33": "the id of the account is wrong, or a permission is missing"},
        service=_INSTAGRAM,
        operations=frozenset({Operation.READ, Operation.REFRESH}),
    ),
    *_rows(
        Owner.ACCOUNT,
        WHATSAPP_PAGE,
        {
            "33": "the number was deleted",
            "100/33": "the id of the number is wrong, or a permission is missing",
            "130497": "the account may not write to this country",
            "131005": "access denied",
            "131021": "the manager's number is the number that sends",
            "131030": "the recipient is not on the test number's list",
            "131031": "the account is locked",
            "131037": "the number's display name is not approved",
            "131042": "payment is due",
            "131045": "the number is not registered",
            "131048": "restricted as spam",
            "131063": "the account may not write to this country",
            "131064": "messaging is limited for misclassified templates",
            "133010": "the number is not registered",
        },
        service=_WHATSAPP,
    ),
    # the person's
    *_rows(
        Owner.PERSON,
        SEND_PAGE,
        {"10/2018065": _OUTSIDE, "10/2018108": _OUTSIDE, "10/2018278": _OUTSIDE},
        window=True,
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/ComposioHQ/composio/issues/3604",
        {"10/2534022": _OUTSIDE},
        window=True,
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/home-assistant/core/issues/32507",
        {"10": _OUTSIDE},
        window=True,
        service=_INSTAGRAM,
        words=r"outside (of )?(the )?allowed window",
    ),
    *_rows(
        Owner.PERSON,
        MESSENGER_PAGE,
        {
            "551": _GONE,
            "551/1545041": _GONE,
            "200/1545041": _GONE,
            "9010": "no such person",
            "100/9010": "no such person",
            "100/2018001": "no such person",
            "100/2534014": "no such person",
            "100/2534037": "the thread is not ours",
            "100/2018300": _CONTROLLED,
            "100/2018321": _CONTROLLED,
            "100/2534001": "the thread is archived or deleted",
        },
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/chatwoot/chatwoot/pull/13002",
        {"100/33": "no such person"},
        service=_INSTAGRAM,
        operations=_ABOUT_A_PERSON,
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/howdyai/botkit/issues/559",
        {"200": _GONE},
        service=_INSTAGRAM,
        words=r"isn.t (receiving messages|available)",
    ),
    *_rows(
        Owner.PERSON,
        SEND_PAGE,
        {"10": _CONTROLLED},
        service=_INSTAGRAM,
        words=r"another app is controlling",
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/chatwoot/chatwoot/issues/6550",
        {"100": "the thread is not ours"},
        service=_INSTAGRAM,
        words=r"not the thread owner",
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/megaapp977/stack/issues/186",
        {"100": "no such person"},
        service=_INSTAGRAM,
        words=r"user cannot be found|no matching user",
    ),
    *_rows(
        Owner.PERSON,
        f"{_ISSUES}/chatwoot/chatwoot/pull/11773",
        {"230": "the person has not consented to a profile"},
        service=_INSTAGRAM,
        operations=frozenset({Operation.PROFILE}),
    ),
    *_rows(
        Owner.PERSON,
        WHATSAPP_PAGE,
        {
            "130472": "the number is part of an experiment of Meta's",
            "131026": "undeliverable",
            "131049": "the person's marketing limit is reached",
            "131050": "the person wants no marketing",
        },
        service=_WHATSAPP,
    ),
    # the request's
    *_rows(
        Owner.REQUEST,
        GRAPH_PAGE,
        {"100": "a parameter was not accepted"},
    ),
    *_rows(
        Owner.REQUEST,
        SEND_PAGE,
        {"100/2534080": _MEDIA, "100/2018047": _MEDIA},
        service=_INSTAGRAM,
    ),
    *_rows(
        Owner.REQUEST,
        WHATSAPP_PAGE,
        {
            "131008": "a parameter is missing",
            "131009": "a parameter was not accepted",
            "131047": "outside the 24 h window, which only a template may",
            "131051": "this type of message is not supported",
            "131052": _MEDIA,
            "131053": _MEDIA,
            "131062": "this message needs a phone number",
            "132000": _TEMPLATE,
            "132001": "no such template in this language",
            "132005": _TEMPLATE,
            "132007": "the template breaks a policy",
            "132008": _TEMPLATE,
            "132012": _TEMPLATE,
            "132015": "the template is paused",
            "132016": "the template is disabled",
            "135000": "a parameter was not accepted",
        },
        service=_WHATSAPP,
    ),
    *_rows(
        Owner.REQUEST,
        f"{_ISSUES}/singer-io/tap-facebook/issues/65",
        {"1": "too much was asked for at once"},
        service=_INSTAGRAM,
        operations=frozenset({Operation.READ}),
        words=r"reduce the amount of data",
    ),
    # unknown: it may have happened
    *_rows(
        Owner.UNKNOWN,
        MESSENGER_PAGE,
        {
            "1": "an unknown error",
            "1/1357046": "an error, although messages were sent",
            "2": "a temporary failure",
            "2/1545133": "a temporary failure",
        },
    ),
    *_rows(
        Owner.UNKNOWN,
        f"{_ISSUES}/gitroomhq/postiz-app/pull/1681",
        {"4/2207051": "blocked as too much, although it was published"},
        service=_INSTAGRAM,
        operations=_ACTS,
    ),
    *_rows(
        Owner.UNKNOWN,
        WHATSAPP_PAGE,
        {
            "131000": "an unknown error",
            "131016": "the service is overloaded",
            "131057": "the account is in maintenance",
            "133004": "a temporary failure",
        },
        service=_WHATSAPP,
    ),
)

_RANGES: Final = {"200-299": range(200, 300), "80000-80014": range(80_000, 80_015)}
_LEAST_GLOBAL_SUBCODE: Final = 1_000_000
"""Meta's long subcodes mean the same under every code, and as one; short ones (33, 463) belong to theirs."""


def graph_row(
    service: Service, operation: Operation, code: int | None, subcode: int | None, message: str = ""
) -> Row | None:
    """The row of an error of Meta's, or None when it isn't in the table: then whose it is, is unknown."""
    if code is None:
        return None
    if subcode and (throttle := _find(service, operation, f"*/{subcode}")):
        return throttle
    by_code = (
        _find(service, operation, f"{code}/{subcode or 0}")
        or _find(service, operation, str(code), message)
        or _find(service, operation, str(code))
        or next((_find(service, operation, key) for key, codes in _RANGES.items() if code in codes), None)
        or _by_subcode(service, operation, code)
    )
    if by_code is None or by_code.owner in (Owner.UNKNOWN, Owner.OUTAGE) or code == DEAD_TOKEN:
        return by_code
    return _by_subcode(service, operation, subcode or 0) or by_code


DEAD_TOKEN: Final = 190
"""The code of a token that is not valid (any more)."""
TOO_MUCH_ASKED: Final = 1
"""The code of a read that is refused for its size."""


def _find(service: Service, operation: Operation, key: str, message: str | None = None) -> Row | None:
    """The first row of this key; with ``message`` the first whose words are in it."""
    for row in _BY_KEY.get(key, ()):
        fits = not row.words if message is None else row.words and re.search(row.words, message, re.IGNORECASE)
        if fits and service in row.services and operation in row.operations:
            return row
    return None


def _by_subcode(service: Service, operation: Operation, subcode: int) -> Row | None:
    if subcode < _LEAST_GLOBAL_SUBCODE:
        return None
    rows = (_find(service, operation, key) for key in _BY_KEY if key.endswith(f"/{subcode}"))
    return next((row for row in rows if row is not None), None)


def _by_key(rows: tuple[Row, ...]) -> Mapping[str, tuple[Row, ...]]:
    keyed: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        keyed[row.code] = (*keyed.get(row.code, ()), row)
    return keyed


_BY_KEY: Final = _by_key(GRAPH_ROWS)


@dataclass(frozen=True, slots=True)
class GoogleRow:
    """An error of Google's by its HTTP status or ``google.rpc.Code``."""

    key: str
    owner: Owner
    source: str


def _google(owner: Owner, source: str, keys: str) -> tuple[GoogleRow, ...]:
    return tuple(GoogleRow(key, owner, source) for key in keys.split())


MODEL_ROWS: Final = (
    *_google(Owner.OUTAGE, GEMINI_PAGE, "408 409 429 499 500 502 503 504"),
    *_google(Owner.ACCOUNT, GEMINI_PAGE, "401 402 403 404 410"),
    *_google(Owner.ACCOUNT, GEMINI_PAGE, "FAILED_PRECONDITION PERMISSION_DENIED NOT_FOUND UNAUTHENTICATED"),
    *_google(Owner.ACCOUNT, GEMINI_PAGE, "API_KEY_INVALID API_KEY_EXPIRED SERVICE_DISABLED BILLING_DISABLED"),
    *_google(Owner.ACCOUNT, GEMINI_PAGE, "API_KEY_SERVICE_BLOCKED CONSUMER_SUSPENDED CONSUMER_INVALID"),
    *_google(Owner.ACCOUNT, GEMINI_PAGE, "RESOURCE_PROJECT_INVALID"),
    *_google(Owner.OUTAGE, RPC_PAGE, "UNAVAILABLE RESOURCE_EXHAUSTED DEADLINE_EXCEEDED INTERNAL ABORTED CANCELLED"),
    *_google(Owner.REQUEST, GEMINI_PAGE, "413 INVALID_ARGUMENT OUT_OF_RANGE"),
)
"""The model's (``google.rpc.Code`` and the reasons of ``google.rpc.ErrorInfo``). A 400 alone tells nothing."""

_DEPLOYMENTS: Final = re.compile(
    r"""api\ key\ (?:not\ valid|not\ found|expired|must\ be)|user\ location\ is\ not\ supported|billing
    |no\ longer\ (?:available|supported)|deprecated|not\ supported\ for\ generatecontent
    |thinking|function\ calling|developer\ instruction|function_?declarations
    |generation_?config|system_?instruction|max_?output_?tokens|unknown\ name(?!.*\bcontents\b)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Words of a 400 about the key, or about what is the same in every request, so that every DM would be refused: the
model has gone (https://github.com/goruck/home-generative-agent/issues/575), it does not take the configured thinking
(https://github.com/google-gemini/gemini-cli/issues/13567) or tools (https://github.com/BerriAI/litellm/issues/10313),
its version does not know a field."""
_NO_CREDIT: Final = re.compile(
    r"credits? (are|is|have been) (depleted|exhausted)|spend(ing)? (cap|limit)|\blimit: 0\b|free quota tier"
    r"|per[ _]?day",
    re.IGNORECASE,
)
"""Words of a 429, its quota's name included, that no short waiting mends (https://github.com/dyad-sh/dyad/issues/3626,
https://github.com/google-gemini/gemini-cli/issues/22486, https://github.com/google-gemini/gemini-cli/issues/8437).
"Check your plan and billing" is in every other one too."""

VAULT_ROWS: Final = (
    *_google(Owner.OUTAGE, RPC_PAGE, "UNAVAILABLE RESOURCE_EXHAUSTED DEADLINE_EXCEEDED INTERNAL ABORTED CANCELLED"),
    *_google(Owner.OUTAGE, RPC_PAGE, "UNKNOWN DATA_LOSS"),
    *_google(Owner.ACCOUNT, VAULT_PAGE, "PERMISSION_DENIED UNAUTHENTICATED INVALID_ARGUMENT UNIMPLEMENTED"),
)
"""Secret Manager's. NOT_FOUND and FAILED_PRECONDITION of a read are no errors: nothing was kept, or it is disabled."""

_MODEL: Final = {row.key: row.owner for row in MODEL_ROWS}
_VAULT: Final = {row.key: row.owner for row in VAULT_ROWS}


def model_owner(http_status: int, rpc_status: str, reasons: frozenset[str], message: str) -> Owner:
    """Whose an error of the model is; unknown for an answer of no known shape, which did nothing."""
    if http_status == 429 and _NO_CREDIT.search(message):
        return Owner.ACCOUNT
    if (owner := _MODEL.get(str(http_status))) is Owner.OUTAGE or http_status >= 500:
        return Owner.OUTAGE
    if http_status < 400:
        return Owner.UNKNOWN
    if owner is Owner.ACCOUNT or Owner.ACCOUNT in {_MODEL.get(reason) for reason in reasons}:
        return Owner.ACCOUNT
    if http_status == 400 and _DEPLOYMENTS.search(message):
        return Owner.ACCOUNT
    return owner or _MODEL.get(rpc_status) or Owner.UNKNOWN


def vault_owner(rpc_status: str) -> Owner:
    """Whose an error of Secret Manager is; a status that isn't in the table is an outage: the load is repeated."""
    return _VAULT.get(rpc_status, Owner.OUTAGE)
