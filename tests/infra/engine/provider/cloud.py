"""Google Cloud in memory: what exists, and what Google would refuse. Knows nothing of gRPC or Pulumi's protocol."""

import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from .kinds import KINDS, PROJECT, Kind
from .outputs import PROJECT_NUMBER
from .references import deployment_failure, refusal
from .wire import UNKNOWN, Properties, Value, comparable, is_unknown, short_hash

type Hook = Callable[[str], None]

FUNCTION = "gcp:cloudfunctionsv2/function:Function"
CONTENDING = frozenset({"gcp:firestore/index:Index", "gcp:firestore/field:Field"})
CHANGE_SECONDS = 0.01
"""How long a change of a database's configuration lasts here: long enough for another one to meet it."""


class Refused(Exception):
    """Google's answer is an error; the text is what it would say."""


class HalfMade(Exception):
    """Google took the request and made the resource; the operation that should have finished it failed.

    The provider has written it down by then, and the engine is told so: id, outputs, and why.
    """

    def __init__(self, id_: str, outputs: Properties, reason: str) -> None:
        super().__init__(reason)
        self.id, self.outputs, self.reason = id_, outputs, reason


class Disconnected(Exception):
    """The connection broke before an answer; whether anything was done isn't known."""


@dataclass
class Thing:
    """One resource that exists."""

    token: str
    inputs: Properties
    outputs: Properties
    made: float = field(default_factory=time.monotonic)
    """When a right or a service began to spread."""


