# ruff: noqa: N802, ARG002  (the protocol names the methods and their arguments)
"""The stand-in `gcp` provider: Pulumi's provider protocol in front of a `Cloud`.

The engine attaches to it (`PULUMI_DEBUG_PROVIDERS=gcp:PORT`) instead of starting the real plugin.
"""

import threading
from collections.abc import Generator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from . import checks
from .cloud import Cloud, Disconnected, HalfMade, Refused, answer
from .kinds import KINDS
from .wire import Properties, comparable, plain, struct

type Context = grpc.ServicerContext

_WORKERS = 80
"""More than the engine's parallel steps, so that none waits for a thread."""
_QUIET = 0.05
_QUIET_LIMIT = 2.0


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine for one `Cloud`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._arrived = threading.Condition()

    def Handshake(self, request: provider_pb2.ProviderHandshakeRequest, context: Context):
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context):
        return plugin_pb2.PluginInfo(version="10.2.0")

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context):
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: Context):
        self.cloud.interrupted.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context):
        project = plain(request.news).get("project", self.cloud.project)
        if project == self.cloud.project:
            return provider_pb2.CheckResponse(inputs=request.news)
        reason = f"project is {project!r}, this cloud has only {self.cloud.project!r}"
        return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(property="project", reason=reason)])

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context):
        return _difference(plain(request.old_inputs), plain(request.news), ("project",))

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context):
        # Secrets come in plain and the engine marks the outputs of the same name, as with the real provider.
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: provider_pb2.CheckRequest, context: Context):
        _, token, name = _parts(request.urn)
        inputs = checks.with_name(token, name, plain(request.news), plain(request.olds), request.randomSeed)
        found = [provider_pb2.CheckFailure(property=at, reason=reason) for at, reason in checks.failures(token, inputs)]
        return provider_pb2.CheckResponse(inputs=struct(inputs), failures=found)

    def Diff(self, request: provider_pb2.DiffRequest, context: Context):
        _, token, _ = _parts(request.urn)
        return _difference(plain(request.old_inputs), plain(request.news), KINDS[token].immutable)

    def Create(self, request: provider_pb2.CreateRequest, context: Context):
        _, token, _ = _parts(request.urn)
        inputs = plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct(self.cloud.preview(token, inputs)))
        self._let_others_go_first(late=KINDS[token].late)
        with _answered(context, inputs):
            id_, outputs = self.cloud.create(token, inputs)
        return provider_pb2.CreateResponse(id=id_, properties=struct(outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Context):
        thing = self.cloud.things.get(request.id)
        if thing is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=struct(thing.outputs), inputs=struct(thing.inputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Context):
        _, token, _ = _parts(request.urn)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=struct({**plain(request.olds), **plain(request.news)}))
        with _answered(context, plain(request.news)):
            outputs = self.cloud.update(token, request.id, plain(request.news))
        return provider_pb2.UpdateResponse(properties=struct(outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context):
        _, token, _ = _parts(request.urn)
        with _answered(context):
            self.cloud.delete(token, request.id, plain(request.properties))
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Context):
        try:
            facts = answer(self.cloud, request.tok, plain(request.args))
        except KeyError:
            return _abort(context, grpc.StatusCode.UNIMPLEMENTED, f"the stand-in doesn't know {request.tok}")
        except Refused as refused:
            return _abort(context, grpc.StatusCode.UNKNOWN, str(refused))
        made = provider_pb2.InvokeResponse()
        if facts is None:
            made.failures.append(provider_pb2.CheckFailure(reason="googleapi: Error 404: not found, notFound"))
        else:
            getattr(made, "return").CopyFrom(struct(facts))
        return made

    def _let_others_go_first(self, *, late: bool) -> None:
        """Whatever takes effect late (a right, a service) does so after all creates that don't wait for it.

        So a missing edge of the graph is refused each time, instead of once in a hundred.
        """
        with self._arrived:
            self._arrived.notify_all()
            for _ in range(int(_QUIET_LIMIT / _QUIET) if late else 0):
                if not self._arrived.wait(_QUIET):
                    return


@dataclass(frozen=True)
class Serving:
    """A provider that runs."""

    port: int
    server: grpc.Server

    def end(self) -> None:
        """Breaks every connection at once, as a crash would."""
        self.server.stop(grace=None)


@contextmanager
def serving(cloud: Cloud) -> Generator[Serving]:
    """Serves `cloud` on a free port of 127.0.0.1."""
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(cloud), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield Serving(port, server)
    finally:
        server.stop(grace=None).wait()


@contextmanager
def _answered(context: Context, inputs: Properties | None = None) -> Generator[None]:
    try:
        yield
    except Refused as refused:
        _abort(context, grpc.StatusCode.UNKNOWN, str(refused))
    except HalfMade as half:
        _abort_half_made(context, half, inputs or {})
    except Disconnected as broken:
        _abort(context, grpc.StatusCode.UNAVAILABLE, str(broken))


def _abort_half_made(context: Context, half: HalfMade, inputs: Properties) -> NoReturn:
    """As Pulumi's bridge tells the engine of a resource whose create or update stopped midway: with what there is."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=half.id, properties=struct(half.outputs), reasons=[half.reason], inputs=struct(inputs)
        )
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=half.reason, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    _abort(context, code, half.reason)


def _abort(context: Context, code: grpc.StatusCode, text: str) -> NoReturn:
    context.abort(code, text)
    raise AssertionError("abort returns never")


def _parts(urn: str) -> tuple[str, str, str]:
    """Stack, type and name of `urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`."""
    stack, _, kind, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    return stack, kind.rpartition("$")[2], name


def _difference(olds: Properties, news: Properties, immutable: tuple[str, ...]) -> provider_pb2.DiffResponse:
    changed = sorted(key for key in olds.keys() | news.keys() if comparable(olds.get(key)) != comparable(news.get(key)))
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=changed,
        replaces=[key for key in changed if key in immutable or "*" in immutable],
    )
