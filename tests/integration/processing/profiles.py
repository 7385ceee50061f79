"""A deployment's folder with something added to the example's profile."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import FUNCTIONS, InProcess, MovableClock
from dm_sandbox.platforms.answers import Body, call, turn


def folder_with(tmp_path: Path, keys: str = "", tables: str = "", files: dict[str, str] | None = None) -> Path:
    """The processor's folder; the example's own disclosure is taken out. ``keys`` stand above the first table."""
    folder = Path(shutil.copytree(FUNCTIONS / "processor", tmp_path / "processor"))
    settings = folder / "profile" / "profile.toml"
    head, rest = settings.read_text().split("\n[", 1)
    blocks = [block for block in f"[{rest}".split("\n\n") if not block.startswith("[disclosure]")]
    settings.write_text("\n".join((head, keys, "", "\n\n".join(blocks), tables, "")))
    for name, text in (files or {}).items():
        (folder / "profile" / name).write_text(text)
    return folder


@asynccontextmanager
async def running(tmp_path: Path, folder: Path, **extra: str) -> AsyncGenerator[InProcess]:
    """The system over this folder, with further environment variables. A disclosure holds for 30 days."""
    clock = MovableClock()
    store = SqliteStore(str(tmp_path / "threads.sqlite3"), clock)
    async with InProcess(store, extra={"DISCLOSURE_DAYS": "30", **extra}, clock=clock, folder=folder) as system:
        yield system
    await store.close()


def replies(*texts: str) -> list[Body]:
    """Model turns that each send one message."""
    return [turn(call("send_instagram_message", text=text)) for text in texts]
