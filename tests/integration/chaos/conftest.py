"""A storm needs a Firestore emulator of its own, to be able to stop it."""

import os

import pytest

from dm_sandbox.firestore_emulator import EmulatorUnavailable, find_emulator


@pytest.fixture
def emulator_installed() -> None:
    """Fails where ``CI`` is set, elsewhere skips with what to install."""
    try:
        find_emulator()
    except EmulatorUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
