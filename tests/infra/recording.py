"""Runs the program against Pulumi's mocks and keeps what it registered, with the edges that mocks alone do not show."""

import asyncio
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeGuard, cast, override

import pulumi
from pulumi.runtime import mocks, rpc

from bundling import Bundle
from configuration import Configuration
from declaration import declare
from tests.infra.stacks import PROJECT_NUMBER, closed, dev, extreme, prod, sources


@dataclass(frozen=True, slots=True)
class Registered:
    """One resource as the engine would be told of it. ``inputs`` are camelCase; references are URNs."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, object]
    dependencies: frozenset[str]
    parent: str
    protect: bool
    replace_with: frozenset[str]
    delete_first: bool
    hooks: Mapping[str, tuple[str, ...]]

    def text(self, key: str) -> str:
        """An input that is a text."""
        value = self.inputs[key]
        assert isinstance(value, str), f"{self.name}.{key} is no text"
        return value

    def inside(self, *path: str) -> object:
        """An input inside nested ones; None where there is none."""
        value: object = self.inputs
        for key in path:
            value = value.get(key) if _is_mapping(value) else None
        return value


def _is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


@dataclass(slots=True)
class Graph:
    """Everything that one run registered, by URN, in the order of registration."""

    resources: dict[str, Registered] = field(default_factory=dict[str, Registered])
    outputs: dict[str, object] = field(default_factory=dict[str, object])

    def __iter__(self) -> Iterator[Registered]:
        return iter(self.resources.values())

    def of(self, type_: str) -> list[Registered]:
        """Resources of a type, for example ``gcp:cloudtasks/queue:Queue``, or of the end of one: ``:Queue``."""
        return [one for one in self if one.type == type_ or (type_.startswith(":") and one.type.endswith(type_))]

    def one(self, type_: str, name: str | None = None) -> Registered:
        """The only resource of a type, or the one of this name."""
        found = [one for one in self.of(type_) if name in (None, one.name)]
        assert len(found) == 1, f"{len(found)} resources are {type_} {name or ''}"
        return found[0]

    def environment(self, function: str) -> dict[str, str]:
        """The variables that a function starts with; a secret's value is made up, the program knows none."""
        service = ("serviceConfig", "environmentVariables")
        plain = cast("dict[str, str]", self.one(":Function", function).inside(*service))
        return {**plain, **{key: f"value-of-{key}" for key in self.secret_references(function)}}

    def secret_references(self, function: str) -> dict[str, Mapping[str, str]]:
        """Key, secret and version of a function's secret variables, by variable."""
        found = self.one(":Function", function).inside("serviceConfig", "secretEnvironmentVariables")
        return {reference["key"]: reference for reference in cast("list[dict[str, str]]", found)}

    def depth(self, resource: Registered, apart: tuple[str, ...] = ()) -> int:
        """How many resources of Google's are made one after the other up to this one, itself included; those whose
        type ends with one of ``apart`` are not counted."""
        before = [self.depth(self.resources[urn], apart) for urn in resource.dependencies if urn in self.resources]
        counts = resource.type.startswith("gcp:") and not resource.type.endswith(apart)
        return max(before, default=0) + counts

    def needs(self, resource: Registered) -> set[str]:
        """URNs of everything that is made before a resource, directly or not."""
        found: set[str] = set()
        waiting = list(resource.dependencies)
        while waiting:
            urn = waiting.pop()
            if urn not in found:
                found.add(urn)
                waiting += self.resources[urn].dependencies if urn in self.resources else ()
        return found


MOMENTS = ("before_create", "after_create", "before_update", "after_update")
NOT_THERE_YET = {"gcp:cloudfunctionsv2/getFunction:getFunction", "gcp:cloudrunv2/getService:getService"}
"""What the program looks for before it declares it; the mocks have made nothing yet."""


