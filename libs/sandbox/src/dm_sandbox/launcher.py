"""The functions as processes under functions-framework, as the platform runs them.

::

    async with running_function("webhook", env) as webhook:
        await client.post(webhook.url, …)
        await webhook.kill()      # an instance dies
        await webhook.start()     # the platform brings up another, at the same address
"""

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Literal

import httpx

from dm_sandbox.processes import OnLine, OutputLine, ProcessGroup
from dm_sandbox.tcp_ports import free_port, is_free

FunctionName = Literal["webhook", "processor"]

START_SECONDS = 120.0
"""For one that hangs: one that ends is reported at once, and a busy machine takes half a minute for the imports."""
_POLL_SECONDS = 0.05
_HOST = "127.0.0.1"
_KEPT_VARIABLES = ("PATH", "HOME", "LANG")
_FUNCTIONS = Path(__file__).parents[4] / "functions"


class FunctionDidNotStart(Exception):
    """The function ended, or did not answer GET /health in time; the message ends with its last output."""


class FunctionProcess:
    """One function under functions-framework: its master and worker are one process group.

    ``env`` is all it gets besides PATH, HOME and LANG. ``log`` is a file that its output is appended to, or is called
    with each line.
    """

    def __init__(
        self,
        name: FunctionName,
        env: Mapping[str, str],
        *,
        port: int | None = None,
        log: Path | OnLine | None = None,
        source: Path | None = None,
        start_timeout: float = START_SECONDS,
    ) -> None:
        self.name = name
        self.port = port or free_port(_HOST)
        self._start_timeout = start_timeout
        main = (source or _FUNCTIONS / name / "main.py").absolute()
        kept = {variable: os.environ[variable] for variable in _KEPT_VARIABLES if variable in os.environ}
        # The environment's own script, not what its Python is a link to.
        script = Path(sys.executable).parent / "functions-framework"
        options = {"source": main, "target": name, "host": _HOST, "port": self.port}
        command = [str(script), *(f"--{option}={value}" for option, value in options.items())]
        self._group = ProcessGroup(command, cwd=main.parent, env=kept | dict(env), on_line=_on_line(log))

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The master's process id, which is the group's too."""
        return self._group.pid

    @property
    def running(self) -> bool:
        return self._group.running

    @property
    def output(self) -> deque[OutputLine]:
        """The last lines it printed, over all its starts."""
        return self._group.output

    async def start(self) -> None:
        """Returns once GET /health is answered 200. Raises FunctionDidNotStart."""
        if not is_free(self.port, _HOST):
            raise FunctionDidNotStart(f"the function {self.name} cannot start: port {self.port} is taken")
        await self._group.start()
        ended = asyncio.create_task(self._group.wait())
        healthy = asyncio.create_task(self._healthy())
        try:
            await asyncio.wait((ended, healthy), timeout=self._start_timeout, return_when=asyncio.FIRST_COMPLETED)
            if not healthy.done() or ended.done():
                raise await self._failure(ended)
            await healthy
        except BaseException:
            await self._group.kill()
            raise
        finally:
            ended.cancel()
            healthy.cancel()
            await asyncio.gather(ended, healthy, return_exceptions=True)

    async def stop(self) -> None:
        """SIGTERM to the group, SIGKILL to what is left of it after 5 s."""
        await self._group.stop()

    async def kill(self) -> None:
        """SIGKILL to the group: an instance that dies."""
        await self._group.kill()

    async def restart(self) -> None:
        """Stop it and bring it up again at the same address."""
        await self.stop()
        await self.start()

    async def _healthy(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=5) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get("/health")).status_code == 200:
                        return
                await asyncio.sleep(_POLL_SECONDS)

    async def _failure(self, ended: "asyncio.Task[int]") -> FunctionDidNotStart:
        if ended.done():
            what = f"ended with code {ended.result()}"
        else:
            what = f"did not answer {self.url}/health with 200 within {self._start_timeout:g} s"
        await self._group.kill()
        return FunctionDidNotStart(f"the function {self.name} {what}\n{self._group.tail()}")


@contextlib.asynccontextmanager
async def running_function(
    name: FunctionName,
    env: Mapping[str, str],
    *,
    port: int | None = None,
    log: Path | OnLine | None = None,
    source: Path | None = None,
    start_timeout: float = START_SECONDS,
) -> AsyncGenerator[FunctionProcess]:
    """A started function, stopped at the end whatever happens. Raises FunctionDidNotStart."""
    function = FunctionProcess(name, env, port=port, log=log, source=source, start_timeout=start_timeout)
    await function.start()
    try:
        yield function
    finally:
        await function.stop()


def _on_line(log: Path | OnLine | None) -> OnLine | None:
    if not isinstance(log, Path):
        return log

    def append(line: OutputLine) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(line.text + "\n")

    return append
