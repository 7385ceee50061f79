"""The page of ``make dev`` and the little JSON behind it, for this machine only."""

from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from dm_sandbox.chat import Chat
from dm_sandbox.media_routes import media_routes
from dm_sandbox.platforms.server import as_object

PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    "base-uri 'none'"
)
MAX_LINE_CHARS = 4_000
FILES = {"index.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}


def page_app(chat: Chat) -> Starlette:
    """``/`` the page, ``/state`` what happened since, ``POST /type`` takes a line, ``/status`` says what runs where."""

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in FILES:
            return Response(status_code=404)
        headers = {"content-security-policy": POLICY, "cache-control": "no-store", "x-content-type-options": "nosniff"}
        return FileResponse(PAGE / name, media_type=FILES[name], headers=headers)

    async def state(request: Request) -> Response:
        lines, entries = (_position(request, name) for name in ("lines", "entries"))
        return JSONResponse(
            {
                "person": chat.person.name,
                "lines": [asdict(line) for line in chat.lines[lines:]],
                "entries": [asdict(entry) for entry in chat.sandbox.log.entries[entries:]],
            }
        )

    async def type_line(request: Request) -> Response:
        # A form of another site can't send this type without asking first.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "content-type must be application/json"}, 415)
        try:
            line = as_object(await request.json()).get("line")
        except ValueError:
            line = None
        if not isinstance(line, str) or not line.strip() or len(line) > MAX_LINE_CHARS:
            return JSONResponse({"error": "line must be a text"}, 400)
        await chat.type(line)
        return JSONResponse({"ok": True})

    async def status(_: Request) -> Response:
        return JSONResponse(chat.sandbox.status())

    routes = [
        Route("/", file),
        Route("/state", state),
        Route("/status", status),
        Route("/type", type_line, methods=["POST"]),
        *media_routes(lambda: chat.person, chat.sandbox.instagram.cdn),
        Route("/{name}", file),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, ["127.0.0.1", "localhost"])])


def _position(request: Request, name: str) -> int:
    value = request.query_params.get(name, "0")
    return int(value) if value.isdecimal() and len(value) < 10 else 0
