"""What can go wrong, sorted by whose it is: that alone decides what happens next (docs/architecture.md#whose-fault).

    outage    nobody's in this thread: the DMs wait, nothing is counted        RetryLater, Unavailable
    account   the account's or the deployment's: the same wait, one alert      AccountStopped
    person    this person can't be written to: an ending                       Unreachable
    request   our text or argument: back to the model, at most twice           Refused
    unknown   it may have happened: looked up, never assumed unsent            Uncertain
    message   anything else, our own code included: an attempt of the DM       every other exception

Which code of a platform is whose stands in one table, ``clients/owners.py``.
"""

from enum import StrEnum


class Service(StrEnum):
    """Who answered, or did not."""

    MODEL = "model"
    INSTAGRAM = "instagram"
    WHATSAPP = "whatsapp"
    SPOND = "spond"
    VAULT = "vault"
    STORE = "store"
    QUEUE = "queue"


class Owner(StrEnum):
    """Whose an error is."""

    OUTAGE = "outage"
    ACCOUNT = "account"
    PERSON = "person"
    REQUEST = "request"
    UNKNOWN = "unknown"
    MESSAGE = "message"


class Cause(StrEnum):
    """What a person must see to before Google does what was asked; part of an ``Unavailable``'s message."""

    NO_ACCESS_TOKEN = "no access token"  # noqa: S105
    API_OFF = "the API is off"
    NO_ACT_AS = "no actAs"
    NO_INDEX = "no index yet"
    NO_DATABASE = "no such database"
    NO_QUEUE = "no such queue"


class DmAgentError(Exception):
    """Base of every error this project raises on purpose."""

    owner: Owner = Owner.MESSAGE


class Misconfigured(DmAgentError):
    """Settings are missing or malformed; the message is one line that names each of them."""


class Unavailable(DmAgentError):
    """A part of our own system failed or did not answer; whether a write was applied is unknown."""

    owner = Owner.OUTAGE


class StoreUnavailable(Unavailable):
    """The event store failed or did not answer."""


class QueueUnavailable(Unavailable):
    """The wake-up queue failed or did not answer."""


class PlatformError(DmAgentError):
    """A call to a service did not succeed.

    ``service`` says which; ``code`` and ``subcode`` are its own numbers (0 when it gave none). Without a code the
    message holds no word of the service's. ``wait_seconds``: how long it asked to be left alone, None when it did not.
    """

    def __init__(
        self,
        message: str,
        *,
        wait_seconds: float | None = None,
        service: Service = Service.INSTAGRAM,
        code: int = 0,
        subcode: int = 0,
    ) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.service = service
        self.code = code
        self.subcode = subcode


class RetryLater(PlatformError):
    """An outage or a throttle: it surely did not happen, and may succeed after a wait."""

    owner = Owner.OUTAGE


class ModelUnavailable(RetryLater):
    """The model could not be reached, timed out, throttled or answered with a server error."""

    def __init__(self, message: str, *, wait_seconds: float | None = None, code: int = 0) -> None:
        super().__init__(message, wait_seconds=wait_seconds, service=Service.MODEL, code=code)


class Uncertain(PlatformError):
    """The platform may have acted although no success was reported."""

    owner = Owner.UNKNOWN


class Refused(PlatformError):
    """The service said no to this very request: another try of the same call is pointless."""

    owner = Owner.REQUEST


class ModelRefused(Refused):
    """The model's API does not take this history: another try with the same one is pointless."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message, service=Service.MODEL, code=code)


class Unreachable(PlatformError):
    """This person cannot be written to. ``window``: only because the 24 hours are over."""

    owner = Owner.PERSON

    def __init__(
        self,
        message: str,
        *,
        window: bool = False,
        service: Service = Service.INSTAGRAM,
        code: int = 0,
        subcode: int = 0,
    ) -> None:
        super().__init__(message, service=service, code=code, subcode=subcode)
        self.window = window


class AccountStopped(PlatformError):
    """The service said no to the whole account or deployment (token, permission, key); a person must act."""

    owner = Owner.ACCOUNT


def described(error: BaseException) -> str:
    """An error as kept and logged: its kind, and its numbers, or its text where it has none: then that is our own."""
    if isinstance(error, PlatformError) and error.code:
        return f"{type(error).__name__} {error.code}/{error.subcode}"
    if isinstance(error, Unavailable | Misconfigured | PlatformError):
        return f"{type(error).__name__}: {error}"[:200]
    return type(error).__name__
