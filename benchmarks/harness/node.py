"""The design this project began with, on Node 20 (``rivals/node``), started like our functions."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Literal

from benchmarks.harness.stage import TestedFunction, on_test_core
from dm_sandbox.processes import ProcessGroup

NODE = Path(__file__).parents[1] / "rivals" / "node"


class NodeMissing(Exception):
    """Node is not installed here, or its packages could not be installed."""


def command(script: str, target: str, port: int) -> tuple[str, ...]:
    """What starts a function under Google's framework for Node. Raises NodeMissing."""
    node = shutil.which("node")
    if node is None:
        raise NodeMissing("Node 20 is missing: https://nodejs.org")
    framework = NODE / "node_modules" / "@google-cloud" / "functions-framework" / "build" / "src" / "main.js"
    return (node, str(framework), f"--target={target}", f"--source={NODE / script}", f"--port={port}")


async def install() -> None:
    """What the lock file names, once. Raises NodeMissing."""
    if (NODE / "node_modules").is_dir():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NodeMissing("npm is missing: https://nodejs.org")
    process = await asyncio.create_subprocess_exec(npm, "ci", "--silent", "--no-audit", "--no-fund", cwd=NODE)
    if await process.wait():
        raise NodeMissing("npm ci failed: is the registry reachable?")


class NodeFunction(TestedFunction):
    """A function of ``rivals/node`` in place of ours, with the same environment, port and checks."""

    def __init__(self, name: Literal["webhook", "processor"], env: Mapping[str, str], script: str) -> None:
        super().__init__(name, env, None)
        variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_ENV": "production", **env}
        started = command(script, name, self.port)
        self._group = ProcessGroup(started, cwd=NODE, env=variables, on_line=self._note)


@contextlib.asynccontextmanager
async def node_on_test_core(
    env: Mapping[str, str], name: Literal["webhook", "processor"]
) -> AsyncGenerator[TestedFunction]:
    """The rival alone on the test core. Raises NodeMissing."""
    await install()
    async with on_test_core(NodeFunction(name, env, f"{name}.js")) as function:
        yield function
