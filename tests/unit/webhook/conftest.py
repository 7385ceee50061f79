"""The webhook on a real embedded store, for tests through its outermost framework-free surface."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.webhook.webhook_stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage.build(tmp_path / "store.db")
    yield stage
    await stage.store.close()
