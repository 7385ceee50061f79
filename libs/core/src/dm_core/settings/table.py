"""Every variable of the functions' environment, declared once: the loaders, the sandbox, ``infra/`` and
docs/settings.md take names, defaults and bounds from here.

One file that imports nothing but the standard library, so that ``infra/``, which never imports the core, can read it by
its path. A value is parsed here and nowhere else; no message shows it, because it may be a secret.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict, Unpack, cast
from urllib.parse import urlsplit

Function = Literal["webhook", "processor"]
SetBy = Literal["stack", "program", "secret", "elsewhere"]
"""Who sets it in a deployment: the stack's own configuration (``dm-agent:settings``), the infrastructure program, a
secret's container, or nobody: it points the code elsewhere than Google Cloud, in the sandbox and in tests."""

WEBHOOK: Final[tuple[Function, ...]] = ("webhook",)
PROCESSOR: Final[tuple[Function, ...]] = ("processor",)
BOTH: Final[tuple[Function, ...]] = ("webhook", "processor")


_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\xab\xbb\u2039\u203a"
"""Straight ones, and those that a word processor or a chat makes of them."""
_WRAPPED: Final = re.compile(
    rf"[{_QUOTES}].*[{_QUOTES}]|<.*>|\[.*\]|\{{\{{.*\}}\}}|\$[{{(].*[}})]|%[A-Za-z_]+%", re.DOTALL
)
WRAPPED: Final = "is wrapped in quotes or brackets"
OWN_NAME: Final = "begins with its own name"


@dataclass(frozen=True, slots=True)
class Setting[T]:
    """One variable.

    ``parse`` takes a text that is not empty and raises ValueError where it is not ``allowed``. ``default`` holds where
    the variable is not set; ``otherwise`` says in words what does, where that depends on other variables. ``required``:
    the functions that don't start without it. ``instead``: the variable that serves where this secret has no value.
    """

    name: str
    default: T
    meaning: str
    parse: Callable[[str], T]
    allowed: str
    bounds: tuple[float, float] | None = None
    functions: tuple[Function, ...] = PROCESSOR
    required: tuple[Function, ...] = ()
    set_by: SetBy = "stack"
    otherwise: str = ""
    instead: str = ""

    def pasted_with(self, value: str) -> str | None:
        """What came along when a value was pasted, or None: quotes, which some readers of a file of variables keep
        (https://github.com/docker/docs/issues/14874), the brackets of an example or of a variable that nobody filled in
        (``${NAME}``), the variable's own name. Of several secrets each is looked at, and half a pair of quotes is
        enough. A password may be anything."""
        if "PASSWORD" in self.name:
            return None
        if re.match(rf"(?:export\s+)?{self.name}\s*=", value):
            return OWN_NAME
        is_secret = self.set_by == "secret"
        parts = [part.strip() for part in re.split("[,=]", value)] if is_secret else []
        halves = {end for part in parts for end in (part[:1], part[-1:])}
        if any(_WRAPPED.fullmatch(part) for part in (value, *parts)) or halves & set(_QUOTES):
            return WRAPPED
        return None

    def problem(self, value: str) -> str | None:
        """What is wrong with a value, or None."""
        if not value or value != value.strip():
            return "must not be empty, nor have white space around it"
        if (pasted := self.pasted_with(value)) is not None:
            return pasted
        try:
            self.parse(value)
        except ValueError as error:
            return str(error)
        return None


class More(TypedDict, total=False):
    """What a kind of setting leaves to each."""

    functions: tuple[Function, ...]
    required: tuple[Function, ...]
    set_by: SetBy
    otherwise: str
    instead: str


_LINE: Final = r"[^\x00-\x1f\x7f]+"


def _text(
    name: str, default: str, meaning: str, pattern: str = _LINE, allowed: str = "a text", **more: Unpack[More]
) -> Setting[str]:
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must {'look' if allowed.startswith('like ') else 'be'} {allowed}")
        return value

    return Setting(name, default, meaning, parse, allowed, **more)


