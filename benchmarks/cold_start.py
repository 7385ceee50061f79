"""Cold start to the first answer: from the start of the process to the 200 of a signed POST.

The connection is made as soon as the server listens, so the request waits for the worker as a first request does on
the platform. Against an empty async function under the same framework, an empty sync one and one on Node; the order
turned round each time. The memory is that of master and worker after the first answer.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.google import FastGoogle
from benchmarks.harness.load import Caller
from benchmarks.harness.node import command, install
from benchmarks.harness.stage import RIVALS, signed_dms, webhook_environment
from benchmarks.harness.world import running_world
from dm_core.clock import system_clock
from dm_sandbox.processes import ProcessGroup
from dm_sandbox.tcp_ports import free_port

DEADLINE_SECONDS = 60.0
_PRODUCT = Path(__file__).parents[1] / "functions"
_GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Function:
    """A function to be started: ``command`` says how, for a port."""

    what: str
    target: str
    command: Callable[[int], tuple[str, ...]]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds to the first answer, and MiB after it."""

    seconds: float
    mib: float


async def measure(runs: int = 5) -> list[Figure]:
    """The webhook's ratio; every function's seconds and memory. Raises NodeMissing."""
    await install()
    starts: dict[str, list[Started]] = {}
    async with FastGoogle() as google, running_world("firestore:", google, google) as world:
        functions = [
            _python("empty function", RIVALS / "empty", "webhook", {}),
            _python("webhook", _PRODUCT / "webhook", "webhook", webhook_environment(google)),
            _python("processor", _PRODUCT / "processor", "processor", world.env),
            _python("empty sync function", RIVALS / "empty_sync", "webhook", {}),
            Function("empty function on Node", "webhook", lambda port: command("empty.js", "webhook", port), {}),
        ]
        for number in range(runs + 1):
            post = signed_dms(1, number, now=system_clock())[0]
            for function in functions if number % 2 else reversed(functions):
                request = _GET_HEALTH if function.target == "processor" else post
                starts.setdefault(function.what, []).append(await first_answer(function, request))
    for each in starts.values():
        del each[0]  # compiled files and the disk's cache
    ratios = [a.seconds / b.seconds for a, b in zip(starts["webhook"], starts["empty function"], strict=True)]
    what = "cold start to first answer, webhook / empty function"
    return [
        Figure(what, median(ratios), "×", 2.2, note=spread(ratios)),
        *(_figure(function.what, starts[function.what]) for function in functions),
    ]


def _figure(what: str, starts: list[Started]) -> Figure:
    seconds = [start.seconds for start in starts]
    memory = median([start.mib for start in starts])
    return Figure(f"  {what}", median(seconds), "s", note=f"{spread(seconds)}; {memory:.0f} MiB after it")


def _python(what: str, folder: Path, target: str, env: Mapping[str, str]) -> Function:
    script, source = str(Path(sys.executable).parent / "functions-framework"), f"--source={folder / 'main.py'}"

    def command(port: int) -> tuple[str, ...]:
        return (script, source, f"--target={target}", "--host=127.0.0.1", f"--port={port}")

    return Function(what, target, command, env)


async def first_answer(function: Function, request: bytes) -> Started:
    """From the start of the process to its first 200."""
    port, target = free_port(), function.target
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **function.env}
    group = ProcessGroup(function.command(port), cwd=RIVALS, env=env, on_line=None)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with cores.starting_on(cores.TEST_CORE):
        await group.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), await _connected(port) as caller:
            status, body = await caller.send(request)
        took, memory = loop.time() - begun, cores.usage(group.pid).mib
    finally:
        await group.kill()
    if status != 200:
        raise RuntimeError(f"the first answer of {target} was {status} {body[:200]!r}\n{group.tail()}")
    return Started(took, memory)


async def _connected(port: int) -> Caller:
    """A connection as soon as somebody listens."""
    while True:
        with suppress(ConnectionRefusedError):
            return await Caller(port).connect()
        await asyncio.sleep(0.002)
