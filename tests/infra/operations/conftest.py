"""Makes this folder's helper importable, and a ``machine`` whose tools are small scripts that write down their use."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.infra.operations.fake_machine import Machine
from tests.infra.operations.google_apis import GoogleApis, serving


@pytest.fixture
def machine(tmp_path: Path) -> Generator[Machine]:
    with serving(GoogleApis()) as google:
        yield Machine(tmp_path, google)
