"""An empty function of the framework's sync default."""

import functions_framework
from flask import Request


@functions_framework.http  # pyright: ignore[reportUnknownMemberType]
def webhook(request: Request) -> str:
    """Answer."""
    request.get_data()
    return "EVENT_RECEIVED"
