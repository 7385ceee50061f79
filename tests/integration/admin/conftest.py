"""A whole sandbox over each store, shared by a module's tests (each has people of its own), and an operator."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from dm_sandbox.environment import Pace
from dm_sandbox.world import Sandbox
from tests.integration.admin.operator_stage import Operator


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "firestore"])
async def operator(request: pytest.FixtureRequest) -> AsyncGenerator[Operator]:
    if request.param == "firestore":
        request.getfixturevalue("emulator_installed")
    pace = Pace(debounce_min=0.3, debounce_max=0.6, echo_wait=0.2)
    async with Sandbox(store=request.param, pace=pace, extra={"MAX_ATTEMPTS": "1"}) as sandbox:
        operator = Operator(sandbox)
        store = operator.store()  # whichever test is first finds a file, as after the first DM
        await store.last_inbound_at()
        await store.close()
        yield operator
