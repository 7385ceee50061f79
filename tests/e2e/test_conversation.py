"""What a newcomer does in the first minutes, in a real browser."""

import re

from playwright.sync_api import expect

from tests.e2e.conftest import Dev, Held, Opened


def test_a_chip_is_answered_and_the_reply_shows_why(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Ada")

    studio.page.click("#chips button:has-text('How much is it to join?')")
    studio.expect_replies(1)
    studio.page.click("#bubbles .bubble-row:not(.mine) .bubble")

    panel = studio.page.locator("#panel")
    expect(panel.locator(".figures")).to_contain_text("tokens in")
    expect(panel.locator(".waterfall .bar.model")).to_be_visible()
    panel.locator("summary:has-text('System prompt')").click()
    expect(panel).to_contain_text("Hollybank Cricket Club")
    expect(panel.locator(".call b").first).to_have_text("send_instagram_message")
    assert "120 pounds" in studio.replies()[0]
    expect(studio.page.locator("#window")).to_contain_text("run finished")


def test_small_talk_is_not_taken_for_a_question(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Thankful")

    studio.says("ok thx")

    expect(studio.page.locator("#bubbles .reactions")).to_have_text("❤️")
    assert studio.replies() == []


def test_a_burst_is_one_answer(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Burst")

    studio.page.fill("#words", "hi!\nhow much is it?")
    studio.page.click("#more summary")
    studio.page.click("#acts button:has-text('Burst')")

    expect(studio.page.locator("#bubbles .mine")).to_have_count(2)
    studio.expect_all_answered()
    assert len(studio.replies()) == 1


def test_two_tabs_are_two_people_and_neither_sees_the_others_thread(shared: Dev, opened: Opened) -> None:
    first, second = opened(shared), opened(shared)
    first.meet("Left")
    second.meet("Right")

    first.says("where do I park?")
    second.says("how are you?")
    first.expect_replies(1)
    second.expect_replies(1)

    assert "car park" in first.replies()[0]
    assert "tea urn" in second.replies()[0]
    expect(first.person("Right").locator(".unread")).to_have_text(re.compile("1"))


def test_an_older_list_of_people_does_not_undo_a_choice(shared: Dev, opened: Opened) -> None:
    """The list that a new tab asks for first comes after its person has been made."""
    studio = opened(shared, empty=True)
    held = Held(studio, "**/api/people")
    studio.page.goto(shared.url)
    late = held.take()
    answer = late.fetch()
    held.end()
    studio.page.fill("#new-person [name=name]", "Newcomer")
    studio.page.click("#new-person button")
    expect(studio.page.locator("#phone-title")).to_have_text("Newcomer")
    late.fulfill(response=answer)

    expect(studio.person("Newcomer")).to_have_count(1)
    expect(studio.person("Newcomer").locator("button")).to_have_attribute("aria-current", "true")
    expect(studio.page.locator("#phone-title")).to_have_text("Newcomer")


def test_a_human_takes_over_and_resume_gives_the_thread_back(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Taken over")

    studio.page.check("#as-whom [value=human]")
    studio.says("I'll answer this myself")
    banner = studio.page.locator("#banner")
    expect(banner).to_contain_text("A human answers until")
    studio.page.check("#as-whom [value=person]")
    studio.says("how much is it?")
    expect(studio.page.locator("#bubbles .mine .under")).to_contain_text("left to the human")
    banner.get_by_role("button", name="Resume").click()
    expect(banner).to_be_empty()
    studio.says("how much is it for students?")
    studio.expect_replies(1)


def test_the_manager_gets_an_alert_and_answers_it_from_whatsapp(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Refund")

    studio.says("can I talk to a real person about a refund of my match fee?")
    studio.expect_replies(1)
    alert = studio.page.locator("#alerts .bubble-row:not(.mine)", has_text="refund of my match fee")
    expect(alert).to_have_count(1)
    alert.locator(".bubble").click()
    studio.page.fill("#manager-words", "Of course, I'll ring you tonight")
    studio.page.press("#manager-words", "Enter")

    expect(studio.page.locator("#bubbles .human")).to_contain_text("ring you tonight")
    expect(alert.locator(".ticks")).to_have_class(re.compile("read"))


def test_everything_a_person_can_do_arrives(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Everything")
    studio.page.click("#more summary")
    names = ("Photo", "Voice message", "Video", "Reply to a story", "Mention in a story", "Share a post", "Quick reply")
    for name in (*names, "Ice breaker", "Come from an ad", "DM dated 25 hours ago"):
        studio.page.get_by_role("button", name=name, exact=True).click()

    expect(studio.page.locator("#bubbles .mine")).to_have_count(10)
    studio.expect_all_answered()
    expect(studio.page.locator("#bubbles .mine").last).to_contain_text("outside the 24-hour window")
    studio.page.locator("#bubbles .mine .bubble").nth(3).click()
    studio.page.get_by_role("button", name="Unsend", exact=True).click()
    expect(studio.page.locator("#bubbles .gone")).to_have_count(1)


def test_you_can_sit_on_the_models_seat(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    shared.wait_until_quiet()  # else another's question is asked first
    studio.meet("Seat")
    studio.tab("seat")
    studio.page.check("#panel [value=you]")
    try:
        studio.says("say something only a person would say")
        form = studio.page.locator("#answer")
        expect(form).to_be_visible()
        expect(studio.page.locator("#panel")).to_contain_text("something only a person would say")
        form.locator("[name=text]").fill("Only a person would say this.")
        form.get_by_role("button", name="Answer").click()
        studio.expect_replies(1)
    finally:
        studio.page.check("#panel [value=scripted]")

    assert "Only a person would say this." in studio.replies()[0]


def test_asking_again_shows_the_new_answer_beside_the_old_and_sends_nothing(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Again")
    studio.says("when are the next nets?")
    studio.expect_replies(1)
    studio.page.click("#bubbles .bubble-row:not(.mine) .bubble")

    studio.page.get_by_role("button", name="Ask again").click()

    expect(studio.page.locator("#again .card")).to_have_count(2)
    expect(studio.page.locator("#again")).to_contain_text("Now, not sent")
    expect(studio.page.locator("#again .card").last).to_contain_text("send_instagram_message")
    assert len(studio.replies()) == 1


def test_the_timeline_is_searched_and_a_click_is_the_whole_record(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Search")
    studio.says("how do I find you?")
    studio.expect_replies(1)

    studio.page.check("#only-person")
    studio.page.fill("#search", "run finished")
    expect(studio.page.locator("#window li")).to_have_count(1)
    studio.page.click("#window button")

    expect(studio.page.locator("#record-text")).to_contain_text('"promptHash"')
