"""HTTP requests and answers as values, free of any framework, and the one adapter to Starlette.

``functions/*/main.py`` hands a Starlette request to ``serve``; what is behind it sees only ``Request`` and
``Response``.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from starlette.requests import Request as StarletteRequest
    from starlette.responses import Response as StarletteResponse

MAX_BODY_BYTES = 3 * 1024 * 1024
"""Bodies above this are answered 413 without being read further (Meta's own webhook payloads stay below 3 MB)."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``headers`` have lower-case names; ``body`` is what came over the wire, untouched.

    ``path`` begins with one slash and ends with none, however its address was typed.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    allow: str = ""
    """The methods that a path takes: a 405 has to name them (RFC 9110, section 15.5.6)."""

    @classmethod
    def not_allowed(cls, *methods: str) -> "Response":
        """The answer to any other method than these."""
        return cls(405, f"use {' or '.join(methods)}", allow=", ".join(methods))

    @classmethod
    def json(cls, status: int, value: Mapping[str, object]) -> "Response":
        return cls(status, json.dumps(value), "application/json")


async def serve(request: "StarletteRequest", handle: Callable[[Request], Awaitable[Response]]) -> "StarletteResponse":
    """Turn a Starlette request into a value, let ``handle`` answer it, and turn the answer back.

    Read from the ASGI scope, whose header names are lower-case: Starlette's own views of it cost more than they save.
    White space at the end of a header's value is no part of it, but uvicorn leaves it there.
    """
    from starlette.requests import ClientDisconnect
    from starlette.responses import Response as StarletteResponse

    scope = request.scope
    raw = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    headers = {name.decode("latin-1"): value.decode("latin-1").strip(" \t") for name, value in raw}
    try:
        body = await _read_body(request, headers.get("content-length", ""))
    except ClientDisconnect:  # nobody reads the answer; raised, it would be an error of ours in the log
        return StarletteResponse("the body was cut short", 400)
    if body is None:
        answer = Response(413, "body over 3 MiB")
    else:
        answer = await handle(
            Request(
                method=request.method,
                path="/" + scope["path"].strip("/"),
                query=dict(request.query_params) if scope.get("query_string") else {},
                headers=headers,
                body=body,
                base_url=_base_url(scope, headers),
            )
        )
    more = {"allow": answer.allow} if answer.allow else {}
    return StarletteResponse(answer.body, answer.status, {"content-type": answer.content_type} | more)


async def _read_body(request: "StarletteRequest", declared: str) -> bytes | None:
    """The raw body, or None as soon as it is known to be over the limit."""
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _base_url(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Scheme and host as the caller used them: the platform ends TLS in front of us."""
    scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http")).split(",")[0].strip()
    host = headers.get("host")
    if host is None:
        address, port = scope.get("server") or ("", None)
        host = address if port is None else f"{address}:{port}"
    return f"{scheme}://{host}"
