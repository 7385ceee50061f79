"""Pulumi as a person types it: `pulumi …` in `infra/` of a checkout, under a language host, without uv on PATH.

Nothing of the program is called from here: what is run is what `Pulumi.yaml` says, in the environment it names.
"""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.infra.checkouts import REPOSITORY, copy_checkout
from tests.infra.engine.deployments import PROJECT, Values
from tests.infra.engine.provider.cloud import Cloud
from tests.infra.engine.provider.server import serving
from tests.infra.engine.steps import Done, steps_of

DEADLINE_SECONDS = 240.0
"""Of one command, which starts Python, imports everything and may build a wheel; the slowest took 28 s here."""


@dataclass
class Shell:
    """A terminal in `infra/` of a copy of this checkout, logged in to a backend in a folder."""

    cli: Path
    root: Path
    cloud: Cloud
    _commands: int = 0

    @classmethod
    def open(cls, cli: Path, root: Path) -> "Shell":
        """A copy after `make setup`: its environment and tools are this checkout's."""
        tree = copy_checkout(root / "checkout")
        ignored = shutil.ignore_patterns("__pycache__", "Pulumi.*.yaml")
        shutil.copytree(REPOSITORY / "infra", tree / "infra", ignore=ignored, dirs_exist_ok=True)
        (tree / ".venv").symlink_to(REPOSITORY / ".venv")
        (root / "backend").mkdir()
        return cls(cli, root, Cloud(project=PROJECT))

    @property
    def tree(self) -> Path:
        """The checkout."""
        return self.root / "checkout"

    def configure(self, stack: str, values: Values) -> None:
        """Writes the stack's file."""
        entries = {"gcp:project": PROJECT} | {f"dm-agent:{key}": value for key, value in values.items()}
        text = yaml.safe_dump({"config": entries})
        (self.tree / "infra" / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")

    def pulumi(self, *arguments: str) -> Done:
        """One command, as typed; its steps, and what it printed."""
        self._commands += 1
        log = self.root / f"{self._commands}.events"
        events = ("--event-log", str(log)) if arguments[0] in ("preview", "up") else ()
        with serving(self.cloud) as provider:
            started = time.monotonic()
            done = subprocess.run(  # noqa: S603 - the CLI that was found
                [str(self.cli), *arguments, *events, "--non-interactive"],
                cwd=self.tree / "infra",
                env=self._environment(provider.port),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=DEADLINE_SECONDS,
                check=False,
            )
        seconds = time.monotonic() - started
        return Done(steps_of(log), seconds, done.stdout, done.stdout if done.returncode else None)

    def _environment(self, port: int) -> dict[str, str]:
        path = [str(self.cli.parent), *(part for part in os.environ["PATH"].split(":") if not _has_uv(part))]
        return {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI", "VIRTUAL"))} | {
            "PATH": ":".join(path),
            "PULUMI_BACKEND_URL": (self.root / "backend").as_uri(),
            "PULUMI_HOME": str(self.root / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "not a secret: the state of this test is thrown away",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            "PULUMI_DEBUG_COMMANDS": "1",  # makes --event-log known
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{port}",
        }


def _has_uv(folder: str) -> bool:
    return (Path(folder) / "uv").exists()
