"""A machine with its own PATH: uv, pulumi and gcloud are scripts that record what they are given and answer as told."""

import contextlib
import io
import json
import os
import pty
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from operations.__main__ import main
from tests.infra.operations.google_apis import TOKEN, GoogleApis
from tests.infra.stacks import DEV, PINS, PROD, PROJECT, SPOND_PINS
from variables import secret_id

ROOT: Final = Path(__file__).parents[3]
INFRA: Final = ROOT / "infra"
DEADLINE_SECONDS: Final = 60.0

SCRIPT: Final = """#!/bin/sh
given=
case "$*" in 'secrets versions add'*) given=$(/bin/cat; echo x); given=${{given%x}} ;; esac
{{ printf '%s\\037' {name} "$PATH" "$given" "$@"; printf '\\036'; }} >> {calls}
case "$*" in
{answers}
esac
"""

GOOD: Final[Mapping[str, str]] = {
    "gcp:project": PROJECT,
    **{f"dm-agent:{key}": value for key, value in DEV.items()},
    "dm-agent:spondGroupId": PROD["spondGroupId"],
    "dm-agent:secretVersions": json.dumps({**PINS, **SPOND_PINS, "GEMINI_API_KEY": "5"}),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a tool: its arguments and what came on its standard input."""

    tool: str
    path: str
    given: str
    arguments: tuple[str, ...]

    @property
    def words(self) -> str:
        return " ".join((self.tool, *self.arguments))


@dataclass(frozen=True, slots=True)
class Run:
    """A finished command of ours."""

    code: int
    output: str


@dataclass(slots=True)
class Machine:
    """Everything is as it should be until a test says otherwise."""

    folder: Path
    google: GoogleApis
    rules: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        self.rules = {"uv": [], "pulumi": [], "gcloud": []}
        self.says("uv", "--version", "uv 0.13.9")
        self.says("pulumi", "^version", "v3.272.0")
        self.says("pulumi", "^whoami", '{"user": "someone", "url": "gs://state"}')
        self.says("pulumi", "^stack ls", '[{"name": "dev"}, {"name": "organization/dm-agent/prod"}]')
        self.says("gcloud", "--version", "Google Cloud SDK 528.0.0\nbq 2.1.0")
        self.says("gcloud", "^auth list", "someone@club.example\n")
        self.says("gcloud", "print-access-token", f"{TOKEN}\n")
        self.says(
            "gcloud",
            "^projects describe",
            '{"projectId": "club-dms-test", "lifecycleState": "ACTIVE", "projectNumber": "123456789012"}',
        )
        self.says("gcloud", "^billing projects", "True\n")
        services = ("cloudresourcemanager", "serviceusage", "cloudtasks", "secretmanager")
        self.says("gcloud", "^services list", "".join(f"{name}.googleapis.com\n" for name in services))
        self.says("gcloud", "org-policies", '{"listPolicy": {"allValues": "ALLOW"}}')
        self.says("gcloud", "tasks locations", "europe-west1\neurope-west2\n")
        containers = (*PINS, *SPOND_PINS, "GEMINI_API_KEY")
        self.says("gcloud", "^secrets list", "".join(f"{secret_id('dm', name)}\n" for name in containers))
        self.configured(GOOD)

    def says(self, tool: str, words: str, out: str = "", *, code: int = 0, error: str = "") -> None:
        """From now on a call that has these words, or with ``^`` in front begins with them, is answered so."""
        pattern = f"{shlex.quote(words[1:])}*" if words.startswith("^") else f"*{shlex.quote(words)}*"
        answer = f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(error)} >&2; exit {code}"
        self.rules[tool].insert(0, f"{pattern}) {answer} ;;")
        script = self.folder / "bin" / tool
        calls = shlex.quote(str(self.folder / "calls"))
        script.write_text(SCRIPT.format(name=tool, calls=calls, answers="\n".join(self.rules[tool])))
        script.chmod(0o755)

    def adds_versions(self, number: int, *, code: int = 0, error: str = "") -> None:
        """gcloud reads the value and says which version it became."""
        out = f"projects/1/secrets/s/versions/{number}\n" if code == 0 else ""
        self.says("gcloud", "^secrets versions add", out, code=code, error=error)

    def configured(self, values: Mapping[str, str]) -> None:
        entries = {key: {"value": value, "secret": False} for key, value in values.items()}
        self.says("pulumi", "^config --json", json.dumps(entries))

    def lacks(self, tool: str) -> None:
        (self.folder / "bin" / tool).unlink()

    def calls(self, words: str = "") -> list[Call]:
        file = self.folder / "calls"
        text = file.read_text() if file.exists() else ""
        records = (record.split("\x1f")[:-1] for record in text.split("\x1e")[:-1])
        made = [Call(tool, path, given, tuple(arguments)) for tool, path, given, *arguments in records]
        return [call for call in made if words in call.words]

    def run(self, *arguments: str) -> Run:
        """Our command without a terminal, in this process; its tools are processes."""
        before, output = dict(os.environ), io.StringIO()
        os.environ.clear()
        os.environ.update(self._environment())
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                code = main(list(arguments))
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Run(code, output.getvalue())

    def typing(self, lines: list[str], *arguments: str) -> Run:
        """Our command at a real terminal where a person answers each prompt; the output is what the screen shows."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "operations", *arguments],
            env=self._environment(),
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            return Run(*self._converse(process, ours, list(lines)))
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def _converse(self, process: subprocess.Popen[bytes], terminal: int, lines: list[str]) -> tuple[int, str]:
        screen, answered, end = b"", 0, time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            try:
                read = os.read(terminal, 4096)
            except OSError:  # Linux's way of saying that the other side closed
                read = b""
            if not read:
                return process.wait(DEADLINE_SECONDS), screen.decode()
            screen += read
            # A prompt is the last thing on the screen, and is answered once.
            if screen.endswith(b": ") and screen.count(b": ") > answered and lines:
                answered = screen.count(b": ")
                os.write(terminal, lines.pop(0).encode() + b"\n")
        raise TimeoutError(screen.decode())

    def _environment(self) -> dict[str, str]:
        hidden = ("PULUMI_", "GOOGLE_", "CLOUDSDK_")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        return {
            **ours,
            **self.google.environment,
            "PATH": str(self.folder / "bin"),
            "PYTHONPATH": str(INFRA),
            "PYTHONUNBUFFERED": "1",
        }
