"""``make screenshots``: six pictures of the studio in docs/images/, made with the installed Chromium."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from dm_sandbox.profile_files import ROOT
from tests.e2e.conftest import Dev, Studio

INTO = ROOT / "docs" / "images"
WIDE, MIDDLE, SMALL = (1600, 1000), (768, 1000), (375, 780)


def main() -> int:
    """Entry point of ``python -m tests.e2e.screenshots``."""
    path = shutil.which("chromium")
    if path is None:
        print("chromium is missing: apt-get install chromium", file=sys.stderr)
        return 1
    INTO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        dev = Dev(Path(folder), {name: os.environ[name] for name in ("GEMINI_API_KEY",) if name in os.environ})
        dev.start()
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]}, reduced_motion="reduce")
            _pictures(Studio(page, dev.url), page)
        finally:
            browser.close()
            dev.stop()
    return 0


def _pictures(studio: Studio, page: Page) -> None:
    def picture(name: str, size: tuple[int, int], scheme: str, prepare: Callable[[], object]) -> None:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": size[0], "height": size[1]})
        prepare()
        page.wait_for_timeout(700)
        page.screenshot(path=INTO / f"{name}.png")
        print(f"docs/images/{name}.png")

    _conversation(studio, page)
    picture("studio", WIDE, "light", lambda: page.click("#bubbles .bubble-row:not(.mine) .bubble >> nth=0"))
    picture("break-it", WIDE, "dark", lambda: _break(studio, page))
    picture("model-seat", MIDDLE, "light", lambda: _seat(studio, page))
    picture("tour", WIDE, "light", lambda: _tour(page))
    picture("phone", SMALL, "light", lambda: page.click("#small-nav [data-pane=phone]"))
    picture("timeline", SMALL, "dark", lambda: page.click("#small-nav [data-pane=timeline]"))


def _conversation(studio: Studio, page: Page) -> None:
    studio.meet("Priya Shah")
    studio.says("¿Cuánto cuesta?")
    studio.expect_replies(1)
    page.click("#people-list button:has-text('Sam Jones')")
    studio.says("When are the next nets?")
    studio.expect_replies(1)
    studio.says("ok thx")
    expect(page.locator("#bubbles .reactions")).to_be_visible()
    studio.says("Can I talk to a real person about a refund?")
    studio.expect_replies(2)
    expect(page.locator("#alerts .bubble-row")).to_have_count(1)


def _break(studio: Studio, page: Page) -> None:
    studio.tab("switches")
    page.click("[data-switch=instagram_loses] button")
    studio.says("how do I find you?")
    studio.expect_replies(3)
    expect(page.locator("[data-switch=instagram_loses] [data-verdict=kept]")).to_be_visible()
    page.click("[data-switch=model_down] button")
    studio.says("what should I bring?")
    expect(page.locator("[data-switch=model_down] [data-verdict=open]")).to_be_visible()
    expect(page.locator("#banner")).not_to_be_empty()
    page.evaluate("() => document.getElementById('panel').scrollTo(0, 0)")


def _tour(page: Page) -> None:
    page.click("#answer button")
    page.check("#panel [value=scripted]")
    page.click("#play-tour")
    expect(page.locator("#panel .steps li.done")).to_have_count(4, timeout=110_000)


def _seat(studio: Studio, page: Page) -> None:
    page.click("#panel >> text=Clear all")
    studio.meet("Alex Kim")
    page.wait_for_timeout(20_000)  # until Sam has his answer: the model was down
    studio.tab("seat")
    page.check("#panel [value=you]")
    studio.says("Do you have a team for me? I'm 52 :)")
    expect(page.locator("#answer")).to_be_visible()
    page.locator("#answer [name=text]").fill("You're very welcome, Alex: our third team plays friendlies on Sundays.")


if __name__ == "__main__":
    sys.exit(main())
