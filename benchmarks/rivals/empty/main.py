"""An empty async function: what a cold start is compared with."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response


@functions_framework.aio.http
async def webhook(request: Request) -> Response:
    """Answer."""
    await request.body()
    return Response("EVENT_RECEIVED")
