"""What Cloud Scheduler does in a deployment: the processor is told to sweep, once a minute."""

import asyncio
import contextlib
from typing import Final

import httpx

from dm_sandbox.world import Sandbox

SWEEP_SECONDS: Final = 60.0


async def sweep_regularly(sandbox: Sandbox, seconds: float = SWEEP_SECONDS) -> None:
    """Never returns. A processor that does not answer is told again the next time."""
    async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client:
        while True:
            await asyncio.sleep(seconds)
            with contextlib.suppress(httpx.HTTPError):
                await client.post(f"{sandbox.processor.url}/sweep")