@dataclass
class Cloud:
    """One project. Give it to several providers (several `up`s) and it remembers."""

    project: str = PROJECT
    things: dict[str, Thing] = field(default_factory=dict[str, Thing])
    log: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """(create | update | delete, token, id), in the order in which they took effect."""
    versions: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """(secret's id, number) of each version that was added out of band."""
    services: set[str] = field(default_factory=set[str])
    """The Cloud Run services below the functions: a function whose build failed has none."""
    spread_seconds: float = 0.0
    """How long it takes until a right that was granted or a service that was enabled has an effect."""
    operation_fails: Callable[[str], str | None] | None = None
    """Asked with the id of what was made: why the operation that finishes it fails; None: it does not."""
    values_follow: bool = True
    """Somebody adds versions 1 to 9 as soon as a container exists; off: only `versions` count."""
    before_create: Hook | None = None
    """Called with the id before a create takes effect; may raise `Refused` or `Disconnected`, or wait."""
    after_create: Hook | None = None
    """Called after it took effect, before the engine is told."""
    look_up_fails: dict[str, str] = field(default_factory=dict[str, str])
    """By a data source's token, what whoever asks it is told instead of an answer."""
    creates: int = 0
    busy: set[str] = field(default_factory=set[str])
    """The databases whose configuration is being changed at this moment."""
    interrupted: threading.Event = field(default_factory=threading.Event)
    """Set when the engine has told the provider that it was interrupted."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __reduce__(self) -> tuple[type["Cloud"], tuple[object, ...]]:
        """A copy, also one for another process, has the same in it; no hook of a test goes with it."""
        return Cloud, (self.project, self.things, self.log, self.versions, self.services)

    def identify(self, token: str, inputs: Properties) -> str:
        """The id that a create of `inputs` would have."""
        values = {key: str(value) for key, value in inputs.items()}
        values |= {"project": str(inputs.get("project", self.project)), "random": short_hash(token, comparable(inputs))}
        values["when"] = f"/{short_hash(token, comparable(inputs))}" if "condition" in inputs else ""
        return KINDS[token].id.format_map(values)

    def preview(self, token: str, inputs: Properties) -> Properties:
        """What a create would give back, as far as known before it."""
        computed = KINDS[token].outputs(_known(inputs), self._safe_id(token, inputs))
        return {
            "project": self.project,
            **inputs,
            **{key: _unknown_parts(inputs.get(key), value) for key, value in computed.items()},
        }

    def create(self, token: str, inputs: Properties) -> tuple[str, Properties]:
        """Creates; returns id and outputs. Raises Refused, HalfMade, Disconnected."""
        id_ = self.identify(token, inputs)
        with self._lock:
            self.creates += 1
        if self.before_create:
            self.before_create(id_)
        with self._alone(token, id_), self._lock:
            kind = KINDS[token]
            if id_ in self.things and not kind.idempotent:
                raise Refused(f"googleapi: Error 409: {id_} already exists, alreadyExists")
            self._judge(token, kind, inputs)
            outputs: Properties = {"project": self.project, **inputs, **kind.outputs(inputs, id_)}
            self.things[id_] = Thing(token, inputs, outputs)
            self.log.append(("create", token, id_))
            self._finish(token, id_, inputs)
        if self.after_create:
            self.after_create(id_)
        return id_, outputs

    def update(self, token: str, id_: str, inputs: Properties) -> Properties:
        """Changes what exists; returns the outputs. Raises Refused, HalfMade.

        Where nothing differs the provider sends no request, also if the last operation had failed.
        """
        with self._lock:
            if id_ not in self.things:
                raise Refused(f"googleapi: Error 404: {id_} not found, notFound")
            if comparable(self.things[id_].inputs) == comparable(inputs):
                return self.things[id_].outputs
            if token == FUNCTION and service_of(id_) not in self.services:
                raise Refused(f"googleapi: Error 400: {id_} is not deployed: Precondition failed, failedPrecondition")
            self._judge(token, KINDS[token], inputs)
            outputs: Properties = {"project": self.project, **inputs, **KINDS[token].outputs(inputs, id_)}
            self.things[id_] = Thing(token, inputs, outputs)
            self.log.append(("update", token, id_))
            self._finish(token, id_, inputs)
            return outputs

    def _finish(self, token: str, id_: str, inputs: Properties) -> None:
        """The operation after a create or an update. A service that was there keeps its older revision."""
        reason = self.operation_fails(id_) if self.operation_fails else None
        if token == FUNCTION:
            reason = reason or deployment_failure(self, inputs)
        thing = self.things[id_]
        thing.outputs = {**thing.outputs, "updateTime": f"2026-11-22T12:00:00.{len(self.log):06}Z"}
        if reason:
            thing.outputs = {**thing.outputs, "state": "FAILED"}
            raise HalfMade(id_, thing.outputs, f"Error waiting to finish {id_}: {reason}")
        if token == FUNCTION:
            self.services.add(service_of(id_))

    @contextmanager
    def _alone(self, token: str, id_: str) -> Generator[None]:
        """Firestore refuses a change of a database's configuration that meets another one."""
        database = id_.partition("/collectionGroups/")[0] if token in CONTENDING else None
        if database is None:
            yield
            return
        with self._lock:
            if database in self.busy:
                raise Refused("googleapi: Error 409: Aborted due to cross-transaction contention, aborted")
            self.busy.add(database)
        try:
            time.sleep(CHANGE_SECONDS)
            yield
        finally:
            self.busy.discard(database)

    def delete(self, token: str, id_: str, recorded: Properties) -> None:
        """Deletes, unless protected. `recorded` is what the provider's state says: its deletion policy decides.

        Raises Refused.
        """
        with self._lock:
            thing = self.things.get(id_)
            policy = recorded.get("deletionPolicy")
            if policy == "PREVENT":
                raise Refused(f"cannot destroy {id_} without setting deletion_policy to DELETE")
            if recorded.get("deletionProtection") is True:
                raise Refused(f"cannot destroy {id_} without setting deletion_protection=false")
            if thing is None or policy == "ABANDON":
                return
            if thing.inputs.get("deleteProtectionState") == "DELETE_PROTECTION_ENABLED":
                raise Refused(f"googleapi: Error 400: Deletion protection is enabled for {id_}, failedPrecondition")
            self._judge_delete(token, id_, recorded)
            if not self._stays_on(token, thing):
                del self.things[id_]
            self.services.discard(service_of(id_))
            self.log.append(("delete", token, id_))

    def ids(self, token: str) -> list[str]:
        """The ids of all that exist of this type."""
        return [id_ for id_, thing in self.things.items() if thing.token == token]

    def has_version(self, secret_id: str, version: str) -> bool:
        """Whether a function could read that version of that secret."""
        return (secret_id, version) in self.versions or (
            self.values_follow and re.fullmatch("[1-9]", version) is not None
        )

    def _judge(self, token: str, kind: Kind, inputs: Properties) -> None:
        enabled = self.things.get(f"{self.project}/{kind.api}")
        if kind.api and (enabled is None or enabled.made > time.monotonic() - self.spread_seconds):
            raise Refused(
                f"googleapi: Error 403: {kind.api} has not been used in project {self.project} before or it is disabled"
            )
        reason = refusal(self, token, inputs)
        if reason:
            raise Refused(reason)

    def _judge_delete(self, token: str, id_: str, recorded: Properties) -> None:
        if token != "gcp:storage/bucket:Bucket" or recorded.get("forceDestroy") is True:
            return
        if any(thing.inputs.get("bucket") == id_ for thing in self.things.values() if "bucketObject" in thing.token):
            raise Refused(f"Error trying to delete bucket {id_} containing objects without `force_destroy` set to true")

    def _stays_on(self, token: str, thing: Thing) -> bool:
        return token == "gcp:projects/service:Service" and thing.inputs.get("disableOnDestroy") is not True

    def _safe_id(self, token: str, inputs: Properties) -> str:
        return self.identify(token, _known(inputs))


