"""Draft mode: what the agent would send waits for the manager's word, and goes out by it alone, once."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dm_core.messages import Disposition, Status
from dm_core.processing.outbox.drafts import CAME, HUMAN, NO_DRAFT, RELEASED, WITHDRAWN, WRITE
from dm_core.processing.outbox.outbox import QUOTE_DRAFT
from dm_core.processing.outbox.sending import SENT
from dm_core.steering import Mode, Pause, Steering
from dm_core.store.port import Conflict, Snapshot, ThreadChange, Version
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.inprocess import CrashPoints, InProcess, InstanceDied
from dm_sandbox.platforms.answers import call, turn
from dm_sandbox.platforms.whatsapp import Alert
from tests.integration.processing.profiles import folder_with, replies, running

DAY = 86_400


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    """A deployment in draft mode, whose manager has just written."""
    async with running(tmp_path, folder_with(tmp_path), MAX_ALERTS_PER_HOUR="1") as system:
        system.tell_statuses()
        system.echo_sends()
        await system.store.put_document("maintenance", "switches", {"mode": "draft"})
        system.whatsapp.hear(MANAGER_NUMBER)
        yield system


async def work(system: InProcess) -> None:
    """Deliver every task, ticks and outbox alike, until nothing is left that is due within a minute."""
    for _ in range(20):
        await system.outbox()
        await system.ticks()
        due = [w for w in system.queue.wake_ups.values() if w.thread_id and w.fire_at < system.clock() + 60_000]
        if not due:
            return
        wake_up = min(due, key=lambda each: each.fire_at)
        del system.queue.wake_ups[wake_up.name]
        system.clock.forward(max(0, wake_up.fire_at - system.clock()) / 1000)
        await system.task(wake_up.thread_id, wake_up.name)


async def drafted(system: InProcess, *texts: str) -> Alert:
    """Ana writes, the model proposes an answer, and the manager's phone shows it."""
    system.gemini.script(replies(*(texts or ("Nets are on Tuesday.",))))
    await system.person().says("When are nets?")
    await work(system)
    return system.whatsapp.alerts[-1]


async def snapshot(system: InProcess) -> Snapshot:
    found = await system.store.open(system.person().thread_id)
    assert found is not None
    return found


def sent(system: InProcess) -> list[str]:
    return system.instagram.sent_to("9001")


def button(draft: Alert, word: str) -> str:
    return next(each for each in draft.buttons if each.startswith(f"{word}:"))


async def say(system: InProcess, text: str, quotes: str = "") -> str:
    await system.whatsapp.says(MANAGER_NUMBER, text, quotes)
    await system.outbox()
    line = system.whatsapp.alerts[-1].text
    await work(system)
    return line


async def tap(system: InProcess, draft: Alert, word: str) -> str:
    await system.whatsapp.taps(MANAGER_NUMBER, button(draft, word))
    await system.outbox()
    line = system.whatsapp.alerts[-1].text
    await work(system)
    return line


async def steer(system: InProcess, change: Callable[[Steering], Steering]) -> None:
    found = await snapshot(system)
    steering = change(found.thread.steering)
    outcome = await system.store.commit(
        ThreadChange(found.thread.id, found.version, "steered", system.clock(), steering=steering)
    )
    assert not isinstance(outcome, Conflict)


async def test_nothing_goes_out_before_the_manager_has_decided(system: InProcess) -> None:
    draft = await drafted(system)

    assert sent(system) == []
    assert "Nets are on Tuesday." in draft.text
    assert [each.partition(":")[0] for each in draft.buttons] == ["send", "edit", "drop"]
    (dm,) = (await snapshot(system)).unprocessed
    assert (dm.status, dm.disposition, dm.attempts) == (Status.PENDING, None, 0)


async def test_send_sends_it_as_it_is_and_answers_the_dm(system: InProcess) -> None:
    draft = await drafted(system)

    assert await tap(system, draft, "send") == RELEASED
    assert sent(system) == ["Nets are on Tuesday."]
    seen = await snapshot(system)
    assert (seen.thread.run, seen.thread.due_at, seen.recent[0].disposition) == (None, None, None)
    assert seen.recent[0].status is Status.PROCESSED
    assert system.gemini.count() == 1


async def test_a_draft_has_no_age(system: InProcess) -> None:
    draft = await drafted(system)
    system.clock.forward(5 * 3600)
    await tap(system, draft, "send")

    assert sent(system) == ["Nets are on Tuesday."]
    assert system.gemini.count() == 1


