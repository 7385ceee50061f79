"""A stack's configuration, typed and checked before the engine makes anything.

``Configuration.read`` names every missing, malformed and unknown key at once, each with what to write where. Secret
values are no part of it: only the numbers of their versions are.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast
from zoneinfo import available_timezones

from function_plan import FunctionDefaults, FunctionPlan, Ingress, read_function
from production import is_production
from reading import NAMESPACE, ConfigurationError, Reader
from regions import DATABASE_LOCATIONS, location_problem, region_problem
from variables import (
    ALL_SECRETS,
    DEFAULT_ATTEMPTS,
    DEFAULT_MODEL,
    MODEL_KEY,
    MOST_SHARDS,
    OPTIONAL_SECRETS,
    SECRETS,
    SPOND_SECRETS,
    TUNINGS,
    Function,
)

__all__ = ["Budget", "Configuration", "ConfigurationError", "DatabasePlan", "FunctionPlan", "Ingress", "Runtime"]

Runtime = Literal["python313", "python314"]

MOST_LABELS: Final = 61
"""The platform takes 64 of a resource, and three are the program's own."""
PLACEHOLDER: Final = re.compile(r"(my|your|the|an?|example)-(gcp-|google-)?project(-id|-here)?|project-id|changeme")


@dataclass(frozen=True, slots=True)
class Budget:
    """A month's spending to be warned of; ``monthly`` in whole units of ``currency`` (the billing account's)."""

    billing_account: str
    monthly: int
    currency: str


