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
