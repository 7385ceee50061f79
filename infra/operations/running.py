"""Runs gcloud, pulumi and uv: found on PATH, never asked a question, never waited for without an end."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
INFRA: Final = ROOT / "infra"
OWN_UV: Final = ROOT / ".tools" / "uv" / "bin"
TIMEOUT_SECONDS: Final = 60.0
MISSING, TIMED_OUT = 127, 124

QUIET: Final[Mapping[str, str]] = {
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    "PULUMI_SKIP_UPDATE_CHECK": "1",
}


class Refused(Exception):
    """The command can't or must not go on; the text is one line that says why and the command to run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said. ``code`` 127: it is not there; 124: it was stopped after its time."""

    code: int
    out: str
    error: str

    @property
    def good(self) -> bool:
        return self.code == 0

    @property
    def reason(self) -> str:
        """The line of its complaint that says most: the first that names an error, else the last."""
        lines = [line.strip() for line in self.error.splitlines() if line.strip()]
        named = [line for line in lines if "error" in line.lower()]
        return (named or lines[-1:] or [f"exit code {self.code}"])[0]


def environment() -> dict[str, str]:
    """Ours, with the workspace's own uv at the end of PATH: Pulumi's Python toolchain calls ``uv``."""
    path = os.pathsep.join(part for part in (os.environ.get("PATH", ""), str(OWN_UV)) if part)
    return {**os.environ, **QUIET, "PATH": path}


def find(program: str) -> str | None:
    """Where a program is, on PATH or among the workspace's own tools."""
    return shutil.which(program, path=environment()["PATH"])


def ask(command: Sequence[str], *, given: str = "", timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Run to its end and hear what it says; ``given`` goes to its standard input, which is otherwise empty.

    gcloud is a shell script that starts Python: at the end of its time the whole process group is stopped, for a
    grandchild that kept the pipe open would make us wait for it.
    """
    program = find(command[0])
    if program is None:
        return Answer(MISSING, "", f"{command[0]} is not installed")
    with subprocess.Popen(
        [program, *command[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=INFRA,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, error = process.communicate(given, timeout=timeout)
        except subprocess.TimeoutExpired:
            return Answer(TIMED_OUT, "", f"{command[0]} gave no answer within {timeout:g} seconds")
        finally:
            _stop(process)
        return Answer(process.returncode, out, error)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def hand_over(command: Sequence[str]) -> int:
    """Run with this terminal's own input and output, for as long as it takes; the exit code."""
    program = find(command[0])
    if program is None:
        raise Refused(f"{command[0]} is not installed")
    return subprocess.run([program, *command[1:]], env=environment(), cwd=INFRA, check=False).returncode


def keep(command: Sequence[str], file: Path) -> int:
    """Run and write everything it prints into a file too; the exit code. Asks nothing: its input is empty."""
    program = find(command[0])
    if program is None:
        raise Refused(f"{command[0]} is not installed")
    with (
        file.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd=INFRA,
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            print(line, end="", flush=True)
            kept.write(line)
        return process.wait()