@dataclass(frozen=True, slots=True)
class DatabasePlan:
    """The Firestore database. ``protected``: no ``destroy``, rename or relocation removes it. 0 days: no backups."""

    name: str
    location: str
    protected: bool
    backup_days: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything ``declare`` needs. Times in seconds; ``lease_seconds`` exceeds the processor's timeout."""

    project: str
    project_number: str | None
    stack: str
    region: str
    prefix: str
    runtime: Runtime
    database: DatabasePlan
    queue_name: str
    existing_queue: bool
    alerts_queue_name: str
    existing_alerts_queue: bool
    dispatches_per_second: int
    queue_shards: int
    queues_kept: int
    webhook: FunctionPlan
    processor: FunctionPlan
    lease_seconds: int
    public: bool
    webhook_invokers: tuple[str, ...]
    readers: tuple[str, ...]
    operators: tuple[str, ...]
    vertex_location: str | None
    secret_versions: Mapping[str, str]
    kept_secrets: tuple[str, ...]
    secrets_only: bool
    page_id: str
    account_ids: tuple[str, ...]
    phone_number_id: str
    manager_number: str
    spond_group: str | None
    settings: Mapping[str, str]
    labels: Mapping[str, str]
    alert_email: str | None
    budget: Budget | None
    silence_hours: int
    model_daily_usd: int
    time_zone: str
    settle_seconds: int

    @classmethod
    def read(cls, values: Mapping[str, str], project: str, stack: str) -> "Configuration":
        """``values``: the stack's keys without their namespace ``dm-agent:``, structured ones as JSON, as Pulumi hands
        them over. ``project``: the Google Cloud project's id (``gcp:project``). Raises ConfigurationError."""
        reader = Reader(values, stack)
        _check_project(reader, project, stack)
        prefix = reader.text("prefix", "dm", r"[a-z][a-z0-9-]{0,12}[a-z0-9]", "2 to 14 lowercase characters", "dm")
        region = _region(reader)
        processor = read_function(
            reader, "processor", f"{prefix}-processor", FunctionDefaults(1_024, 40, 300, (60, 1_795))
        )
        webhook = read_function(reader, "webhook", f"{prefix}-webhook", FunctionDefaults(512, 80, 60, (10, 300)))
        if webhook.name == processor.name:
            reader.problem("processorName", "is the webhook's name too", f"{prefix}-processor")
        settings = _settings(reader, stack)
        vertex_location = _vertex(reader, settings.get("GEMINI_MODEL", DEFAULT_MODEL))
        spond_group = _spond_group(reader)
        secrets_only = reader.flag("secretsOnly", default=False)
        needed = _needed(vertex_location, spond_group)
        config = cls(
            project=project,
            project_number=_project_number(reader),
            stack=stack,
            region=region,
            prefix=prefix,
            runtime=cast("Runtime", reader.choice("runtime", "python313", ("python313", "python314"))),
            database=_database(reader, prefix, region, stack),
            queue_name=_queue_name(reader, "queueName", f"{prefix}-processing"),
            existing_queue=reader.flag("existingQueue", default=False),
            alerts_queue_name=_alerts_queue_name(reader, prefix),
            existing_alerts_queue=reader.flag("existingAlertsQueue", default=False),
            dispatches_per_second=reader.whole("dispatchesPerSecond", 50, 1, 500),
            queue_shards=(shards := reader.whole("queueShards", 1, 1, MOST_SHARDS)),
            queues_kept=_queues_kept(reader, shards),
            webhook=webhook,
            processor=processor,
            lease_seconds=_lease(reader, processor.timeout),
            public=reader.flag("public", default=True),
            webhook_invokers=_members(
                reader, "webhookInvokers", "serviceAccount:gateway@project.iam.gserviceaccount.com"
            ),
            readers=_members(reader, "readers", "group:desk@club.example"),
            operators=_members(reader, "operators", "user:sam@club.example"),
            vertex_location=vertex_location,
            secret_versions=_secret_versions(reader, needed, required=not secrets_only),
            kept_secrets=_kept_secrets(reader, needed),
            secrets_only=secrets_only,
            page_id=reader.text(
                "instagramPageId", None, r"[0-9]{5,25}", "the account's or page's id, digits only", "17841400000000000"
            ),
            account_ids=_account_ids(reader, settings),
            phone_number_id=reader.text(
                "whatsappPhoneNumberId",
                None,
                r"[0-9]{5,25}",
                "WhatsApp's id of the sender, digits only",
                "100000000000000",
            ),
            manager_number=_manager_number(reader),
            spond_group=spond_group,
            settings=settings,
            labels=_labels(reader, stack),
            alert_email=_email(reader),
            budget=_budget(reader),
            silence_hours=reader.whole("silenceHours", 24, 1, 168),
            model_daily_usd=reader.whole("modelDailyUsd", 20, 1, 100_000),
            time_zone=_time_zone(reader),
            settle_seconds=reader.whole("settleSeconds", 60, 0, 600),
        )
        reader.done()
        return config

    @property
    def needed_secrets(self) -> tuple[str, ...]:
        """The secret variables without which a function can't start: no Gemini key with Vertex, no Spond without a
        group."""
        return _needed(self.vertex_location, self.spond_group)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret variable that has a container. One whose version is pinned keeps it while nothing reads it: with
        the container its values would be deleted, and a stack that goes back to them would find none."""
        return (*self.needed_secrets, *OPTIONAL_SECRETS, *self.kept_secrets)

    def secrets_of(self, function: Function) -> tuple[str, ...]:
        """Those that a function reads: all that it needs, and the others whose version is pinned."""
        read = (*self.needed_secrets, *(name for name in OPTIONAL_SECRETS if name in self.secret_versions))
        return tuple(name for name in read if ALL_SECRETS[name] == function)

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The queues of wake-ups that exist, named as dm_core's ``QueueSettings.queues`` names them."""
        return (self.queue_name, *(f"{self.queue_name}-{number}" for number in range(1, self.queues_kept)))

    @property
    def max_attempts(self) -> int:
        """After how many runs a DM is given up, as the processor counts."""
        return int(self.settings.get("MAX_ATTEMPTS", DEFAULT_ATTEMPTS))

    @property
    def probed_account(self) -> str:
        """An account whose DMs the webhook takes: a page's id is no account's."""
        return self.page_id if not self.account_ids or self.page_id in self.account_ids else self.account_ids[0]

    @property
    def refreshes_token(self) -> bool:
        """Page tokens do not end, so only the Instagram login's are refreshed."""
        return self.settings.get("INSTAGRAM_API_FLAVOR", "instagram") == "instagram"


