"""Parts that both functions are made of. Adapters are imported only when the settings ask for them."""

import gc
import os
from typing import Final

from dm_core.clock import Clock
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.settings import QueueSettings, StoreSettings
from dm_core.store.port import Store

_COLLECTED_AFTER: Final = (20_000, 20, 50)
"""Objects made and not freed before the young ones are looked through; a run makes and frees about that many."""

_IDLE_SECONDS: Final = 3_600
"""Longer than any proxy keeps an idle connection."""


def keep_what_is_loaded() -> None:
    """To be called once a function is loaded, before the server forks: what there is then is never garbage, and looking
    through it again and again took an eighth of a run's CPU."""
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)


def prepare_for_sleep() -> None:
    """To be called once a function is loaded, before the server is made: an instance gets no CPU between two requests.

    The platform names the time that a request may take, and the framework has gunicorn kill a worker that was silent
    for so long, with the request that woke it (https://github.com/GoogleCloudPlatform/python-docs-samples/pull/3229);
    the limit is the platform's to keep. The server closes connections that were idle for 2 s, also as it wakes, on the
    request that comes by one (https://github.com/kserve/kserve/issues/5446): whoever opened it shall close it.
    """
    from uvicorn_worker import UvicornWorker

    os.environ["CLOUD_RUN_TIMEOUT_SECONDS"] = "0"
    UvicornWorker.CONFIG_KWARGS["timeout_keep_alive"] = _IDLE_SECONDS


def open_store(settings: StoreSettings, clock: Clock) -> Store:
    """The store that ``STORE_URL`` names; it connects on its first use."""
    if settings.sqlite_path is not None:
        from dm_core.store.sqlite import SqliteStore

        return SqliteStore(settings.sqlite_path, clock)
    from dm_core.store.firestore import FirestoreStore

    return FirestoreStore(settings.project, settings.database, clock, settings.emulator_host)


def open_queue(settings: QueueSettings) -> WakeUpQueue:
    """The queue, or its emulator; it connects on its first use."""
    from dm_core.queue.cloud_tasks import CloudTasksQueue

    return CloudTasksQueue(settings)


def open_alert_queue(settings: QueueSettings) -> AlertQueue:
    """The alerts' queue, or its emulator; it connects on its first use."""
    from dm_core.queue.cloud_tasks import CloudTasksAlertQueue

    return CloudTasksAlertQueue(settings)
