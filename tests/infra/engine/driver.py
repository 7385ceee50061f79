"""The real Pulumi engine on this machine: its CLI, a file backend, and the stand-in provider attached.

    stack = Stack.new(Engine(cli, folder), "dev", Cloud())
    done = stack.up(program)        # Done: the steps the engine took, or why it stopped

One `Stack` is one deployment that lives through several operations; its `Cloud` is what it deployed to. Each operation
is a process group of its own with a deadline, so neither a stuck engine nor a signal to it reaches the tests.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tests.infra.engine.program_host import Program, hosting
from tests.infra.engine.provider.cloud import Cloud
from tests.infra.engine.provider.server import Serving, serving
from tests.infra.engine.steps import Done, steps_of

type State = dict[str, object]

PROJECT = "dm-agent"
DEADLINE_SECONDS = 90.0
"""Of one operation; the slowest took 22 s on a machine with five times as much to do as it has cores."""
WRITTEN_ONCE = {"PULUMI_EXPERIMENTAL": "1", "PULUMI_SKIP_CHECKPOINTS": "1"}
"""The state is written at the end of each operation and not after each step: two thirds of an `up`'s CPU time. For an
engine that ends by itself, also after a fault; what a killed one had written is another matter."""
_PARALLEL = 64
_WRITES = 500
_ONE_LINE_A_STEP = ("--yes", "--color", "never", "--suppress-progress")


class EngineStuck(Exception):
    """An operation didn't end in time and was killed; the text is what it had printed."""


@dataclass(frozen=True)
class Engine:
    """A Pulumi installation: the CLI, and a directory for its home and the stacks' backends."""

    cli: Path
    root: Path