def _needed(vertex_location: str | None, spond_group: str | None) -> tuple[str, ...]:
    without = (MODEL_KEY,) if vertex_location else ()
    without += () if spond_group else SPOND_SECRETS
    return tuple(name for name in SECRETS if name not in without)


def _check_project(reader: Reader, project: str, stack: str) -> None:
    command = f"pulumi config set gcp:project club-dms-prod --stack {stack}"
    if not project:
        reader.other(f"gcp:project is missing: the Google Cloud project's id ({command})")
    elif project.isdigit():
        reader.other(f"gcp:project is a project's number, its id is needed ({command})")
    elif not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", project) or PLACEHOLDER.fullmatch(project):
        reader.other(f"gcp:project is not the id of a project ({command})")


def _project_number(reader: Reader) -> str | None:
    if reader.optional("projectNumber") is None:
        return None
    return reader.text("projectNumber", None, r"[0-9]{6,14}", "a project's number, digits only", "123456789012")


def _region(reader: Reader) -> str:
    region = reader.text("region", None, r"[a-z]+-[a-z]+[0-9]{1,2}", "a Google Cloud region", "europe-west2")
    problem = region_problem(region) if re.fullmatch(r"[a-z]+-[a-z]+[0-9]{1,2}", region) else None
    if problem:
        reader.problem("region", problem, "europe-west2")
    return region


def _database(reader: Reader, prefix: str, region: str, stack: str) -> DatabasePlan:
    """Protected unless the stack says otherwise: forgetting the key must not cost the data."""
    name = reader.text(
        "databaseName", f"{prefix}-agent", r"[a-z][a-z0-9-]{2,61}[a-z0-9]", "4 to 63 lowercase characters", "dm-agent"
    )
    if is_production(stack) and reader.optional("protectData") == "false":
        reader.problem("protectData", "is false in a production stack", "true")
    default = "-" if reader.is_faulty("region") else region
    location = reader.text("databaseLocation", default, r"[a-z0-9-]+", "a Firestore location", "eur3")
    if location not in (region, "-") and location not in DATABASE_LOCATIONS:
        reader.problem("databaseLocation", "is no location of Firestore (infra/regions.py lists them)", "eur3")
    return DatabasePlan(
        name=name,
        location=location,
        protected=reader.flag("protectData", default=True),
        backup_days=reader.whole("backupDays", 7, 0, 98),
    )


def _queue_name(reader: Reader, key: str, default: str) -> str:
    return reader.text(key, default, r"[A-Za-z0-9-]{1,100}", "letters, digits, hyphens", default)


def _alerts_queue_name(reader: Reader, prefix: str) -> str:
    """Alerts have a queue of their own: it lets one through in six seconds, and DMs must not wait for that."""
    name = _queue_name(reader, "alertsQueueName", f"{prefix}-alerts")
    wake_ups = reader.optional("queueName") or f"{prefix}-processing"
    if re.fullmatch(rf"{re.escape(wake_ups)}(-[1-9][0-9]?)?", name):
        reader.problem("alertsQueueName", "is a queue of wake-ups: alerts have one of their own", f"{prefix}-alerts")
    return name


