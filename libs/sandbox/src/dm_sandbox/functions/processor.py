"""The processor as the sandbox runs it: model calls recorded, ports switchable, clock adjustable, profile live.

The profile and the prompts of the checkout are looked at before each request: what changed is used from then on, and
what can't be read is reported, and not used.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import functions_framework.aio
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from dm_core.bootstrap.files import load_files
from dm_core.bootstrap.processor import compose, open_ports
from dm_core.errors import Misconfigured
from dm_core.http import Request, Response, serve
from dm_core.processing.app import ProcessorApp
from dm_core.settings import ProcessorSettings
from dm_core.telemetry import emit
from dm_sandbox.functions.control import Control
from dm_sandbox.functions.recorded_model import CURRENT_THREAD, RecordedModel
from dm_sandbox.functions.switched_ports import switched
from dm_sandbox.profile_files import PROCESSOR_FOLDER, fingerprint


class SandboxProcessor:
    """One instance. Raises Misconfigured."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        control = Control.of(env)
        self._settings = ProcessorSettings.load(env)
        ports = open_ports(self._settings, control.clock)
        self._ports = replace(switched(ports, control), model=RecordedModel(ports.model))
        self._folder, self._seen = folder, fingerprint(folder)
        self._app: ProcessorApp = compose(self._settings, load_files(folder), self._ports)

    async def handle(self, request: Request) -> Response:
        self._look_at_files()
        CURRENT_THREAD.set(_thread_of(request.body))
        return await self._app.handle(request)

    def _look_at_files(self) -> None:
        seen = fingerprint(self._folder)
        if seen == self._seen:
            return
        changed = sorted(name for name in seen.keys() | self._seen.keys() if seen.get(name) != self._seen.get(name))
        self._seen = seen
        try:
            self._app = compose(self._settings, load_files(self._folder), self._ports)
        except Misconfigured as error:
            emit("profile_broken", "ERROR", files=changed, error=str(error))
        else:
            emit("profile_changed", files=changed)


def _thread_of(body: bytes) -> str:
    try:
        value: object = json.loads(body)
    except ValueError:
        return ""
    return str(cast("dict[str, object]", value).get("threadId", "")) if isinstance(value, dict) else ""


try:
    _PROCESSOR: Final = SandboxProcessor(os.environ, PROCESSOR_FOLDER)
except Misconfigured as error:
    sys.exit(str(error))


@functions_framework.aio.http
async def processor(request: HttpRequest) -> HttpResponse:
    """Every path and method of the function."""
    return await serve(request, _PROCESSOR.handle)
