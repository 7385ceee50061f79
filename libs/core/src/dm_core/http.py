"""HTTP requests and answers as values, free of any framework, and the one adapter to Starlette.

``functions/*/main.py`` hands a Starlette request to ``serve``; what is behind it sees only ``Request`` and
``Response``.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request as StarletteRequest
    from starlette.responses import Response as StarletteResponse

MAX_BODY_BYTES = 3 * 1024 * 1024
"""Bodies above this are answered 413 without being read further (Meta's own webhook payloads stay below 3 MB)."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``headers`` have lower-case names; ``body`` is what came over the wire, untouched."""

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

    @classmethod
    def json(cls, status: int, value: Mapping[str, object]) -> "Response":
        return cls(status, json.dumps(value), "application/json")


async def serve(request: "StarletteRequest", handle: Callable[[Request], Awaitable[Response]]) -> "StarletteResponse":
    """Turn a Starlette request into a value, let ``handle`` answer it, and turn the answer back."""
    from starlette.responses import Response as StarletteResponse

    body = await _read_body(request)
    if body is None:
        answer = Response(413, "body over 3 MiB")
    else:
        answer = await handle(
            Request(
                method=request.method,
                path=request.url.path or "/",
                query=dict(request.query_params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
                base_url=_base_url(request),
            )
        )
    return StarletteResponse(answer.body, answer.status, {"content-type": answer.content_type})


async def _read_body(request: "StarletteRequest") -> bytes | None:
    """The raw body, or None as soon as it is known to be over the limit."""
    declared = request.headers.get("content-length", "")
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


def _base_url(request: "StarletteRequest") -> str:
    """Scheme and host as the caller used them: the platform ends TLS in front of us."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).split(",")[0].strip()
    return f"{scheme}://{request.headers.get('host', request.url.netloc)}"
