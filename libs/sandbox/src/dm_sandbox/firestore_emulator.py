"""Google's own Firestore emulator as a child process of ours: started on a free local port, ended with us.

The emulator is a shell script that starts Java, so ending the script alone would leave Java behind. Both live in a
process group of their own, under a small shell that kills the whole group when its standard input closes. That
pipe closes when we say so, and also when we are killed: no emulator outlives its owner.
"""

import asyncio
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

SCRIPT_VARIABLE = "CLOUD_FIRESTORE_EMULATOR"
HINT = "install it with: gcloud components install cloud-firestore-emulator (it needs Java 11 or later)"
START_SECONDS = 60.0
TRIES = 3
PORT_TAKEN = "Address already in use"
"""What Java says of a port; besides the one it is told, the emulator takes one that it chooses itself."""

_GUARD = '{ "$@"; kill -KILL 0; } & cat >/dev/null; kill -KILL 0'
"""Run the emulator; when it ends, or standard input closes, kill the process group."""


class EmulatorUnavailable(RuntimeError):
    """The emulator is not installed or did not start; the message says what to do."""


def find_emulator() -> Path:
    """The emulator's script: the environment's, or the one installed beside ``gcloud``.

    Raises EmulatorUnavailable with the installation command.
    """
    named = os.environ.get(SCRIPT_VARIABLE)
    if named:
        if Path(named).is_file():
            return Path(named)
        raise EmulatorUnavailable(f"{SCRIPT_VARIABLE} names no file; {HINT}")
    gcloud = shutil.which("gcloud")
    if gcloud is not None:
        root = Path(gcloud).resolve().parent.parent
        script = root / "platform" / "cloud-firestore-emulator" / "cloud_firestore_emulator"
        if script.is_file():
            return script
    raise EmulatorUnavailable(f"the Firestore emulator was not found; {HINT}")


class FirestoreEmulator:
    """A running emulator as a context manager, ``with`` or ``async with``; its value is ``host:port``."""

    def __init__(self, port: int | None = None) -> None:
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> str:
        """One that another program takes a port from while it starts is started once more, with others."""
        script, tries = find_emulator(), TRIES if self._port is None else 1
        while True:
            tries -= 1
            self._log = tempfile.TemporaryFile()
            try:
                return self._start(script, self._port or _free_port())
            except EmulatorUnavailable as error:
                if not tries or PORT_TAKEN not in str(error):
                    raise

    def _start(self, script: Path, port: int) -> str:
        command = ["/bin/sh", "-c", _GUARD, "sh", str(script), "start", "--host=127.0.0.1", f"--port={port}"]
        self._process = subprocess.Popen(  # noqa: S603 - our own words, and a script the machine's owner named
            command,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait(port)
        except BaseException:
            self.stop()
            raise
        return f"127.0.0.1:{port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> str:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """End the emulator and its children. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def pause(self) -> None:
        """SIGSTOP: from now on it answers nothing, and forgets nothing. Its guard goes on, so it can't outlive us."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on where it was, with what was sent to it meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """To the emulator's Java; where there is no /proc, to the whole group."""
        if self._process is not None:
            java = _members(self._process.pid, "java")
            for pid in java:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if not java:
                os.killpg(self._process.pid, number)

    def _wait(self, port: int) -> None:
        """Wait until the emulator answers; raises EmulatorUnavailable with the end of its log when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise EmulatorUnavailable(f"the Firestore emulator ended at once: {self._last_words()}")
            if _answers(port):
                return
            time.sleep(0.05)
        raise EmulatorUnavailable(
            f"the Firestore emulator did not answer within {START_SECONDS:.0f} s: {self._last_words()}"
        )

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        return self._log.read()[-2_000:].decode("utf-8", "replace").strip()


def firestore_emulator(port: int | None = None) -> FirestoreEmulator:
    """Google's Firestore emulator for the length of a ``with`` or ``async with`` block; gives ``host:port``.

    Raises EmulatorUnavailable when it is not installed or does not answer within 60 s.
    """
    return FirestoreEmulator(port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _members(group: int, command: str) -> list[int]:
    """Processes of a group that run this command, as Linux tells (``/proc/PID/stat``: pid (comm) state ppid pgrp …)."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            before, _, after = stat.read_text(errors="replace").rpartition(")")
            if int(after.split()[2]) == group and before.partition("(")[2] == command:
                found.append(int(stat.parent.name))
    return found


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
