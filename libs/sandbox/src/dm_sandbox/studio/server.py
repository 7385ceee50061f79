"""The page of ``make dev`` and the JSON behind it, for this machine only."""

import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, cast

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dm_core.errors import DmAgentError, described
from dm_sandbox.events import Entry
from dm_sandbox.media_routes import media_routes
from dm_sandbox.platforms.server import as_object
from dm_sandbox.studio.acts import CannotDo
from dm_sandbox.studio.bubbles import Phone
from dm_sandbox.studio.guarded import Guarded
from dm_sandbox.studio.inspector import run_view
from dm_sandbox.studio.scenario import save_scenario
from dm_sandbox.studio.studio import Studio

PAGE: Final = Path(__file__).parent.parent / "page"
TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
MAX_TEXT_CHARS: Final = 4_000
MAX_NAME_CHARS: Final = 80
BATCH: Final = 1_000
type Handler = Callable[[Request], Awaitable[Response]]


def page_app(studio: Studio) -> ASGIApp:
    """The whole app."""
    page = _Page(studio)
    routes = [
        Route("/", page.file),
        Route("/page/{name:path}", page.file),
        Route("/state", page.lines),
        Route("/type", page.type_line, methods=["POST"]),
        Route("/status", page.status),
        Route("/api/stream", page.stream),
        Route("/api/people", page.people),
        Route("/api/people", page.meet, methods=["POST"]),
        Route("/api/phone/{person}", page.phone),
        Route("/api/phone/{person}/resume", page.resume, methods=["POST"]),
        Route("/api/phone/{person}/{act}", page.act, methods=["POST"]),
        Route("/api/thread/{person}", page.thread),
        Route("/api/run/{run}", page.run),
        Route("/api/run/{run}/again", page.again, methods=["POST"]),
        Route("/api/event/{number:int}", page.event),
        Route("/api/waiting", page.waiting),
        Route("/api/manager", page.manager),
        Route("/api/manager", page.manager_writes, methods=["POST"]),
        Route("/api/manager/read", page.manager_reads, methods=["POST"]),
        Route("/api/switches", page.switches),
        Route("/api/switches/clear", page.clear, methods=["POST"]),
        Route("/api/switches/{name}", page.switch, methods=["POST"]),
        Route("/api/tour", page.tour, methods=["POST"]),
        Route("/api/seat", page.seat, methods=["POST"]),
        Route("/api/seat/answer", page.answer, methods=["POST"]),
        Route("/api/review", page.review),
        Route("/api/review", page.keep_review, methods=["POST"]),
        Route("/api/scenario/{person}", page.scenario, methods=["POST"]),
        *media_routes(lambda: studio.chat.person, studio.sandbox.instagram.cdn),
    ]
    errors = {HTTPException: _refused, CannotDo: _cannot, DmAgentError: _failed}
    return Guarded(Starlette(routes=routes, exception_handlers=cast("Mapping[type[Exception], Handler]", errors)))  # pyright: ignore[reportArgumentType]


async def _refused(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code)


async def _cannot(_: Request, error: CannotDo) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _failed(_: Request, error: DmAgentError) -> Response:
    return JSONResponse({"error": described(error)}, 503)


