"""Everything that can be broken, broken on the page: what was promised holds, and the page says so."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from dm_sandbox.studio.switches import BY_NAME
from tests.e2e.conftest import Dev, Opened, Studio, tabs

QUESTION, REFUND = "how much is it to join?", "can I talk to a real person about a refund?"
WHILE_BROKEN = {
    "model_slow": QUESTION,
    "model_hostile": QUESTION,
    "model_odd": QUESTION,
    "instagram_refuses": QUESTION,
    "instagram_loses": QUESTION,
    "spond_down": "when are the next nets?",
    "webhook_twice": QUESTION,
    "webhook_late": QUESTION,
    "webhook_reversed": QUESTION,
    "processor_killed": QUESTION,
    "two_deliveries": QUESTION,
}
"""Switches whose verdict comes while they are on, and the DM that meets them."""
UNTIL_MENDED = {
    "model_down": QUESTION,
    "instagram_throttled": QUESTION,
    "instagram_down": QUESTION,
    "whatsapp_throttled": REFUND,
    "whatsapp_dead": REFUND,
    "whatsapp_silent": REFUND,
    "store_down": QUESTION,
    "queue_down": QUESTION,
}
"""Switches that leave something open until they are off."""
WITH_A_STORY = ("processor_dies", "clock_minutes", "clock_hour", "clock_day")
"""Switches with a test of their own."""


@pytest.fixture(scope="module")
def tab(one_studio: Dev, browser: Browser) -> Iterator[Studio]:
    """One for all switches: each test brings its own person."""
    with tabs(browser) as open_tab:
        yield open_tab(one_studio)


@pytest.fixture
def broken(shared: Dev, tab: Studio, request: pytest.FixtureRequest) -> Iterator[Studio]:
    tab.meet(f"Breaks {request.node.callspec.params['switch']}")
    tab.tab("switches")
    tab.page.check("#as-whom [value=person]")
    tab.page.fill("#search", "")
    expect(tab.page.locator("[data-verdict]")).to_have_count(0)
    yield tab
    assert tab.problems == []


def _card(studio: Studio, switch: str) -> Locator:
    return studio.page.locator(f"[data-switch={switch}]")


def _expect_kept(studio: Studio, switch: str, seconds: float = 60) -> None:
    verdict = _card(studio, switch).locator("[data-verdict]")
    expect(verdict).to_have_attribute("data-verdict", "kept", timeout=1000 * seconds)


def _expect_kept_some_time_later(studio: Studio, switch: str) -> None:
    """Past every wait, and past the time after which an alert raises its alarm."""
    for _ in range(8):
        _card(studio, "clock_minutes").locator("button").click()
        try:
            return _expect_kept(studio, switch, 3)
        except AssertionError:
            continue
    return _expect_kept(studio, switch, 20)


@pytest.mark.parametrize("switch", WHILE_BROKEN)
def test_promises_are_kept_while_it_is_broken(broken: Studio, switch: str) -> None:
    _card(broken, switch).locator("button").click()
    broken.says(WHILE_BROKEN[switch])
    _expect_kept(broken, switch)
    broken.page.click("#panel >> text=Clear all")

    expect(broken.page.locator("#facts")).not_to_contain_text("broken on purpose")


@pytest.mark.parametrize("switch", UNTIL_MENDED)
def test_what_is_open_while_it_is_broken_is_kept_once_it_is_mended(broken: Studio, switch: str) -> None:
    button = _card(broken, switch).locator("button")

    button.click()
    broken.says(UNTIL_MENDED[switch])
    expect(_card(broken, switch)).to_have_attribute("data-met", "true", timeout=60_000)
    button.click()

    _expect_kept_some_time_later(broken, switch)


@pytest.mark.parametrize("switch", ["processor_dies"])
def test_a_run_whose_instance_died_at_its_checkpoint_is_resumed_when_its_lease_is_over(
    broken: Studio, switch: str
) -> None:
    _card(broken, switch).locator("button").click()
    broken.says(QUESTION)
    broken.page.check("#only-person")
    broken.page.fill("#search", "wake-up failed")
    expect(broken.page.locator("#window li").first).to_be_visible(timeout=60_000)

    _expect_kept_some_time_later(broken, switch)

    assert len(broken.replies()) <= 1


@pytest.mark.parametrize("switch", ["clock_hour"])
def test_an_hour_later_a_takeover_is_over(broken: Studio, switch: str) -> None:
    broken.page.check("#as-whom [value=human]")
    broken.says("I'll answer this myself")
    expect(broken.page.locator("#banner")).to_contain_text("A human answers until")

    _card(broken, switch).locator("button").click()
    broken.page.check("#as-whom [value=person]")
    broken.says(QUESTION)

    broken.expect_replies(1)
    _expect_kept(broken, switch)


def test_every_switch_is_tried() -> None:
    assert sorted([*WHILE_BROKEN, *UNTIL_MENDED, *WITH_A_STORY]) == sorted(BY_NAME)


@pytest.mark.parametrize("switch", ["clock_day"])
def test_what_waits_longer_than_the_platform_allows_ends_without_a_word(broken: Studio, switch: str) -> None:
    _card(broken, "model_down").locator("button").click()
    broken.says(QUESTION)
    expect(_card(broken, "model_down")).to_have_attribute("data-met", "true", timeout=60_000)

    _card(broken, switch).locator("button").click()

    expect(broken.page.locator("#bubbles .mine .under")).to_contain_text("outside the 24-hour window")
    _expect_kept(broken, switch)
    expect(_card(broken, switch).locator("li", has_text="P7")).to_contain_text("kept")
    assert broken.replies() == []


def test_the_tour_plays_its_seven_steps(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)

    studio.page.click("#play-tour")

    expect(studio.page.locator("#panel .steps li")).to_have_count(7)
    expect(studio.page.locator("#panel .steps li.done")).to_have_count(7, timeout=110_000)
