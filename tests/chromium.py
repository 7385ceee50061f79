"""The installed Chromium; nothing is downloaded."""

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn

from playwright.sync_api import Browser, sync_playwright


@contextmanager
def chromium(missing: Callable[[str], NoReturn]) -> Generator[Browser]:
    """A browser, closed in the end; ``missing`` is told how to install one where there is none."""
    path = shutil.which("chromium")
    if path is None:
        missing("chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
