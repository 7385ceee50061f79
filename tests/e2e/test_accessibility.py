"""Axe finds nothing, at three widths, light and dark, with each tab open; the keyboard reaches what the mouse does."""

from typing import Any, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.conftest import Dev, Opened

TABS = ("run", "thread", "waiting", "switches", "seat", "review", "tour")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1920])
def test_axe_finds_nothing(shared: Dev, opened: Opened, width: int, scheme: str) -> None:
    studio = opened(shared, width=1920, scheme=scheme)
    studio.meet(f"Axe {width} {scheme} {'W' * 55}")
    studio.says("how much is it?")
    studio.expect_replies(1)
    studio.page.click("#bubbles .bubble-row:not(.mine) .bubble")
    studio.page.set_viewport_size({"width": width, "height": 900})

    found: list[str] = []
    for tab in TABS:
        if width < 700:
            studio.page.click("#small-nav [data-pane=inspector]")
        studio.tab(tab)
        expect(studio.page.locator("#panel")).not_to_be_empty()
        if width < 700:
            studio.page.click(
                f"#small-nav [data-pane={'people' if tab == 'tour' else 'phone' if tab == 'run' else 'inspector'}]"
            )
        results = Axe().run(studio.page)  # pyright: ignore[reportUnknownMemberType]
        violations = cast("list[dict[str, Any]]", results.response["violations"])  # pyright: ignore[reportUnknownMemberType]
        found += [f"{tab}: {each['id']}: {each['nodes'][0]['html'][:160]}" for each in violations]

    assert found == []
    assert studio.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_the_tabs_and_the_conversation_work_by_keyboard(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Keyboard")
    studio.page.focus("#tab-run")

    studio.page.keyboard.press("ArrowRight")
    expect(studio.page.locator("#tab-thread")).to_be_focused()
    studio.page.focus("#words")
    studio.page.keyboard.type("how much is it?")
    studio.page.keyboard.press("Enter")
    studio.expect_replies(1)
    studio.page.focus("#bubbles .bubble-row:not(.mine) .bubble")
    studio.page.keyboard.press("Enter")

    expect(studio.page.locator("#bubbles .tools")).to_contain_text("Why?")


@pytest.mark.parametrize("phone", ["bubbles", "alerts"])
def test_a_long_conversation_is_one_tab_stop_with_arrow_keys_inside(shared: Dev, opened: Opened, phone: str) -> None:
    studio = opened(shared)
    studio.meet(f"Arrows {phone}")
    for number in range(3) if phone == "bubbles" else ():
        studio.says(f"line {number}")
    for command in ("help", "list") if phone == "alerts" else ():
        studio.page.click(f"#commands button:text-is('{command}')")
    bubbles, press = studio.page.locator(f"#{phone} .bubble"), studio.page.keyboard.press
    expect(bubbles.nth(3)).to_be_visible()
    shared.wait_until_quiet()

    expect(studio.page.locator(f"#{phone} .bubble[tabindex='0']")).to_have_count(1)
    bubbles.first.focus()
    for key, at in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("Home", 0), ("ArrowUp", 0)):
        press(key)
        expect(bubbles.nth(at)).to_be_focused()
    press("Tab")
    expect(studio.page.locator(f"#{phone} .bubble:focus")).to_have_count(0)
    press("Shift+Tab")
    expect(bubbles.first).to_be_focused()
    press("End")
    expect(bubbles.last).to_be_focused()