def _time_zone(reader: Reader) -> str:
    """A machine without the tz database says nothing of a name that may be one."""
    name = reader.text("timeZone", "Etc/UTC", r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*", "a tz name", "Europe/London")
    known = available_timezones()
    if known and name and name not in known:
        reader.problem("timeZone", "is in no tz database", "Europe/London")
    return name


def _queues_kept(reader: Reader, shards: int) -> int:
    """Queues that exist: more than threads are spread over while the last of them work off what waits in them."""
    kept = reader.whole("queuesKept", shards, 1, MOST_SHARDS)
    if kept < shards:
        reader.problem("queuesKept", f"must not be below queueShards, {shards}", str(shards))
    return kept


def _lease(reader: Reader, timeout: int) -> int:
    """A claim must outlive the request that made it, or two runs of one thread could be live."""
    lease = reader.whole("leaseSeconds", timeout + 30, 1, 7_200)
    if lease <= timeout and not reader.is_faulty("processorTimeout"):
        reader.problem("leaseSeconds", f"must exceed the processor's timeout of {timeout} seconds", str(timeout + 30))
    return lease


def _vertex(reader: Reader, name: str) -> str | None:
    """Where the model is asked: a Vertex AI location, or None for the Gemini API with its key."""
    model = reader.choice("model", "api-key", ("api-key", "vertex"))
    location = reader.text("vertexLocation", "global", r"[a-z0-9-]+", "a Vertex AI location", "global")
    problem = location_problem(name, location) if model == "vertex" else None
    if problem:
        reader.problem("vertexLocation", problem, "global")
    return location if model == "vertex" else None


_SPOND_GROUPS = r"[0-9A-Za-z-]{1,64}(?:/[0-9A-Za-z-]{1,64})?(?:, *[0-9A-Za-z-]{1,64}(?:/[0-9A-Za-z-]{1,64})?){0,20}"
"""Ids of groups, each alone or with a subgroup's after a slash, with commas between them."""


def _spond_group(reader: Reader) -> str | None:
    if reader.optional("spondGroupId") is None:
        return None
    return reader.text("spondGroupId", None, _SPOND_GROUPS, "Spond groups", "0123456789ABCDEF or G1,G2/S1")


_NUMBER = r"(?:\+|00)?[ ()-]*[1-9](?:[ ()-]*[0-9]){6,14}[ ()-]*"
"""As people write it. No country code starts with 0, and no number has more than 15 digits (ITU-T E.164)."""
_DIALLED_AT_HOME = r".*\( *0 *\).*"
"""``+44 (0)7700…``: with that 0 it is another number."""


def _manager_number(reader: Reader) -> str:
    key, example = "managerWhatsappNumber", "+447700900000"
    meant = "a number with its country code, or several with commas between (alerts go to the first)"
    numbers = reader.text(key, None, r"(?s:.+)", meant, example)
    parts = [part.strip() for part in numbers.split(",")] if numbers else []
    if not all(re.fullmatch(_NUMBER, part) and not re.fullmatch(_DIALLED_AT_HOME, part) for part in parts):
        reader.problem(key, f"is not {meant}; no 0 before it or in brackets after it", example)
    return numbers


def _account_ids(reader: Reader, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Whose DMs the webhook takes; none given is every account that Meta signs for. Those of others are answered 200
    and dropped, so the account that answers must be among them; a page's id is no account's."""
    ids = reader.texts("instagramAccountIds")
    own, flavor = reader.optional("instagramPageId"), settings.get("INSTAGRAM_API_FLAVOR", "instagram")
    if not all(re.fullmatch(r"[0-9]{5,25}", account) for account in ids):
        reader.problem("instagramAccountIds", "must be ids with commas between them", "17841400000000000")
    elif ids and own and flavor == "instagram" and own not in ids and not reader.is_faulty("instagramPageId"):
        reader.problem(
            "instagramAccountIds", "leaves out instagramPageId: its DMs would be dropped", "17841400000000000"
        )
    return ids


def _members(reader: Reader, key: str, example: str) -> tuple[str, ...]:
    """Who is given something: people, groups or identities with commas between them; never everybody. Google knows no
    case in an address, so the same person written in two ways is one."""
    members = reader.texts(key)
    if not all(re.fullmatch(r"(serviceAccount|user|group):[^@\s:]+@[^@\s:]+", member) for member in members):
        reader.problem(key, f"must be members such as {example}", example)
    parts = (member.partition(":") for member in members)
    return tuple(dict.fromkeys(f"{kind}:{address.lower()}" for kind, _, address in parts))


def _secret_versions(reader: Reader, needed: tuple[str, ...], *, required: bool) -> dict[str, str]:
    """Pinned numbers, one for each secret that is needed and for those that may be there; nothing else."""
    found = reader.mapping("secretVersions", f".{needed[0]} 1")
    if reader.is_faulty("secretVersions"):
        return {}
    for name in (*needed, *OPTIONAL_SECRETS):
        version = found.get(name)
        if version is None and required and name in needed:
            hint = f"has no {name}: the number 'make secrets' prints; before the first, see {NAMESPACE}:secretsOnly"
            reader.problem("secretVersions", hint, f".{name} 1", path=True)
        elif version is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", version):
            reader.problem("secretVersions", f"{name} must be a version's number", f".{name} 1", path=True)
    for name in sorted(set(found) - set(ALL_SECRETS)):
        reader.problem(
            "secretVersions", f"{_word(name)} is not a secret of the functions", f".{needed[0]} 1", path=True
        )
    return {name: version for name, version in found.items() if name in (*needed, *OPTIONAL_SECRETS)}


def _kept_secrets(reader: Reader, needed: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are pinned and not needed as the stack is now."""
    pinned = reader.mapping("secretVersions", f".{needed[0]} 1")
    return tuple(name for name in SECRETS if name in pinned and name not in needed)


def _unknown_setting(name: str, stack: str) -> str:
    if name in ALL_SECRETS:
        return f"is a secret: make secrets STACK={stack} NAMES={name}"
    near = difflib.get_close_matches(name.upper(), TUNINGS, 1)
    return "is no variable that a stack may set" + (f", did you mean {near[0]}?" if near else "")


def _settings(reader: Reader, stack: str) -> dict[str, str]:
    """Those that are known and valid."""
    given = reader.mapping("settings", ".MAX_ATTEMPTS 5")
    settings = dict(given)
    for name, value in given.items():
        known = TUNINGS.get(name)
        problem = known.problem(value) if known else _unknown_setting(name, stack)
        if problem:
            reader.problem("settings", f"{_word(name)} {problem}", f".{name if known else 'MAX_ATTEMPTS'} …", path=True)
            del settings[name]
    low, high = _number(settings.get("DEBOUNCE_MIN_SECONDS", "5")), _number(settings.get("DEBOUNCE_MAX_SECONDS", ""))
    if low is not None and high is not None and high < low:
        below = "DEBOUNCE_MAX_SECONDS must not be below DEBOUNCE_MIN_SECONDS"
        reader.problem("settings", below, ".DEBOUNCE_MAX_SECONDS 15", path=True)
    return settings


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _word(name: str) -> str:
    """A key as given, if it can't be anything but a name."""
    return name if re.fullmatch(r"[A-Za-z_]{1,60}", name) else "an entry"


def _labels(reader: Reader, stack: str) -> dict[str, str]:
    labels = reader.mapping("labels", ".team bookings")
    shape = r"[a-z0-9_-]{0,63}"
    if not all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) and re.fullmatch(shape, labels[key]) for key in labels):
        reader.problem("labels", "must be lowercase letters, digits, _ and -", ".team bookings", path=True)
    if len(labels) > MOST_LABELS:
        reader.problem("labels", f"are more than {MOST_LABELS}", ".team bookings", path=True)
    own = {"app": NAMESPACE, "managed-by": "pulumi", "stack": re.sub(r"[^a-z0-9_-]", "-", stack.lower())[:63]}
    taken = sorted(set(labels) & set(own))
    if taken:
        reader.problem("labels", f"{taken[0]} is the program's own", ".team bookings", path=True)
    return labels | own


def _email(reader: Reader) -> str | None:
    if reader.optional("alertEmail") is None:
        return None
    return reader.text("alertEmail", None, r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address", "ops@club.example")


def _budget(reader: Reader) -> Budget | None:
    """All of it or none."""
    monthly = reader.whole("budgetMonthly", 0, 0, 1_000_000)
    account, currency = reader.optional("billingAccount"), reader.optional("budgetCurrency")
    if not monthly:
        if (account or currency) and not reader.is_faulty("budgetMonthly"):
            reader.problem("budgetMonthly", "is missing beside billingAccount and budgetCurrency", "50")
        return None
    shape = r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}"
    account = reader.text("billingAccount", None, shape, "the billing account's id", "012345-6789AB-CDEF01")
    return Budget(account, monthly, reader.text("budgetCurrency", "EUR", r"[A-Z]{3}", "a currency's code", "EUR"))
