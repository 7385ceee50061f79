"""Two processes on one SQLite file, as the sandbox runs them."""

import asyncio
import sys
from pathlib import Path

from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW, THREAD, dm, events

WRITER = """
import asyncio, sys
from dm_core.store.port import Version
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW, THREAD, claim, dm, events

async def main(path, first):
    store = SqliteStore(path, lambda: NOW)
    for number in range(first, first + 50):
        await store.record(events(dm(number)))
    wins = 0
    for _ in range(50):
        snapshot = await store.open(THREAD)
        wins += isinstance(await store.commit(claim(snapshot, f"r{first}")), Version)
    await store.close()
    print(wins)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_two_processes_lose_nothing_and_never_both_win(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")

    async def process(first: int) -> int:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, path, str(first), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await running.communicate()
        assert running.returncode == 0
        return int(out)

    wins = await asyncio.gather(process(0), process(1_000))

    store = SqliteStore(path, lambda: NOW)
    found = await store.open(THREAD)
    await store.close()
    assert found is not None
    assert found.thread.pending_count == 100
    assert {message.id for message in found.unprocessed} == {
        dm(number).id for first in (0, 1_000) for number in range(first, first + 50)
    }
    assert {message.attempts for message in found.unprocessed} <= set(range(sum(wins) + 1))
    assert max(message.attempts for message in found.unprocessed) == sum(wins)


async def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    code = (
        "import asyncio, os, signal, sys\n"
        "from dm_core.store.sqlite import SqliteStore\n"
        "from dm_sandbox.examples import NOW, dm, events\n"
        "async def main():\n"
        "    await SqliteStore(sys.argv[1], lambda: NOW).record(events(dm(1)))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", code, path)
    assert await killed.wait() == -9

    store = SqliteStore(path, lambda: NOW)
    history = await store.history(THREAD, 5)
    await store.record(events(dm(2)))
    await store.close()

    assert history == (dm(1),)
