"""Secret Manager behind a real local gRPC server."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from google.cloud.secretmanager_v1 import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    AddSecretVersionRequest,
    SecretManagerServiceAsyncClient,
    SecretPayload,
    SecretVersion,
)
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

SECRET = "projects/p/secrets/instagram-token"


class SecretManager:
    """One secret and its versions; ``failure`` is answered instead, each after ``delay`` seconds."""

    def __init__(self) -> None:
        self.versions: list[bytes] = []
        self.failure: grpc.StatusCode | None = None
        self.names: list[str] = []
        self.delay = 0.0
        self.address = ""

    def handler(self) -> grpc.GenericRpcHandler:
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "AccessSecretVersion": _method(AccessSecretVersionRequest, AccessSecretVersionResponse, self._access),
            "AddSecretVersion": _method(AddSecretVersionRequest, SecretVersion, self._add),
        }
        return grpc.method_handlers_generic_handler("google.cloud.secretmanager.v1.SecretManagerService", methods)

    def client(self) -> SecretManagerServiceAsyncClient:
        channel = grpc.aio.insecure_channel(self.address)
        return SecretManagerServiceAsyncClient(transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel))

    async def _access(self, request: AccessSecretVersionRequest, context: Any) -> AccessSecretVersionResponse:
        self.names.append(request.name)
        await asyncio.sleep(self.delay)
        if self.failure is not None or not self.versions:
            await context.abort(self.failure or grpc.StatusCode.NOT_FOUND, "no such version")
        return AccessSecretVersionResponse(name=request.name, payload=SecretPayload(data=self.versions[-1]))

    async def _add(self, request: AddSecretVersionRequest, context: Any) -> SecretVersion:
        self.names.append(request.parent)
        if self.failure is not None:
            await context.abort(self.failure, "no")
        self.versions.append(request.payload.data)
        return SecretVersion(name=f"{request.parent}/versions/{len(self.versions)}")


def _method(request: Any, reply: Any, answer: Callable[[Any, Any], Any]) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.deserialize, response_serializer=reply.serialize
    )
