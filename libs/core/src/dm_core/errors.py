"""What can go wrong, sorted by what the receiver must do about it.

The name says what happened; the base class says what to do next:

- ``RetryLater``    nothing happened outside; the same call may succeed after a wait
- ``Uncertain``     it may or may not have happened outside; look it up before anything else
- ``Refused``       it did not happen and never will in this form
- ``AccountStopped`` refused, and so will be everything else until a person acts
- ``Unavailable``   a part of our own system did not answer; fail the request, the caller redelivers
- ``Misconfigured`` the deployment is wrong; nothing starts
"""


class DmAgentError(Exception):
    """Base of every error this project raises on purpose."""


class Misconfigured(DmAgentError):
    """Settings are missing or malformed; the message is one line that names each of them."""


class Unavailable(DmAgentError):
    """A part of our own system failed or did not answer; whether a write was applied is unknown."""


class StoreUnavailable(Unavailable):
    """The event store failed or did not answer."""


class QueueUnavailable(Unavailable):
    """The wake-up queue failed or did not answer."""


class ModelUnavailable(Unavailable):
    """The model could not be reached, timed out or answered with a server error."""


class PlatformError(DmAgentError):
    """A call to Instagram, WhatsApp or Spond did not succeed.

    ``code`` and ``subcode`` are the platform's own numbers (0 when it gave none).
    """

    def __init__(self, message: str, *, code: int = 0, subcode: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.subcode = subcode


class RetryLater(PlatformError):
    """Rejected before it was processed; worth another try after ``wait_seconds``."""

    def __init__(self, message: str, *, wait_seconds: float, code: int = 0, subcode: int = 0) -> None:
        super().__init__(message, code=code, subcode=subcode)
        self.wait_seconds = wait_seconds


class Uncertain(PlatformError):
    """The platform may have acted although no success was reported."""


class Refused(PlatformError):
    """The platform said no, for good: another try of the same call is pointless."""


class AccountStopped(Refused):
    """The platform said no to the whole account (token, permission, restriction); a person must act."""


def described(error: BaseException) -> str:
    """An error as kept and logged: its kind and numbers; its text only where it is our own, never a platform's."""
    if isinstance(error, Unavailable):
        return f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, PlatformError) and error.code:
        return f"{type(error).__name__} {error.code}/{error.subcode}"
    return type(error).__name__
