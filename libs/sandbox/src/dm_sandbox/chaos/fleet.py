"""Instances of one function behind one address, as the platform has them: they come, freeze and die; the address stays.

A kill takes either the whole instance, and another is brought up at a new port, or the worker process alone, which its
master forks again at once.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Literal

from dm_sandbox.launcher import FunctionName, FunctionProcess
from dm_sandbox.listening import stop_listening
from dm_sandbox.processes import OutputLine

START_SECONDS = 90.0
_CHUNK = 65_536

Kill = Literal["instance", "worker"]


class Fleet:
    """``size`` instances of a function. ``url`` is valid after ``open``; ``deaths`` counts the kills by kind."""

    def __init__(self, name: FunctionName, size: int, random: Random, log: Callable[[OutputLine], None]) -> None:
        self.name: FunctionName = name
        self.deaths: dict[Kill, int] = {"instance": 0, "worker": 0}
        self.freezes = 0
        self.instances: list[FunctionProcess] = []
        self.url = ""
        self._size, self._random, self._log = size, random, log
        self._env: Mapping[str, str] = {}
        self._ambush: Kill | None = None
        self._frozen = set[int]()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self._repairs: set[asyncio.Task[None]] = set()

    @property
    def kills(self) -> int:
        return sum(self.deaths.values())

    async def open(self) -> None:
        """Take the address. Nobody is behind it yet: connections are closed."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def fill(self, first: FunctionProcess, env: Mapping[str, str]) -> None:
        """Put a running instance behind the address, and start the others beside it. Raises FunctionDidNotStart."""
        self._env = env
        self.instances.append(first)
        await asyncio.gather(*(self._bring_up() for _ in range(self._size - 1)))

    async def close(self) -> None:
        """Stop every instance and relay."""
        for repair in self._repairs:
            repair.cancel()
        await asyncio.gather(*self._repairs, return_exceptions=True)
        await asyncio.gather(*(instance.stop() for instance in self.instances))
        if self._server is not None:
            await stop_listening(self._server)
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def repaired(self) -> None:
        """Every instance that was killed has its successor. Raises what kept one from starting."""
        while self._repairs:
            await asyncio.gather(*self._repairs)
            await asyncio.sleep(0)  # else one that is over is gathered for ever

    # --- harm -----------------------------------------------------------------------------------------------------

    def kill_any(self, kind: Kill) -> bool:
        """SIGKILL, now; False if nothing is there to be killed."""
        if not self.instances:
            return False
        self._kill(self._random.choice(self.instances), kind)
        return True

    def lie_in_wait(self, kind: Kill | None) -> None:
        """SIGKILL the next instance that answers, as soon as it has begun to; None: no more."""
        self._ambush = kind

    def _kill(self, victim: FunctionProcess, kind: Kill) -> None:
        workers = children(victim.pid) if kind == "worker" else []
        if kind == "worker" and workers:
            _signal(workers, signal.SIGKILL)
            self.deaths["worker"] += 1
            return
        self.instances.remove(victim)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(victim.pid, signal.SIGKILL)
        self.deaths["instance"] += 1
        repair = asyncio.create_task(self._replace(victim), name=f"another {self.name}")
        self._repairs.add(repair)
        repair.add_done_callback(self._repairs.discard)

    def freeze_any(self) -> None:
        """SIGSTOP an instance's worker, now.

        Not its master: that one ends the worker, stopped or not, should we be gone.
        """
        workers = children(self._random.choice(self.instances).pid) if self.instances else []
        self.freezes += bool(workers)
        self._frozen.update(workers)
        _signal(workers, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: all that are frozen go on in the middle of what they did, if they are still there."""
        _signal(self._frozen, signal.SIGCONT)
        self._frozen.clear()

    async def _replace(self, dead: FunctionProcess) -> None:
        await dead.kill()
        await self._bring_up()

    async def _bring_up(self) -> None:
        instance = FunctionProcess(self.name, self._env, log=self._log, start_timeout=START_SECONDS)
        await instance.start()
        self.instances.append(instance)

    # --- the address ----------------------------------------------------------------------------------------------

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, handed to any instance that takes it; it ends for both sides when it ends for one."""
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"  # noqa: S101
        self._relays.add(task)
        try:
            for instance in self._random.sample(self.instances, len(self.instances)):
                with contextlib.suppress(OSError):
                    upstream, downstream = await asyncio.open_connection("127.0.0.1", instance.port)
                    await self._both_ways(instance, (reader, downstream), (upstream, writer))
                    break
        finally:
            writer.close()
            self._relays.discard(task)

    async def _both_ways(
        self,
        instance: FunctionProcess,
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        pumps = [asyncio.create_task(_pump(*there)), asyncio.create_task(_pump(*back, lambda: self._spring(instance)))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for _, writer in (there, back):
                writer.close()

    def _spring(self, instance: FunctionProcess) -> None:
        """The instance has begun to answer."""
        kind, self._ambush = self._ambush, None
        if kind is not None and instance in self.instances:
            self._kill(instance, kind)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, before: Callable[[], None] = lambda: None
) -> None:
    """Pass everything on; ``before`` is called first each time."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            before()
            writer.write(chunk)
            await writer.drain()


def children(pid: int) -> list[int]:
    """The child processes, as Linux tells; none elsewhere."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
