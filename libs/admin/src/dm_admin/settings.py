"""What the tool must know of a deployment: where its store and its queue are, and what it is allowed to touch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dm_core.durations import DAY_MS, HOUR_MS
from dm_core.errors import Misconfigured
from dm_core.settings import QueueSettings, StoreSettings, table
from dm_core.settings.reader import Reader
from dm_core.settings.system import read_alert_queue, read_queue, read_store

_SQLITE: Final = "sqlite:"
_NO_PROJECT: Final = {table.GOOGLE_CLOUD_PROJECT.name: "none"}


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """``queue`` and ``alert_queue`` None: no task can be made from here. ``account_ids`` empty: any account's threads.

    ``release_ms``: how long a handover holds. ``takeover_minutes``: how long a human's reply pauses a thread.
    """

    store: StoreSettings
    queue: QueueSettings | None
    alert_queue: QueueSettings | None
    account_ids: frozenset[str]
    release_ms: int
    takeover_minutes: float
    debounce_min: float
    debounce_max: float

    @property
    def retention_ms(self) -> int:
        return self.store.retention_days * DAY_MS

    @classmethod
    def load(cls, env: Mapping[str, str]) -> "AdminSettings":
        """From the functions' own variables. Raises Misconfigured with one line that names what is wrong."""
        local = env.get(table.STORE_URL.name, "").startswith(_SQLITE)
        has_queue = all(env.get(setting.name) for setting in (table.PROCESS_MESSAGE_URL, table.CLOUD_TASKS_LOCATION))
        reader = Reader({**(_NO_PROJECT if local else {}), **env}, "processor")
        store = read_store(reader)
        accounts = reader.read(table.INSTAGRAM_ACCOUNT_IDS)
        hours, minutes = reader.read(table.HANDOVER_HOURS), reader.read(table.HUMAN_TAKEOVER_MINUTES)
        longest = reader.read(table.DEBOUNCE_MAX_SECONDS)
        shortest = reader.read(table.DEBOUNCE_MIN_SECONDS)
        queue = read_queue(reader) if has_queue else None
        alerts = read_alert_queue(reader, queue) if queue else None
        if reader.problems:
            where = "make admin STACK=… finds them, and make dev prints those of the sandbox"
            raise Misconfigured(f"{'; '.join(reader.problems)}: {where}")
        _must_be_there(store.sqlite_path)
        return cls(
            store,
            queue,
            alerts,
            frozenset(accounts),
            round(hours * HOUR_MS),
            minutes,
            shortest,
            max(longest, shortest),
        )


def _must_be_there(path: str | None) -> None:
    """Opening a file that is not there would make it. Raises Misconfigured."""
    if path is not None and not Path(path).is_file():
        raise Misconfigured(f"there is no file {path}: start the sandbox (make dev), which prints its STORE_URL")


def accounts_problem(settings: AdminSettings, account_id: str) -> str | None:
    """What is wrong with a thread of this account, or None."""
    if not settings.account_ids or account_id in settings.account_ids:
        return None
    own = ", ".join(sorted(settings.account_ids))
    return f"belongs to account {account_id}, which is not this deployment's ({own}): choose the right STACK"
