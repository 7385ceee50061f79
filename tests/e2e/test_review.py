"""Threads of a store are sampled, reviewed on the page, and taken by the evals' own commands."""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from dm_core.store.sqlite import SqliteStore
from dm_evals.cli.main import main
from dm_sandbox.inprocess import InProcess, MovableClock
from dm_sandbox.platforms.answers import call, turn
from tests.e2e.conftest import Dev, Held, Opened, Studio


def evals(*arguments: str) -> int:
    """The evals' command; in a thread, because the browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(main, arguments).result()


async def lived(path: Path) -> None:
    """A store with two threads, each a question and an answer."""
    clock = MovableClock()
    store = SqliteStore(str(path), clock)
    async with InProcess(store, clock=clock) as system:
        for number, asked in enumerate(("how much is it to join?", "where do I park?")):
            person = system.person(f"555001122334{number}", f"Person {number}", f"person.{number}")
            await person.says(asked)
            words = "It's on our page. I'm the club's automated assistant."
            system.gemini.script([dict(turn(call("send_instagram_message", text=words)))])
            assert (await system.task(person.thread_id, f"task {number}"))[0] == 200
    await store.close()


@pytest.fixture(autouse=True)
def empty_queue(shared: Dev) -> Iterator[None]:
    """The studio's own is for each test empty."""
    shutil.rmtree(shared.queue, ignore_errors=True)
    yield
    shutil.rmtree(shared.queue, ignore_errors=True)


@pytest.fixture
def queue(shared: Dev, empty_queue: None, tmp_path: Path) -> Path:
    """The studio's own, with a sample of those."""
    store = tmp_path / "threads.sqlite3"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, lived(store)).result()
    sample = ("scenarios-from", "--since=2020-01-01", f"--store-url=sqlite:///{store}", f"--queue={shared.queue}")
    assert evals(*sample) == 0
    return shared.queue


def expect_read(panel: Locator, words: str) -> None:
    """The queue is read by a process of the evals, which takes a busy machine half a minute to start."""
    expect(panel).to_contain_text(words, timeout=100_000)


def save(studio: Studio, verdict: str, why: str = "", text: str = "") -> None:
    form = studio.page.locator("#review")
    form.locator(f"[value={verdict}]").check()
    if text:
        form.locator("[name=text]").fill(text)
    form.locator("[name=why]").fill(why)
    form.get_by_label("nobody can be recognised").check()
    form.get_by_role("button", name="Save").click()


def test_threads_are_reviewed_one_after_the_other_and_the_evals_take_them(
    shared: Dev, queue: Path, opened: Opened, tmp_path: Path
) -> None:
    studio = opened(shared)
    panel = studio.page.locator("#panel")

    studio.tab("review")
    expect_read(panel, "1 of 2 that wait for review")
    expect(panel.locator(".conversation li")).to_have_count(2)
    results = Axe().run(studio.page)  # pyright: ignore[reportUnknownMemberType]
    violations = cast("list[dict[str, Any]]", results.response["violations"])  # pyright: ignore[reportUnknownMemberType]
    assert [each["id"] for each in violations] == []
    panel.get_by_role("button", name="Later").click()
    expect_read(panel, "2 of 2 that wait for review")
    save(studio, "right")
    expect_read(panel, "1 of 1 that wait for review")
    save(studio, "should", "It should ask back.", "Ask our treasurer. I'm the club's automated assistant.")
    expect_read(panel, "2 reviewed")
    expect_read(panel, "Nothing waits for review")

    assert evals("scenarios-reviewed", f"--queue={queue}", f"--evals={tmp_path}/evals") == 0
    assert len(list((tmp_path / "evals/scenarios").glob("*.yaml"))) == 2
    assert len((tmp_path / "evals" / "agreement" / "production.jsonl").read_text().splitlines()) == 3
    assert any("Ask our treasurer" in path.read_text() for path in (tmp_path / "evals/recordings").rglob("*.jsonl"))


def test_what_is_kept_while_the_queue_is_read_again_takes_no_other_from_it(
    shared: Dev, queue: Path, opened: Opened
) -> None:
    studio = opened(shared)
    panel = studio.page.locator("#panel")
    studio.tab("review")
    expect_read(panel, "1 of 2 that wait for review")
    first = panel.locator("h3").inner_text()
    held = Held(studio, "**/api/review", "POST")

    save(studio, "right")
    late = held.take()
    expect(panel.locator("> div")).to_have_attribute("inert", "")
    studio.tab("tour")
    studio.tab("review")
    expect_read(panel, "1 of 2 that wait for review")
    late.continue_()

    expect_read(panel, "1 of 1 that wait for review")
    expect(panel.locator("h3")).not_to_have_text(first)


def test_an_empty_queue_and_a_file_that_can_not_be_used_are_said_in_a_line(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    panel = studio.page.locator("#panel")
    studio.tab("review")
    expect_read(panel, "Nothing waits for review")
    broken = shared.queue / "scenarios" / "production_x.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("name: production_x\ntags: [\n")

    panel.get_by_role("button", name="Look again").click()

    expect_read(panel.locator(".tag.error"), "production_x.yaml:")
    expect_read(panel, "Nothing waits for review")
