"""``make dev`` and ``make demo`` as a user starts them: real processes, real ports."""

import asyncio
import errno
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from dm_sandbox.dev import CannotStart, Options, run
from dm_sandbox.platforms.gemini import Gemini
from dm_sandbox.tcp_ports import free_port

PATIENCE = 100
"""Seconds. It only ends a test that hangs: a busy machine takes half a minute to start or stop all there is."""


@asynccontextmanager
async def _started(
    module: str, port: int, state: Path, settings: Mapping[str, str] | None = None, *words: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env = kept | {"PORT": str(port), "STATE": str(state), **(settings or {})}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *words,
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


async def _read_until(process: asyncio.subprocess.Process, *words: bytes) -> bytes:
    """What it printed up to the line with the last of these words, in whatever order they come."""
    assert process.stdout is not None
    read = b""
    async with asyncio.timeout(PATIENCE):
        while not all(each in read for each in words):
            line = await process.stdout.readline()
            assert line, read.decode()
            read += line
    return read


async def test_a_dm_typed_on_the_page_is_answered_and_everything_stops_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"

    async with (
        _started("dm_sandbox.dev", port, tmp_path) as process,
        httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=PATIENCE) as client,
    ):
        await _read_until(process, b"dm-agent sandbox")
        there_before_the_first_dm = (tmp_path / "threads.db").exists()
        status = (await client.get("/status")).json()
        page = await client.get("/")
        typed = await client.post("/type", json={"line": "how much is membership?"})
        output = await _read_until(process, b"run finished")
        state = (await client.get("/state")).json()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), PATIENCE)

    assert there_before_the_first_dm, "the line for the operator's tool works at once"
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


async def test_a_dm_that_waits_when_everything_dies_is_answered_after_the_next_start(tmp_path: Path) -> None:
    async with _started("dm_sandbox.dev", port := free_port(), tmp_path) as first:
        await _read_until(first, b"dm-agent sandbox")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            await client.post("/type", json={"line": "how much is membership?"})
        await _read_until(first, b"wake-up scheduled")
        first.kill()
        await first.wait()

    async with _started("dm_sandbox.dev", free_port(), tmp_path) as second:
        output = await _read_until(second, b"run finished")

    assert b"reply sent" in output


async def test_the_line_chat_sends_what_is_typed_and_prints_what_comes_back(tmp_path: Path) -> None:
    port = free_port()

    async with _started("dm_sandbox.line_chat", port, tmp_path) as early:
        nobody, _ = await asyncio.wait_for(early.communicate(), PATIENCE)
    async with _started("dm_sandbox.dev", port, tmp_path) as dev:
        await _read_until(dev, b"dm-agent sandbox")
        async with _started("dm_sandbox.line_chat", port, tmp_path) as chat:
            assert chat.stdin is not None
            chat.stdin.write(b"can I talk to a human?\n")
            output = await _read_until(chat, b"Manager's phone: ", b"Club: ")
            chat.stdin.write(b"\xff \x1b[2J\n/help\n/quit\n")
            rest, _ = await asyncio.wait_for(chat.communicate(), PATIENCE)
            alive = dev.returncode is None

    assert (early.returncode, chat.returncode, alive) == (1, 0, True)
    assert nobody.decode().startswith(f"make chat: nothing answers on http://127.0.0.1:{port}")
    assert b"Sam Jones: can I talk to a human?" in output
    assert "Sam Jones: \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}[2J" in rest.decode()
    assert b"type a DM, or: /photo" in rest, "also what the last line comes to is printed"


async def test_a_chat_on_no_port_is_one_line(tmp_path: Path) -> None:
    async with _started("dm_sandbox.line_chat", 0, tmp_path, {"PORT": "abc"}) as chat:
        output, _ = await asyncio.wait_for(chat.communicate(), PATIENCE)

    assert output.decode().startswith("make chat: nothing answers on http://127.0.0.1:abc")
    assert output.decode().count("\n") == 1


