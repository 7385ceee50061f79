"""The studio as a person meets it: ``make dev`` as a process, and the installed Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from dm_sandbox.chat_lines import PORT_FILE
from dm_sandbox.profile_files import PROCESSOR_VARIABLE, ROOT
from dm_sandbox.studio.review import QUEUE_VARIABLE
from tests.chromium import chromium

START_SECONDS = 150.0
"""A machine with four times as much to do as it has cores took 37 s."""
STOP_SECONDS = 60.0
TEST_SECONDS = 300
SOON_MS = 5_000
WORKED_ON = re.compile("on its way|stored, waits|being answered")
QUICK = {"DEBOUNCE_MIN_SECONDS": "1", "DEBOUNCE_MAX_SECONDS": "2"}
expect.set_options(timeout=30_000)


class Dev:
    """``make dev`` on a port of its own, with a state, a profile and a review queue of its own."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder, self.port = folder, 0
        self.profile = folder / "processor"
        if not self.profile.exists():
            shutil.copytree(ROOT / "functions" / "processor", self.profile)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.state, self.queue = folder / "state", folder / "queue"
        own = {
            "STATE": str(self.state),
            PROCESSOR_VARIABLE: str(self.profile),
            QUEUE_VARIABLE: str(self.queue),
        }
        self._env = {**kept, **QUICK, **own, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "dev.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Returns once the page is served; the seconds that took."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dm_sandbox.dev"],
                env={**self._env, "PORT": str(self.port)},  # a free one, and the same from then on
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        while time.monotonic() - begun < START_SECONDS:
            assert self._process.poll() is None, self.log.read_text()
            if not self.port and (self.state / PORT_FILE).exists():
                self.port = int((self.state / PORT_FILE).read_text() or 0)
            try:
                if httpx.get(f"{self.url}/status", trust_env=False).status_code == 200:
                    return time.monotonic() - begun
            except (httpx.HTTPError, httpx.InvalidURL):
                pass
            time.sleep(0.05)
        raise AssertionError(f"the studio did not start:\n{self.log.read_text()}")

    def keep_events(self, number: int) -> None:
        """As if an earlier start had left so many; before ``start``."""
        self.state.mkdir(exist_ok=True)
        row = {
            "at": 1_795_000_000_000,
            "source": "processor",
            "words": "run finished (ending answered)",
            "level": "info",
        }
        with (self.state / "events.jsonl").open("w") as file:
            for each in range(1, number + 1):
                line = {**row, "number": each, "kind": "run_finished", "record": {"n": each}}
                file.write(json.dumps(line) + "\n")

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def post(self, path: str, body: Mapping[str, object] | None = None) -> None:
        """What a button of the page does."""
        httpx.post(f"{self.url}{path}", json=body or {}, trust_env=False, timeout=30).raise_for_status()

    def wait_until_quiet(self) -> None:
        """Nobody's DM is being answered, whoever left it: of those that wait for a service none is due soon."""
        begun, tasks = time.monotonic(), list[str]()
        while time.monotonic() - begun < START_SECONDS:
            waiting = httpx.get(f"{self.url}/api/waiting", trust_env=False).json()
            now = waiting["now"]
            tasks = [each["path"] for each in waiting["tasks"] if not each["dueAt"] or each["dueAt"] < now + SOON_MS]
            if not tasks:
                return
            time.sleep(0.05)
        raise AssertionError(f"still at work: {tasks}")

    def stop(self) -> None:
        """Ctrl-C."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            assert self._process.wait(STOP_SECONDS) == 0, self.log.read_text()[-2000:]
            self._process = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test starts the studio and some start the evals, so the suite's 120 s are a few on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="module")
def browser(missing: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """Stopped with the module: its event loop must not outlive it."""
    with chromium(missing) as browser:
        yield browser


@pytest.fixture(scope="session")
def one_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    dev = Dev(tmp_path_factory.mktemp("studio"))
    dev.start()
    yield dev
    dev.stop()


@pytest.fixture
def shared(one_studio: Dev) -> Dev:
    """One studio for all tests that need none of their own: each brings its own person, and finds nothing broken and
    the script in the model's seat, whatever an earlier one left behind."""
    one_studio.post("/api/tour", {"play": False})
    one_studio.post("/api/switches/clear")
    one_studio.post("/api/seat", {"sitter": "scripted"})
    return one_studio


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[[], Dev]]:
    """Makes a studio for this test alone; started by the test."""
    made: list[Dev] = []

    def make() -> Dev:
        made.append(Dev(tmp_path))
        return made[-1]

    yield make
    for dev in made:
        dev.stop()


