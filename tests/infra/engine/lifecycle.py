"""The life of a deployment under the real engine, step by step; the tests read what happened at each."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tests.infra.engine.deployments import DEV, PROD, PROJECT, Sources, Tree, Values, pinned, program
from tests.infra.engine.driver import WRITTEN_ONCE, Engine, Stack, State
from tests.infra.engine.provider.cloud import Cloud
from tests.infra.engine.steps import Done

SECRETS = (
    "INSTAGRAM_ACCESS_TOKEN",
    "INSTAGRAM_APP_SECRET",
    "INSTAGRAM_VERIFY_TOKEN",
    "WHATSAPP_ACCESS_TOKEN",
    "GEMINI_API_KEY",
    "SPOND_USERNAME",
    "SPOND_PASSWORD",
)
_IN_CONFIG = "planted-in-the-stacks-configuration-71b2"


@dataclass
class Lifecycle:
    """What happened, by the step's name."""

    done: dict[str, Done] = field(default_factory=dict[str, Done])
    state: State = field(default_factory=dict[str, object])
    """The checkpoint after the first `up` of everything."""
    outputs: State = field(default_factory=dict[str, object])
    dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By a resource's id, the ids that it depended on after the last `up`."""
    deleted: list[str] = field(default_factory=list[str])
    """The ids in the order in which they were deleted by the last `destroy`."""
    left: list[str] = field(default_factory=list[str])
    """The ids that were still there at the end."""
    planted: tuple[str, ...] = ()
    """Secret values that were within reach of Pulumi and of the program."""
    printed: str = ""
    """All that Pulumi printed."""
    told: str = ""
    """All that the cloud was told in the first `up` of everything."""
    written: str = ""
    """All that Pulumi wrote to disk up to the first `up` of everything: state, history, plan, events."""


def _plants() -> dict[str, str]:
    """A value for each secret that a function reads, as a developer's shell may have them."""
    return {name: f"planted-{name.lower()}-{number}f3c9" for number, name in enumerate(SECRETS)}


class _Recorder:
    """One stack, and the recording of what's done to it."""

    def __init__(self, cli: Path, folder: Path, name: str, values: Values) -> None:
        self.cloud = Cloud(project=PROJECT)
        self.tree = Tree(folder)
        self.sources: Sources = self.tree.sources()
        self.values = values
        self.stack: Stack = Stack.new(Engine(cli, folder), name, self.cloud, WRITTEN_ONCE | _plants())
        self.stack.must("config", "set", "--secret", "dm-agent:geminiApiKey", _IN_CONFIG)
        self.recording = Lifecycle(planted=(*_plants().values(), _IN_CONFIG))

    def up(self, step: str, **changed: str) -> Done:
        return self._note(step, self.stack.up(self._program(changed)))

    def preview(self, step: str, **changed: str) -> Done:
        return self._note(step, self.stack.preview(self._program(changed), "--save-plan", "plan.json"))

    def refresh(self, step: str) -> None:
        self._note(step, self.stack.refresh())

    def destroy(self, step: str) -> None:
        self.recording.dependencies = _dependencies(self.stack)
        before = len(self.cloud.log)
        self._note(step, self.stack.destroy())
        self.recording.deleted = [id_ for what, _, id_ in self.cloud.log[before:] if what == "delete"]
        self.recording.left = list(self.cloud.things)

    def keep_state(self) -> None:
        self.recording.state = self.stack.state
        self.recording.outputs = self.stack.outputs
        self.recording.told = json.dumps([thing.inputs for thing in self.cloud.things.values()])
        self.recording.written = self.stack.written

    def rebundle(self) -> None:
        self.sources = self.tree.sources()

    def _program(self, changed: dict[str, str]):
        return program(self.stack.name, {**self.values, **changed}, self.sources)

    def _note(self, step: str, done: Done) -> Done:
        self.recording.done[step] = done
        self.recording.printed += done.printed
        return done


def dev_lifecycle(cli: Path, folder: Path) -> Lifecycle:
    """First the containers, then everything; each kind of change, applied; then the end."""
    life = _Recorder(cli, folder, "dev", DEV)
    life.up("containers", secretsOnly="true")
    life.preview("preview")
    life.up("up")
    life.keep_state()
    life.tree.touch()
    life.rebundle()
    life.up("touched")
    life.tree.change("libs/core/src/dm_core/*.py")
    life.rebundle()
    life.up("core")
    life.tree.change("functions/processor/prompts/*.md")
    life.rebundle()
    life.up("prompt")
    life.refresh("refresh")  # what follows shows that it left nothing to do
    life.values = pinned(life.values, WHATSAPP_ACCESS_TOKEN="2")
    life.up("processor's secret")
    life.values = pinned(life.values, INSTAGRAM_APP_SECRET="3")
    life.up("both functions' secret")
    life.destroy("destroy")
    return life.recording


def prod_lifecycle(cli: Path, folder: Path) -> Lifecycle:
    """From nothing at once; what must be refused; and the end of a protected deployment."""
    life = _Recorder(cli, folder, "prod", PROD)
    life.preview("preview")
    life.up("up")
    life.keep_state()
    life.up("again")
    life.up("renamed", databaseName="another-name")
    life.up("relocated", databaseLocation="nam5")
    life.destroy("refused destroy")
    return life.recording


def _dependencies(stack: Stack) -> dict[str, list[str]]:
    ids = {str(each["urn"]): str(each.get("id", "")) for each in stack.resources}
    return {
        str(each["id"]): [ids[urn] for urn in _urns(each) if ids.get(urn)] for each in stack.resources if each.get("id")
    }


def _urns(resource: State) -> list[str]:
    return cast("list[str]", resource.get("dependencies") or [])