def _texts(
    name: str, meaning: str, pattern: str = _LINE, each: str = "one", **more: Unpack[More]
) -> Setting[tuple[str, ...]]:
    allowed = f"{each}, or several with commas between"

    def parse(value: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not parts:
            raise ValueError("holds nothing between its commas")
        if not all(re.fullmatch(pattern, part) for part in parts):
            raise ValueError(f"must be {allowed}")
        return parts

    return Setting(name, (), meaning, parse, allowed, **more)


def _url(name: str, default: str, meaning: str, *, base: bool = False, **more: Unpack[More]) -> Setting[str]:
    """``base``: paths are added to it, so nothing may follow its own."""

    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            printable = re.fullmatch(r"[!\"$-~]+", value) is not None and "@" not in parts.netloc
            valid = printable and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ValueError("must be an http(s) URL")
        if base and "?" in value:
            raise ValueError("must be an http(s) URL without a query: paths are added to it")
        return value

    return Setting(name, default, meaning, parse, "an http(s) URL", **more)


def _number(name: str, default: float, low: float, high: float, meaning: str, **more: Unpack[More]) -> Setting[float]:
    allowed = f"a number from {low:.12g} to {high:.12g}"

    def parse(value: str) -> float:
        try:
            number = float(value) if re.fullmatch(r"[0-9.e+-]+", value) else float("nan")
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"must be {allowed}")
        return number

    return Setting(name, default, meaning, parse, allowed, (low, high), **more)


def _whole(name: str, default: int, low: int, high: int, meaning: str, **more: Unpack[More]) -> Setting[int]:
    allowed = f"a whole number from {low} to {high}"

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be {allowed}")
        return int(value)

    return Setting(name, default, meaning, parse, allowed, (low, high), **more)


def _choice[T: str](name: str, words: tuple[T, ...], default: T, meaning: str, **more: Unpack[More]) -> Setting[T]:
    allowed = " or ".join(words)

    def parse(value: str) -> T:
        if value not in words:
            raise ValueError(f"must be {allowed}")
        return cast("T", value)

    return Setting(name, default, meaning, parse, allowed, **more)


def _flag(name: str, meaning: str, **more: Unpack[More]) -> Setting[bool]:
    def parse(value: str) -> bool:
        if value.lower() not in ("true", "false", "1", "0"):
            raise ValueError("must be true or false")
        return value.lower() in ("true", "1")

    return Setting(name, False, meaning, parse, "true or false", **more)


def _host(name: str, meaning: str) -> Setting[str]:
    port = r"(?!0+$)(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
    pattern = rf"[0-9A-Za-z._-]+:{port}|\[[0-9a-fA-F:.]+\]:{port}"
    return _text(name, "", meaning, pattern, "host:port", functions=BOTH, set_by="elsewhere")


MAX_TEMPLATE_CHARS: Final = 1_024
"""Longest body of a template, fixed text and variable together (docs/platforms/whatsapp.md#template). Counted in UTF-16
units, which are never fewer than whatever WhatsApp counts."""
UNKNOWN_FIXED_CHARS: Final = 200
"""What is kept free for the fixed text when the body is not configured."""

