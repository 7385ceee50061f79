"""The machinery of the evals is tried on small scenarios of the tests' own, in which nothing is put under a reply."""

import pytest

from dm_evals import stage


@pytest.fixture(autouse=True)
def no_disclosure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test plays the repository's scenarios, which expect it."""
    if request.path.parent.name != "mutants":
        monkeypatch.setattr(stage, "SETTINGS", {**stage.SETTINGS, "DISCLOSURE_DAYS": "0"})
