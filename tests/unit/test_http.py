"""The adapter between a web server's requests and ours."""

from collections.abc import MutableMapping

from dm_core.http import Request, Response
from dm_sandbox.inprocess import asgi


async def _never(request: Request) -> Response:
    raise AssertionError(f"{request.path} was handled without its body")


async def test_a_caller_who_hangs_up_in_mid_body_is_no_error_of_ours() -> None:
    came: list[dict[str, object]] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[MutableMapping[str, object]] = []

    async def receive() -> dict[str, object]:
        return came.pop(0)

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"100")]}
    await asgi(_never)(scope, receive, send)

    assert sent[0]["status"] == 400


async def test_white_space_around_a_header_is_no_part_of_it() -> None:
    """uvicorn leaves it there at the end, and a signature with a blank behind it would be none."""
    seen: list[str] = []
    sent: list[MutableMapping[str, object]] = []

    async def handle(request: Request) -> Response:
        seen.append(request.headers["x-hub-signature-256"])
        return Response.not_allowed("GET", "POST")

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(message)

    headers = [(b"x-hub-signature-256", b" sha256=1 \t")]
    await asgi(handle)({"type": "http", "method": "PUT", "path": "/", "headers": headers}, receive, send)

    assert seen == ["sha256=1"]
    assert (b"allow", b"GET, POST") in sent[0]["headers"]  # type: ignore[operator]