async def test_the_same_words_when_quoted(system: InProcess) -> None:
    draft = await drafted(system)

    assert await say(system, "Send", draft.id) == RELEASED
    assert sent(system) == ["Nets are on Tuesday."]


async def test_edit_sends_the_managers_next_message_instead(system: InProcess) -> None:
    draft = await drafted(system)

    assert await tap(system, draft, "edit") == WRITE
    assert sent(system) == []
    assert await say(system, "Tuesdays at six, see you there!") == RELEASED
    assert sent(system) == ["Tuesdays at six, see you there!"]
    assert (await snapshot(system)).thread.run is None
    assert "Quote an alert" in await say(system, "and one more thing")
    assert len(sent(system)) == 1


async def test_the_text_may_quote_the_draft_or_the_line_that_asks_for_it(system: InProcess) -> None:
    draft = await drafted(system)
    await tap(system, draft, "edit")
    line = system.whatsapp.alerts[-1]

    assert await say(system, "Tuesdays at six.", line.id) == RELEASED
    assert sent(system) == ["Tuesdays at six."]
    other = await drafted(system, "Again: Tuesday.")
    await tap(system, other, "edit")
    assert await say(system, "As I said: six.", other.id) == RELEASED
    assert sent(system)[-1] == "As I said: six."


async def test_a_tap_that_names_no_message_counts_by_its_id(system: InProcess) -> None:
    draft = await drafted(system)
    reply = {"type": "button_reply", "button_reply": {"id": button(draft, "send"), "title": "Send"}}
    message = {"from": MANAGER_NUMBER, "id": "wamid.tap", "timestamp": "1", "type": "interactive", "interactive": reply}
    await system.whatsapp_says(system.whatsapp.statuses.payload(messages=[message]))
    await work(system)

    assert sent(system) == ["Nets are on Tuesday."]


async def test_a_command_after_edit_is_still_a_command(system: InProcess) -> None:
    draft = await drafted(system)
    await tap(system, draft, "edit")

    assert "a draft waits" in await say(system, "list")
    assert sent(system) == []


async def test_an_edit_that_was_forgotten_takes_no_later_message(system: InProcess) -> None:
    draft = await drafted(system)
    await tap(system, draft, "edit")
    system.clock.forward(3600)

    assert "Quote an alert" in await say(system, "Who plays on Sunday?")
    assert sent(system) == []


async def test_drop_sends_nothing_and_leaves_the_dm_to_humans(system: InProcess) -> None:
    draft = await drafted(system)
    await tap(system, draft, "drop")

    assert sent(system) == []
    seen = await snapshot(system)
    assert seen.recent[0].disposition is Disposition.HUMAN
    assert seen.thread.run is None


async def test_a_second_tap_changes_nothing(system: InProcess) -> None:
    draft = await drafted(system)
    await tap(system, draft, "send")

    assert await tap(system, draft, "drop") == WITHDRAWN
    assert await tap(system, draft, "send") == WITHDRAWN
    assert sent(system) == ["Nets are on Tuesday."]


async def test_what_came_withdraws_it_and_the_new_draft_answers_all(system: InProcess) -> None:
    first = await drafted(system, "Nets are on Tuesday.", "Tuesday, and yes, there is parking.")
    await system.person().says("And is there parking?")
    await work(system)
    second = system.whatsapp.alerts[-1]

    assert second.id != first.id
    assert "parking" in second.text
    assert await tap(system, first, "send") == WITHDRAWN
    assert sent(system) == []
    await tap(system, second, "send")
    assert sent(system) == ["Tuesday, and yes, there is parking."]
    assert {m.status for m in (await snapshot(system)).recent} == {Status.PROCESSED}


async def test_a_word_that_meets_a_new_dm_sends_nothing(system: InProcess) -> None:
    draft = await drafted(system, "Nets are on Tuesday.", "Both answered.")
    await system.person().says("And is there parking?")

    assert await tap(system, draft, "send") == CAME
    assert sent(system) == []
    await tap(system, system.whatsapp.alerts[-1], "send")
    assert sent(system) == ["Both answered."]


@pytest.mark.parametrize("unsent", [True, False])
async def test_an_edited_or_unsent_dm_withdraws_it(system: InProcess, *, unsent: bool) -> None:
    draft = await drafted(system, "Nets are on Tuesday.", "Cricket nets: Tuesday.")
    ana, dm = system.person(), (await snapshot(system)).unprocessed[0]
    await (ana.unsends(dm.mid) if unsent else ana.edits(dm.mid, "When are cricket nets?"))

    assert await tap(system, draft, "send") == CAME
    assert sent(system) == []
    seen = await snapshot(system)
    if unsent:
        assert (seen.thread.run, seen.recent[0].disposition) == (None, Disposition.UNSENT)
    else:
        await tap(system, system.whatsapp.alerts[-1], "send")
        assert sent(system) == ["Cricket nets: Tuesday."]


