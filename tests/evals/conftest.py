"""What the tests of the evals share.

Their machinery is tried on small scenarios of the tests' own, in which nothing is put under a reply.
"""

from collections.abc import AsyncGenerator

import pytest

from dm_evals.replay import trial_environment
from dm_sandbox.platforms.gemini import Gemini


@pytest.fixture(autouse=True)
def no_disclosure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test plays the repository's scenarios, which expect it."""
    if request.path.parent.name != "mutants":
        settings = {**trial_environment.SETTINGS, "DISCLOSURE_DAYS": "0"}
        monkeypatch.setattr(trial_environment, "SETTINGS", settings)


@pytest.fixture
async def gemini() -> AsyncGenerator[Gemini]:
    """The sandbox's simulator over HTTP on a free port."""
    server = Gemini()
    await server.start()
    yield server
    await server.stop()
