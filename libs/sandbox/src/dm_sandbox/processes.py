"""Child processes in groups of their own, with their output line by line, that do not outlive us.

On Linux the kernel sends a child SIGTERM when its parent dies (PR_SET_PDEATHSIG), even by SIGKILL. The child asks for
that itself before it becomes the program (``_SHIM``): a ``preexec_fn`` would fork the whole Python here, which is
unsafe next to gRPC's threads. Elsewhere children are ended by ``stop`` only.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

KEPT_LINES = 500
MAX_LINE_BYTES = 256 * 1024
STOP_SECONDS = 5.0

_SHIM = """
import os, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line of a child's stdout or stderr; ``event`` is its content if it is a JSON object."""

    text: str
    event: Mapping[str, object] | None = None

    @classmethod
    def parse(cls, raw: bytes) -> "OutputLine":
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not text.startswith("{"):
            return cls(text)
        try:
            value: object = json.loads(text)
        except ValueError:
            return cls(text)
        return cls(text, cast("Mapping[str, object]", value) if isinstance(value, dict) else None)


OnLine = Callable[[OutputLine], None]


class ProcessGroup:
    """A program, the children it forks, and what they print. ``command[0]`` is an absolute path."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], on_line: OnLine | None) -> None:
        self.command = tuple(command)
        self.output: deque[OutputLine] = deque(maxlen=KEPT_LINES)
        self._cwd = cwd
        self._env = dict(env)
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._gone = True

    @property
    def pid(self) -> int:
        """The program's process id, which is its group's too."""
        return self._started().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        if self.running:
            raise RuntimeError("the process is running already")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", "-c", _SHIM, str(os.getpid())),
            *self.command,
            cwd=self._cwd,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._gone = False
        self._reader = asyncio.create_task(self._read(self._process), name=f"output of {self._process.pid}")

    async def kill(self) -> None:
        """End the whole group as a crash would (SIGKILL)."""
        self._signal(signal.SIGKILL)
        await self._ended()

    async def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Ask the group to end (SIGTERM); what is left after ``timeout`` seconds is killed."""
        if self.running:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._started().wait()
        await self.kill()

    async def wait(self) -> int:
        """The exit code, once the program has ended by itself."""
        return await self._started().wait()

    async def drain(self) -> None:
        """All output has been read, once the program has ended."""
        if self._reader is not None:
            await self._reader

    def tail(self, lines: int = 20) -> str:
        """The last lines of output."""
        return "\n".join(line.text for line in list(self.output)[-lines:])

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the process was not started")
        return self._process

    def _signal(self, signum: signal.Signals) -> None:
        """To the group, also when its leader has ended: a forked worker may live on. Never to a number used again."""
        if self._process is not None and not self._gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signum)

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()
        self._gone = True
        await self.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Lines of any length, from a stream whose own line limit would raise; longer ones are cut into pieces."""
        stream, rest = cast("asyncio.StreamReader", process.stdout), b""
        while chunk := await stream.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take(line)
        if rest:
            self._take(rest)

    def _take(self, raw: bytes) -> None:
        line = OutputLine.parse(raw)
        self.output.append(line)
        if self._on_line is not None:
            self._on_line(line)
