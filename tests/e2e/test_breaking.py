"""Everything that can be broken, broken on the page: what was promised holds, and the page says so."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Dev, Opened, Studio

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


@pytest.fixture
def broken(shared: Dev, opened: Opened, request: pytest.FixtureRequest) -> Studio:
    studio = opened(shared)
    studio.meet(f"Breaks {request.node.callspec.params['switch']}")
    studio.tab("switches")
    studio.page.click("#panel >> text=Clear all")
    expect(studio.page.locator("[data-verdict]")).to_have_count(0)
    return studio


def _verdict(studio: Studio, switch: str, wanted: str) -> None:
    card = studio.page.locator(f"[data-switch={switch}] [data-verdict]")
    expect(card).to_have_attribute("data-verdict", re.compile(wanted), timeout=60_000)


@pytest.mark.parametrize("switch", WHILE_BROKEN)
def test_promises_are_kept_while_it_is_broken(broken: Studio, switch: str) -> None:
    button = broken.page.locator(f"[data-switch={switch}] button")

    button.click()
    broken.says(WHILE_BROKEN[switch])
    _verdict(broken, switch, "kept")
    broken.page.click("#panel >> text=Clear all")

    expect(broken.page.locator("#facts")).not_to_contain_text("broken on purpose")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("switch", UNTIL_MENDED)
def test_what_is_open_while_it_is_broken_is_kept_once_it_is_mended(broken: Studio, switch: str) -> None:
    button = broken.page.locator(f"[data-switch={switch}] button")

    button.click()
    broken.says(UNTIL_MENDED[switch])
    _verdict(broken, switch, "open|kept")
    broken.page.wait_for_timeout(9_000)  # quick tries are over
    button.click()
    for _ in range(2):  # past every wait, and past the time after which an alert raises its alarm
        broken.page.click("[data-switch=clock_minutes] button")
        broken.page.wait_for_timeout(1_000)
    _verdict(broken, switch, "kept")


@pytest.mark.timeout(300)
def test_the_tour_plays_its_seven_steps(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)

    studio.page.click("#play-tour")

    expect(studio.page.locator("#panel .steps li")).to_have_count(7)
    expect(studio.page.locator("#panel .steps li.done")).to_have_count(7, timeout=110_000)
