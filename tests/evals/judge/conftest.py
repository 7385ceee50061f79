"""A model server in Gemini's shape, and the plain modules beside these tests."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from dm_sandbox.platforms.gemini import Gemini

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def gemini() -> AsyncGenerator[Gemini]:
    """The sandbox's simulator over HTTP on a free port."""
    server = Gemini()
    await server.start()
    yield server
    await server.stop()
