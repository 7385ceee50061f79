"""An agent made of the real prompt and profile, on a real embedded store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.agent.agent import Agent
from dm_core.agent.guards import Guards
from dm_core.agent.profile import BusinessProfile, load_profile
from dm_core.settings import RunLimits
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import LIMITS
from dm_sandbox.one_account import OneAccount
from tests.unit.agent.agent_stage import MANAGER, NOW, PROCESSOR, SECRETS, Calendar, Inbox, MakeAgent


@pytest.fixture
def limits() -> RunLimits:
    return LIMITS


@pytest.fixture(scope="session")
def system_md() -> str:
    return (PROCESSOR / "prompts" / "system.md").read_text()


@pytest.fixture(scope="session")
def club() -> BusinessProfile:
    return load_profile(PROCESSOR / "profile")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(str(tmp_path / "threads.db"), lambda: NOW)
    yield store
    await store.close()


@pytest.fixture
def make_agent(store: SqliteStore, club: BusinessProfile, system_md: str, limits: RunLimits) -> MakeAgent:
    def make(calendar: Calendar | None = None, inbox: Inbox | None = None, *, read_seconds: float = 10.0) -> Agent:
        return Agent(
            club,
            system_md,
            Guards(SECRETS, MANAGER),
            limits,
            calendar or Calendar(),
            store,
            OneAccount(inbox or Inbox()),
            read_seconds=read_seconds,
        )

    return make
