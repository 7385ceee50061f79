"""A function as small as one can be, to be run like the real ones."""

from pathlib import Path

import pytest

_SOURCE = """
import json
import os

import functions_framework.aio
from starlette.responses import JSONResponse

print("imported", flush=True)
if os.environ.get("BROKEN"):
    raise RuntimeError("cannot start: A_SETTING is missing")


@functions_framework.aio.http
async def webhook(request):
    if request.url.path == "/health":
        return JSONResponse({"pid": os.getpid()}, 500 if os.environ.get("SICK") else 200)
    if request.url.path == "/log":
        print(json.dumps({"severity": "INFO", "message": "asked"}), flush=True)
        print("x" * 300_000, flush=True)
        print("plain", flush=True)
    return JSONResponse({"env": dict(os.environ), "pid": os.getpid(), "cwd": os.getcwd()})
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A ``main.py`` whose target is ``webhook``."""
    main = tmp_path / "function" / "main.py"
    main.parent.mkdir()
    main.write_text(_SOURCE)
    return main
