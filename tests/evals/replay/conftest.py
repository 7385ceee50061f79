"""A runtime and a scripted model server for the tests of a module; a way to write a scenario in a line."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
import pytest_asyncio

from dm_evals.replay.trial_environment import SharedRuntime
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.gemini import Gemini

NOW = "2026-11-23T17:30:00+00:00"

MakeScenario = Callable[..., Scenario]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def runtime() -> AsyncGenerator[SharedRuntime]:
    async with SharedRuntime() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncGenerator[Gemini]:
    gemini = Gemini()
    await gemini.start()
    yield gemini
    await gemini.stop()


@pytest.fixture
def model(server: Gemini) -> Gemini:
    """The scripted model server, with nothing in it."""
    server.records.clear()
    server.requests.clear()
    server._script.clear()  # pyright: ignore[reportPrivateUsage]
    return server


@pytest.fixture
def scenario() -> MakeScenario:
    """``scenario({"text": "hi"}, world={…})``."""

    def make(*events: dict[str, Any], **fields: Any) -> Scenario:
        defaults: dict[str, Any] = {"name": "made_by_a_test", "tags": ["test"], "about": "a test", "now": NOW}
        return Scenario.model_validate({**defaults, "expect": {}, "events": events or ({"text": "hi"},), **fields})

    return make
