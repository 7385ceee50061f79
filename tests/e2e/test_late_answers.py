"""Answers that come late or are refused, and hands that are quicker than the page: nothing is lost or doubled.

Each order is forced: the answer in question is held back by the test.
"""

import re

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.e2e.conftest import Dev, Held, Opened, Studio


def refuse(route: Route) -> None:
    route.fulfill(status=503, json={"error": "refused by the test"})


def user_id(studio: Studio) -> str:
    return studio.page.evaluate("() => window.studio.state.person")


@pytest.mark.parametrize(("tab", "path"), [("thread", "**/api/thread/*"), ("run", "**/api/run/*")])
def test_a_panel_never_shows_another_persons_although_their_answer_came_late(
    shared: Dev, opened: Opened, tab: str, path: str
) -> None:
    studio = opened(shared)
    for name in ("Later", "Earlier"):
        studio.meet(f"{name} {tab}")
        studio.says("how much is it?")
        studio.expect_replies(1)
    earlier = user_id(studio)
    studio.tab("tour")
    held = Held(studio, path)
    studio.tab(tab)
    late = held.take()
    assert earlier in late.request.url or tab == "run"

    studio.person(f"Later {tab}").click()
    late.fulfill(response=late.fetch())
    newer = held.take()

    expect(studio.page.locator("#panel")).to_have_text("")
    newer.continue_()
    held.end()
    expect(studio.page.locator("#panel")).not_to_have_text("")


def _words(studio: Studio) -> Locator:
    return studio.page.locator("#words")


