"""Starts, asks and stops the webhook function."""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import psutil

from dm_sandbox.cloud_tasks import QueueEvent

SOURCE = Path(__file__).parents[3] / "functions" / "webhook" / "main.py"
SECRET = "app-secret"
START_SECONDS = 30.0

ENVIRONMENT = {
    "INSTAGRAM_PAGE_ID": "178414",
    "INSTAGRAM_VERIFY_TOKEN": "verify-me",
    "INSTAGRAM_APP_SECRET": f"older-secret,{SECRET}",
    "WHATSAPP_APP_SECRET": "another-secret",
    "GOOGLE_CLOUD_PROJECT": "test-project",
    "CLOUD_TASKS_LOCATION": "europe-north1",
    "TASKS_INVOKER_EMAIL": "invoker@test.example",
    "PROCESS_MESSAGE_URL": "http://127.0.0.1:9/",
}

Events = list[QueueEvent]


class WebhookFunction:
    """One process group: the framework's server and its worker."""

    def __init__(self, tasks_host: str, **environment: str) -> None:
        home = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = home | ENVIRONMENT | {"CLOUD_TASKS_EMULATOR_HOST": tasks_host} | environment
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, source: str = str(SOURCE)) -> Self:
        """Returns when it answers."""
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(  # noqa: ASYNC220, S603
            command(source, port),
            cwd=SOURCE.parent,
            env=self.environment,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient() as client:
            while time.monotonic() < deadline and self._process.poll() is None:
                with suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/health")).status_code == 200:
                        return self
                await asyncio.sleep(0.02)
        raise AssertionError("the function did not start")

    async def post(self, body: bytes, secret: str = SECRET) -> httpx.Response:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        async with httpx.AsyncClient(timeout=90) as client:
            return await client.post(
                f"{self.url}/", content=body, headers={"X-Hub-Signature-256": f"sha256={signature}"}
            )

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"{self.url}{path}")

    @property
    def memory_mib(self) -> float:
        """Resident memory of the server and its worker."""
        return sum(process.memory_info().rss for process in self._processes()) / 2**20

    @property
    def cpu_seconds(self) -> float:
        """Processor time used by the server and its worker."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(used.user + used.system for used in times)

    @property
    def pids(self) -> Sequence[int]:
        """Of the server and its worker."""
        return [process.pid for process in self._processes()]

    async def freeze(self, seconds: float) -> None:
        """What the platform does to an instance without a request: no CPU for so long."""
        server, *_ = self.pids
        os.killpg(server, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.killpg(server, signal.SIGCONT)

    def _processes(self) -> Sequence[psutil.Process]:
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        return (server, *server.children(recursive=True))

    def stop(self) -> list[dict[str, object]]:
        """End the whole group; the events it logged."""
        process, self._process = self._process, None
        if process is None:
            return []
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out = process.communicate()[0].decode()
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def command(source: str, port: int) -> Sequence[str]:
    framework = Path(sys.executable).with_name("functions-framework")
    return (str(framework), "--source", source, "--target", "webhook", "--port", str(port))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
