"""Makes this folder's helper importable, and a ``machine`` whose tools are small scripts that write down their use."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_machine import Machine
from google_apis import GoogleApis, serving


@pytest.fixture
def machine(tmp_path: Path) -> Generator[Machine]:
    with serving(GoogleApis()) as google:
        yield Machine(tmp_path, google)
