"""A stored thread with its archived runs, read and never written.

The archive keeps no words of people (``store/run_documents.py``): user turns are empty, and so is what
``get_thread_messages`` brought.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dm_admin.reads import ArchivedRun, Reads
from dm_core.bootstrap.parts import open_store
from dm_core.clock import system_clock
from dm_core.messages import Message
from dm_core.settings import StoreSettings
from dm_core.store.thread_documents import parse_thread_id
from dm_core.threads import Thread
from dm_evals.reading import Unusable

MAX_MESSAGES: Final = 500
"""Newest messages of a thread that are read."""


@dataclass(frozen=True, slots=True)
class StoredThread:
    """``runs`` oldest first. ``lost``: how many runs the messages name that the archive does not have any more."""

    thread: Thread
    messages: tuple[Message, ...]
    runs: tuple[ArchivedRun, ...]
    lost: int


def store_url(args: argparse.Namespace) -> str:
    """As given, else the environment's, else Firestore's."""
    return str(args.store_url or os.environ.get("STORE_URL") or "firestore:")


@asynccontextmanager
async def opened(url: str, env: Mapping[str, str]) -> AsyncGenerator[Reads]:
    """``sqlite:///path`` or ``firestore:`` (project, database and emulator from ``env``). Raises Unusable."""
    store = open_store(_settings(url, env), system_clock)
    try:
        yield Reads(store)
    finally:
        await store.close()


async def read_thread(url: str, thread_id: str, env: Mapping[str, str]) -> StoredThread:
    """One thread. Raises Unusable, StoreUnavailable."""
    if parse_thread_id(thread_id) is None:
        raise Unusable(f"{thread_id!r} is no thread's id: it is {{accountId}}_{{userId}}")
    async with opened(url, env) as reads:
        return await stored_thread(reads, thread_id)


async def stored_thread(reads: Reads, thread_id: str) -> StoredThread:
    """The whole of it. Raises Unusable, StoreUnavailable."""
    snapshot = await reads.store.open(thread_id)
    if snapshot is None:
        raise Unusable("there is no such thread in this store")
    messages = await reads.store.history(thread_id, MAX_MESSAGES)
    named = dict.fromkeys(message.run_id for message in messages if message.run_id)
    archived = await asyncio.gather(*(reads.run(thread_id, run_id) for run_id in named))
    runs = sorted((run for run in archived if run), key=lambda each: (each.run.started_at, each.run.id))
    return StoredThread(snapshot.thread, messages, tuple(runs), len(archived) - len(runs))


def _settings(url: str, env: Mapping[str, str]) -> StoreSettings:
    """What is read. Opening a file that is not there would make it. Raises Unusable."""
    project, database = env.get("GOOGLE_CLOUD_PROJECT", ""), env.get("FIRESTORE_DATABASE", "(default)")
    settings = StoreSettings(url, project, database, env.get("FIRESTORE_EMULATOR_HOST") or None, retention_days=0)
    if settings.sqlite_path is None and url != "firestore:":
        raise Unusable(f"{url!r} is no store: write firestore: or sqlite:///path")
    if settings.sqlite_path is None and not project:
        raise Unusable("GOOGLE_CLOUD_PROJECT is not set: whose Firestore?")
    if settings.sqlite_path is not None and not Path(settings.sqlite_path).is_file():
        raise Unusable(f"there is no file {Path(settings.sqlite_path).name}")
    return settings