_VARIABLE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]*)\s*\}\}")
_TEMPLATE: Final = re.compile(
    r"\s*([a-z0-9_]{1,512})\s*(?::\s*([a-z]{2,3}(?:_[A-Za-z]{2,4})?)?\s*(?::(.*))?)?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Template:
    """The approved template for outside the manager's 24 hours; it has one variable, in its body.

    ``variable`` is the name of a named one, None for ``{{1}}``. ``room``: how long the variable's text may be.
    """

    name: str
    language: str = "en"
    variable: str | None = None
    room: int = MAX_TEMPLATE_CHARS - UNKNOWN_FIXED_CHARS


def utf16_length(text: str) -> int:
    """The length in UTF-16 units: characters outside the basic plane, such as emoji, count two."""
    return len(text) + sum(char > "\uffff" for char in text)


def _template(value: str) -> Template:
    found = _TEMPLATE.fullmatch(value)
    if found is None:
        raise ValueError("must be name, name:language or name:language:body (as in dm_alert:en_GB)")
    name, language, body = found[1], found[2] or "en", found[3] or ""
    if not body.strip():
        return Template(name, language)
    variables = cast("list[str]", _VARIABLE.findall(body))
    if len(variables) != 1:
        raise ValueError(f"must have one variable in its body, such as {{{{1}}}}; it has {len(variables)}")
    (variable,) = variables
    if not variable or (variable.isdecimal() and variable != "1"):
        raise ValueError("must call the variable in its body {{1}} or by a name")
    room = MAX_TEMPLATE_CHARS - utf16_length(_VARIABLE.sub("", body))
    if room < 1:
        raise ValueError(f"leaves no room for its variable: its body may have {MAX_TEMPLATE_CHARS} characters")
    return Template(name, language, None if variable.isdecimal() else variable, room)


_ID: Final = r"[0-9A-Za-z._-]{1,64}"
_NAME: Final = r"[!-.0-~]{1,100}"
_ASCII: Final = r"[\x21-\x7e]+"
"""What may go into a header as one word."""
_PRINTABLE: Final = "printable ASCII without blanks"
_LINES: Final = r"(?s:.+)"
"""Whatever it is, its reader says what is wrong with it."""
_QUEUE: Final = r"[A-Za-z0-9-]{1,100}"

# fmt: off
GOOGLE_CLOUD_PROJECT = _text(
    "GOOGLE_CLOUD_PROJECT", "", "The project of database and queues.", _NAME, "a project's id",
    functions=BOTH, required=BOTH, set_by="program",
)
FIRESTORE_DATABASE = _text(
    "FIRESTORE_DATABASE", "(default)", "The Firestore database.", _NAME, "a database's name",
    functions=BOTH, set_by="program",
)
STORE_URL = _text(
    "STORE_URL", "firestore:", "Where threads live; SQLite is the embedded store of the sandbox.",
    r"firestore:|sqlite:///.+", "firestore: or sqlite:///path", functions=BOTH, set_by="elsewhere",
)
FIRESTORE_EMULATOR_HOST = _host("FIRESTORE_EMULATOR_HOST", "Google's Firestore emulator.")
RETENTION_DAYS = _whole(
    "RETENTION_DAYS", 90, 1, 3_650, "Days until messages, runs and alerts expire.", functions=BOTH
)

CLOUD_TASKS_LOCATION = _text(
    "CLOUD_TASKS_LOCATION", "", "The region of the queues.", _NAME, "a region",
    functions=BOTH, required=BOTH, set_by="program",
)
CLOUD_TASKS_QUEUE = _text(
    "CLOUD_TASKS_QUEUE", "dm-processing", "The queue of wake-ups.", _QUEUE, "a queue name",
    functions=BOTH, set_by="program",
)
QUEUE_SHARDS = _whole(
    "QUEUE_SHARDS", 1, 1, 20, "Over how many queues of wake-ups threads are spread; `dm-processing-1` is the second.",
    functions=BOTH, set_by="program",
)
ALERTS_QUEUE = _text(
    "ALERTS_QUEUE", "dm-alerts", "The queue of alerts.", _QUEUE, "a queue name", functions=BOTH, set_by="program"
)
PROCESS_MESSAGE_URL = _url(
    "PROCESS_MESSAGE_URL", "", "The processor's address, which wake-ups call.",
    functions=BOTH, required=BOTH, set_by="program",
)
PROCESS_ALERT_URL = _url(
    "PROCESS_ALERT_URL", "", "The address that the alerts' queue calls.",
    functions=BOTH, set_by="elsewhere", otherwise="`PROCESS_MESSAGE_URL` with the path `alerts` added",
)
TASKS_INVOKER_EMAIL = _text(
    "TASKS_INVOKER_EMAIL", "", "The identity that tasks call the processor with.", r"[^@\s]+@[^@\s]+",
    "an e-mail address", functions=BOTH, required=BOTH, set_by="program",
)
CLOUD_TASKS_EMULATOR_HOST = _host(
    "CLOUD_TASKS_EMULATOR_HOST", "A Cloud Tasks emulator, plain gRPC."
)
DEBOUNCE_MIN_SECONDS = _number(
    "DEBOUNCE_MIN_SECONDS", 5, 0, 3_600, "Shortest time from a DM to its wake-up.", functions=BOTH
)
DEBOUNCE_MAX_SECONDS = _number(
    "DEBOUNCE_MAX_SECONDS", 15, 0, 3_600, "Longest time from a DM to its wake-up; not below the shortest.",
    functions=BOTH, otherwise="15, or the shortest where that is more",
)
FUNCTION_TIMEOUT_SECONDS = _number(
    "FUNCTION_TIMEOUT_SECONDS", 300, 1, 3_600, "The platform's limit for one request; a run stops itself before it.",
    functions=BOTH, set_by="program",
)
LEASE_SECONDS = _number(
    "LEASE_SECONDS", 330, 1, 7_200, "How long a claim holds a thread; must exceed `FUNCTION_TIMEOUT_SECONDS`.",
    set_by="program",
)

INSTAGRAM_PAGE_ID = _text(
    "INSTAGRAM_PAGE_ID", "", "The account's id, or the page's where the flavour is `page`.", _ID,
    "an account or page id", functions=BOTH, required=BOTH, set_by="program",
)
INSTAGRAM_ACCOUNT_IDS = _texts(
    "INSTAGRAM_ACCOUNT_IDS", "Accounts whose events are taken.", _ID, "an id", functions=WEBHOOK, set_by="program",
    otherwise="whichever account an event names",
)
INSTAGRAM_APP_SECRET = _texts(
    "INSTAGRAM_APP_SECRET", "Signs Instagram's webhooks; several while one is being replaced.", _ASCII, _PRINTABLE,
    functions=WEBHOOK, required=WEBHOOK, set_by="secret",
)
INSTAGRAM_VERIFY_TOKEN = _text(
    "INSTAGRAM_VERIFY_TOKEN", "", "What Meta says when it subscribes the webhook.",
    functions=WEBHOOK, required=WEBHOOK, set_by="secret",
)
INSTAGRAM_ACCESS_TOKEN = _text(
    "INSTAGRAM_ACCESS_TOKEN", "", "One token, or `ACCOUNT_ID=TOKEN` for each of several accounts.",
    r"[\x20-\x7e\t\r\n]+", "printable ASCII", required=PROCESSOR, set_by="secret",
)
INSTAGRAM_TOKEN_SECRET = _text(
    "INSTAGRAM_TOKEN_SECRET", "", "The secret that refreshed tokens are added to.",
    r"projects/[^/\s]+/secrets/[^/\s]+", "like projects/PROJECT/secrets/NAME", set_by="program",
)
INSTAGRAM_TOKEN_FILE = _text(
    "INSTAGRAM_TOKEN_FILE", "", "A file that refreshed tokens are kept in.", set_by="elsewhere"
)
INSTAGRAM_API_FLAVOR: Setting[Literal["instagram", "page"]] = _choice(
    "INSTAGRAM_API_FLAVOR", ("instagram", "page"), "instagram", "How the account logs in: by Instagram or by a page.",
    functions=BOTH,
)
INSTAGRAM_API_BASE_URL = _url(
    "INSTAGRAM_API_BASE_URL", "", "Instagram's API.", base=True,
    set_by="elsewhere", otherwise="Meta's host of the flavour",
)
INSTAGRAM_MEDIA_BASE_URL = _url(
    "INSTAGRAM_MEDIA_BASE_URL", "", "Takes the place of a media address's host, once that was checked.",
    base=True, set_by="elsewhere",
)
GRAPH_API_VERSION = _text(
    "GRAPH_API_VERSION", "v26.0", "The version of Meta's API.", r"v[0-9]{1,3}\.[0-9]{1,2}", "like v26.0"
)
HUMAN_TAKEOVER_MINUTES = _number(
    "HUMAN_TAKEOVER_MINUTES", 60, 0, 10_080, "How long the bot is silent after a human answered in the thread.",
    functions=BOTH,
)

WHATSAPP_ACCESS_TOKEN = _text(
    "WHATSAPP_ACCESS_TOKEN", "", "Sends the alerts.", _ASCII, _PRINTABLE,
    required=PROCESSOR, set_by="secret",
)
WHATSAPP_PHONE_NUMBER_ID = _text(
    "WHATSAPP_PHONE_NUMBER_ID", "", "The number that alerts come from.", _ID, "an id",
    functions=BOTH, required=PROCESSOR, set_by="program",
)
WHATSAPP_APP_SECRET = _texts(
    "WHATSAPP_APP_SECRET", "The Meta app's secret, which signs WhatsApp's webhooks.", _ASCII, _PRINTABLE,
    functions=WEBHOOK, set_by="secret", instead="INSTAGRAM_APP_SECRET",
)
WHATSAPP_VERIFY_TOKEN = _text(
    "WHATSAPP_VERIFY_TOKEN", "", "What Meta says when it subscribes WhatsApp's webhook.",
    functions=WEBHOOK, set_by="secret", instead="INSTAGRAM_VERIFY_TOKEN",
)
WHATSAPP_TEMPLATE: Setting[Template | None] = Setting(
    "WHATSAPP_TEMPLATE", None, "The approved template for outside the manager's 24 hours: `name[:language[:body]]`.",
    _template, "a text",
)
WHATSAPP_API_BASE_URL = _url(
    "WHATSAPP_API_BASE_URL", "https://graph.facebook.com", "WhatsApp's API.", base=True, set_by="elsewhere"
)
MANAGER_WHATSAPP_NUMBER = _text(
    "MANAGER_WHATSAPP_NUMBER", "", "The manager's number, or several with commas between: alerts go to the first.",
    _LINES, functions=BOTH, required=PROCESSOR, set_by="program",
)
MAX_ALERTS_PER_HOUR = _whole(
    "MAX_ALERTS_PER_HOUR", 3, 1, 1_000, "Ordinary alerts of one person an hour; more wait for a digest."
)
ALERT_ALARM_MINUTES = _number(
    "ALERT_ALARM_MINUTES", 10, 0.01, 1_440, "An alert undelivered for so long raises the alarm; an urgent one at 3/10."
)

GEMINI_API_KEY = _text(
    "GEMINI_API_KEY", "", "The key of Gemini's API.", _ASCII, _PRINTABLE, set_by="secret",
    otherwise="required, unless `GOOGLE_GENAI_USE_VERTEXAI` is true",
)
GOOGLE_GENAI_USE_VERTEXAI = _flag("GOOGLE_GENAI_USE_VERTEXAI", "Ask Gemini on Vertex AI.", set_by="program")
GOOGLE_CLOUD_LOCATION = _text(
    "GOOGLE_CLOUD_LOCATION", "", "Vertex AI's location.", _NAME, "a location", set_by="program",
    otherwise="required on Vertex AI",
)
GOOGLE_GEMINI_BASE_URL = _url("GOOGLE_GEMINI_BASE_URL", "", "Gemini's API.", base=True, set_by="elsewhere")
GEMINI_MODEL = _text(
    "GEMINI_MODEL", "gemini-3.8-flash", "The model that answers.",
    r"(?![./])(?!.*\.\.)[A-Za-z0-9._/-]{1,200}", "a model name",
)
MODEL_TIMEOUT_SECONDS = _number("MODEL_TIMEOUT_SECONDS", 60, 1, 600, "How long one call of the model may take.")
GEMINI_THINKING = _text(
    "GEMINI_THINKING", "", "How much the model thinks.", "low|medium|high", "low, medium or high",
    otherwise="as much as the model does by itself",
)
MEDIA: Setting[Literal["off", "images", "all"]] = _choice(
    "MEDIA", ("off", "images", "all"), "all", "What the model is shown of pictures, voice and video."
)

SPOND_USERNAME = _text(
    "SPOND_USERNAME", "", "The calendar's login.", set_by="secret", otherwise="no calendar; all three or none"
)
SPOND_PASSWORD = _text(
    "SPOND_PASSWORD", "", "Its password.", set_by="secret", otherwise="no calendar; all three or none"
)
SPOND_GROUP_ID = _text(
    "SPOND_GROUP_ID", "", "Groups whose events are told, such as `G1` or `G1,G2/S1` (S1: a subgroup of G2).", _LINES,
    set_by="program", otherwise="no calendar; all three or none",
)
SPOND_API_BASE_URL = _url(
    "SPOND_API_BASE_URL", "https://api.spond.com/core/v1", "Spond's API.", base=True, set_by="elsewhere"
)

MAX_ATTEMPTS = _whole("MAX_ATTEMPTS", 5, 1, 100, "Failures of its own before a DM ends `failed`.")
MAX_MODEL_TURNS = _whole("MAX_MODEL_TURNS", 6, 1, 50, "Calls of the model in one run.")
MAX_SENDS_PER_RUN = _whole("MAX_SENDS_PER_RUN", 3, 1, 20, "Messages to the person in one run.")
MAX_NOTIFICATIONS_PER_RUN = _whole("MAX_NOTIFICATIONS_PER_RUN", 1, 0, 10, "Alerts the model may ask for in one run.")
MAX_RUNS_PER_HOUR = _whole("MAX_RUNS_PER_HOUR", 60, 1, 10_000, "Runs of one person an hour.")
MAX_RUNS_PER_DAY = _whole("MAX_RUNS_PER_DAY", 300, 1, 100_000, "Runs of one person a day.")
MAX_RUNS_PER_DAY_TOTAL = _whole(
    "MAX_RUNS_PER_DAY_TOTAL", 0, 0, 10_000_000, "Runs of the whole deployment a day (UTC); 0 for no limit."
)
MAX_WAIT_HOURS = _number("MAX_WAIT_HOURS", 12, 0.01, 24, "How long a DM waits for what is down.")
PLAN_MAX_AGE_SECONDS = _number(
    "PLAN_MAX_AGE_SECONDS", 120, 1, 86_400, "How old the model's answer may be when it is acted on."
)
UNCERTAIN_SENDS: Setting[Literal["hold", "resend"]] = _choice(
    "UNCERTAIN_SENDS", ("hold", "resend"), "hold", "What becomes of a send of which nobody knows whether it went out."
)
ECHO_WAIT_SECONDS = _number("ECHO_WAIT_SECONDS", 2, 0, 60, "How long an uncertain send's echo is waited for.")
UNCERTAIN_LOOK_UPS = _whole("UNCERTAIN_LOOK_UPS", 3, 1, 20, "How often an uncertain send is looked up.")
HANDOVER_REMINDER_MINUTES = _number(
    "HANDOVER_REMINDER_MINUTES", 30, 1, 1_440, "When the manager is reminded of a thread that waits for a human."
)
HANDOVER_HOURS = _number("HANDOVER_HOURS", 24, 1, 168, "When the bot has a handed-over thread back.")
DISCLOSURE_DAYS = _whole(
    "DISCLOSURE_DAYS", 30, 0, 3_650, "Days after which a person is told again that software answers; 0: never."
)
# fmt: on


SETTINGS: Final[tuple[Setting[Any], ...]] = tuple(
    cast("Setting[Any]", value) for value in list(globals().values()) if isinstance(value, Setting)
)
"""Every one, in the order of this file."""
