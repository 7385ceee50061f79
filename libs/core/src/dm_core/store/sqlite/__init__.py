"""The store in one SQLite file."""

from dm_core.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
