"""The page when things around it change: a restart, an edited profile, a great many events, hostile words."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Dev, Held, Opened

INJECTIONS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "\u202egnp.exe <b>bold</b> &lt;i&gt; \x07",
    "</textarea><iframe src=https://example.com></iframe>",
)


def test_open_tabs_catch_up_after_a_restart_and_threads_are_kept_with_their_files(
    own: Callable[[], Dev], opened: Opened
) -> None:
    dev = own()
    dev.start()
    studio = opened(dev)
    studio.meet("Kept")
    studio.says("how much is it?")
    studio.expect_replies(1)
    studio.page.click("#more summary")
    for name in ("Photo", "Voice message"):
        studio.page.get_by_role("button", name=name, exact=True).click()
    expect(studio.page.locator("#bubbles .player")).to_have_count(2)
    studio.expect_all_answered()
    bubbles = studio.page.locator("#bubbles .bubble")
    before = bubbles.all_inner_texts()

    dev.stop()
    expect(studio.page.locator("#connection")).to_contain_text("does not answer")
    dev.start()

    expect(studio.page.locator("#connection")).to_be_empty()
    expect(studio.page.locator("#notice")).to_contain_text("restarted")
    assert bubbles.all_inner_texts() == before
    studio.says("how much is it for students?")
    expect(bubbles.last).to_contain_text("60 pounds")
    expect(studio.page.locator("#phone-title")).to_have_text("Kept")
    studio.page.reload()
    for player, plays in (("img", "e => e.complete && e.naturalWidth"), ("audio", "e => e.duration")):
        expect(studio.page.locator(f"#bubbles {player}.player")).to_be_visible()
        studio.page.wait_for_function(f"() => ({plays})(document.querySelector('#bubbles {player}.player')) > 0")


def test_an_edited_profile_is_live_at_the_next_run_and_a_broken_one_is_said(
    own: Callable[[], Dev], opened: Opened
) -> None:
    dev = own()
    dev.start()
    studio = opened(dev)
    facts = dev.profile / "profile" / "facts.toml"
    words = facts.read_text()

    facts.write_text(words.replace('adult = "120 pounds"', 'adult = "135 pounds"'))
    expect(studio.page.locator("#notice")).to_contain_text("facts.toml changed: live at the next run")
    studio.says("how much is it to join?")
    studio.expect_replies(1)
    facts.write_text("adult = ")
    studio.says("how do I find you?")
    studio.expect_replies(2)

    assert "135 pounds" in studio.replies()[0]
    expect(studio.page.locator("#window .error")).to_contain_text("profile can't be used")


def test_ten_thousand_events_stay_smooth(own: Callable[[], Dev], opened: Opened) -> None:
    dev = own()
    dev.keep_events(10_000)
    dev.start()

    studio = opened(dev)
    expect(studio.page.locator("#count")).to_have_text(re.compile(r"^100\d\d events"))
    rows: list[int] = []
    for top in range(0, 240_000, 20_000):
        studio.page.evaluate("top => document.getElementById('rows').scrollTo(0, top)", top)
        studio.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        rows.append(studio.page.locator("#window li").count())
    studio.page.fill("#search", "subscription")
    expect(studio.page.locator("#count")).to_have_text(re.compile(r"^2 of 100\d\d"))

    assert max(rows) <= 60, "elements are what scrolling costs: only the rows in sight are any"


def test_what_a_person_writes_never_becomes_markup(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    for number, words in enumerate(INJECTIONS):
        studio.meet(f"{words} {number}"[:80].replace("\x07", ""))
        studio.says(words)
        expect(studio.page.locator("#bubbles .mine")).to_contain_text(words.replace("\x07", "").split("\n")[0][:10])
    studio.tab("thread")
    expect(studio.page.locator("#panel pre").first).to_contain_text("lastInboundAt")

    assert (
        studio.page.locator("#bubbles script, #bubbles img, #bubbles svg, #bubbles iframe, #people-list img").count()
        == 0
    )
    assert studio.page.evaluate("() => document.querySelectorAll('iframe, body > svg').length") == 0


def test_an_answer_that_comes_after_its_tab_was_left_takes_no_place(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    held = Held(studio, "**/api/waiting")

    studio.tab("waiting")
    late = held.take()
    studio.tab("tour")
    with studio.page.expect_response("**/api/waiting"):
        late.continue_()

    expect(studio.page.locator("#panel")).to_contain_text("Seven things that go wrong")
    expect(studio.page.locator("#panel")).not_to_contain_text("Tasks")


def test_a_tab_that_nobody_sees_gives_its_connection_up_and_catches_up(shared: Dev, opened: Opened) -> None:
    """A browser opens six to one host, and one more tab would wait for ever."""
    studio = opened(shared)
    studio.meet("Hidden")
    person = studio.page.evaluate("() => window.studio.state.person")

    with studio.page.expect_event("requestfailed", lambda request: "/api/stream" in request.url):
        studio.becomes("hidden")
    shared.post(f"/api/phone/{person}/text", {"text": "how are you?"})
    studio.becomes("visible")

    studio.expect_replies(1)
    expect(studio.page.locator("#window")).to_contain_text("run finished")


def test_nothing_of_one_person_is_taken_for_anothers(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Drafts")
    studio.says("how are you?")
    expect(studio.page.locator("#bubbles .mine")).to_have_count(1)
    studio.page.fill("#words", "not sent yet")
    held = Held(studio, "**/api/phone/*")

    studio.page.fill("#new-person [name=name]", "Another")
    studio.page.click("#new-person button")
    late = held.take()

    expect(studio.page.locator("#bubbles li")).to_have_count(0)
    expect(studio.page.locator("#words")).to_have_value("")
    late.continue_()
    held.end()
    expect(studio.page.locator("#phone-title")).to_have_text("Another")
    studio.person("Drafts").click()
    expect(studio.page.locator("#words")).to_have_value("not sent yet")


def test_an_event_is_on_screen_soon_after_its_log_line(shared: Dev, opened: Opened) -> None:
    studio = opened(shared)
    studio.meet("Latency")
    studio.says("how are you?")
    studio.expect_replies(1)
    studio.says("how much is it?")
    studio.expect_replies(2)

    latencies = sorted(studio.page.evaluate("() => window.studio.latencies"))
    assert len(latencies) >= 8
    assert latencies[len(latencies) // 2] < 1_000, "no measure of this machine: only that it is not seconds"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
    ],
)
def test_another_page_can_do_nothing(shared: Dev, headers: dict[str, str], status: int) -> None:
    import httpx

    sent = {"content-type": "application/json", **headers}
    answer = httpx.post(f"{shared.url}/api/people", headers=sent, content=b'{"name": "Eve"}', trust_env=False)

    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]