class _Answers(mocks.Mocks):
    """What Google would compute of each resource, as far as the program uses it."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = cast("dict[str, Any]", args.inputs)  # pyright: ignore[reportUnknownMemberType]
        identity = str(inputs.get("name", args.name))
        match args.typ:
            case "gcp:serviceaccount/account:Account":
                email = f"{inputs['accountId']}@{inputs['project']}.iam.gserviceaccount.com"
                name = f"projects/{inputs['project']}/serviceAccounts/{email}"
                return name, inputs | {"email": email, "member": f"serviceAccount:{email}", "name": name}
            case "gcp:cloudfunctionsv2/function:Function":
                service = f"https://{identity}-hash-uc.a.run.app"
                return identity, inputs | {"serviceConfig": inputs["serviceConfig"] | {"uri": service}}
            case "gcp:artifactregistry/repository:Repository":
                name = (
                    f"projects/{inputs['project']}/locations/{inputs['location']}/repositories/{inputs['repositoryId']}"
                )
                return name, inputs | {"name": inputs["repositoryId"]}
            case _:
                return f"{args.typ}/{identity}", inputs | {"name": identity}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        if args.token == "gcp:organizations/getProject:getProject":
            return {"id": "project", "number": PROJECT_NUMBER, "projectId": args.args["projectId"]}, []  # pyright: ignore[reportUnknownMemberType]
        if args.token in NOT_THERE_YET:
            return {}, [("name", "not found")]
        raise AssertionError(f"the program asked for {args.token}")


class RecordingMonitor(mocks.MockMonitor):
    """Keeps what MockResourceArgs leaves out: dependencies, protection, parents, replacement."""

    def __init__(self) -> None:
        super().__init__(_Answers())
        self.graph = Graph()

    @override
    def RegisterResource(self, request: Any) -> Any:
        response: Any = super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType]
        if request.type != "pulumi:pulumi:Stack":
            raw = cast("dict[str, object]", rpc.deserialize_properties(request.object, keep_unknowns=True))
            inputs = {key: value.path if isinstance(value, pulumi.FileAsset) else value for key, value in raw.items()}
            self.graph.resources[response.urn] = Registered(
                urn=response.urn,
                type=request.type,
                name=request.name,
                inputs=inputs,
                dependencies=frozenset(request.dependencies),
                parent=request.parent,
                protect=bool(request.protect),
                replace_with=frozenset(request.replace_with),
                delete_first=bool(request.deleteBeforeReplace),
                hooks={moment: tuple(getattr(request.hooks, moment)) for moment in MOMENTS},
            )
        return response


@contextmanager
def _event_loops() -> Generator[None]:
    """A loop for the program and one for the thread that the mocks answer in; pulumi would leave both open."""
    loops = [asyncio.new_event_loop()]

    def in_thread() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    loops[0].set_default_executor(ThreadPoolExecutor(1, initializer=in_thread))
    asyncio.set_event_loop(loops[0])
    try:
        yield
        loops[0].run_until_complete(loops[0].shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()


def registered(config: Configuration, bundles: Mapping[str, Bundle] | None = None, *, preview: bool = False) -> Graph:
    """Declare a stack against the mocks; nothing is bundled, nothing leaves the process."""

    def made(graph: Graph) -> pulumi.Output[None]:
        return pulumi.Output.all(**declare(config, bundles or sources())).apply(graph.outputs.update)

    return graph_of(made, config.stack, preview=preview)


def graph_of(program: Callable[[Graph], object], stack: str, *, preview: bool = False) -> Graph:
    """What a program registers against the mocks."""
    monitor = RecordingMonitor()

    @pulumi.runtime.test  # pyright: ignore[reportUnknownMemberType]
    def run() -> object:
        return program(monitor.graph)

    with _event_loops():
        mocks.set_mocks(monitor.mocks, project="dm-agent", stack=stack, preview=preview, monitor=monitor)
        run()
    return monitor.graph


@cache
def dev_graph() -> Graph:
    """The development stack, registered once a process: not to be changed."""
    return registered(dev())


@cache
def prod_graph() -> Graph:
    """The production stack, registered once a process: not to be changed."""
    return registered(prod())


@cache
def closed_graph() -> Graph:
    """The stack that is not public, registered once a process: not to be changed."""
    return registered(closed())


@cache
def extreme_graph() -> Graph:
    """The stack at the ends of its bounds, registered once a process: not to be changed."""
    return registered(extreme())