async def test_a_port_that_may_not_be_listened_on_is_not_in_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refused)

    with pytest.raises(
        CannotStart, match=r"127\.0\.0\.1:80 can't be listened on \(Permission denied\): choose another"
    ):
        await run(Options(80, "sqlite", state=tmp_path), {})


async def test_a_second_ctrl_c_does_not_disturb_what_the_first_stops(tmp_path: Path) -> None:
    async with _started("dm_sandbox", free_port(), tmp_path, None, "dev") as process:
        await _read_until(process, b"as its operator")
        process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert (output.splitlines()[-1], process.returncode) == (b"stopped", 0)
    assert b"Traceback" not in output


async def test_an_encoding_without_the_words_of_the_log_is_no_obstacle(tmp_path: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    async with _started("dm_sandbox", free_port(), tmp_path, env, "dev") as process:
        output = await _read_until(process, b"Ctrl-C stops everything")

    assert b"the platforms?" in output


async def test_a_port_in_use_is_said_and_the_next_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async with _started("dm_sandbox.dev", port, tmp_path) as process:
            output = await _read_until(process, b"dm-agent sandbox")

    shown = output.decode()
    assert f"port {port} is in use, trying {port + 1}" in shown
    last = re.findall(r"trying (\d+)", shown)[-1]  # another program may have the next one too
    assert f"dm-agent sandbox: http://127.0.0.1:{last}" in shown


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"MAX_RUNS_PER_HOUR": "nonsense"}, "make dev: MAX_RUNS_PER_HOUR must be a whole number"),
        ({"STORE": "mysql"}, "make dev: STORE must be sqlite or firestore, not 'mysql'"),
        ({"STATE": "/proc/nowhere"}, "make dev: /proc/nowhere can't be written to"),
    ],
)
async def test_what_stands_in_the_way_is_one_line(env: dict[str, str], line: str, tmp_path: Path) -> None:
    async with _started("dm_sandbox.dev", free_port(), tmp_path, env) as process:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert process.returncode == 1
    assert output.decode().startswith(line)
    assert output.decode().count("\n") == 1


async def test_a_second_sandbox_in_the_same_folder_says_so(tmp_path: Path) -> None:
    async with _started("dm_sandbox.dev", free_port(), tmp_path) as first:
        await _read_until(first, b"dm-agent sandbox")
        async with _started("dm_sandbox.dev", free_port(), tmp_path) as second:
            output, _ = await asyncio.wait_for(second.communicate(), PATIENCE)

    assert output.decode().startswith(f"make dev: {tmp_path} is used by another make dev")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("threads.db", "no database, but rather more than the hundred bytes that a header has" * 9),
        ("tasks.db", "no database, but rather more than the hundred bytes that a header has" * 9),
        ("studio.json", '{"people": ['),
        ("studio.json", '{"people": [{"userId": "1", "name": "Sam", "bubbles": [{"of": "another version"}]}]}'),
    ],
)
async def test_a_damaged_file_of_the_state_is_one_line_and_left_as_it_is(
    name: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)

    async with _started("dm_sandbox.dev", free_port(), tmp_path) as process:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    said = output.decode().removeprefix("starting the functions, the queue and the platforms…\n")
    assert process.returncode == 1
    assert said.startswith(f"make dev: {tmp_path / name} can't be read (")
    assert said.endswith("FRESH=1 make dev starts over, STATE=folder leaves it as it is\n")
    assert (tmp_path / name).read_text() == content


async def test_a_bogus_key_is_one_line_that_does_not_show_it(tmp_path: Path) -> None:
    async with Gemini() as gemini:
        env = {"GEMINI_API_KEY": "AIza-bogus", "GOOGLE_GEMINI_BASE_URL": gemini.base_url}
        async with _started("dm_sandbox.dev", free_port(), tmp_path, env) as process:
            output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert output.decode() == "make dev: GEMINI_API_KEY is not accepted by Gemini (400): check it, or unset it\n"


async def test_the_demo_sees_every_effect_and_exits_zero() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dm_sandbox.demo", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    shown = output.decode()
    assert process.returncode == 0, shown
    assert "✗" not in shown
    assert shown.count("✓") == 8
