"""The report tests share a module of sample reports, and one browser."""

from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
from playwright.sync_api import Browser

from tests.chromium import chromium


@pytest.fixture(scope="module")
def browser(missing: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """Stopped with the module: its event loop must not outlive it."""
    with chromium(missing) as browser:
        yield browser