async def test_undecided_it_expires_before_the_window_ends_and_the_manager_is_told(system: InProcess) -> None:
    await drafted(system)
    for minute in (10, 24 * 60 - 12, 24 * 60 - 9):
        system.clock.forward(minute * 60 - system.clock.offset_ms / 1000)
        await system.task(system.person().thread_id, f"look-{minute}")

    seen = await snapshot(system)
    assert (seen.recent[0].disposition, seen.thread.run) == (Disposition.EXPIRED, None)
    assert sent(system) == []
    assert "Nobody decided" in (await system.told())[-1]


async def test_the_sweep_finds_a_draft_whose_wake_ups_were_lost(system: InProcess) -> None:
    await drafted(system)
    system.queue.wake_ups.clear()
    system.clock.forward(DAY - 540)
    assert (await system.job("/sweep"))[1]["overdue"] == 1
    await work(system)

    assert (await snapshot(system)).recent[0].disposition is Disposition.EXPIRED


@pytest.mark.parametrize("words", ["Tuesday, Ana.", "Nets are on Tuesday."], ids=["their own", "copied from it"])
async def test_a_human_in_the_app_takes_its_place(system: InProcess, words: str) -> None:
    draft = await drafted(system)
    await system.person().human_replies(words)

    assert await tap(system, draft, "send") in (CAME, HUMAN)
    assert (await snapshot(system)).recent[0].disposition is Disposition.HUMAN
    assert "Nets are on Tuesday." not in sent(system)


async def test_words_of_their_own_that_quote_it_are_a_humans_reply(system: InProcess) -> None:
    draft = await drafted(system)

    assert await say(system, "Hi Ana, Tom here: Tuesday.", draft.id) == SENT
    assert sent(system) == ["Hi Ana, Tom here: Tuesday."]
    assert (await snapshot(system)).recent[0].disposition is Disposition.HUMAN


@pytest.mark.parametrize(
    ("steering", "disposition"),
    [
        (Steering(pause=Pause("admin", 1)), Disposition.HUMAN),
        (Steering(mode=Mode.OFF), Disposition.OFF),
    ],
    ids=["paused", "off"],
)
async def test_a_thread_that_was_paused_or_switched_off_sends_no_draft(
    system: InProcess, steering: Steering, disposition: Disposition
) -> None:
    draft = await drafted(system)
    await steer(system, lambda before: replace(before, pause=steering.pause, mode=steering.mode))

    assert await tap(system, draft, "send") == HUMAN
    await system.task(system.person().thread_id, "later")
    assert sent(system) == []
    assert (await snapshot(system)).recent[0].disposition is disposition


async def test_a_thread_may_differ_from_the_deployment(system: InProcess) -> None:
    await drafted(system, "Nets are on Tuesday.")
    await steer(system, lambda steering: replace(steering, mode=Mode.AUTO))
    assert sent(system) == []  # what was proposed stays the manager's to decide

    system.gemini.script(replies("Tuesday, and there is parking."))
    await system.person().says("And parking?")
    await work(system)
    assert sent(system) == ["Tuesday, and there is parking."]


async def test_on_after_off_is_draft_again(system: InProcess) -> None:
    await say(system, "off")
    await say(system, "on")
    draft = await drafted(system)

    assert draft.buttons
    assert sent(system) == []


async def test_silence_needs_no_word(system: InProcess) -> None:
    system.gemini.script([turn(call("no_reply", reason="spam"))])
    await system.person().says("Buy followers")
    await work(system)

    assert (await snapshot(system)).recent[0].disposition is Disposition.NO_REPLY
    assert system.whatsapp.alerts == []


async def test_alerts_go_at_once_and_reactions_wait_with_the_words(system: InProcess) -> None:
    alert = call("send_manager_notification", text="Wants a refund.", urgency="normal")
    react = call("react_to_instagram_message", message_id="m1", reaction="👍")
    system.gemini.script([turn(alert, react, call("send_instagram_message", text="I pass that on."))])
    await system.person().says("I want my money back")
    await work(system)

    shown = [each.text for each in system.whatsapp.alerts]
    assert any("Wants a refund." in text for text in shown)
    assert any("I pass that on." in text and "👍" in text for text in shown)
    assert system.instagram.count("react") == 0
    draft = next(each for each in system.whatsapp.alerts if each.buttons)
    await tap(system, draft, "send")
    assert sent(system) == ["I pass that on."]
    assert system.instagram.count("react") == 1


