"""Typed settings, read once from the environment.

``WebhookSettings.load`` and ``ProcessorSettings.load`` read everything, collect what is missing or malformed and raise
one ``Misconfigured`` whose message is one line that names each of them. No value is ever printed: it may be a secret.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast
from urllib.parse import urlsplit

from dm_core.errors import Misconfigured
from dm_core.tokens import HINT, is_list, parse_tokens

Flavor = Literal["instagram", "page"]
UncertainSends = Literal["hold", "resend"]

INSTAGRAM_HOSTS: Mapping[Flavor, str] = {
    "instagram": "https://graph.instagram.com",
    "page": "https://graph.facebook.com",
}


class _Reader:
    """Reads variables and remembers what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: list[str] = []

    def optional(self, name: str) -> str | None:
        value = self._env.get(name, "").strip()
        return value or None

    def text(self, name: str, default: str | None = None, pattern: str = "", hint: str = "") -> str:
        value = self.optional(name) or default
        if value is None:
            self.problem(name, "is missing")
            return ""
        if pattern and not re.fullmatch(pattern, value):
            self.problem(name, hint)
        return value

    def texts(self, name: str, default: str | None = None) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name, default).split(",") if part.strip())

    def url(self, name: str, default: str | None = None) -> str:
        value = self.text(name, default)
        if value:
            try:
                parts = urlsplit(value)
                printable = re.fullmatch(r"[\x21-\x7e]+", value) is not None
                valid = printable and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            except ValueError:
                valid = False
            if not valid:
                self.problem(name, "must be an http(s) URL")
        return value

    def base_url(self, name: str, default: str) -> str:
        """An address that paths are appended to: without a slash at its end."""
        return self.url(name, default).rstrip("/")

    def number(self, name: str, default: float, minimum: float, maximum: float) -> float:
        raw = self.optional(name)
        if raw is None:
            return default
        try:
            value = float(raw)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:
            self.problem(name, f"must be a number from {minimum:g} to {maximum:g}")
            return default
        return value

    def whole(self, name: str, default: int, minimum: int, maximum: int) -> int:
        raw = self.optional(name)
        if raw is not None and not re.fullmatch(r"[0-9]{1,12}", raw):
            self.problem(name, f"must be a whole number from {minimum} to {maximum}")
            return default
        return int(self.number(name, default, minimum, maximum))

    def choice[T: str](self, name: str, default: T, choices: tuple[T, ...]) -> T:
        value = self.optional(name) or default
        if value not in choices:
            self.problem(name, f"must be {' or '.join(choices)}")
            return default
        return cast("T", value)

    def flag(self, name: str) -> bool:
        value = (self.optional(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            self.problem(name, "must be true or false")
        return value in ("true", "1")

    def problem(self, name: str, what: str) -> None:
        self._problems.append(f"{name} {what}")

    def done[S](self, function: str, build: Callable[[], S]) -> S:
        if self._problems:
            raise Misconfigured(f"{function} cannot start: {'; '.join(dict.fromkeys(self._problems))}")
        return build()


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where threads live. ``url`` is ``firestore:`` or ``sqlite:///path``."""

    url: str
    project: str
    database: str
    emulator_host: str | None
    retention_days: int

    @property
    def sqlite_path(self) -> str | None:
        prefix = "sqlite:///"
        return self.url.removeprefix(prefix) if self.url.startswith(prefix) else None


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Where wake-ups go. Delays and the deadline in seconds."""

    project: str
    location: str
    queue: str
    target_url: str
    invoker_email: str
    emulator_host: str | None
    debounce_min: float
    debounce_max: float
    dispatch_deadline: float

    @property
    def audience(self) -> str:
        """The OIDC audience: scheme and host of the target, without a path (facts/gcp.md section 5.4)."""
        parts = urlsplit(self.target_url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What the webhook function reads."""

    store: StoreSettings
    queue: QueueSettings
    verify_token: str
    app_secrets: tuple[str, ...]
    account_ids: frozenset[str]
    takeover_minutes: float

    @classmethod
    def load(cls, env: Mapping[str, str]) -> "WebhookSettings":
        """Raises Misconfigured with one line that names every missing or malformed variable."""
        reader = _Reader(env)
        reader.text("INSTAGRAM_PAGE_ID")
        store, queue = _store(reader), _queue(reader)
        verify_token = reader.text("INSTAGRAM_VERIFY_TOKEN")
        app_secrets = reader.texts("INSTAGRAM_APP_SECRET")
        if reader.optional("INSTAGRAM_APP_SECRET") and not app_secrets:
            reader.problem("INSTAGRAM_APP_SECRET", "holds no secret between its commas")
        account_ids = frozenset(reader.texts("INSTAGRAM_ACCOUNT_IDS", ""))
        takeover = reader.number("HUMAN_TAKEOVER_MINUTES", 60, 0, 10_080)
        return reader.done("the webhook", lambda: cls(store, queue, verify_token, app_secrets, account_ids, takeover))


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model answers. ``base_url`` points elsewhere than Google; ``timeout`` in seconds an attempt."""

    model: str
    api_key: str | None
    vertex: bool
    project: str
    location: str
    base_url: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class InstagramSettings:
    """How the account, or each of several, is reached.

    ``node`` is what a send names as its sender; ``access_token`` one token, or a list by account (``dm_core.tokens``).
    """

    flavor: Flavor
    base_url: str
    version: str
    node: str
    access_token: str
    token_secret: str | None
    token_file: str | None

    @property
    def names_accounts(self) -> bool:
        """Only the accounts that are named have a token; else one token serves whichever account is written to."""
        return is_list(self.access_token)

    @property
    def tokens(self) -> dict[str, str]:
        """Token by account id; that of a single plain token is the node."""
        return parse_tokens(self.access_token, self.node)

    def of_each(self) -> "dict[str, InstagramSettings]":
        """These settings for one account each."""
        return {each: replace(self, node=each, access_token=token) for each, token in self.tokens.items()}


@dataclass(frozen=True, slots=True)
class WhatsAppSettings:
    """How the manager is reached. ``template`` is ``name`` or ``name:language``."""

    base_url: str
    version: str
    access_token: str
    phone_number_id: str
    manager_number: str
    template: str | None


@dataclass(frozen=True, slots=True)
class SpondSettings:
    """The group's calendar."""

    base_url: str
    username: str
    password: str
    group_id: str


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run, and one person, may cause. Times in seconds."""

    function_timeout: float
    lease_seconds: float
    max_attempts: int
    max_model_turns: int
    max_sends: int
    max_notifications: int
    runs_per_hour: int
    runs_per_day: int
    uncertain_sends: UncertainSends
    echo_wait: float
    look_ups: int


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """What the processor function reads."""

    store: StoreSettings
    queue: QueueSettings
    model: ModelSettings
    instagram: InstagramSettings
    whatsapp: WhatsAppSettings
    spond: SpondSettings | None
    limits: RunLimits

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every configured value that must never go out."""
        spond = (self.spond.password, self.spond.username) if self.spond else ()
        tokens = (*self.instagram.tokens.values(), self.whatsapp.access_token)
        values = (self.model.api_key or "", *tokens, *spond)
        return tuple(value for value in values if value)

    @classmethod
    def load(cls, env: Mapping[str, str]) -> "ProcessorSettings":
        """Raises Misconfigured with one line that names every missing or malformed variable."""
        reader = _Reader(env)
        store, queue, model = _store(reader), _queue(reader), _model(reader)
        instagram, whatsapp = _instagram(reader), _whatsapp(reader)
        spond, limits = _spond(reader), _limits(reader)
        return reader.done("the processor", lambda: cls(store, queue, model, instagram, whatsapp, spond, limits))


def _store(reader: _Reader) -> StoreSettings:
    return StoreSettings(
        url=reader.text("STORE_URL", "firestore:", r"firestore:|sqlite:///.+", "must be firestore: or sqlite:///path"),
        project=reader.text("GOOGLE_CLOUD_PROJECT"),
        database=reader.text("FIRESTORE_DATABASE", "(default)"),
        emulator_host=_host(reader, "FIRESTORE_EMULATOR_HOST"),
        retention_days=reader.whole("RETENTION_DAYS", 90, 1, 3_650),
    )


def _queue(reader: _Reader) -> QueueSettings:
    debounce_min = reader.number("DEBOUNCE_MIN_SECONDS", 5, 0, 3_600)
    debounce_max = reader.number("DEBOUNCE_MAX_SECONDS", max(15.0, debounce_min), 0, 3_600)
    if debounce_max < debounce_min:
        reader.problem("DEBOUNCE_MAX_SECONDS", "must not be below DEBOUNCE_MIN_SECONDS")
    return QueueSettings(
        project=reader.text("GOOGLE_CLOUD_PROJECT"),
        location=reader.text("CLOUD_TASKS_LOCATION"),
        queue=reader.text("CLOUD_TASKS_QUEUE", "dm-processing", r"[A-Za-z0-9-]{1,100}", "must be a queue name"),
        target_url=reader.url("PROCESS_MESSAGE_URL"),
        invoker_email=reader.text("TASKS_INVOKER_EMAIL", None, r"[^@\s]+@[^@\s]+", "must be an e-mail address"),
        emulator_host=_host(reader, "CLOUD_TASKS_EMULATOR_HOST"),
        debounce_min=debounce_min,
        debounce_max=debounce_max,
        dispatch_deadline=min(max(_function_timeout(reader) + 5, 15), 1_800),
    )


def _model(reader: _Reader) -> ModelSettings:
    vertex = reader.flag("GOOGLE_GENAI_USE_VERTEXAI")
    api_key = reader.optional("GEMINI_API_KEY")
    if not vertex and api_key is None:
        reader.problem("GEMINI_API_KEY", "is missing (or set GOOGLE_GENAI_USE_VERTEXAI=true and GOOGLE_CLOUD_LOCATION)")
    return ModelSettings(
        model=reader.text("GEMINI_MODEL", "gemini-3.8-flash", r"[A-Za-z0-9._/-]{1,200}", "must be a model name"),
        api_key=api_key,
        vertex=vertex,
        project=reader.text("GOOGLE_CLOUD_PROJECT"),
        location=reader.text("GOOGLE_CLOUD_LOCATION") if vertex else reader.optional("GOOGLE_CLOUD_LOCATION") or "",
        base_url=reader.url("GOOGLE_GEMINI_BASE_URL") if reader.optional("GOOGLE_GEMINI_BASE_URL") else None,
        timeout=reader.number("MODEL_TIMEOUT_SECONDS", 60, 1, 600),
    )


def _instagram(reader: _Reader) -> InstagramSettings:
    flavor: Flavor = reader.choice("INSTAGRAM_API_FLAVOR", "instagram", ("instagram", "page"))
    node = reader.text("INSTAGRAM_PAGE_ID", None, r"[0-9A-Za-z._-]{1,64}", "must be an account or page id")
    return InstagramSettings(
        flavor=flavor,
        base_url=reader.base_url("INSTAGRAM_API_BASE_URL", INSTAGRAM_HOSTS[flavor]),
        version=_graph_version(reader),
        node=node,
        access_token=_access_token(reader, flavor, node),
        token_secret=reader.optional("INSTAGRAM_TOKEN_SECRET"),
        token_file=reader.optional("INSTAGRAM_TOKEN_FILE"),
    )


def _access_token(reader: _Reader, flavor: Flavor, node: str) -> str:
    """One token, or a list by account. A page's id is not its account's, so on that flavour there is no list."""
    name = "INSTAGRAM_ACCESS_TOKEN"
    value = reader.text(name)
    if not is_list(value):
        return value
    if flavor == "page":
        reader.problem(name, "can name several accounts only with INSTAGRAM_API_FLAVOR=instagram")
    try:
        if node not in parse_tokens(value, node):
            reader.problem("INSTAGRAM_PAGE_ID", f"must be one of the accounts that {name} names")
    except ValueError:
        reader.problem(name, HINT)
    return value


def _whatsapp(reader: _Reader) -> WhatsAppSettings:
    return WhatsAppSettings(
        base_url=reader.base_url("WHATSAPP_API_BASE_URL", "https://graph.facebook.com"),
        version=_graph_version(reader),
        access_token=reader.text("WHATSAPP_ACCESS_TOKEN"),
        phone_number_id=reader.text("WHATSAPP_PHONE_NUMBER_ID", None, r"[0-9A-Za-z._-]{1,64}", "must be an id"),
        manager_number=reader.text(
            "MANAGER_WHATSAPP_NUMBER", None, r"\+?[0-9 ()-]{5,25}", "must be a phone number with its country code"
        ),
        template=reader.optional("WHATSAPP_TEMPLATE"),
    )


def _spond(reader: _Reader) -> SpondSettings | None:
    """All three or none: a business without Spond simply has no schedule."""
    names = ("SPOND_USERNAME", "SPOND_PASSWORD", "SPOND_GROUP_ID")
    if not any(reader.optional(name) for name in names):
        return None
    username, password, group_id = (reader.text(name) for name in names)
    return SpondSettings(
        reader.base_url("SPOND_API_BASE_URL", "https://api.spond.com/core/v1"), username, password, group_id
    )


def _limits(reader: _Reader) -> RunLimits:
    timeout = _function_timeout(reader)
    lease = reader.number("LEASE_SECONDS", 330, 1, 7_200)
    if lease <= timeout:
        reader.problem("LEASE_SECONDS", "must exceed FUNCTION_TIMEOUT_SECONDS")
    return RunLimits(
        function_timeout=timeout,
        lease_seconds=lease,
        max_attempts=reader.whole("MAX_ATTEMPTS", 5, 1, 100),
        max_model_turns=reader.whole("MAX_MODEL_TURNS", 6, 1, 50),
        max_sends=reader.whole("MAX_SENDS_PER_RUN", 3, 1, 20),
        max_notifications=reader.whole("MAX_NOTIFICATIONS_PER_RUN", 1, 0, 10),
        runs_per_hour=reader.whole("MAX_RUNS_PER_HOUR", 60, 1, 10_000),
        runs_per_day=reader.whole("MAX_RUNS_PER_DAY", 300, 1, 100_000),
        uncertain_sends=reader.choice("UNCERTAIN_SENDS", "hold", ("hold", "resend")),
        echo_wait=reader.number("ECHO_WAIT_SECONDS", 2, 0, 60),
        look_ups=reader.whole("UNCERTAIN_LOOK_UPS", 3, 1, 20),
    )


def _function_timeout(reader: _Reader) -> float:
    return reader.number("FUNCTION_TIMEOUT_SECONDS", 300, 1, 3_600)


def _graph_version(reader: _Reader) -> str:
    return reader.text("GRAPH_API_VERSION", "v26.0", r"v[0-9]{1,3}\.[0-9]{1,2}", "must look like v26.0")


def _host(reader: _Reader, name: str) -> str | None:
    value = reader.optional(name)
    if value is not None and not re.fullmatch(r"[^\s/:]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}", value):
        reader.problem(name, "must be host:port")
    return value
