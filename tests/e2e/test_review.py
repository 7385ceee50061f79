"""Threads of a store are sampled, reviewed on the page, and taken by the evals' own commands."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from dm_sandbox.profile_files import ROOT
from tests.e2e.conftest import Dev, Opened, Studio


def evals(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dm_evals", *arguments], cwd=ROOT, capture_output=True, check=True)  # noqa: S603
    return done.stdout.decode()


def save(studio: Studio, verdict: str, why: str = "", text: str = "") -> None:
    form = studio.page.locator("#review")
    form.locator(f"[value={verdict}]").check()
    if text:
        form.locator("[name=text]").fill(text)
    form.locator("[name=why]").fill(why)
    form.get_by_label("nobody can be recognised").check()
    form.get_by_role("button", name="Save").click()


@pytest.mark.timeout(300)
def test_threads_are_reviewed_one_after_the_other_and_the_evals_take_them(
    own: Callable[[], Dev], opened: Opened, tmp_path: Path
) -> None:
    dev = own()
    dev.start()
    studio = opened(dev)
    panel = studio.page.locator("#panel")
    studio.tab("review")
    expect(panel).to_contain_text("Nothing waits for review")
    for name, words in (("First", "how much is it to join?"), ("Second", "where do I park?")):
        studio.meet(name)
        studio.says(words)
    studio.expect_replies(1)
    studio.person("First").click()
    studio.expect_replies(1)
    store = f"sqlite:///{dev.state}/threads.db"
    assert "2 queued" in evals("scenarios-from", "--since=2020-01-01", f"--store-url={store}", f"--queue={dev.queue}")

    panel.get_by_role("button", name="Look again").click()
    expect(panel).to_contain_text("1 of 2 that wait for review")
    expect(panel.locator(".conversation li")).to_have_count(2)
    results = Axe().run(studio.page)  # pyright: ignore[reportUnknownMemberType]
    violations = cast("list[dict[str, Any]]", results.response["violations"])  # pyright: ignore[reportUnknownMemberType]
    assert [each["id"] for each in violations] == []
    save(studio, "right")
    expect(panel).to_contain_text("1 of 1 that wait for review")
    save(studio, "should", "It should ask back.", "Ask our treasurer. I'm the club's automated assistant.")
    expect(panel).to_contain_text("2 reviewed")
    expect(panel).to_contain_text("Nothing waits for review")

    told = evals("scenarios-reviewed", f"--queue={dev.queue}", f"--evals={tmp_path}/evals")
    assert "2 became scenarios, 3 labels for the judge; 0 are still to be reviewed" in told
    assert any("Ask our treasurer" in path.read_text() for path in (tmp_path / "evals/recordings").rglob("*.jsonl"))


def test_a_file_of_the_queue_that_can_not_be_used_is_said_in_a_line(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    broken = shared.queue / "scenarios" / "production_x.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("name: production_x\ntags: [\n")

    studio.tab("review")

    expect(studio.page.locator("#panel .tag.error")).to_contain_text("production_x.yaml:")
    expect(studio.page.locator("#panel")).to_contain_text("Nothing waits for review")
    broken.unlink()
