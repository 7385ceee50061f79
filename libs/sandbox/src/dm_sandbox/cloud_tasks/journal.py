"""Tasks, reserved names and changed queues in SQLite, so that a restarted emulator goes on where it was.

Without a path it all lives in memory only. ``synchronous=OFF``: survives the process, not the machine. On a disk that
takes nothing more a new task is refused; what became of the others is not kept, and a restart delivers them again.
"""

import base64
import contextlib
import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dm_sandbox.cloud_tasks.records import Attempt, NotKept, QueueConfig, TaskRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (name TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reserved (name TEXT PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, paused INTEGER NOT NULL, config TEXT NOT NULL);
"""


class Journal:
    """Write-through storage; every call is applied before it returns, if the disk takes it."""

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def tasks(self) -> list[TaskRecord]:
        return [_task_from(data) for (data,) in self._db.execute("SELECT data FROM tasks ORDER BY rowid")]

    def add_task(self, task: TaskRecord) -> None:
        """Raises NotKept: whoever creates a task must know that it would not survive a restart."""
        try:
            self._put_task(task)
        except sqlite3.OperationalError as error:
            raise NotKept(f"The task cannot be kept: {error}") from None

    def put_task(self, task: TaskRecord) -> None:
        """A task as it is now."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._put_task(task)

    def _put_task(self, task: TaskRecord) -> None:
        data = json.dumps(asdict(task) | {"body": base64.b64encode(task.body).decode()})
        sql = "INSERT INTO tasks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data"
        self._db.execute(sql, (task.name, data))

    def end_task(self, name: str, reserved_until: int) -> None:
        """The task is gone, its name stays taken until then (ms since 1970)."""
        with contextlib.suppress(sqlite3.OperationalError), self._db:
            self._db.execute("BEGIN")
            self._db.execute("INSERT OR REPLACE INTO reserved VALUES (?, ?)", (name, reserved_until))
            self._db.execute("DELETE FROM tasks WHERE name = ?", (name,))

    def end_queue(self, name: str, reserved_until: int) -> None:
        """The queue is gone, its name stays taken until then (ms since 1970)."""
        with contextlib.suppress(sqlite3.OperationalError), self._db:
            self._db.execute("BEGIN")
            self._db.execute("INSERT OR REPLACE INTO reserved VALUES (?, ?)", (name, reserved_until))
            self._db.execute("DELETE FROM queues WHERE name = ?", (name,))

    def reserved(self, now: int) -> dict[str, int]:
        """Names still taken; forgets the others."""
        self._db.execute("DELETE FROM reserved WHERE until <= ?", (now,))
        return dict(self._db.execute("SELECT name, until FROM reserved"))

    def queues(self) -> list[tuple[str, bool, QueueConfig]]:
        rows = self._db.execute("SELECT name, paused, config FROM queues").fetchall()
        return [(name, bool(paused), QueueConfig(**json.loads(config))) for name, paused, config in rows]

    def put_queue(self, name: str, paused: bool, config: QueueConfig) -> None:
        row = (name, int(paused), json.dumps(asdict(config)))
        with contextlib.suppress(sqlite3.OperationalError):
            self._db.execute("INSERT OR REPLACE INTO queues VALUES (?, ?, ?)", row)


def _task_from(data: str) -> TaskRecord:
    fields: dict[str, Any] = json.loads(data)
    last = fields.pop("last")
    body = base64.b64decode(fields.pop("body"))
    return TaskRecord(**fields, body=body, last=Attempt(**last) if last else None)
