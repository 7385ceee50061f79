"""What the webhook's process loads: everything a request needs, and nothing that only the processor does."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.harness.google import FastGoogle
from benchmarks.harness.stage import signed_dms, webhook_environment
from dm_core.clock import system_clock

FUNCTION = Path(__file__).parents[3] / "functions" / "webhook"
TOO_HEAVY = {"google.genai", "httpx", "httpx2", "pydantic", "dm_core.agent", "dm_core.processing", "dm_core.clients"}

_SCRIPT = """
import asyncio, contextlib, json, sys
import main
from dm_core.http import Request

async def answer():
    head, body = sys.stdin.buffer.read().split(b"\\r\\n\\r\\n", 1)
    lines = (line.split(": ", 1) for line in head.decode().split("\\r\\n")[1:])
    request = Request("POST", "/", headers={name.lower(): value for name, value in lines}, body=body)
    with contextlib.redirect_stdout(sys.stderr):
        return await main._app.handle(request)

print(json.dumps([asyncio.run(answer()).status, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("store_url", ["firestore:", "sqlite:///{}/threads.db"])
async def test_a_request_is_served_without_loading_what_only_the_processor_needs(
    store_url: str, tmp_path: Path
) -> None:
    async with FastGoogle() as google:
        env = webhook_environment(google, {"STORE_URL": store_url.format(tmp_path)})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SCRIPT),
            cwd=FUNCTION,
            env={"PATH": os.environ["PATH"], **env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(signed_dms(1, now=system_clock())[0])

    status, loaded = json.loads(out)
    assert status == 200
    assert not TOO_HEAVY.intersection(loaded)
    assert "google.cloud.tasks_v2" in loaded  # what was looked at is a process that has served
