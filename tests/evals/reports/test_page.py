"""The page in Chromium: filters, keys, nothing runs, nothing is sent, nothing is wider than a phone."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Request

from dm_evals.reports.html import to_html
from tests.evals.reports.report_samples import baseline, before, decision, many

WIDTHS = (390, 1280)
OUTSIDE = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(to_html(many(), baseline(), decision(), before()), "utf-8")
    return path


@pytest.fixture(scope="module")
def window(browser: Browser) -> Page:
    """One for all tests: a new one costs more than most of them."""
    page = browser.new_page()
    page.set_default_timeout(10_000)
    return page


@pytest.fixture
def opened(window: Page, file: Path) -> Callable[..., Page]:
    """``opened(width, anchor, scheme)``: the page, loaded anew."""

    def opened(width: int = 1280, anchor: str = "", scheme: Literal["light", "dark"] = "light") -> Page:
        window.set_viewport_size({"width": width, "height": 900})
        window.emulate_media(color_scheme=scheme)
        window.goto("about:blank")
        window.goto(file.as_uri() + anchor)
        return window

    return opened


def shown(page: Page) -> list[str]:
    return [str(name) for name in page.locator("details.card:visible").evaluate_all("cards => cards.map(c => c.id)")]


def test_all_trials_are_listed_trouble_first(opened: Callable[..., Page]) -> None:
    names = shown(opened())

    assert len(names) == len(many().results)
    assert names[:4] == ["flaky_one-t3", "invents_a_session-t1", "injury_ankle-t1", "price_question-t1"]
    assert names[-1] == "injection_in_dm-t1"


def test_results_filter_alone_and_together(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_role("checkbox", name="errored").check()
    assert shown(page) == ["injury_ankle-t1"]
    page.get_by_role("checkbox", name="stale").check()
    assert shown(page) == ["injury_ankle-t1", "price_question-t1"]
    assert page.get_by_role("status").text_content() == "2 of 63 trials"


def test_what_is_not_reviewed_has_a_filter_of_its_own(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_role("checkbox", name="fail").check()
    assert "injection_in_dm-t1" not in shown(page)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("checkbox", name="not reviewed").check()
    assert shown(page) == ["injection_in_dm-t1"]


def test_a_tag_filters(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_label("Tag").select_option("safeguarding")

    assert shown(page) == ["injury_ankle-t1"]


def test_words_filter_in_conversations_names_and_checks(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_label("Text").fill("Ankle TWISTED")
    assert shown(page) == ["injury_ankle-t1"]
    page.get_by_label("Text").fill("reply.dates")
    assert shown(page) == ["invents_a_session-t1"]


def test_no_match_is_said_and_clear_brings_all_back(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_label("Text").fill("no such words")
    assert shown(page) == []
    assert page.get_by_text("No trial fits these filters.").is_visible()
    page.get_by_role("button", name="Clear").click()
    page.locator("details.card:not([hidden])").nth(60).wait_for()


def test_a_trial_opens_and_shows_checks_and_both_conversations(opened: Callable[..., Page]) -> None:
    page = opened()
    card = page.locator("#invents_a_session-t1")
    assert not card.get_by_text("no such call").is_visible()

    card.locator("summary").first.click()

    assert card.get_by_text("no such call").is_visible()
    assert card.get_by_role("list", name="Conversation now").get_by_text("Wednesday 25 November").is_visible()
    assert card.get_by_role("list", name="Conversation then").get_by_text("at 18:00.", exact=False).last.is_visible()


def test_the_address_opens_a_trial(opened: Callable[..., Page]) -> None:
    page = opened(anchor="#price_question-t1")

    assert page.locator("#price_question-t1 .diff .added").inner_text() == "+18:30, 9 of 16"


def test_only_what_is_shown_is_opened(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_role("checkbox", name="stale").check()
    page.get_by_role("button", name="Open all shown").click()

    assert page.locator("details.card[open]").count() == 1


def test_the_keyboard_is_enough(opened: Callable[..., Page]) -> None:
    page = opened()

    page.keyboard.press("/")
    page.keyboard.type("ankle")
    assert shown(page) == ["injury_ankle-t1"]
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.locator("#injury_ankle-t1").get_attribute("open") is not None


def test_injected_scripts_are_inert(opened: Callable[..., Page]) -> None:
    page = opened()

    page.get_by_role("button", name="Open all shown").click()

    assert page.evaluate("window.hacked") is None
    assert page.locator("img, svg, iframe, script").count() == 1
    assert page.locator("#injection_in_dm-t1").get_by_text("<script>window.hacked=1</script>").count() > 3


def test_nothing_is_requested_but_the_file(opened: Callable[..., Page], window: Page, file: Path) -> None:
    requests: list[str] = []

    def note(request: Request) -> None:
        requests.append(request.url)

    window.on("request", note)
    opened().get_by_role("button", name="Open all shown").click()
    window.remove_listener("request", note)

    assert requests == [file.as_uri()]


def test_even_its_own_scripts_could_not_send_anything(opened: Callable[..., Page]) -> None:
    page = opened()

    blocked = page.evaluate(
        """address => new Promise(done => {
            addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            fetch(address).catch(() => {}).finally(() => setTimeout(() => done("nothing blocked"), 1000));
        })""",
        OUTSIDE,
    )

    assert blocked == "connect-src"


@pytest.mark.parametrize("width", [320, *WIDTHS])
def test_nothing_is_wider_than_the_window(opened: Callable[..., Page], width: int) -> None:
    page = opened(width)

    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")

    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_light_and_dark_follow_the_system(opened: Callable[..., Page]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"

    assert opened(scheme="light").evaluate(ground) == "rgb(245, 246, 248)"
    assert opened(scheme="dark").evaluate(ground) == "rgb(20, 23, 28)"


CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = css => css.match(/[\\d.]+/g).map(Number);
  const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) low.push(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...new Set(low)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(opened: Callable[..., Page], scheme: str) -> None:
    page = opened(scheme=scheme)

    page.get_by_role("button", name="Open all shown").click()
    page.get_by_role("checkbox", name="pass").check()
    page.get_by_role("checkbox", name="pass").uncheck()

    assert page.evaluate(CONTRAST) == []
