"""Installs an unpacked zip as Google's builder does, and serves it from there.

The flags are the builder's (GoogleCloudPlatform/buildpacks, pkg/python) but for two: no ``--no-cache-dir`` /
``--no-cache``, so that a second run downloads nothing, and instead of ``--user`` an environment of its own, so that
this machine's packages can't stand in for a missing one.
"""

import asyncio
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from bundling import Bundle
from bundling.uv_command import find_uv
from dm_sandbox.processes import ProcessGroup
from tests.infra.checkouts import REPOSITORY

Installer = Literal["pip", "uv"]
START_SECONDS = 120.0
"""Without compiled files and on a busy machine a first start is slow; it is polled, so a fast one costs nothing."""
PIP_FLAGS = ("--upgrade", "--upgrade-strategy", "only-if-needed", "--force-reinstall", "--no-compile")
UV_FLAGS = ("--reinstall", "--link-mode=copy")


@dataclass(frozen=True)
class Installation:
    """A zip's files and the environment made from its requirements."""

    source: Path
    environment: Path

    def python(self, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
        """Run the environment's Python in the unpacked zip; what it printed."""
        return _run([str(self.environment / "bin" / "python"), *arguments], self.source, variables)


def install(bundle: Bundle, installer: Installer, place: Path) -> Installation:
    """Unpack, compile, install, check: a failure of any is an AssertionError with what was printed."""
    source, environment = place / "source", place / "environment"
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(source)
    made = Installation(source, environment)
    uv = find_uv(REPOSITORY)
    seed = ("--seed",) if installer == "pip" else ()
    _run([uv, "venv", "--quiet", "--no-project", *seed, "--python", sys.executable, str(environment)], place)
    made.python("-m", "compileall", "-f", "-q", ".")
    if installer == "pip":
        made.python("-m", "pip", "install", "--quiet", "--requirement", "requirements.txt", *PIP_FLAGS)
        made.python("-m", "compileall", "-q", str(environment / "lib"))
        made.python("-m", "pip", "check")
    else:
        variables = {"VIRTUAL_ENV": str(environment)}
        _run([uv, "pip", "install", "--quiet", "-r", "requirements.txt", *UV_FLAGS], source, variables)
        _run([uv, "pip", "check", "--quiet"], source, variables)
    return made


@asynccontextmanager
async def served(made: Installation, function: str, variables: Mapping[str, str]) -> AsyncGenerator[str]:
    """The function under the installed ``functions-framework``; its URL, once it answers."""
    port = _free_port()
    process = ProcessGroup(
        [str(made.environment / "bin" / "functions-framework"), "--target", function, "--port", str(port)],
        cwd=made.source,
        env={"PATH": f"{made.environment / 'bin'}:/usr/bin:/bin", "HOME": str(made.source), **variables},
        on_line=None,
    )
    await process.start()
    try:
        await _answers(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        await process.stop()


def signature(body: bytes, secret: str) -> str:
    """Meta's header over the raw bytes."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


async def _answers(process: ProcessGroup, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient() as client:
        while time.monotonic() < deadline and process.running:
            with suppress(httpx.TransportError):
                if (await client.get(f"{url}/health")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise AssertionError(f"the function did not start:\n{process.tail()}")


def _run(command: list[str], cwd: Path, variables: Mapping[str, str] | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    run = subprocess.run(  # noqa: S603
        command,
        cwd=cwd,
        env={**environment, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