def service_of(function: str) -> str:
    """The id of the Cloud Run service below a function."""
    return function.replace("/functions/", "/services/")


def answer(cloud: Cloud, token: str, arguments: Properties) -> Properties | None:
    """What a data source answers; None where what it asks for is not there. Raises KeyError for one it doesn't know,
    and Refused."""
    if token in cloud.look_up_fails:
        raise Refused(cloud.look_up_fails[token])
    return _ANSWERS[token](cloud, arguments)


def _function_facts(cloud: Cloud, arguments: Properties) -> Properties | None:
    id_ = f"projects/{cloud.project}/locations/{arguments['location']}/functions/{arguments['name']}"
    thing = cloud.things.get(id_)
    return {"id": id_, "name": arguments["name"], **_scalars(thing.outputs)} if thing else None


def _service_facts(cloud: Cloud, arguments: Properties) -> Properties | None:
    id_ = f"projects/{cloud.project}/locations/{arguments['location']}/services/{arguments['name']}"
    return {"id": id_, "name": arguments["name"]} if id_ in cloud.services else None


def _scalars(outputs: Properties) -> Properties:
    return {key: value for key, value in outputs.items() if isinstance(value, str)}


def project_facts(cloud: Cloud) -> Properties:
    """What `gcp.organizations.get_project` answers."""
    return {
        "projectId": cloud.project,
        "number": PROJECT_NUMBER,
        "name": cloud.project,
        "id": f"projects/{cloud.project}",
    }


def _known(inputs: Properties) -> Properties:
    return {key: "unknown" if is_unknown(value) else value for key, value in inputs.items()}


def _unknown_parts(given: Value, computed: Value) -> Value:
    """`computed` with all that isn't in `given` unknown yet."""
    if isinstance(computed, dict):
        inside = cast("Properties", given if isinstance(given, dict) else {})
        return {key: _unknown_parts(inside.get(key), value) for key, value in computed.items()}
    return UNKNOWN if given is None else given


_ANSWERS: dict[str, Callable[[Cloud, Properties], Properties | None]] = {
    "gcp:organizations/getProject:getProject": lambda cloud, _: project_facts(cloud),
    "gcp:cloudfunctionsv2/getFunction:getFunction": _function_facts,
    "gcp:cloudrunv2/getService:getService": _service_facts,
}
