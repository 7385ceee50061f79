"""The command where its words go elsewhere than to a wide terminal: a pipe, a narrow window, another encoding."""

import asyncio
import fcntl
import getpass
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest

from dm_admin.app import main
from dm_admin.screen import when
from dm_core.bootstrap.parts import open_store
from dm_core.clock import system_clock
from dm_core.settings import StoreSettings
from dm_core.store.port import ThreadChange
from dm_core.threads import Profile
from dm_sandbox.examples import dm, events

THREAD = "17841400000000001_9000000000000001"
NAME = "山田太郎さん🎾" * 6


@pytest.fixture(autouse=True)
def store_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A terminal that knows of a store with one conversation."""
    url = f"sqlite:///{tmp_path}/threads.db"

    async def fill() -> None:
        store = open_store(StoreSettings(url, "", "", f"{tmp_path}/threads.db", 90), system_clock)
        now = system_clock()
        await store.record(replace(events(dm(1, THREAD), thread_id=THREAD), last_inbound_at=now))
        snapshot = await store.open(THREAD)
        assert snapshot is not None
        await store.commit(
            replace(ThreadChange(THREAD, snapshot.version, "t", now), profile=Profile(NAME, "taro", now))
        )
        await store.close()

    asyncio.run(fill())
    monkeypatch.setenv("STORE_URL", url)
    return url


def types(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["dm-admin", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"COLUMNS": ""},
        {"COLUMNS": "wide"},
        {"COLUMNS": "0"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
    ],
)
def test_a_pipe_gets_each_row_on_a_line_and_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    types(monkeypatch, "show", THREAD)

    (row,) = [line for line in capsys.readouterr().out.splitlines() if "person" in line]
    assert dm(1, THREAD).id[:12] in row
    assert "pending" in row


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_a_narrow_window_cuts_nothing_off(columns: int, store_url: str) -> None:
    window, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {"PATH": os.environ["PATH"], "STORE_URL": store_url, "TERM": "xterm", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dm_admin", "threads"], env=environment, stdout=other, check=False, timeout=60
    )
    os.close(other)
    out = os.read(window, 65_536).decode()
    os.close(window)

    assert done.returncode == 0
    assert "…" not in out
    assert THREAD in out
    assert "waiting" in out


def test_another_encoding_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))

    types(monkeypatch, "threads", "--json")
    listed = raw.getvalue()
    types(monkeypatch, "show", "@taro")

    assert json.loads(listed)["threads"][0]["name"] == NAME
    assert b"?" * 6 in raw.getvalue().removeprefix(listed)


def command(store_url: str, *words: str | bytes, stdout: int) -> "subprocess.CompletedProcess[str]":
    """The tool as a process of its own, with its output unbuffered."""
    environment = {"PATH": os.environ["PATH"], "STORE_URL": store_url, "PYTHONUNBUFFERED": "1"}
    return subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "dm_admin", *words],
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("words", [("threads",), ("threads", "--json")])
def test_a_reader_that_has_seen_enough_and_a_full_disk_are_no_traceback(store_url: str, words: tuple[str, ...]) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    gone = command(store_url, *words, stdout=writes)
    os.close(writes)
    full = os.open("/dev/full", os.O_WRONLY)
    lost = command(store_url, *words, stdout=full)
    os.close(full)

    assert (gone.returncode, gone.stderr) == (1, "")
    assert (lost.returncode, lost.stderr) == (1, "dm-admin: the output can't be written (No space left on device)\n")


def test_bytes_that_are_no_utf_8_are_a_name_that_nobody_has(store_url: str) -> None:
    refused = command(store_url, "show", b"\xff\xfe", stdout=subprocess.DEVNULL)

    assert refused.returncode == 1
    assert refused.stderr.startswith("dm-admin: no thread is known as \ufffd\ufffd")


@pytest.mark.parametrize("ms", [-(10**15), 10**15, 2**62])
def test_a_time_that_no_calendar_has_is_shown_as_it_is_stored(ms: int) -> None:
    assert when(ms) == f"{ms} ms"


def test_whoever_has_no_name_on_this_machine_is_known_by_a_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    types(monkeypatch, "pause", "@taro", "--why", "asked by phone", "--yes")
    types(monkeypatch, "mode", "all", "off", "--yes")
    capsys.readouterr()

    types(monkeypatch, "audit", "@taro", "--json")
    (line,) = json.loads(capsys.readouterr().out)["audit"]
    types(monkeypatch, "audit", "all")

    assert (line["who"], line["what"], line["why"]) == (f"admin:uid-{os.getuid()}", "pause", "asked by phone")
    assert "mode off" in capsys.readouterr().out
