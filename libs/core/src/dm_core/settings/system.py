"""Where threads live, how wake-ups travel, and what one run may cause."""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from dm_core.alerts import AlertLimits
from dm_core.messages import DAY_MS
from dm_core.settings.reader import Reader

TICK_DEADLINE_SECONDS: Final = 30.0
"""How long a tick of the alerts' queue may take."""

UncertainSends = Literal["hold", "resend"]


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
        """The OIDC audience: the target without its path (docs/platforms/google-cloud.md#cloud-tasks)."""
        parts = urlsplit(self.target_url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The way of an alert. ``alarm_ms``: undelivered for so long, an ordinary one raises the alarm; 3/10 of it, an
    urgent one."""

    queue: QueueSettings
    limits: AlertLimits
    alarm_ms: int


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run, one person, and all of them together may cause. Times in seconds.

    ``runs_per_day_total``: runs of the whole deployment on one day (UTC), 0 for no limit.
    """

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
    max_wait_hours: float = 12.0
    plan_max_age: float = 120.0
    runs_per_day_total: int = 0


def read_store(reader: Reader) -> StoreSettings:
    return StoreSettings(
        url=reader.text("STORE_URL", "firestore:", r"firestore:|sqlite:///.+", "must be firestore: or sqlite:///path"),
        project=reader.text("GOOGLE_CLOUD_PROJECT"),
        database=reader.text("FIRESTORE_DATABASE", "(default)"),
        emulator_host=_host(reader, "FIRESTORE_EMULATOR_HOST"),
        retention_days=reader.whole("RETENTION_DAYS", 90, 1, 3_650),
    )


def read_queue(reader: Reader) -> QueueSettings:
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
        dispatch_deadline=min(max(function_timeout(reader) + 5, 15), 1_800),
    )


def read_alert_queue(reader: Reader, queue: QueueSettings) -> QueueSettings:
    """The second queue: the same place and identity, its own name, target and deadline."""
    name = reader.text("ALERTS_QUEUE", "dm-alerts", r"[A-Za-z0-9-]{1,100}", "must be a queue name")
    target = reader.url("PROCESS_ALERT_URL", _below(queue.target_url, "alerts"))
    return replace(queue, queue=name, target_url=target, dispatch_deadline=TICK_DEADLINE_SECONDS)


def read_alerts(reader: Reader, queue: QueueSettings, store: StoreSettings) -> AlertSettings:
    minutes = reader.number("ALERT_ALARM_MINUTES", 10, 0.01, 1_440)
    per_hour = reader.whole("MAX_ALERTS_PER_HOUR", 3, 1, 1_000)
    limits = AlertLimits(per_hour, store.retention_days * DAY_MS)
    return AlertSettings(read_alert_queue(reader, queue), limits, round(minutes * 60_000))


def _below(url: str, path: str) -> str:
    """An address with a path added; a query of it stays behind the path."""
    base, question_mark, query = url.partition("?")
    return f"{base.rstrip('/')}/{path}{question_mark}{query}" if base else ""


def read_limits(reader: Reader) -> RunLimits:
    timeout = function_timeout(reader)
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
        runs_per_day_total=reader.whole("MAX_RUNS_PER_DAY_TOTAL", 0, 0, 10_000_000),
        uncertain_sends=reader.choice("UNCERTAIN_SENDS", "hold", ("hold", "resend")),
        echo_wait=reader.number("ECHO_WAIT_SECONDS", 2, 0, 60),
        look_ups=reader.whole("UNCERTAIN_LOOK_UPS", 3, 1, 20),
        max_wait_hours=reader.number("MAX_WAIT_HOURS", 12, 0.01, 24),
        plan_max_age=reader.number("PLAN_MAX_AGE_SECONDS", 120, 1, 86_400),
    )


def function_timeout(reader: Reader) -> float:
    return reader.number("FUNCTION_TIMEOUT_SECONDS", 300, 1, 3_600)


def _host(reader: Reader, name: str) -> str | None:
    value = reader.optional(name)
    if value is not None and not re.fullmatch(r"[^\s/:]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}", value):
        reader.problem(name, "must be host:port")
    return value
