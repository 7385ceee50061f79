"""Who wrote what the account sent: the agent, or a human who outranks it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.durations import DAY_MS
from dm_core.messages import Content, Direction, EventKind, Message, Status, message_id
from dm_core.runs import Action, ActionKind, Run
from dm_core.same_text import normal_form
from dm_core.store.port import EchoView, ThreadChange
from dm_core.webhook.automatic import NOTHING_LISTED
from dm_core.webhook.echoes import Author, author_of
from dm_core.webhook.events import Echo, ThreadKey
from tests.unit.webhook.webhook_stage import ACCOUNT, NOW, PERSON, THREAD, Stage, dm, echo

_HOUR = 3_600_000


def _echo(mid: str, text: str | None) -> Echo:
    return Echo(ThreadKey(ACCOUNT, PERSON), mid, Content(text=text), NOW)


@given(text=st.text(), planned=st.lists(st.text()))
def test_ours_is_exactly_a_planned_text_in_normal_form(text: str, planned: list[str]) -> None:
    author = author_of(_echo("m", text), EchoView(known=False, ours=tuple(planned), mids=()), NOTHING_LISTED)

    said = normal_form(text)
    assert (author is Author.OURS) == (bool(said) and said in [normal_form(other) for other in planned])


@pytest.mark.parametrize(
    "echoed", [" Nets at 6 ", "Nets at 6\n", "Caf\u00e9 & nets", "Cafe\u0301 &amp; nets", "a\r\nb", "a\rb"]
)
def test_ours_however_the_platform_writes_it(echoed: str) -> None:
    planned = ("Nets at 6", "Cafe\u0301 & nets", "a\nb")

    view = EchoView(known=False, ours=planned, mids=())

    assert author_of(_echo("m", echoed), view, NOTHING_LISTED) is Author.OURS


def test_a_recorded_id_is_ours_whatever_the_text() -> None:
    assert author_of(_echo("m", None), EchoView(known=False, ours=(), mids=("m",)), NOTHING_LISTED) is Author.OURS


def test_a_picture_is_not_the_empty_text_of_ours() -> None:
    assert author_of(_echo("m", None), EchoView(known=False, ours=("",), mids=()), NOTHING_LISTED) is Author.HUMAN


async def test_a_humans_reply_pauses_the_thread_and_is_kept(stage: Stage) -> None:
    await stage.deliver(dm("m"))
    await stage.deliver(echo("e", "I'll take this"))

    snapshot = await stage.snapshot()
    assert snapshot.thread.paused_until == NOW + _HOUR
    assert [(m.direction, m.content.text, m.status) for m in snapshot.recent if m.mid == "e"] == [
        (Direction.HUMAN, "I'll take this", Status.PROCESSED)
    ]


async def test_every_further_human_message_renews_but_a_redelivery_does_not(stage: Stage) -> None:
    await stage.deliver(echo("e1"))
    stage.clock.now += 60_000
    await stage.deliver(echo("e1"))
    assert (await stage.snapshot()).thread.paused_until == NOW + _HOUR

    await stage.deliver(echo("e2"))
    assert (await stage.snapshot()).thread.paused_until == NOW + 60_000 + _HOUR


async def test_a_human_may_open_the_thread(stage: Stage) -> None:
    await stage.deliver(echo("e"))

    thread = (await stage.snapshot()).thread
    assert (thread.account_id, thread.user_id, thread.paused_until) == (ACCOUNT, PERSON, NOW + _HOUR)
    assert (await stage.message()).expire_at == NOW + DAY_MS


async def test_what_a_human_opened_goes_after_a_day_unless_a_dm_comes(stage: Stage) -> None:
    await stage.deliver(echo("e"))
    await stage.deliver(echo("other", at=NOW - 400))

    stage.clock.now += DAY_MS + 1
    while await stage.store.purge():
        pass
    assert await stage.store.open(THREAD) is None

    await stage.deliver(echo("e2", at=stage.clock.now))
    await stage.deliver(dm("m", at=stage.clock.now))
    stage.clock.now += DAY_MS + 1
    while await stage.store.purge():
        pass
    assert [message.mid for message in await stage.messages()] == ["m"]


async def test_a_human_in_a_thread_with_dms_is_kept_like_them(stage: Stage) -> None:
    await stage.deliver(dm("m"))
    await stage.deliver(echo("e"))

    assert {message.expire_at for message in await stage.messages()} == {NOW + 90 * DAY_MS}


async def test_what_the_account_sent_without_saying_echo_is_no_dm(stage: Stage) -> None:
    item = {**echo("e"), "message": {"mid": "e", "text": "hi"}}

    await stage.deliver(item)

    assert (await stage.message()).direction is Direction.HUMAN
    assert not stage.queue.wake_ups


async def _plan(stage: Stage, text: str) -> None:
    """A run is under way and about to send ``text``."""
    snapshot = await stage.snapshot()
    action = Action("r1/0/0", ActionKind.SEND, text, call_index=0, turn=0, started_at=NOW)
    run = Run("r1", "task", NOW, (), "hash", actions=(action,))
    await stage.store.commit(ThreadChange(THREAD, snapshot.version, "token", NOW, run=run))


async def test_an_echo_that_beats_the_answer_to_its_send_is_ours(stage: Stage) -> None:
    await stage.deliver(dm("m"))
    await _plan(stage, "Nets Tue 18:00")
    before = await stage.snapshot()

    await stage.deliver(echo("e", " Nets Tue 18:00\n"))

    after = await stage.snapshot()
    assert after.thread.paused_until is None
    assert after.version == before.version, "our own echo must not disturb the run that caused it"
    assert [m.direction for m in after.recent if m.mid == "e"] == [Direction.OUTBOUND]


async def test_an_echo_with_other_words_during_a_run_is_a_takeover_the_run_notices(stage: Stage) -> None:
    await stage.deliver(dm("m"))
    await _plan(stage, "Nets Tue 18:00")
    before = await stage.snapshot()

    await stage.deliver(echo("e", "Nets Wed 18:00"))

    after = await stage.snapshot()
    assert after.thread.paused_until == NOW + _HOUR
    assert after.version != before.version


@pytest.mark.parametrize("blind_views", [0, 1], ids=["seen at once", "hidden from the first look by a finish"])
async def test_the_echo_of_a_stored_reply_changes_nothing(stage: Stage, blind_views: int) -> None:
    await stage.deliver(dm("m"))
    snapshot = await stage.snapshot()
    inbound = await stage.message()
    reply = replace(
        inbound, id=message_id(EventKind.MESSAGE, "e"), mid="e", direction=Direction.OUTBOUND, status=Status.PROCESSED
    )
    await stage.store.commit(ThreadChange(THREAD, snapshot.version, "token", NOW, upserts=(reply,)))
    before = await stage.snapshot()

    stage.store.blind_views = blind_views
    await stage.deliver(echo("e", "any words"))

    assert await stage.snapshot() == before


async def test_ours_and_a_humans_in_one_request_are_told_apart(stage: Stage) -> None:
    await stage.deliver(dm("m"))
    await _plan(stage, "Nets Tue 18:00")

    await stage.deliver(echo("e1", "Nets Tue 18:00"), echo("e2", "and bring water"))

    directions = {m.mid: m.direction for m in await stage.messages()}
    assert (directions["e1"], directions["e2"]) == (Direction.OUTBOUND, Direction.HUMAN)
    assert (await stage.snapshot()).thread.paused_until == NOW + _HOUR


def _sent(message: Message) -> tuple[int, str]:
    return message.sent_at, message.mid


async def test_a_long_human_conversation_is_one_commit(stage: Stage) -> None:
    await stage.deliver(*(echo(f"e{n}", f"line {n}", at=NOW - 1_000 + n) for n in range(10)))

    assert len(stage.store.records) == 1
    assert [_sent(m) for m in await stage.messages()] == [(NOW - 1_000 + n, f"e{n}") for n in range(10)]