async def test_outside_the_managers_window_the_template_tells_of_it(system: InProcess) -> None:
    system.clock.forward(DAY + 60)
    draft = await drafted(system)

    assert draft.template == "dm_alert"
    assert "Nets are on Tuesday." in draft.text
    assert await say(system, "send", draft.id) == RELEASED
    assert sent(system) == ["Nets are on Tuesday."]


async def test_a_long_draft_is_shown_whole_without_buttons(system: InProcess) -> None:
    draft = await drafted(system, "Nets are on Tuesday. " * 70)

    assert draft.buttons == ()
    assert draft.text.count("Nets are on Tuesday.") == 70
    await say(system, "send", draft.id)
    assert sum(text.count("Nets are on Tuesday.") for text in sent(system)) == 70


async def test_a_draft_withdrawn_before_it_was_shown_is_not_shown(system: InProcess) -> None:
    system.gemini.script(replies("Nets are on Tuesday.", "Tuesday, and there is parking."))
    ana = system.person()
    await ana.says("When are nets?")
    await system.task(ana.thread_id)
    await ana.says("And parking?")
    await system.task(ana.thread_id, "task-2")
    await work(system)

    assert ["parking" in each.text for each in system.whatsapp.alerts] == [True]


async def test_words_about_what_is_no_draft_change_nothing(system: InProcess) -> None:
    draft = await drafted(system)
    alert = await system.store.alert_of_message(draft.id)
    assert alert is not None
    saved = None
    while not isinstance(saved, Version):  # its status may come meanwhile
        found = await system.store.get_alert(alert.id)
        assert found is not None
        saved = await system.store.save_alert(replace(found.alert, cause="model"), found.version)

    assert await say(system, "send", draft.id) == NO_DRAFT
    assert await say(system, "send") == QUOTE_DRAFT
    assert sent(system) == []


async def test_a_strangers_tap_changes_nothing(system: InProcess) -> None:
    draft = await drafted(system)
    await system.whatsapp.taps("15550001111", button(draft, "send"))
    await work(system)

    assert sent(system) == []


async def test_erased_with_its_person(system: InProcess) -> None:
    draft = await drafted(system)
    await system.whatsapp.taps(MANAGER_NUMBER, button(draft, "send"))
    await system.store.erase_person("9001")
    await work(system)

    assert sent(system) == []


async def test_what_the_platform_refuses_after_send_is_told(system: InProcess) -> None:
    draft = await drafted(system)
    system.instagram.faults.add("error", "send", code=551, subcode=1545041, status=400)
    await tap(system, draft, "send")
    await work(system)

    assert sent(system) == []
    assert (await snapshot(system)).recent[0].disposition is Disposition.REFUSED
    assert any("was not sent" in each.text for each in system.whatsapp.alerts)


async def test_of_a_reaction_that_was_all_of_the_draft_the_manager_is_told_too(system: InProcess) -> None:
    system.gemini.script([turn(call("react_to_instagram_message", message_id="m1", reaction="👍"))])
    await system.person().says("thank you")
    await work(system)
    system.instagram.faults.add("stall_after", "react", seconds=30)
    await tap(system, next(each for each in system.whatsapp.alerts if each.buttons), "send")
    await work(system)

    assert any("whether the reaction you released arrived" in each.text for each in system.whatsapp.alerts)


@pytest.mark.parametrize("word", ["send", "text"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 17))
async def test_a_crash_at_any_call_sends_it_once_and_never_undecided(
    system: InProcess, at: int, when: str, word: str
) -> None:
    draft = await drafted(system)
    words = "Nets are on Tuesday." if word == "send" else "Tuesdays, Tom."
    if word == "text":
        await tap(system, draft, "edit")
        await system.whatsapp.says(MANAGER_NUMBER, words)
    else:
        await system.whatsapp.taps(MANAGER_NUMBER, button(draft, "send"))
    points = CrashPoints(at=at, when="before" if when == "before" else "after")
    (item,) = [wake_up.outbox_id for wake_up in system.queue.wake_ups.values() if wake_up.outbox_id]
    try:
        await system.send_outbox(item, system.instance(points))
        await system.task(system.person().thread_id, "task-9", system.instance(points))
    except InstanceDied:
        for _ in range(4):
            system.clock.forward(400)
            await system.job("/sweep")
            await work(system)

    told = any("can't tell" in each.text for each in system.whatsapp.alerts)
    assert sent(system) == [words] or (sent(system) == [] and told)
    seen = await snapshot(system)
    assert (seen.thread.run, seen.unprocessed) == (None, ())
