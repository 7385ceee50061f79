"""The webhook as the sandbox runs it: ports switchable, clock adjustable."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import functions_framework.aio
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from dm_core.bootstrap.parts import open_alert_queue, open_queue, open_store
from dm_core.bootstrap.webhook import automatic_texts, compose
from dm_core.errors import Misconfigured
from dm_core.http import serve
from dm_core.settings import WebhookSettings
from dm_core.webhook.app import WebhookApp
from dm_sandbox.functions.control import Control
from dm_sandbox.functions.switched_ports import switched_queue, switched_store
from dm_sandbox.profile_files import PROCESSOR_FOLDER


def sandbox_webhook(env: Mapping[str, str], folder: Path) -> WebhookApp:
    """One instance; ``folder`` holds ``profile/``. Raises Misconfigured."""
    control, settings = Control.of(env), WebhookSettings.load(env)
    return compose(
        settings,
        switched_store(open_store(settings.store, control.clock), control),
        switched_queue(open_queue(settings.queue), control),
        switched_queue(open_alert_queue(settings.alert_queue), control),
        control.clock,
        automatic_texts(folder),
    )


try:
    _app = sandbox_webhook(os.environ, PROCESSOR_FOLDER)
except Misconfigured as error:
    sys.exit(str(error))


@functions_framework.aio.http
async def webhook(request: HttpRequest) -> HttpResponse:
    """Every path and method of the function."""
    return await serve(request, _app.handle)
