"""``make dev`` and ``make demo`` as a user starts them: real processes, real ports."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from dm_sandbox.tcp_ports import free_port


@asynccontextmanager
async def _started(module: str, port: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {"PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _read_until(process: asyncio.subprocess.Process, words: bytes, seconds: float) -> bytes:
    """What it printed up to the line with these words."""
    assert process.stdout is not None
    read = b""
    async with asyncio.timeout(seconds):
        while words not in read:
            line = await process.stdout.readline()
            assert line, read.decode()
            read += line
    return read


async def test_a_dm_typed_on_the_page_is_answered_and_everything_stops_on_sigterm() -> None:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"

    async with (
        _started("dm_sandbox.dev", port) as process,
        httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=10) as client,
    ):
        await _read_until(process, b"dm-agent sandbox", 60)
        status = (await client.get("/status")).json()
        page = await client.get("/")
        typed = await client.post("/type", json={"line": "how much is membership?"})
        output = await _read_until(process, b"run finished", 30)
        state = (await client.get("/state")).json()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 20)

    assert typed.json() == {"ok": True}
    assert "<title>dm-agent sandbox</title>" in page.text
    assert process.returncode == 0
    assert b"Sam Jones: how much is membership?" in output
    assert b"reply sent" in output
    assert [line["who"] for line in state["lines"] if line["who"] != "note"] == ["person", "club"]
    async with httpx.AsyncClient(trust_env=False) as client:
        for name in ("webhook", "processor"):
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{status[name]}/health")


async def test_the_line_chat_sends_what_is_typed_and_prints_what_comes_back() -> None:
    port = free_port()

    async with _started("dm_sandbox.dev", port) as dev, _started("dm_sandbox.line_chat", port) as early:
        nobody, _ = await asyncio.wait_for(early.communicate(), 20)
        await _read_until(dev, b"dm-agent sandbox", 60)
        async with _started("dm_sandbox.line_chat", port) as chat:
            assert chat.stdin is not None
            chat.stdin.write(b"can I talk to a human?\n")
            output = await _read_until(chat, b"Manager's phone: ", 40)
            chat.stdin.write(b"/quit\n")
            await asyncio.wait_for(chat.communicate(), 10)
            alive = dev.returncode is None

    assert (early.returncode, chat.returncode, alive) == (1, 0, True)
    assert nobody.decode().startswith(f"make chat: nothing answers on http://127.0.0.1:{port}")
    assert b"Sam Jones: can I talk to a human?" in output
    assert b"Club: " in output


async def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async with _started("dm_sandbox.dev", port) as process:
            output, _ = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 1
    assert output.decode().strip() == (
        f"make dev: port {port} is in use: stop what uses it, or choose another with PORT=…"
    )


async def test_the_demo_sees_every_effect_within_twenty_seconds_and_exits_zero() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dm_sandbox.demo", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    shown = output.decode()
    assert process.returncode == 0, shown
    assert "✗" not in shown
    assert shown.count("✓") == 8
