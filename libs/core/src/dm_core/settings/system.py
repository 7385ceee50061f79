"""Where threads live, how wake-ups travel, and what one run may cause."""

from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from dm_core.alerts import AlertLimits
from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.settings import table
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
    """Where wake-ups go. Delays and the deadline in seconds. ``shards``: over how many queues threads are spread, of
    which ``queue`` is the first."""

    project: str
    location: str
    queue: str
    target_url: str
    invoker_email: str
    emulator_host: str | None
    debounce_min: float
    debounce_max: float
    dispatch_deadline: float
    shards: int = 1

    @property
    def queues(self) -> tuple[str, ...]:
        """The name of each, as ``infra/components/work_queue.py`` makes them."""
        return (self.queue, *(f"{self.queue}-{number}" for number in range(1, self.shards)))

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

    def is_old(self, at: int, now: int) -> bool:
        """Whether what was decided then holds no longer, by its age alone. Both in ms since 1970."""
        return now - at >= self.plan_max_age * 1000


def read_store(reader: Reader) -> StoreSettings:
    return StoreSettings(
        url=reader.read(table.STORE_URL),
        project=reader.read(table.GOOGLE_CLOUD_PROJECT),
        database=reader.read(table.FIRESTORE_DATABASE),
        emulator_host=reader.read(table.FIRESTORE_EMULATOR_HOST) or None,
        retention_days=reader.read(table.RETENTION_DAYS),
    )


def read_queue(reader: Reader) -> QueueSettings:
    longest = table.DEBOUNCE_MAX_SECONDS
    debounce_min = reader.read(table.DEBOUNCE_MIN_SECONDS)
    debounce_max = reader.read(longest) if reader.is_set(longest) else max(longest.default, debounce_min)
    if debounce_max < debounce_min:
        reader.problem(longest, "must not be below DEBOUNCE_MIN_SECONDS")
    return QueueSettings(
        project=reader.read(table.GOOGLE_CLOUD_PROJECT),
        location=reader.read(table.CLOUD_TASKS_LOCATION),
        queue=reader.read(table.CLOUD_TASKS_QUEUE),
        target_url=reader.read(table.PROCESS_MESSAGE_URL),
        invoker_email=reader.read(table.TASKS_INVOKER_EMAIL),
        emulator_host=reader.read(table.CLOUD_TASKS_EMULATOR_HOST) or None,
        debounce_min=debounce_min,
        debounce_max=debounce_max,
        dispatch_deadline=min(max(reader.read(table.FUNCTION_TIMEOUT_SECONDS) + 5, 15), 1_800),
        shards=reader.read(table.QUEUE_SHARDS),
    )


def read_alert_queue(reader: Reader, queue: QueueSettings) -> QueueSettings:
    """The second queue: the same place and identity, its own name, target and deadline."""
    target = reader.read(table.PROCESS_ALERT_URL) or below(queue.target_url, "alerts")
    if target and target.rstrip("/") == queue.target_url.rstrip("/"):  # answered 200 there, and never sent
        reader.problem(table.PROCESS_ALERT_URL, "must not be PROCESS_MESSAGE_URL: ticks are taken at /alerts only")
    name = reader.read(table.ALERTS_QUEUE)
    return replace(queue, queue=name, target_url=target, dispatch_deadline=TICK_DEADLINE_SECONDS, shards=1)


def read_alerts(reader: Reader, queue: QueueSettings, store: StoreSettings) -> AlertSettings:
    minutes = reader.read(table.ALERT_ALARM_MINUTES)
    limits = AlertLimits(reader.read(table.MAX_ALERTS_PER_HOUR), store.retention_days * DAY_MS)
    return AlertSettings(read_alert_queue(reader, queue), limits, round(minutes * MINUTE_MS))


def below(url: str, path: str) -> str:
    """An address with a path added; a query of it stays behind the path."""
    base, question_mark, query = url.partition("?")
    return f"{base.rstrip('/')}/{path}{question_mark}{query}" if base else ""


def read_limits(reader: Reader) -> RunLimits:
    timeout, lease = reader.read(table.FUNCTION_TIMEOUT_SECONDS), reader.read(table.LEASE_SECONDS)
    if lease <= timeout:
        reader.problem(table.LEASE_SECONDS, "must exceed FUNCTION_TIMEOUT_SECONDS")
    return RunLimits(
        function_timeout=timeout,
        lease_seconds=lease,
        max_attempts=reader.read(table.MAX_ATTEMPTS),
        max_model_turns=reader.read(table.MAX_MODEL_TURNS),
        max_sends=reader.read(table.MAX_SENDS_PER_RUN),
        max_notifications=reader.read(table.MAX_NOTIFICATIONS_PER_RUN),
        runs_per_hour=reader.read(table.MAX_RUNS_PER_HOUR),
        runs_per_day=reader.read(table.MAX_RUNS_PER_DAY),
        runs_per_day_total=reader.read(table.MAX_RUNS_PER_DAY_TOTAL),
        uncertain_sends=reader.read(table.UNCERTAIN_SENDS),
        echo_wait=reader.read(table.ECHO_WAIT_SECONDS),
        look_ups=reader.read(table.UNCERTAIN_LOOK_UPS),
        max_wait_hours=reader.read(table.MAX_WAIT_HOURS),
        plan_max_age=reader.read(table.PLAN_MAX_AGE_SECONDS),
    )