class _Page:
    """One handler a route; each answers with the new state of what it changed, or ``ok``."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def file(self, request: Request) -> Response:
        path = (PAGE / str(request.path_params.get("name", "index.html"))).resolve()
        kind = TYPES.get(path.suffix)
        if not path.is_relative_to(PAGE) or kind is None or not path.is_file():
            raise HTTPException(404, "no such file")
        return FileResponse(path, media_type=kind)

    # --- for `make chat`

    async def lines(self, request: Request) -> Response:
        chat, known = self._studio.chat, request.query_params.get("lines", "0")
        start = int(known) if known.isdecimal() and len(known) < 10 else 0
        return _json({"person": chat.person.name, "lines": [asdict(line) for line in chat.lines[start:]]})

    async def type_line(self, request: Request) -> Response:
        self._studio.begin(self._studio.chat.type(_text((await _body(request)).get("line"), "line")))
        return _json({"ok": True})

    async def status(self, _: Request) -> Response:
        return _json(self._studio.sandbox.status())

    # --- the page

    async def stream(self, request: Request) -> Response:
        """``hello`` with the boot, then every event since the last that the page has; from ``live`` on as they come."""
        last = request.headers.get("last-event-id") or request.query_params.get("last") or ""
        boot, _, number = last.partition("-")
        after = int(number) if boot == self._studio.boot and number.isdecimal() else 0
        return EventSourceResponse(self._messages(after), ping=15)

    async def _messages(self, after: int) -> AsyncGenerator[ServerSentEvent]:
        studio = self._studio
        queue = studio.listen()
        try:
            yield _message("hello", {"boot": studio.boot, "after": after}, retry=1_000)
            yield _message("studio", studio.state())
            entries = studio.sandbox.log.since(after)
            for start in range(0, len(entries), BATCH):
                yield self._rows(entries[start : start + BATCH])
            yield _message("live", {})
            sent = entries[-1].number if entries else after
            while True:
                heard = [await queue.get()]
                while not queue.empty():
                    heard.append(queue.get_nowait())
                if rows := [entry for entry in heard if entry is not None and entry.number > sent]:
                    yield self._rows(rows)
                if None in heard:
                    yield _message("studio", studio.state())
        finally:
            studio.leave(queue)

    def _rows(self, entries: list[Entry]) -> ServerSentEvent:
        rows = [entry.row | {"loggedAt": _logged_at(entry)} for entry in entries]
        return _message("entries", rows, f"{self._studio.boot}-{entries[-1].number}")

    async def people(self, _: Request) -> Response:
        return _json(await self._studio.inspector.people())

    async def meet(self, request: Request) -> Response:
        body = await _body(request)
        name = _text(body.get("name"), "name", MAX_NAME_CHARS)
        phone = self._studio.phones.meet(name, str(body.get("language") or "en")[:8])
        self._studio.changed()
        return _json({"userId": phone.user_id})

    async def phone(self, request: Request) -> Response:
        return _json(await self._studio.inspector.phone(self._of(request)))

    async def act(self, request: Request) -> Response:
        body = await _body(request)
        if len(str(body.get("text") or "")) > MAX_TEXT_CHARS:
            raise HTTPException(400, f"a text has at most {MAX_TEXT_CHARS} characters")
        self._studio.act(self._of(request), str(request.path_params["act"]), body)
        return _json({"ok": True})

    async def resume(self, request: Request) -> Response:
        await self._studio.resume(self._of(request))
        return _json({"ok": True})

    async def thread(self, request: Request) -> Response:
        return _json(await self._studio.inspector.thread(self._of(request)))

    async def run(self, request: Request) -> Response:
        view = run_view(self._studio.sandbox.log, str(request.path_params["run"]))
        return _json(view | {"why": await self._studio.inspector.why(view)} if view else view)

    async def again(self, request: Request) -> Response:
        try:
            return _json(await self._studio.again.ask(str(request.path_params["run"])))
        except LookupError as error:
            raise HTTPException(404, str(error)) from None

    async def event(self, request: Request) -> Response:
        entry = self._studio.sandbox.log.find(int(request.path_params["number"]))
        if entry is None:
            raise HTTPException(404, "this event is not kept any more")
        return _json(asdict(entry))

    async def waiting(self, _: Request) -> Response:
        return _json(await self._studio.inspector.waiting())

    async def manager(self, _: Request) -> Response:
        return _json([asdict(message) for message in self._studio.manager.messages])

    async def manager_writes(self, request: Request) -> Response:
        body = await _body(request)
        button = str(body.get("button") or "")
        text = "" if button else _text(body.get("text"), "text")
        await self._studio.manager.writes(text, str(body.get("quotes") or ""), button)
        self._studio.changed()
        return _json({"ok": True})

    async def manager_reads(self, _: Request) -> Response:
        await self._studio.manager.reads()
        return _json({"ok": True})

    async def switches(self, _: Request) -> Response:
        return _json(await self._studio.switches())

    async def switch(self, request: Request) -> Response:
        try:
            await self._studio.set_switch(str(request.path_params["name"]), bool((await _body(request)).get("on")))
        except KeyError:
            raise HTTPException(404, "no such switch") from None
        return _json({"ok": True})

    async def clear(self, _: Request) -> Response:
        await self._studio.clear()
        return _json({"ok": True})

    async def tour(self, request: Request) -> Response:
        if (await _body(request)).get("play"):
            self._studio.tour.start()
        else:
            await self._studio.tour.stop()
        return _json(self._studio.tour.shown())

    async def seat(self, request: Request) -> Response:
        self._studio.seat.sit("you" if (await _body(request)).get("sitter") == "you" else "scripted")
        return _json({"ok": True})

    async def answer(self, request: Request) -> Response:
        body = await _body(request)
        number = body.get("number")
        taken = isinstance(number, int) and self._studio.seat.answer(
            number, str(body.get("text") or ""), str(body.get("tool") or ""), as_object(body.get("arguments"))
        )
        if not taken:
            raise HTTPException(409, "too late: this question was answered")
        return _json({"ok": True})

    async def scenario(self, request: Request) -> Response:
        phone = self._of(request)
        name, text = await save_scenario(self._studio.inspector.thread_id(phone), self._studio.sandbox)
        return _json({"name": name, "text": text})

    async def review(self, _: Request) -> Response:
        return _json(await self._studio.review.waiting())

    async def keep_review(self, request: Request) -> Response:
        await self._studio.review.keep(await _body(request))
        return _json({"ok": True})

    def _of(self, request: Request) -> Phone:
        phone = self._studio.phones.phones.get(str(request.path_params["person"]))
        if phone is None:
            raise HTTPException(404, "no such person")
        return phone


def _json(value: object) -> Response:
    return Response(json.dumps(value, default=str), media_type="application/json")


def _message(event: str, value: object, identity: str = "", retry: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(value, default=str), event=event, id=identity or None, retry=retry)


def _logged_at(entry: Entry) -> float | None:
    """When a function wrote the line, in ms since 1970 by this machine's clock."""
    time = entry.record.get("time")
    return time * 1000 if isinstance(time, float) else None


async def _body(request: Request) -> Mapping[str, object]:
    with contextlib.suppress(ValueError):
        return as_object(await request.json())
    raise HTTPException(400, "the body must be JSON")


def _text(value: object, name: str, most: int = MAX_TEXT_CHARS) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise HTTPException(400, f"{name} must be a text of 1 to {most} characters")
    return value.strip()
