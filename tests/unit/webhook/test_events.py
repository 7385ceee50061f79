"""Every kind of event the platform is known to send, in every shape (docs/platforms/instagram.md#webhook-shapes)."""

import json
from collections.abc import Callable

import pytest

from dm_core.durations import DAY_MS
from dm_core.messages import Attachment, Content, Direction, Disposition, EventKind, Status, message_id
from tests.unit.webhook.webhook_stage import (
    ACCOUNT,
    NOW,
    PERSON,
    THREAD,
    Json,
    Stage,
    changes,
    dm,
    echo,
    flat,
    inbound,
    messaging,
    standby,
    texts,
)

Shape = Callable[[Json], object]
SHAPES: dict[str, Shape] = {
    "messaging": messaging,
    "changes": changes,
    "flat": flat,
    "array": lambda item: [messaging(item)],
    "array of changes": lambda item: [changes(item)],
}


def _attachment(kind: str, **payload: object) -> Json:
    return inbound(message={"mid": "m", "attachments": [{"type": kind, "payload": payload}]})


DMS: dict[str, tuple[Json, Content]] = {
    "text": (dm("m", "When are nets?"), Content(text="When are nets?")),
    "quick reply": (
        dm("m", "Tuesday", quick_reply={"payload": "DAY_TUE"}),
        Content(text="Tuesday", quick_reply="DAY_TUE"),
    ),
    **{
        kind: (
            _attachment(kind, url="https://lookaside.fbsbx.com/x"),
            Content(attachments=(Attachment(kind, "https://lookaside.fbsbx.com/x"),)),
        )
        for kind in ("image", "video", "audio", "file", "media", "share", "reel", "story", "story_mention", "brand_new")
    },
    "shared post": (
        _attachment("ig_post", url="https://cdn/x", title="caption", ig_post_media_id="1813"),
        Content(attachments=(Attachment("ig_post", "https://cdn/x", "caption"),)),
    ),
    "forwarded story": (
        _attachment("ig_story", story_media_id="1803", story_media_url="https://cdn/s2"),
        Content(attachments=(Attachment("ig_story", "https://cdn/s2"),)),
    ),
    "view-once media": (
        inbound(message={"mid": "m", "attachments": [{"type": "ephemeral"}]}),
        Content(attachments=(Attachment("ephemeral"),)),
    ),
    "empty template": (
        _attachment("template", generic={"elements": []}),
        Content(attachments=(Attachment("template"),), unsupported=True),
    ),
    "template with a title": (
        _attachment("template", generic={"elements": [{"title": "Kit sale"}]}),
        Content(attachments=(Attachment("template", None, "Kit sale"),)),
    ),
    "text with attachment": (
        dm("m", "look", attachments=[{"type": "image", "payload": {"url": "https://cdn/i"}}]),
        Content(text="look", attachments=(Attachment("image", "https://cdn/i"),)),
    ),
    "inline reply": (
        dm("m", "this one?", reply_to={"mid": "aWdA1", "is_self_reply": True}),
        Content(text="this one?", reply_to_mid="aWdA1"),
    ),
    "story reply": (
        dm("m", "nice!", reply_to={"story": {"url": "https://cdn/st", "id": "1788"}}),
        Content(text="nice!", reply_to_story="https://cdn/st"),
    ),
    "ad referral": (
        dm("m", "hi", referral={"ref": "autumn", "ad_id": "1", "ads_context_data": {"ad_title": "Learn cricket"}}),
        Content(text="hi", referral="autumn · Learn cricket"),
    ),
    "shop referral": (
        dm("m", "hi", referral={"product": {"id": "77"}}),
        Content(text="hi", referral="product 77"),
    ),
    "unsupported": (inbound(message={"mid": "m", "is_unsupported": True}), Content(unsupported=True)),
    "nothing in it": (inbound(message={"mid": "m"}), Content(unsupported=True)),
    "postback": (
        inbound(postback={"mid": "m", "title": "Join the club", "payload": "JOIN"}),
        Content(kind=EventKind.POSTBACK, text="Join the club", postback="JOIN"),
    ),
    "postback beside an empty message": (
        inbound(message={}, postback={"mid": "m", "title": "Join the club"}),
        Content(kind=EventKind.POSTBACK, text="Join the club"),
    ),
    "numbers for what is a text": (
        inbound(
            message={
                "mid": "m",
                "quick_reply": {"payload": 5},
                "referral": {"ref": 77},
                "reply_to": {"story": {"id": 8}},
            }
        ),
        Content(quick_reply="5", referral="77", reply_to_story="8"),
    ),
    "one attachment beside a list that is null": (
        inbound(
            message={
                "mid": "m",
                "attachments": None,
                "attachment": {"type": "image", "payload": {"url": "https://cdn/i"}},
            }
        ),
        Content(attachments=(Attachment("image", "https://cdn/i"),)),
    ),
    "referral": (
        inbound(referral={"mid": "m", "ref": "poster1", "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD"}),
        Content(kind=EventKind.REFERRAL, referral="poster1 · IGME-SOURCE-LINK"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DMS)
async def test_what_a_person_does_is_a_pending_dm_with_a_wake_up(stage: Stage, name: str, shape: str) -> None:
    item, content = DMS[name]

    answer = await stage.post(json.dumps(SHAPES[shape](item)).encode())

    assert answer.status == 200
    message = await stage.message()
    assert message.content == content
    assert (message.status, message.direction, message.mid) == (Status.PENDING, Direction.INBOUND, "m")
    assert message.id == message_id(content.kind, "m")
    assert (message.sent_at, message.created_at) == (NOW - 1_000, NOW)
    assert message.expire_at == NOW + 90 * DAY_MS
    (wake_up,) = stage.queue.wake_ups
    assert wake_up.thread_id == THREAD
    thread = (await stage.snapshot()).thread
    assert (thread.due_at, thread.last_inbound_at) == (wake_up.fire_at, NOW - 1_000)
    assert (thread.account_id, thread.user_id) == (ACCOUNT, PERSON)
    assert NOW + 5_000 <= wake_up.fire_at <= NOW + 15_000
    assert not stage.store.quarantined


IGNORED: dict[str, Json] = {
    "reaction": inbound(reaction={"mid": "m", "action": "react", "reaction": "love", "emoji": "❤️"}),
    "unreact": inbound(reaction={"mid": "m", "action": "unreact"}),
    "seen": inbound(read={"mid": "m"}),
    "delivery": inbound(delivery={"mids": ["m"]}),
    "opt-in": inbound(optin={"type": "notification_messages"}),
    "handover": inbound(pass_thread_control={"previous_owner_app_id": "111", "new_owner_app_id": "222"}),
    "take": inbound(take_thread_control={"previous_owner_app_id": "111"}),
    "request": inbound(request_thread_control={"requested_owner_app_id": "111"}),
    "app roles": {"recipient": {"id": ACCOUNT}, "timestamp": NOW, "app_roles": {"1": ["primary_receiver"]}},
    "self test": {**echo("m"), "message": {"mid": "m", "text": "hi", "is_echo": True, "is_self": True}},
    "self postback": {**inbound(postback={"mid": "m", "title": "x"}), "is_self": True},
    "note to self": {**dm("m"), "sender": {"id": ACCOUNT}},
    "edit without people": {"timestamp": NOW, "message_edit": {"mid": "m", "num_edit": 0}},
    "edit zero": inbound(message_edit={"mid": "m", "text": "x", "num_edit": 0}),
    "edit without text": inbound(message_edit={"mid": "m", "num_edit": 1}),
    "seen beside an empty message": inbound(message={}, read={"mid": "m"}),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", IGNORED)
async def test_what_needs_no_answer_is_only_counted(stage: Stage, name: str, shape: str) -> None:
    answer = await stage.post(json.dumps(SHAPES[shape](IGNORED[name])).encode())

    assert answer.status == 200
    assert not stage.store.records
    assert not stage.queue.wake_ups
    assert not stage.store.quarantined


@pytest.mark.parametrize(
    "field", ["comments", "mentions", "story_insights", "messaging_handovers", "messaging_reactions"]
)
async def test_other_fields_are_only_counted(stage: Stage, field: str) -> None:
    value = {"id": "1", "text": "nice", "from": {"id": "5", "username": "x"}, "media": {"id": "2"}}

    assert (await stage.post(json.dumps(changes(value, field=field)).encode())).status == 200
    assert not stage.store.quarantined


async def test_the_dashboards_test_button_is_understood(stage: Stage) -> None:
    body = (
        b'{"object":"instagram","entry":[{"id":"0","time":1790000000,"changes":[{"field":"messages","value":{"sender":'
        b'{"id":"12334"},"recipient":{"id":"23245"},"timestamp":"1527459824","message":{"mid":"random_mid","text":'
        b'"random_text"}}}]}]}'
    )

    assert (await stage.post(body)).status == 200

    message = await stage.message("23245_12334")
    assert (message.sent_at, message.disposition) == (1_527_459_824_000, Disposition.EXPIRED)


async def test_the_dashboards_postback_test_is_understood(stage: Stage) -> None:
    item = inbound(postback={"mid": "p", "title": "Talk to a human", "payload": "HUMAN"})

    assert (await stage.post(json.dumps(changes(item, field="messaging_postbacks")).encode())).status == 200
    assert (await stage.message()).content.postback == "HUMAN"


async def test_an_echo_field_makes_its_messages_echoes(stage: Stage) -> None:
    item = {**echo("e"), "message": {"mid": "e", "text": "from the app"}}

    assert (await stage.post(json.dumps(changes(item, field="message_echoes")).encode())).status == 200
    assert (await stage.message()).direction is Direction.HUMAN


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (NOW - 5_000, NOW - 5_000),
        (str(NOW - 5_000), NOW - 5_000),
        (NOW // 1000 - 5, (NOW // 1000 - 5) * 1000),
        (str(NOW // 1000 - 5), (NOW // 1000 - 5) * 1000),
        (NOW + 60_000, NOW),
        (10**18, NOW),
        (0, NOW),
        (-5, NOW),
        (12, NOW),
        (None, NOW),
        ("soon", NOW),
        (True, NOW),
        ([], NOW),
        ({}, NOW),
        (float("nan"), NOW),
    ],
)
async def test_times_come_in_either_unit_and_never_from_the_future(stage: Stage, given: object, read: int) -> None:
    await stage.deliver({**dm("m"), "timestamp": given})

    assert (await stage.message()).sent_at == read


@pytest.mark.parametrize("given", [{}, {"timestamp": None}, {"timestamp": "2026-11-30T01:00:00+0000"}])
@pytest.mark.parametrize("unit", [1, 1_000])
async def test_what_has_no_time_is_as_old_as_its_entry(stage: Stage, given: Json, unit: int) -> None:
    """A backlog that comes after days is not answered as if it were new."""
    item = {**{key: value for key, value in dm("m").items() if key != "timestamp"}, **given}
    entry = {"id": ACCOUNT, "time": (NOW - 2 * DAY_MS) // unit, "messaging": [item]}

    assert (await stage.post(json.dumps({"object": "instagram", "entry": [entry]}).encode())).status == 200

    message = await stage.message()
    assert message.sent_at == (NOW - 2 * DAY_MS) // unit * unit
    assert message.disposition == "expired"


@pytest.mark.parametrize(
    ("sender", "thread"),
    [(9_001, THREAD), ("9001", THREAD), ("NO.1349", f"{ACCOUNT}_NO.1349"), ("a-b", f"{ACCOUNT}_a-b")],
)
async def test_ids_are_strings_however_they_came(stage: Stage, sender: object, thread: str) -> None:
    await stage.deliver({**dm("m"), "sender": {"id": sender}})

    assert (await stage.message(thread)).mid == "m"


async def test_without_a_recipient_the_entry_names_the_account(stage: Stage) -> None:
    await stage.deliver({"sender": {"id": PERSON}, "message": {"mid": "m", "text": "hi"}})

    assert (await stage.message()).mid == "m"


async def test_texts_are_made_storable_and_cut(stage: Stage) -> None:
    await stage.deliver(dm("m", "a\0b\ud800c" + "x" * 9_000))

    text = (await stage.message()).content.text
    assert text is not None
    assert text.startswith("ab�cxxx")
    assert len(text) == 8_000


async def test_attachments_are_bounded_and_link_only_to_the_web(stage: Stage) -> None:
    links = ["javascript:alert(1)", "ftp://x/y", "https://a b/", "https://x/" + "y" * 2_050, 7, "http://ok/"]
    attachments: list[object] = [{"type": "image", "payload": {"url": link, "title": "t" * 400}} for link in links]

    await stage.deliver(dm("m", "hi", attachments=[*attachments, "odd", {"type": 5}, *attachments]))

    kept = (await stage.message()).content.attachments
    assert len(kept) == 10
    assert [attachment.url for attachment in kept[:6]] == [None] * 5 + ["http://ok/"]
    assert {len(attachment.title or "") for attachment in kept[:6]} == {300}
    assert [attachment.type for attachment in kept[6:8]] == ["unsupported", "unsupported"]


async def test_a_referral_without_an_id_is_one_dm_however_often_it_comes(stage: Stage) -> None:
    item = inbound(referral={"ref": "poster1", "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD"})

    await stage.deliver(item)
    stage.clock.now += 60_000
    await stage.deliver(item)
    assert len(await stage.messages()) == 1
    await stage.deliver({**item, "timestamp": NOW - 1})
    assert len(await stage.messages()) == 2


async def test_the_same_mid_as_message_and_as_postback_is_two_dms(stage: Stage) -> None:
    await stage.deliver(dm("same"), inbound(postback={"mid": "same", "title": "Join", "payload": "JOIN"}))

    assert len(await stage.messages()) == 2


async def test_long_mids_of_one_thread_are_told_apart(stage: Stage) -> None:
    prefix = "aWdfZAG1faXRlbToxOklHTWVzc2FnZA" * 5

    await stage.deliver(dm(prefix + "1", "one"), dm(prefix + "2", "two"))

    assert sorted(filter(None, texts(await stage.messages()))) == ["one", "two"]


@pytest.mark.parametrize(("age", "expired"), [(DAY_MS - 1, False), (DAY_MS, True), (36 * 3_600_000, True)])
async def test_a_dm_older_than_the_window_is_history_only(stage: Stage, age: int, expired: bool) -> None:
    await stage.deliver(dm("m", at=NOW - age))

    message = await stage.message()
    assert (message.disposition is Disposition.EXPIRED) == expired
    assert (message.status is Status.PROCESSED) == expired
    assert bool(stage.queue.wake_ups) != expired
    assert ((await stage.snapshot()).thread.due_at is None) == expired


async def test_standby_is_history_never_answered(stage: Stage) -> None:
    answer = await stage.post(json.dumps(standby(dm("m", "hi"), echo("e", "from the other app"))).encode())

    assert answer.status == 200
    inbound_, echoed = await stage.messages()
    assert (inbound_.status, inbound_.disposition) == (Status.PROCESSED, Disposition.STANDBY)
    assert (echoed.status, echoed.direction) == (Status.PROCESSED, Direction.HUMAN)
    snapshot = await stage.snapshot()
    assert snapshot.unprocessed == ()
    assert (snapshot.thread.due_at, snapshot.thread.paused_until) == (None, None)
    assert not stage.queue.wake_ups


async def test_an_unsend_erases_and_closes(stage: Stage) -> None:
    await stage.deliver(dm("m", "secret"))
    await stage.deliver(inbound(message={"mid": "m", "is_deleted": True}))

    message = await stage.message()
    assert message.content.is_empty
    assert (message.status, message.disposition) == (Status.PROCESSED, Disposition.UNSENT)


@pytest.mark.parametrize("unsend_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
async def test_in_any_order_an_unsent_message_stays_unsent(stage: Stage, unsend_first: bool, together: bool) -> None:
    items = [dm("m", "secret"), inbound(message={"mid": "m", "is_deleted": True})]
    if unsend_first:
        items.reverse()

    for batch in [items] if together else [[item] for item in items]:
        await stage.deliver(*batch)

    (message,) = await stage.store.history(THREAD, 10)
    assert message.content.is_empty
    assert message.disposition is Disposition.UNSENT


async def test_an_unsent_echo_is_erased_from_our_history(stage: Stage) -> None:
    await stage.deliver(echo("e", "wrong price"))
    await stage.deliver(echo("e", "", is_deleted=True))

    message = await stage.message()
    assert message.content.is_empty
    assert message.direction is Direction.HUMAN


async def test_the_latest_edit_of_a_pending_message_counts(stage: Stage) -> None:
    edits = [inbound(message_edit={"mid": "m", "text": f"text {n}", "num_edit": n}) for n in (1, 3, 2)]

    await stage.deliver(*edits, dm("m", "first"))

    message = await stage.message()
    assert message.content.text == "text 3"
    assert message.status is Status.PENDING


async def test_an_edit_before_its_message_is_put_into_it(stage: Stage) -> None:
    await stage.deliver(inbound(message_edit={"mid": "m", "text": "new", "num_edit": 1}))
    assert not stage.queue.wake_ups
    await stage.deliver(dm("m", "first"))

    message = await stage.message()
    assert (message.content.text, message.status) == ("new", Status.PENDING)
    assert len(stage.queue.wake_ups) == 1
    assert not stage.store.quarantined


async def test_an_edit_that_counts_nothing_is_an_edit(stage: Stage) -> None:
    await stage.deliver(dm("m", "first"), inbound(message_edit={"mid": "m", "text": "new", "num_edit": None}))

    assert (await stage.message()).content.text == "new"


@pytest.mark.parametrize("edit", [{"mid": "m", "text": 7}, {"mid": 7, "text": "new"}])
async def test_an_edit_whose_words_can_not_be_placed_is_kept_with_its_person(stage: Stage, edit: Json) -> None:
    await stage.deliver(inbound(message_edit=edit))

    assert len(stage.store.quarantined) == 1
    assert PERSON in stage.store.quarantined_people


async def test_an_edit_before_its_message_waits_a_day(stage: Stage) -> None:
    await stage.deliver(inbound(message_edit={"mid": "m", "text": "new", "num_edit": 1}))

    stage.clock.now += DAY_MS + 1
    while await stage.store.purge():
        pass
    await stage.deliver(dm("m", "first", at=stage.clock.now))

    assert (await stage.message()).content.text == "first"


async def test_an_edit_after_the_answer_corrects_history_and_wakes_nobody(stage: Stage) -> None:
    await stage.deliver(dm("m", "first", at=NOW - DAY_MS))
    before = await stage.snapshot()
    assert before.unprocessed == ()

    await stage.deliver(inbound(message_edit={"mid": "m", "text": "new", "num_edit": 1}))

    after = await stage.snapshot()
    assert (after.recent[0].content.text, after.recent[0].status) == ("new", Status.PROCESSED)
    assert (after.unprocessed, after.thread.due_at) == ((), None)
    assert after.thread.revision == before.thread.revision + 1
    assert not stage.queue.wake_ups


async def test_a_standby_copy_is_no_answer(stage: Stage) -> None:
    await stage.post(json.dumps(standby(dm("m", "hi"))).encode())
    await stage.deliver(dm("m", "hi"))

    snapshot = await stage.snapshot()
    assert [message.mid for message in snapshot.unprocessed] == ["m"]
    assert snapshot.thread.due_at == stage.queue.wake_ups[0].fire_at
    assert snapshot.thread.last_inbound_at == NOW - 1_000


async def test_a_standby_copy_of_a_humans_answer_is_no_takeover_but_its_own_copy_is(stage: Stage) -> None:
    await stage.post(json.dumps(standby(dm("m", "hi"), echo("e", "me here"))).encode())
    assert (await stage.snapshot()).thread.paused_until is None

    await stage.deliver(echo("e", "me here"))

    assert (await stage.snapshot()).thread.paused_until == NOW + 3_600_000


async def test_both_parties_decide_who_wrote_to_whom_not_a_flag(stage: Stage) -> None:
    mention = inbound(message={"mid": "x", "is_echo": True, "attachments": [{"type": "story_mention"}]})

    await stage.deliver(mention)

    message = await stage.message()
    assert (message.direction, message.status) == (Direction.INBOUND, Status.PENDING)
    assert (await stage.snapshot()).thread.paused_until is None
    assert await stage.store.open(f"{PERSON}_{ACCOUNT}") is None


STRANGERS: dict[str, Json] = {
    "message": {**dm("m"), "recipient": {"id": "777"}},
    "echo": {**echo("m"), "sender": {"id": "777"}},
    "postback": {**inbound(postback={"mid": "m", "title": "x"}), "recipient": {"id": "777"}},
    "tap by the account": {
        **inbound(postback={"mid": "m", "title": "x"}),
        "sender": {"id": ACCOUNT},
        "recipient": {"id": PERSON},
    },
    "no sender, no echo": {"recipient": {"id": PERSON}, "message": {"mid": "m", "text": "hi"}},
    "sender is its id": {**dm("m"), "sender": PERSON},
    "ids beside": {"sender_id": PERSON, "recipient_id": ACCOUNT, "message": {"mid": "m", "text": "hi"}},
    "a list": {"novelty": {"participants": [{"id": ACCOUNT}, {"id": PERSON}]}},
    "names of another style": {"novelty": {"userId": int(PERSON), "text": "hi"}},
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_where_neither_party_is_the_account_the_item_is_kept_with_its_person(stage: Stage, name: str) -> None:
    await stage.deliver(STRANGERS[name])

    assert not stage.store.records
    assert len(stage.store.quarantined) == 1
    assert PERSON in stage.store.quarantined_people


async def test_an_echo_without_a_sender_is_the_accounts(stage: Stage) -> None:
    await stage.deliver(
        {"recipient": {"id": PERSON}, "timestamp": NOW, "message": {"mid": "e", "is_echo": True, "text": "x"}}
    )

    assert (await stage.message()).direction is Direction.HUMAN
