"""The processor function: Cloud Tasks and the scheduler call it (docs/architecture.md#requests-and-answers).

Settings, prompt and profile are read at start, so that a wrong deployment stops with one line; clients connect on the
first request.
"""

import os
import sys
from pathlib import Path

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from dm_core.bootstrap.parts import keep_what_is_loaded, prepare_for_sleep
from dm_core.bootstrap.processor import processor_app
from dm_core.errors import Misconfigured
from dm_core.http import serve
from dm_core.settings import ProcessorSettings

try:
    _app = processor_app(ProcessorSettings.load(os.environ), Path(__file__).parent)
except Misconfigured as error:
    sys.exit(str(error))
prepare_for_sleep()
keep_what_is_loaded()


@functions_framework.aio.http
async def processor(request: Request) -> Response:
    """Every path and method of the function."""
    return await serve(request, _app.handle)