class Studio:
    """One tab, and what a person does in it; without ``url`` it is empty. ``problems``: errors and refusals of the
    browser."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.problems = page, list[str]()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        if url:
            page.goto(url)
            expect(page.locator("#people-list li").first).to_be_visible()

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and "ERR_CONNECTION" not in text and "ERR_INCOMPLETE" not in text and "503" not in text:
            self.problems.append(text)

    def person(self, name: str) -> Locator:
        """Their row among the people. By the name alone: the row shows words of the conversation too."""
        return self.page.locator("#people-list li", has=self.page.locator(f'b[title="{name}"]'))

    def meet(self, name: str) -> None:
        """A new person, chosen in this tab."""
        self.page.fill("#new-person [name=name]", name)
        self.page.click("#new-person button")
        expect(self.page.locator("#phone-title")).to_have_text(name)

    def says(self, text: str) -> None:
        self.page.fill("#words", text)
        self.page.press("#words", "Enter")

    def replies(self) -> list[str]:
        return self.page.locator("#bubbles .bubble-row:not(.mine):not(.human) .bubble").all_inner_texts()

    def expect_replies(self, count: int) -> None:
        bubbles = self.page.locator("#bubbles .bubble-row:not(.mine):not(.human) .bubble")
        expect(bubbles).to_have_count(count)

    def expect_all_answered(self) -> None:
        """Nothing that this person wrote is still to be looked at."""
        expect(self.page.locator("#bubbles .mine .under", has_text=WORKED_ON)).to_have_count(0)

    def becomes(self, visibility: str) -> None:
        """As if the tab were left, or come back to."""
        change = "state => Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })"
        self.page.evaluate(change, visibility)
        self.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")

    def tab(self, name: str) -> None:
        self.page.click(f"#tab-{name}")


class Held:
    """Requests to a path, held until they are let go."""

    def __init__(self, studio: Studio, path: str, method: str = "GET") -> None:
        self._studio, self._path, self._method = studio, path, method
        self.routes: list[Route] = []
        self._over = False
        studio.page.route(path, self._meet)

    def _meet(self, route: Route) -> None:
        if route.request.method == self._method and not self._over:
            self.routes.append(route)
        else:
            route.continue_()

    def take(self) -> Route:
        """The next, for the test to answer."""
        while not self.routes:
            self._studio.page.wait_for_timeout(20)
        return self.routes.pop(0)

    def end(self) -> None:
        """Let go what is held, and what comes."""
        self._over = True
        while self.routes:
            self.routes.pop().continue_()


type Opened = Callable[..., Studio]


@contextmanager
def tabs(browser: Browser) -> Generator[Opened]:
    """Opens a tab of its own context; at the end none may have met an error."""
    contexts: list[BrowserContext] = []
    opened: list[Studio] = []

    def open_tab(
        dev: Dev, width: int = 1920, height: int = 1080, scheme: str = "light", *, empty: bool = False
    ) -> Studio:
        dark = "dark" if scheme == "dark" else "light"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=dark, reduced_motion="reduce"
        )
        contexts.append(context)
        opened.append(Studio(context.new_page(), "" if empty else dev.url))
        return opened[-1]

    yield open_tab
    problems = [problem for tab in opened for problem in tab.problems]
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    with tabs(browser) as open_tab:
        yield open_tab
