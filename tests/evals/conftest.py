"""A model server in Gemini's shape."""

from collections.abc import AsyncGenerator

import pytest

from dm_sandbox.platforms.gemini import Gemini


@pytest.fixture
async def gemini() -> AsyncGenerator[Gemini]:
    """The sandbox's simulator over HTTP on a free port."""
    server = Gemini()
    await server.start()
    yield server
    await server.stop()