@dataclass
class Stack:
    """One deployment."""

    engine: Engine
    name: str
    cloud: Cloud
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """What whoever runs Pulumi has set in the shell."""
    _running: subprocess.Popen[str] | None = None
    _provider: Serving | None = None
    _operations: int = 0

    @classmethod
    def new(cls, engine: Engine, name: str, cloud: Cloud, environment: Mapping[str, str] | None = None) -> "Stack":
        """A new, empty stack that deploys to `cloud`."""
        stack = cls(engine, name, cloud, environment or {})
        stack.folder.mkdir(parents=True)
        (stack.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
        config = f"config:\n  gcp:project: {cloud.project}\n"
        (stack.folder / f"Pulumi.{name}.yaml").write_text(config, encoding="utf-8")
        stack.must("stack", "init", name, of_stack=False)
        return stack

    def copied(self, engine: Engine) -> "Stack":
        """The same deployment once more, in another installation and another cloud: what is done to it is its own."""
        copy = Stack(engine, self.name, deepcopy(self.cloud), self.environment)
        shutil.copytree(self.folder, copy.folder)
        return copy

    @property
    def folder(self) -> Path:
        """The project, and beside it the backend: all that Pulumi writes about this stack."""
        return self.engine.root / self.name

    def preview(self, program: Program, *options: str) -> Done:
        """What `up` would do."""
        return self._operation(program, "preview", "--parallel", f"{_PARALLEL}", *options)

    def up(self, program: Program, *options: str) -> Done:
        """Deploys."""
        return self._operation(
            program, "up", "--skip-preview", "--parallel", f"{_PARALLEL}", *_ONE_LINE_A_STEP, *options
        )

    def refresh(self, *options: str) -> Done:
        """Reads everything back from the provider."""
        return self._operation(None, "refresh", "--skip-preview", *_ONE_LINE_A_STEP, *options)

    def destroy(self) -> Done:
        """Deletes everything."""
        return self._operation(None, "destroy", "--skip-preview", "--parallel", f"{_PARALLEL}", *_ONE_LINE_A_STEP)

    def cancel(self) -> None:
        """Takes back the lock of an engine that died (`pulumi cancel`)."""
        self.must("cancel", "--yes", self.name, of_stack=False)

    def must(self, *arguments: str, of_stack: bool = True) -> str:
        """Any other command of the CLI, which has to succeed; what it printed."""
        code, printed = self._run([*arguments, *(("--stack", self.name) if of_stack else ())], {})
        assert code == 0, printed
        return printed

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the engine that runs now, as Ctrl-C or a lost machine would."""
        assert self._running is not None, "no engine runs"
        if number is signal.SIGKILL:
            self._stop_between_writes()
        self._running.send_signal(number)

    def kill_provider(self) -> None:
        """Ends the provider that the running engine talks to, with all that's under way in it."""
        assert self._provider is not None, "no provider runs"
        self._provider.end()

    def _stop_between_writes(self) -> None:
        """Halts the engine where its checkpoint is whole: a file may be half written, an object in a bucket never."""
        assert self._running is not None, "no engine runs"
        for _ in range(_WRITES):
            self._running.send_signal(signal.SIGSTOP)
            if self._is_whole():
                return
            self._running.send_signal(signal.SIGCONT)
            time.sleep(0.01)

    def _is_whole(self) -> bool:
        """The checkpoint, and what is kept of it beside it: Pulumi reads no object whose attributes are cut off."""
        try:
            for file in (self._checkpoint, *self._checkpoint.parent.glob("*.attrs")):
                json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            return False
        return True

    @property
    def state(self) -> State:
        """The checkpoint as it is on disk: resources, pending_operations. Empty before the first."""
        return json.loads(self._checkpoint.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "backend" / ".pulumi" / "stacks" / PROJECT / f"{self.name}.json"

    @property
    def resources(self) -> list[State]:
        """The resources in the state, the engine's own left out."""
        return [each for each in self._all_resources if not str(each["type"]).startswith("pulumi:")]

    @property
    def pending(self) -> list[State]:
        """The resources that an engine that died had begun to make or change."""
        begun = cast("list[dict[str, State]]", self.state.get("pending_operations") or [])
        return [each["resource"] for each in begun]

    @property
    def outputs(self) -> State:
        """The stack's outputs."""
        stacks = [each for each in self._all_resources if each["type"] == "pulumi:pulumi:Stack"]
        return cast("State", stacks[0].get("outputs") or {}) if stacks else {}

    @property
    def written(self) -> str:
        """All that Pulumi wrote to disk about this stack: state, history, backups, plan, event logs."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)

    @property
    def _all_resources(self) -> list[State]:
        return cast("list[State]", self.state.get("resources") or [])

    def _operation(self, program: Program | None, *arguments: str) -> Done:
        self._operations += 1
        log = self.folder / f"{self._operations}-{arguments[0]}.events"
        command = [*arguments, "--stack", self.name, "--event-log", str(log), "--exec-kind", "auto.inline"]
        host = hosting(program, self.folder, self.environment) if program else nullcontext()
        with self._attached() as provider, host as port:
            started = time.monotonic()
            code, printed = self._run([*command, *([f"--client=127.0.0.1:{port}"] if port else [])], provider)
            seconds = time.monotonic() - started
        return Done(steps_of(log), seconds, printed, printed if code else None)

    @contextmanager
    def _attached(self) -> Generator[Mapping[str, str]]:
        with serving(self.cloud) as self._provider:
            yield {"PULUMI_DEBUG_PROVIDERS": f"gcp:{self._provider.port}"}
        self._provider = None

    def _run(self, arguments: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Exit code and what was printed. Raises EngineStuck."""
        everything = [str(self.engine.cli), *arguments, "--non-interactive"]
        with subprocess.Popen(  # noqa: S603 - the CLI that was found
            everything,
            cwd=self.folder,
            env={**os.environ, **self.environment, **self._settings, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as self._running:
            try:
                printed, _ = self._running.communicate(timeout=DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._running.pid, signal.SIGKILL)
                printed, _ = self._running.communicate()
                raise EngineStuck(f"pulumi {arguments[0]} took over {DEADLINE_SECONDS} s:\n{printed}") from None
            return self._running.returncode, printed

    @property
    def _settings(self) -> Mapping[str, str]:
        backend = self.folder / "backend"
        backend.mkdir(exist_ok=True)
        return {
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_HOME": str(self.engine.root / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "not a secret: the state of this test is thrown away",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            "PULUMI_DEBUG_COMMANDS": "1",  # makes --event-log known
        }
