"""The functions as processes: up, down, killed, and gone with us."""

import asyncio
import json
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from dm_sandbox.launcher import FunctionDidNotStart, FunctionProcess, running_function
from dm_sandbox.processes import OutputLine
from dm_sandbox.tcp_ports import free_port, is_free


async def _get(url: str) -> dict[str, object]:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(url)
        response.raise_for_status()
        answer: dict[str, object] = response.json()
        return answer


async def _until(condition: Callable[[], bool], timeout: float = 15) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - what other processes do sets no event
            await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


async def test_a_function_answers_with_a_clean_environment_in_its_own_folder(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_OURS", "x")

    async with running_function("webhook", {"GIVEN": "yes"}, source=source) as function:
        answer = await _get(f"{function.url}/")

    env = answer["env"]
    assert isinstance(env, dict)
    assert env["GIVEN"] == "yes"
    assert "A_SECRET_OF_OURS" not in env
    assert answer["cwd"] == str(source.parent)


async def test_output_comes_line_by_line_with_json_parsed(source: Path, tmp_path: Path) -> None:
    lines: list[OutputLine] = []

    async with running_function("webhook", {}, source=source, log=lines.append) as function:
        await _get(f"{function.url}/log")
        await _until(lambda: lines[-1].text == "plain")

    assert lines[0].text == "imported"
    assert [line.event for line in lines if line.event] == [{"severity": "INFO", "message": "asked"}]
    assert sum(len(line.text) for line in lines if line.text.startswith("x")) == 300_000


async def test_output_can_go_to_a_file(source: Path, tmp_path: Path) -> None:
    log = tmp_path / "function.log"

    async with running_function("webhook", {}, source=source, log=log):
        pass

    assert log.read_text().startswith("imported\n")


async def test_stopping_ends_master_and_worker_and_frees_the_port(source: Path) -> None:
    async with running_function("webhook", {}, source=source) as function:
        family = _family(function.pid)

    assert len(family) >= 2
    await _until(lambda: not any(_alive(pid) for pid in family))
    assert is_free(function.port)
    assert not function.running


async def test_a_killed_function_comes_back_at_the_same_address(source: Path) -> None:
    async with running_function("webhook", {}, source=source) as function:
        family, url = _family(function.pid), function.url
        await function.kill()
        await _until(lambda: not any(_alive(pid) for pid in family))

        await function.start()

        assert function.url == url
        assert (await _get(f"{url}/"))["pid"] not in family


async def test_a_restart_is_another_process(source: Path) -> None:
    async with running_function("webhook", {}, source=source) as function:
        before = (await _get(f"{function.url}/"))["pid"]

        await function.restart()

        assert (await _get(f"{function.url}/"))["pid"] != before


async def test_a_function_that_ends_at_once_is_reported_with_its_last_words(source: Path) -> None:
    function = FunctionProcess("webhook", {"BROKEN": "1"}, source=source)

    with pytest.raises(FunctionDidNotStart, match="A_SETTING is missing"):
        await function.start()

    assert not function.running


async def test_a_function_that_is_not_healthy_in_time_is_ended_and_reported(source: Path) -> None:
    function = FunctionProcess("webhook", {"SICK": "1"}, source=source, start_timeout=1.5)

    with pytest.raises(FunctionDidNotStart, match="/health"):
        await function.start()

    assert not function.running


async def test_a_taken_port_is_reported(source: Path) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]

    with pytest.raises(FunctionDidNotStart, match="taken"):
        await FunctionProcess("webhook", {}, source=source, port=port).start()

    server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_the_function_dies_with_us_even_if_we_are_killed(source: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
            import asyncio
            from pathlib import Path
            from dm_sandbox.launcher import running_function

            async def main():
                async with running_function("webhook", {{}}, source=Path({str(source)!r})) as function:
                    print(function.pid, flush=True)
                    await asyncio.Event().wait()

            asyncio.run(main())
        """)
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    family = _family(int(await parent.stdout.readline()))

    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()

    assert len(family) >= 2
    await _until(lambda: not any(_alive(pid) for pid in family))


def test_a_free_port_is_free_until_somebody_listens() -> None:
    import socket

    port = free_port()
    assert is_free(port)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not is_free(port)


@pytest.mark.parametrize(
    ("raw", "event"),
    [(b'{"message": "m"}', {"message": "m"}), (b"{not json", None), (b"[1]", None), (b"\xff", None)],
)
def test_only_json_objects_are_events(raw: bytes, event: dict[str, object] | None) -> None:
    line = OutputLine.parse(raw)

    assert line.event == event
    assert line.text == raw.decode("utf-8", "replace")
    assert json.dumps(line.text)
