"""The webhook function: Meta's callbacks come in here.

Settings and the list of automatic messages are read at start, so that a wrong deployment stops with one line; clients
connect on the first request.
"""

import os
import sys
from pathlib import Path

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from dm_core.bootstrap.parts import keep_what_is_loaded, prepare_for_sleep
from dm_core.bootstrap.webhook import webhook_app
from dm_core.errors import Misconfigured
from dm_core.http import serve
from dm_core.settings import WebhookSettings

try:
    _app = webhook_app(WebhookSettings.load(os.environ), Path(__file__).parent)
except Misconfigured as error:
    sys.exit(str(error))
prepare_for_sleep()
keep_what_is_loaded()


@functions_framework.aio.http
async def webhook(request: Request) -> Response:
    """Every path and method of the function."""
    return await serve(request, _app.handle)
