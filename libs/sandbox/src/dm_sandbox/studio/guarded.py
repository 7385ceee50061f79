"""Only this machine, only this page: Host, Origin and the size of a body are looked at before anything else."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 64 * 1024
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guarded:
    """An app that nobody else can use. A page elsewhere can neither read it, nor have a browser write to it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refused = _refusal(str(scope["method"]), Headers(scope=scope))
        if refused is not None:
            await JSONResponse({"error": refused[1]}, refused[0], _HEADERS)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, guarded)


def _refusal(method: str, headers: Headers) -> tuple[int, str] | None:
    """Status and reason, or None."""
    host = headers.get("host", "")
    if host.partition(":")[0] not in ("127.0.0.1", "localhost"):
        return 403, "open the page at its own address, 127.0.0.1"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return 403, "this is not for other pages"
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return 403, "this is not for other pages"
    if method not in ("GET", "HEAD"):
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            return 415, "content-type must be application/json"
        if int(headers.get("content-length") or MAX_BODY_BYTES + 1) > MAX_BODY_BYTES:
            return 413, f"a body has at most {MAX_BODY_BYTES} bytes"
    return None
