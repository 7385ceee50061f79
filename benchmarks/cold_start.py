"""Cold start to the first answer: from the start of the process to the 200 of a signed POST.

The connection is made as soon as the server listens, so the request waits for the worker as a first request does on
the platform. Against an empty async function under the same framework; the order turned round each time.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.harness import cores
from benchmarks.harness.figures import Figure, median, spread
from benchmarks.harness.google import FastGoogle
from benchmarks.harness.load import Caller
from benchmarks.harness.stage import RIVALS, signed_dms, webhook_environment
from benchmarks.harness.world import running_world
from dm_core.clock import system_clock
from dm_sandbox.processes import ProcessGroup
from dm_sandbox.tcp_ports import free_port

DEADLINE_SECONDS = 60.0
_PRODUCT = Path(__file__).parents[1] / "functions"
_GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def measure(runs: int = 5) -> list[Figure]:
    """The webhook's ratio; both functions' seconds."""
    empty: list[float] = []
    ours: list[float] = []
    processor: list[float] = []
    async with FastGoogle() as google, running_world("firestore:", google, google) as world:
        env = webhook_environment(google)
        for number in range(runs + 1):
            post = signed_dms(1, number, now=system_clock())[0]
            none: dict[str, str] = {}
            pairs = [(empty, RIVALS / "empty", none), (ours, _PRODUCT / "webhook", env)]
            for seconds, folder, variables in pairs if number % 2 else reversed(pairs):
                seconds.append(await first_answer(folder, "webhook", variables, post))
            processor.append(await first_answer(_PRODUCT / "processor", "processor", world.env, _GET_HEALTH))
    for seconds in (empty, ours, processor):
        del seconds[0]  # compiled files and the disk's cache
    ratios = [a / b for a, b in zip(ours, empty, strict=True)]
    note = f"{median(ours):.2f} s against {median(empty):.2f} s; ratios {spread(ratios)}"
    return [
        Figure("cold start to first answer, webhook / empty function", median(ratios), "×", 2.2, note=note),
        Figure("  webhook, first signed POST", median(ours), "s", note=spread(ours)),
        Figure("  processor, first GET /health", median(processor), "s", note=spread(processor)),
    ]


async def first_answer(folder: Path, target: str, env: Mapping[str, str], request: bytes) -> float:
    """Seconds from the start of the process to its first 200."""
    port = free_port()
    script = str(Path(sys.executable).parent / "functions-framework")
    options = (f"--source={folder / 'main.py'}", f"--target={target}", "--host=127.0.0.1", f"--port={port}")
    group = ProcessGroup((script, *options), cwd=folder, env={"PATH": "/usr/bin:/bin", **env}, on_line=None)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with cores.starting_on(cores.TEST_CORE):
        await group.start()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), await _connected(port) as caller:
            status, body = await caller.send(request)
        took = loop.time() - begun
    finally:
        await group.kill()
    if status != 200:
        raise RuntimeError(f"the first answer of {target} was {status} {body[:200]!r}\n{group.tail()}")
    return took


async def _connected(port: int) -> Caller:
    """A connection as soon as somebody listens."""
    while True:
        with suppress(ConnectionRefusedError):
            return await Caller(port).connect()
        await asyncio.sleep(0.002)
