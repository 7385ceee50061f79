"""The functions' environment variables as the program knows them: who reads which secret, and what may be tuned.

dm_core's settings are the truth; infra does not import them. A test reads both and fails where they differ
(tests/infra/rights/test_settings_agree.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Function = Literal["webhook", "processor"]
FUNCTIONS: Final[tuple[Function, ...]] = ("webhook", "processor")

SECRETS: Final[Mapping[str, Function]] = {
    "INSTAGRAM_APP_SECRET": "webhook",
    "INSTAGRAM_VERIFY_TOKEN": "webhook",
    "INSTAGRAM_ACCESS_TOKEN": "processor",
    "WHATSAPP_ACCESS_TOKEN": "processor",
    "GEMINI_API_KEY": "processor",
    "SPOND_USERNAME": "processor",
    "SPOND_PASSWORD": "processor",
}
"""Every secret variable that has no default, and the one function that reads it."""

OPTIONAL_SECRETS: Final[Mapping[str, Function]] = {
    "WHATSAPP_APP_SECRET": "webhook",
    "WHATSAPP_VERIFY_TOKEN": "webhook",
}
"""Their containers are always there; a function reads one where its version is pinned, else Instagram's serves. With
the Instagram login WhatsApp's webhook is signed with another secret than Instagram's: there the first is needed."""

ALL_SECRETS: Final[Mapping[str, Function]] = {**SECRETS, **OPTIONAL_SECRETS}

MODEL_KEY: Final = "GEMINI_API_KEY"
SPOND_SECRETS: Final = ("SPOND_USERNAME", "SPOND_PASSWORD")
REFRESHED: Final = "INSTAGRAM_ACCESS_TOKEN"
"""The processor adds versions to this one when it refreshes the token; the latest counts."""


def secret_id(prefix: str, variable: str) -> str:
    """The container's name in Secret Manager: ``dm-instagram-app-secret``."""
    return f"{prefix}-{variable.lower().replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Tuning:
    """A variable with a default in the code that a stack may set. Bounds are those of the code, both included."""

    functions: tuple[Function, ...]
    bounds: tuple[float, float] | None = None
    whole: bool = False
    pattern: str = r"\S(.*\S)?"
    meant: str = "a text"

    def problem(self, value: str) -> str | None:
        """What is wrong with a value, or None."""
        if self.bounds is None:
            return None if re.fullmatch(self.pattern, value) else f"must be {self.meant}"
        low, high = self.bounds
        kind = "a whole number" if self.whole else "a number"
        shape = r"[0-9]{1,12}" if self.whole else r"[0-9]{1,12}(\.[0-9]{1,6})?"
        fits = re.fullmatch(shape, value) is not None and low <= float(value) <= high
        return None if fits else f"must be {kind} from {low:.12g} to {high:.12g}"


def _whole(low: int, high: int) -> Tuning:
    return Tuning(("processor",), (low, high), whole=True)


TUNINGS: Final[Mapping[str, Tuning]] = {
    "RETENTION_DAYS": Tuning(FUNCTIONS, (1, 3_650), whole=True),
    "DEBOUNCE_MIN_SECONDS": Tuning(FUNCTIONS, (0, 3_600)),
    "DEBOUNCE_MAX_SECONDS": Tuning(FUNCTIONS, (0, 3_600)),
    "HUMAN_TAKEOVER_MINUTES": Tuning(("webhook", "processor"), (0, 10_080)),
    "GEMINI_MODEL": Tuning(("processor",), pattern=r"[A-Za-z0-9._/-]{1,200}", meant="a model name"),
    "MODEL_TIMEOUT_SECONDS": Tuning(("processor",), (1, 600)),
    "GEMINI_THINKING": Tuning(("processor",), pattern="low|medium|high", meant="low, medium or high"),
    "MEDIA": Tuning(("processor",), pattern="off|images|all", meant="off, images or all"),
    "INSTAGRAM_API_FLAVOR": Tuning(FUNCTIONS, pattern="instagram|page", meant="instagram or page"),
    "GRAPH_API_VERSION": Tuning(("processor",), pattern=r"v[0-9]{1,3}\.[0-9]{1,2}", meant="like v26.0"),
    "WHATSAPP_TEMPLATE": Tuning(("processor",)),
    "MAX_ATTEMPTS": _whole(1, 100),
    "MAX_MODEL_TURNS": _whole(1, 50),
    "MAX_SENDS_PER_RUN": _whole(1, 20),
    "MAX_NOTIFICATIONS_PER_RUN": _whole(0, 10),
    "MAX_RUNS_PER_HOUR": _whole(1, 10_000),
    "MAX_RUNS_PER_DAY": _whole(1, 100_000),
    "MAX_RUNS_PER_DAY_TOTAL": _whole(0, 10_000_000),
    "MAX_WAIT_HOURS": Tuning(("processor",), (0.01, 24)),
    "PLAN_MAX_AGE_SECONDS": Tuning(("processor",), (1, 86_400)),
    "MAX_ALERTS_PER_HOUR": _whole(1, 1_000),
    "ALERT_ALARM_MINUTES": Tuning(("processor",), (0.01, 1_440)),
    "HANDOVER_REMINDER_MINUTES": Tuning(("processor",), (1, 1_440)),
    "HANDOVER_HOURS": Tuning(("processor",), (1, 168)),
    "DISCLOSURE_DAYS": _whole(0, 3_650),
    "UNCERTAIN_SENDS": Tuning(("processor",), pattern="hold|resend", meant="hold or resend"),
    "ECHO_WAIT_SECONDS": Tuning(("processor",), (0, 60)),
    "UNCERTAIN_LOOK_UPS": _whole(1, 20),
}
"""What ``dm-agent:settings`` may hold. Timeouts and the lease are not here: they follow from the function's timeout."""

DEFAULT_MODEL: Final = "gemini-3.8-flash"
"""The code's own default of GEMINI_MODEL; where it is offered decides which locations a stack may name."""

DEFAULT_ATTEMPTS: Final = 5
"""The code's own default of MAX_ATTEMPTS; the queue's retries are computed from it."""


def tuned(settings: Mapping[str, str], function: Function) -> dict[str, str]:
    """The part of a stack's settings that a function reads."""
    return {name: value for name, value in settings.items() if function in TUNINGS[name].functions}