def test_refused_words_come_back_but_not_over_newer_ones_nor_to_another_person(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Refused")
    held = Held(studio, "**/api/phone/*/text", "POST")

    studio.says("comes back")
    refuse(held.take())
    expect(_words(studio)).to_have_value("comes back")
    studio.says("refused")
    refused = held.take()
    studio.page.fill("#words", "newer")
    refuse(refused)
    expect(studio.page.locator("#notice")).to_have_text("refused by the test")
    expect(_words(studio)).to_have_value("newer")
    studio.says("waits for its writer")
    refused = held.take()
    studio.meet("Somebody else")
    with studio.page.expect_response("**/text"):
        refuse(refused)
    studio.page.wait_for_function("() => document.querySelector('#notice').textContent.startsWith('refused')")

    expect(_words(studio)).to_have_value("")
    studio.person("Refused").click()
    expect(_words(studio)).to_have_value("waits for its writer")


def test_a_refused_edit_is_still_an_edit_and_the_draft_it_interrupted_comes_back(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Edits")
    studio.says("ok thx")
    studio.page.locator("#bubbles .mine .bubble").click()
    studio.page.fill("#words", "a draft")
    studio.page.get_by_role("button", name="Edit", exact=True).click()
    expect(_words(studio)).to_have_value("ok thx")
    held = Held(studio, "**/api/phone/*/edit", "POST")

    studio.says("ok thanks")
    refuse(held.take())

    expect(_words(studio)).to_have_value("ok thanks")
    expect(studio.page.locator("#quoting")).to_contain_text("Editing: ok thx")
    held.end()
    studio.page.press("#words", "Enter")
    expect(studio.page.locator("#bubbles .mine .bubble")).to_contain_text("ok thanks")
    expect(studio.page.locator("#bubbles .mine")).to_have_count(1)
    expect(_words(studio)).to_have_value("a draft")


def test_a_double_click_asks_once(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.page.fill("#new-person [name=name]", "Double")
    studio.page.dblclick("#new-person button")
    expect(studio.page.locator("#phone-title")).to_have_text("Double")
    studio.page.dblclick("#chips button:has-text('How much is it to join?')")
    studio.expect_replies(1)

    expect(studio.page.locator("#bubbles .mine")).to_have_count(1)
    expect(studio.person("Double")).to_have_count(1)


def test_enter_twice_makes_one_person(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    held = Held(studio, "**/api/people", "POST")
    studio.page.fill("#new-person [name=name]", "Entered")
    for _ in range(2):
        studio.page.press("#new-person [name=name]", "Enter")
    held.take().continue_()

    expect(studio.page.locator("#phone-title")).to_have_text("Entered")
    assert held.routes == []


def test_a_person_who_is_made_late_does_not_undo_a_choice(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Chosen")
    studio.meet("Another")
    held = Held(studio, "**/api/people", "POST")
    studio.page.fill("#new-person [name=name]", "Made late")
    studio.page.press("#new-person [name=name]", "Enter")
    late = held.take()

    studio.person("Chosen").click()
    late.continue_()

    expect(studio.person("Made late")).to_have_count(1)
    expect(studio.page.locator("#phone-title")).to_have_text("Chosen")


def test_a_bubble_that_changes_while_it_is_pressed_is_pressed(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Pressed")
    studio.says("how much is it?")
    studio.expect_replies(1)
    bubble = studio.page.locator("#bubbles .bubble-row:not(.mine) .bubble")
    person = user_id(studio)

    bubble.hover()
    studio.page.mouse.down()
    shared.post(f"/api/phone/{person}/react", {"emoji": "😮"})
    studio.page.wait_for_function("() => JSON.stringify(window.studio.state.phone).includes('😮')")
    studio.page.mouse.up()

    expect(bubble).to_have_attribute("aria-pressed", "true")
    expect(studio.page.locator("#bubbles .reactions")).to_have_text("😮")


def test_the_focus_stays_on_a_button_whose_row_changes(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Focused")
    studio.says("how much is it?")
    studio.expect_replies(1)
    studio.page.locator("#bubbles .bubble-row:not(.mine) .bubble").click()
    reply = studio.page.locator("#bubbles").get_by_role("button", name="Reply", exact=True)
    reply.focus()

    shared.post(f"/api/phone/{user_id(studio)}/react", {"emoji": "😮"})

    expect(studio.page.locator("#bubbles .reactions")).to_have_text("😮")
    expect(reply).to_be_focused()


def test_the_answer_to_asking_again_stays_when_the_run_is_read_anew(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Asks again")
    studio.says("how much is it?")
    studio.expect_replies(1)
    expect(studio.page.locator("#panel .tag.good")).to_be_visible()
    held = Held(studio, "**/api/run/*/again", "POST")
    studio.page.get_by_role("button", name="Ask again").click()
    asked = held.take()

    with studio.page.expect_event("requestfailed", lambda request: "/api/stream" in request.url):
        studio.becomes("hidden")
    with studio.page.expect_response(re.compile("/api/run/[^/]+$")):
        studio.becomes("visible")
    expect(studio.page.get_by_role("button", name="Ask again")).to_be_disabled()
    asked.continue_()

    expect(studio.page.locator("#again .card")).to_have_count(2)
    expect(studio.page.get_by_role("button", name="Ask again")).to_be_enabled()


def test_an_open_question_opens_the_models_tab_once(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    shared.wait_until_quiet()
    studio.meet("Asked once")
    studio.tab("seat")
    studio.page.check("#panel [value=you]")
    try:
        studio.tab("thread")
        studio.says("say something only a person would say")
        expect(studio.page.locator("#tab-seat")).to_have_attribute("aria-selected", "true")

        studio.tab("thread")
        shared.post("/api/people", {"name": "Comes meanwhile"})
        expect(studio.person("Comes meanwhile")).to_have_count(1)

        expect(studio.page.locator("#tab-thread")).to_have_attribute("aria-selected", "true")
    finally:
        shared.post("/api/seat", {"sitter": "scripted"})
    studio.expect_replies(1)


def test_an_alert_that_is_delivered_while_the_manager_answers_is_read(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    alert = {"id": "wamid.1", "mine": False, "text": "Somebody waits", "at": 1, "quotes": "", "template": ""}
    ticks = ["accepted"]

    def shown(route: Route) -> None:
        route.fulfill(json=[{**alert, "buttons": [], "ticks": ticks[0]}])

    studio.page.route("**/api/manager", shown)
    shared.post("/api/people", {"name": "Makes it look"})
    studio.page.locator("#alerts .bubble").click()
    expect(studio.page.locator("#manager-words")).to_be_focused()

    with studio.page.expect_request("**/api/manager/read"):
        ticks[0] = "delivered"
        shared.post("/api/people", {"name": "Makes it look again"})


def test_the_record_of_the_event_that_was_clicked_last_is_shown(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Records")
    studio.says("how much is it?")
    studio.expect_replies(1)
    studio.page.check("#only-person")
    rows = studio.page.locator("#window button")
    expect(studio.page.locator("#window")).to_contain_text("run finished")
    held = Held(studio, "**/api/event/*")

    for number in range(2):
        rows.nth(number).click()
    first, second = held.take(), held.take()
    second.continue_()
    expect(studio.page.locator("#record-title")).to_have_text(rows.nth(1).locator("span").inner_text())
    with studio.page.expect_response(first.request.url):
        first.continue_()

    studio.page.wait_for_function("() => new Promise((done) => requestAnimationFrame(() => done(true)))")
    expect(studio.page.locator("#record-title")).to_have_text(rows.nth(1).locator("span").inner_text())


def test_words_written_before_anybody_is_known_are_kept(shared: Dev, opened: Opened) -> None:
    studio = opened(shared, empty=True)
    held = Held(studio, "**/api/people")
    studio.page.goto(shared.url)
    answer = held.take()

    studio.says("too early")

    expect(_words(studio)).to_have_value("too early")
    answer.continue_()
    held.end()
