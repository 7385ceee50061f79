"""An alert's way to the manager's phone: over HTTP to a WhatsApp that behaves as it pleases."""

import asyncio
from dataclasses import replace
from typing import Literal

import pytest

from dm_core.alerts import AlertState, ManagerContact
from dm_core.errors import Service, StoreUnavailable
from dm_core.threads import Profile
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.examples import claim
from dm_sandbox.inprocess import CrashPoints, InstanceDied
from tests.integration.alerts.alert_stage import PERSON, AlertStage, alarms


async def test_a_plain_alert_goes_out_once_and_arrives(stage: AlertStage) -> None:
    await stage.status_was_seen()

    alert_id = await stage.ask("Ana asks for a refund")
    await stage.run()

    alert = await stage.alert(alert_id)
    assert stage.texts == [f"Instagram …{PERSON}: Ana asks for a refund"]
    assert (alert.state, alert.calls, alert.used_template, alert.arrived) == (AlertState.SENT, 1, False, True)
    assert alert.wamids == (stage.system.whatsapp.accepted[0].id,)


async def test_a_tick_reports_what_it_did(stage: AlertStage) -> None:
    alert_id = await stage.ask("hello", announced=False)

    first = await stage.system.tick(alert_id)
    again = await stage.system.tick(alert_id)

    assert first == (200, {"status": "delivered", "alertId": alert_id})
    assert again == (200, {"status": "nothing_to_do", "alertId": alert_id})
    assert len(stage.texts) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"alertId": 7}', b'{"alertId": "a/b"}', b"not json"])
async def test_a_malformed_tick_is_ignored(stage: AlertStage, body: bytes) -> None:
    assert await stage.system.job("/alerts", body) == (200, {"status": "ignored", "alertId": ""})


async def test_a_tick_for_an_alert_that_is_gone_is_ignored(stage: AlertStage) -> None:
    assert await stage.system.tick("f" * 64) == (200, {"status": "ignored", "alertId": "f" * 64})


async def test_until_a_status_was_ever_seen_200_counts_as_delivered(
    stage: AlertStage, capsys: pytest.CaptureFixture[str]
) -> None:
    alert_id = await stage.ask("hello")
    await stage.run()

    assert (await stage.alert(alert_id)).state is AlertState.DELIVERED
    await stage.pass_seconds(3_600)
    assert (stage.calls, alarms(capsys)) == (1, [])


async def test_urgent_goes_first_and_alone(stage: AlertStage) -> None:
    for number in range(3):
        await stage.ask(f"ordinary {number}", person=f"70{number}")
    urgent = await stage.ask("ring 999", "urgent")

    await stage.system.tick((await stage.alert(urgent)).id)

    assert stage.texts == ["URGENT, Instagram …9001: ring 999"]
    await stage.run()
    assert len(stage.texts) == 4


async def test_more_than_three_ordinary_ones_become_one_digest(stage: AlertStage) -> None:
    await stage.status_was_seen()
    ids = [await stage.ask(f"ordinary {number}", person=f"70{number}") for number in range(7)]

    await stage.run()

    (text,) = stage.texts
    assert text.splitlines()[0] == "7 alerts:"
    assert all(f"…70{number}: ordinary {number}" in text for number in range(7))
    members = [await stage.alert(each) for each in ids]
    assert {member.state for member in members} == {AlertState.DIGESTED}
    digest = await stage.alert(members[0].digest_id or "")
    assert digest.arrived
    assert stage.system.whatsapp.accepted[0].reference == digest.id
    assert (digest.text, digest.thread_id) == ("7 alerts", "")


async def test_a_digest_holds_whole_alerts_only_and_the_rest_follows(stage: AlertStage) -> None:
    words = [f"alert {number}: " + "x" * 300 for number in range(6)]
    for number, text in enumerate(words):
        await stage.ask(text, person=f"70{number}")

    await stage.run()

    sent = "\n".join(stage.texts)
    assert all(text in sent for text in words)
    assert len(stage.texts) == 4  # two in a digest, which the template could carry too, until two are left


async def test_with_an_open_window_a_digest_may_be_long(stage: AlertStage) -> None:
    await stage.system.store.note_manager_contact(ManagerContact(last_inbound_at=stage.system.clock()))
    for number in range(6):
        await stage.ask("x" * 300, person=f"70{number}")

    await stage.run()

    assert len(stage.texts) == 1


async def test_what_is_held_back_of_one_person_is_one_digest_at_the_hours_end(stage: AlertStage) -> None:
    for number in range(5):
        await stage.ask(f"number {number}")
        await stage.run()
    await stage.ask("ring now", "urgent")
    await stage.run()
    assert [text.partition(": ")[2] for text in stage.texts] == ["number 0", "number 1", "number 2", "ring now"]

    await stage.pass_seconds(3_700)

    assert len(stage.texts) == 5
    assert stage.texts[4].startswith("2 alerts:")
    assert "number 3" in stage.texts[4]
    assert "number 4" in stage.texts[4]


@pytest.mark.parametrize("cause", ["model", "expired"])
@pytest.mark.parametrize("before", [70, 30, 5])
async def test_what_is_held_back_just_before_the_hours_end_is_one_digest_and_the_next_hour_has_its_own_limit(
    stage: AlertStage, before: int, cause: str
) -> None:
    for number in range(3):
        await stage.ask(f"number {number}")
    await stage.run()
    stage.system.clock.forward(3_600 - before)
    for number in range(3, 5):
        await stage.ask(f"number {number}", cause=cause)
    await stage.run()
    assert len(stage.texts) == 3

    await stage.pass_seconds(before + 130, step=1)
    for number in range(5, 9):
        await stage.ask(f"number {number}")
        await stage.run()

    assert len(stage.texts) == 3 + 1 + 3
    await stage.pass_seconds(3_700)
    assert len(stage.texts) == 3 + 1 + 3 + 1
    assert all("\n".join(stage.texts).count(f"number {number}") == 1 for number in range(9))


async def test_many_expired_ones_of_one_outage_are_one_digest_though_they_come_one_by_one(stage: AlertStage) -> None:
    for number in range(8):
        await stage.ask(f"not answered in time {number}", person=f"70{number}", cause="expired")
        stage.system.clock.forward(1)
        await stage.run()
    assert stage.texts == []

    await stage.pass_seconds(180)

    assert sum(text.count("not answered in time") for text in stage.texts) == 8
    assert len(stage.texts) <= 3


async def test_a_throttle_is_waited_out_and_counts_as_no_call(
    stage: AlertStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.system.whatsapp.trouble = "throttled"
    alert_id = await stage.ask("ring 999 now", "urgent")
    await stage.run()
    waiting = await stage.alert(alert_id)
    assert (waiting.state, waiting.calls) == (AlertState.WAITING, 0)

    await stage.pass_seconds(170)
    assert alarms(capsys) == []
    await stage.pass_seconds(3_600)
    raised = alarms(capsys)
    assert [(alarm["severity"], alarm["urgency"], alarm["reason"]) for alarm in raised] == [
        ("CRITICAL", "urgent", "undelivered")
    ]
    assert 180 <= int(str(raised[0]["ageSeconds"])) <= 300

    stage.system.whatsapp.trouble = None
    await stage.pass_seconds(600)

    assert stage.texts == ["URGENT, Instagram …9001: ring 999 now"]
    assert (await stage.alert(alert_id)).calls == 1
    assert alarms(capsys) == []


async def test_a_throttle_that_always_needs_but_a_second_more_is_no_flood(stage: AlertStage) -> None:
    stage.system.whatsapp.faults.add("throttle", times=1_000, headers={"retry-after": "1"})
    await stage.ask("ring 999 now", "urgent")
    await stage.run()

    await stage.pass_seconds(600, step=10)
    in_vain = stage.calls
    stage.system.whatsapp.faults.clear()
    await stage.pass_seconds(300)

    assert in_vain <= 20
    assert stage.texts == ["URGENT, Instagram …9001: ring 999 now"]


async def test_after_a_day_it_is_given_up(stage: AlertStage) -> None:
    stage.system.whatsapp.trouble = "throttled"
    alert_id = await stage.ask("hello")
    await stage.run()

    await stage.pass_seconds(25 * 3_600, step=600)

    alert = await stage.alert(alert_id)
    assert (alert.state, alert.due_at) == (AlertState.GIVEN_UP, None)
    assert alert.alarmed_at is not None


async def test_refused_for_good_raises_the_alarm_at_once(stage: AlertStage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.system.whatsapp.trouble = "refusing"
    alert_id = await stage.ask("hello")

    await stage.run()

    alert = await stage.alert(alert_id)
    assert (alert.state, alert.failed_code, alert.due_at) == (AlertState.REFUSED, 131026, None)
    assert alert.alarmed_at is not None
    assert [(alarm["reason"], alarm["code"]) for alarm in alarms(capsys)] == [("refused", 131026)]
    await stage.pass_seconds(3_600)
    assert stage.calls == 1
    assert alarms(capsys) == []


async def test_a_dead_token_raises_the_alarm_at_once_and_is_waited_for(
    stage: AlertStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.system.whatsapp.trouble = "token_dead"
    await stage.ask("hello")
    await stage.run()
    assert [alarm["reason"] for alarm in alarms(capsys)] == ["stopped"]

    stage.system.whatsapp.trouble = None
    await stage.pass_seconds(600)

    assert len(stage.texts) == 1


async def test_an_uncertain_call_that_a_status_confirms_is_not_made_again(stage: AlertStage) -> None:
    await stage.status_was_seen()
    stage.system.whatsapp.trouble = "uncertain"
    alert_id = await stage.ask("hello")
    await stage.run()

    await stage.pass_seconds(900)

    alert = await stage.alert(alert_id)
    assert (len(stage.texts), alert.calls, alert.arrived) == (1, 1, True)


async def test_an_uncertain_call_without_a_status_is_made_again_at_most_twice_and_once_by_template(
    stage: AlertStage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.status_was_seen()
    stage.system.whatsapp.trouble = "unprocessed"
    before = stage.calls
    alert_id = await stage.ask("hello")
    await stage.run()
    assert (stage.calls - before, (await stage.alert(alert_id)).state) == (1, AlertState.UNCERTAIN)
    await stage.pass_seconds(50, step=50)
    assert stage.calls - before == 1

    await stage.pass_seconds(3_600)

    alert = await stage.alert(alert_id)
    assert (stage.calls - before, alert.calls, alert.used_template) == (3, 3, True)
    assert [alarm["reason"] for alarm in alarms(capsys)] == ["undelivered"]
    assert alert.due_at is None


async def test_an_uncertain_call_that_was_not_processed_is_mended_by_the_next(stage: AlertStage) -> None:
    await stage.status_was_seen()
    stage.system.whatsapp.faults.add("stall", "send", seconds=0.01)
    await stage.ask("hello")
    await stage.run()

    await stage.pass_seconds(180)

    assert len(stage.texts) == 1


async def test_a_closed_window_is_answered_by_the_template_in_the_same_tick(stage: AlertStage) -> None:
    stage.system.whatsapp.windows_open = False
    alert_id = await stage.ask("Ana asks\nfor a\trefund")

    status, answer = await stage.system.tick(alert_id)

    assert (status, answer["status"]) == (200, "delivered")
    (sent,) = stage.system.whatsapp.alerts
    assert (sent.template, sent.text) == ("dm_alert", "Instagram …9001: Ana asks for a refund")
    assert (await stage.alert(alert_id)).used_template

    await stage.ask("another")
    await stage.run()
    assert (stage.system.whatsapp.count("send"), stage.system.whatsapp.count("template")) == (1, 2)


async def test_a_window_that_is_found_closed_late_is_answered_by_the_template_once(stage: AlertStage) -> None:
    await stage.status_was_seen()
    whatsapp = stage.system.whatsapp
    whatsapp.windows_open, whatsapp.finds_out_late = False, True
    alert_id = await stage.ask("hello")

    await stage.run()

    alert = await stage.alert(alert_id)
    assert [sent.template for sent in whatsapp.alerts] == ["dm_alert"]
    assert (alert.calls, alert.used_template, alert.arrived) == (2, True, True)
    assert (alert.failed_code, alert.state) == (131047, AlertState.SENT)
    again = whatsapp.statuses.item("failed", whatsapp.accepted[-2].id, "1", alert_id, 131047)
    await stage.system.whatsapp_says(whatsapp.statuses.payload(statuses=[again]))
    await stage.run()
    await stage.pass_seconds(3_600)
    assert (await stage.alert(alert_id)).calls == 2


async def test_a_digest_that_meets_a_closed_window_is_split_and_loses_none(stage: AlertStage) -> None:
    await stage.system.store.note_manager_contact(ManagerContact(last_inbound_at=stage.system.clock()))
    stage.system.whatsapp.windows_open = False
    words = [f"alert {number} " + "x" * 300 for number in range(6)]
    for number, text in enumerate(words):
        await stage.ask(text, person=f"70{number}")

    await stage.run()

    assert all(sent.template == "dm_alert" for sent in stage.system.whatsapp.alerts)
    assert all(sum(text in sent for sent in stage.texts) == 1 for text in words)


async def test_a_template_that_is_at_fault_does_not_keep_the_text_from_being_tried(stage: AlertStage) -> None:
    clock, whatsapp = stage.system.clock, stage.system.whatsapp
    await stage.system.store.note_manager_contact(ManagerContact(last_inbound_at=clock() - 25 * 3_600_000))
    whatsapp.approved["dm_alert"] = replace(whatsapp.approved["dm_alert"], status="PAUSED")
    await stage.ask("hello")

    await stage.run()

    assert [sent.template for sent in whatsapp.alerts] == [None]


async def test_a_text_that_is_at_fault_does_not_keep_the_template_from_being_tried(stage: AlertStage) -> None:
    """A closed window was refused with another code than its own
    (https://github.com/theexperiencecompany/gaia/pull/790)."""
    whatsapp = stage.system.whatsapp
    whatsapp.faults.add("error", "send", times=9, code=131009, status=400)
    await stage.ask("hello")

    await stage.run()

    assert [sent.template for sent in whatsapp.alerts] == ["dm_alert"]
    assert (whatsapp.count("send"), whatsapp.count("template")) == (1, 1)


async def test_accepted_but_never_delivered_raises_the_alarm(
    stage: AlertStage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.status_was_seen()
    stage.system.whatsapp.statuses.manner = "never"
    alert_id = await stage.ask("hello")
    await stage.run()

    await stage.pass_seconds(580)
    assert alarms(capsys) == []
    await stage.pass_seconds(120)

    assert [alarm["reason"] for alarm in alarms(capsys)] == ["undelivered"]
    alert = await stage.alert(alert_id)
    assert (alert.state, alert.calls, alert.due_at) == (AlertState.SENT, 1, None)


@pytest.mark.parametrize("manner", ["prompt", "late", "twice", "reversed"])
async def test_however_statuses_come_one_call_is_enough(
    stage: AlertStage, manner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.status_was_seen()
    stage.system.whatsapp.statuses.manner = manner  # pyright: ignore[reportAttributeAccessIssue]
    stage.system.whatsapp.statuses.late_seconds = 0.05
    alert_id = await stage.ask("hello")
    await stage.run()

    await stage.pass_seconds(1_200)

    alert = await stage.alert(alert_id)
    assert (alert.calls, alert.arrived, alert.due_at) == (1, True, None)
    assert alarms(capsys) == []


async def test_the_pair_limit_is_waited_out(stage: AlertStage) -> None:
    stage.system.whatsapp.pair_seconds = 6
    for number in range(3):
        await stage.ask(f"ordinary {number}", person=f"70{number}")
    await stage.run()

    await stage.pass_seconds(600)

    assert len(stage.texts) == 3


async def test_an_alert_whose_task_was_lost_is_found_by_the_sweep(stage: AlertStage) -> None:
    await stage.ask("hello", announced=False)

    await stage.pass_seconds(120)

    assert len(stage.texts) == 1


async def test_ticks_that_lose_their_alert_leave_it_a_tick(stage: AlertStage) -> None:
    """Every task was lost but one, which is for the least urgent."""
    ids = [await stage.ask(f"n {n}", person=f"70{n}", announced=False) for n in range(3)]
    await stage.ask("urgent", "urgent", announced=False)

    await stage.system.alert_queue.schedule(ids[2], stage.system.clock())
    await stage.run()

    assert any("n 2" in text for text in stage.texts)


async def test_a_tick_whose_next_task_can_not_be_made_is_tried_again(stage: AlertStage) -> None:
    stage.system.whatsapp.trouble = "throttled"
    alert_id = await stage.ask("hello", announced=False)
    stage.system.alert_queue.down = True

    status, answer = await stage.system.tick(alert_id)

    assert (status, answer["error"]) == (500, "QueueUnavailable: switched off by the test")


async def test_the_name_comes_from_the_thread_or_the_platform_and_hides_nothing(stage: AlertStage) -> None:
    ana = stage.system.person(name="\u202eanA \u200b\x07 Bo\u2066wls", username="")
    await ana.says("hello")
    bob = stage.system.person("9002", "Bob", "bob")
    await bob.says("hello")
    snapshot = await stage.system.store.open(bob.thread_id)
    assert snapshot is not None
    await stage.system.store.commit(replace(claim(snapshot, "r1"), profile=Profile("Bob", "bob.b", 1)))

    await stage.ask("one", person=ana.user_id)
    await stage.ask("two", person=bob.user_id)
    await stage.run()

    assert stage.texts == ["Instagram anA Bowls: one", "Instagram @bob.b: two"]


async def test_a_profile_that_can_not_be_read_costs_no_alert(stage: AlertStage) -> None:
    stage.system.instagram.faults.add("stall", "profile", times=5, seconds=30)
    await stage.ask("hello")

    await stage.run()

    assert stage.texts == ["Instagram …9001: hello"]


async def test_erasing_the_person_takes_the_words_out_of_a_digest_that_waits(stage: AlertStage) -> None:
    stage.system.whatsapp.trouble = "throttled"
    people = [stage.system.person(f"70{n}") for n in range(4)]
    for person in people:
        await person.says("hello")
        await stage.ask(f"about {person.user_id}", person=person.user_id)
    await stage.run()
    assert stage.texts == []

    await stage.system.store.erase_person("702")
    stage.system.whatsapp.trouble = None
    await stage.pass_seconds(400)

    (text,) = stage.texts
    assert "about 702" not in text
    assert text.startswith("3 alerts:")


async def test_the_managers_own_message_opens_his_window(stage: AlertStage) -> None:
    stage.system.tell_statuses()
    assert await stage.system.whatsapp.says(MANAGER_NUMBER, "thanks") is not None

    contact = await stage.system.store.manager_contact()
    assert contact.last_inbound_at is not None


async def test_a_cause_is_told_once_a_day(stage: AlertStage) -> None:
    alerts = stage.system.instance().sweeper.alerts

    first = [await alerts.cause_alert(Service.INSTAGRAM, "178414", "190", "2026-11-29") for _ in range(3)]
    await stage.run()

    assert first == [True, False, False]
    assert len(stage.texts) == 1
    assert "Instagram refuses this account (190)" in stage.texts[0]


async def test_a_database_that_fails_during_a_tick_is_a_500_and_the_alert_still_arrives(
    stage: AlertStage,
) -> None:
    for when in ("before", "after"):
        for at in range(1, 8):
            for error in (StoreUnavailable, None):
                stage.system.whatsapp.accepted.clear()
                points = CrashPoints(at=at, when=when, error=error)
                alert_id = await stage.ask(f"{when} {at} {error}", person=f"8{at}")
                app = stage.system.instance(points)
                try:
                    await stage.system.tick(alert_id, app)
                except InstanceDied:
                    assert points.struck
                await stage.pass_seconds(400)
                assert 1 <= len(stage.texts) <= 2, (when, at, points.struck)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [2, 4])
async def test_a_save_that_failed_or_whose_answer_was_lost_delays_and_doubles_nothing(
    stage: AlertStage, at: int, when: Literal["before", "after"]
) -> None:
    points = CrashPoints(at=at, when=when, error=StoreUnavailable)
    alert_id = await stage.ask("hello", announced=False)

    assert (await stage.system.tick(alert_id, stage.system.instance(points)))[1]["status"] == "delivered"

    assert points.struck == "store.save_alert"
    await stage.pass_seconds(400)
    assert len(stage.texts) == 1


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 4])
async def test_an_outage_of_the_store_delays_alerts_no_longer_than_it_lasts_and_doubles_none(
    stage: AlertStage, at: int, when: Literal["before", "after"], together: int
) -> None:
    """More than three ``together`` are a digest."""
    points = CrashPoints(at=at, when=when, error=StoreUnavailable, lasting=True)
    ids = [await stage.ask(f"n {n}", person=f"70{n}", announced=False) for n in range(together)]
    app = stage.system.instance(points)
    assert (await stage.system.tick(ids[0], app))[0] == 500 or points.struck is None

    points.at = 0
    await stage.system.tick(ids[0], app)

    assert len(stage.texts) == 1
    await stage.pass_seconds(400)
    assert len(stage.texts) == 1
    assert {(await stage.alert(each)).due_at for each in ids} == {None}


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 6))
async def test_a_tick_that_sleeps_at_any_call_repeats_nothing_that_another_has_told(
    stage: AlertStage, at: int, when: Literal["before", "after"], together: int
) -> None:
    await stage.status_was_seen()
    ids = [await stage.ask(f"n {n}", person=f"70{n}", announced=False) for n in range(together)]

    points = CrashPoints(at=at, when=when, meanwhile=lambda: stage.pass_seconds(180))
    await stage.system.tick(ids[0], stage.system.instance(points))
    await stage.pass_seconds(700, step=100)

    told = "\n".join(stage.texts)
    once = 2 if points.struck == "whatsapp.send_text" and when == "before" else 1
    assert all(1 <= told.count(f"n {n}") <= once for n in range(together))
    assert {(await stage.alert(each)).due_at for each in ids} == {None}


async def test_a_tick_that_comes_a_little_early_is_followed_by_another(stage: AlertStage) -> None:
    """The queue's clock is ahead of this instance's."""
    alert_id = await stage.ask("hello", cause="expired", announced=False)

    assert (await stage.system.tick(alert_id))[1]["status"] == "nothing_to_do"

    ((named, at),) = stage.system.alert_queue.ticks
    assert (named, at) == (alert_id, (await stage.alert(alert_id)).due_at)
    stage.system.clock.forward(59.5)
    assert (await stage.system.tick(alert_id))[1]["status"] == "delivered"


@pytest.mark.parametrize("behind", [3, 30, 60])
async def test_a_tick_that_comes_to_an_instance_behind_is_followed_by_one_of_another_name(
    stage: AlertStage, behind: int
) -> None:
    alert_id = await stage.ask("hello", cause="expired")
    due_at = (await stage.alert(alert_id)).due_at
    assert due_at is not None
    stage.system.clock.forward((due_at - stage.system.clock()) / 1000 - behind)

    assert (await stage.system.tick(alert_id))[1]["status"] == "nothing_to_do"

    _, (named, at) = stage.system.alert_queue.ticks
    assert named == alert_id
    assert due_at < at <= due_at + behind * 1_000
    stage.system.clock.forward((at - due_at) / 1000)
    assert (await stage.system.tick(alert_id))[1]["status"] == "delivered"


async def test_two_ticks_at_once_send_two_alerts_and_none_twice(stage: AlertStage) -> None:
    ids = [await stage.ask(f"n {n}", person=f"70{n}", announced=False) for n in range(2)]

    await asyncio.gather(*(stage.system.tick(alert_id) for alert_id in (*ids, *ids)))
    await stage.run()

    assert sorted(text[-3:] for text in stage.texts) == ["n 0", "n 1"]


async def test_a_tick_beside_one_that_is_calling_leaves_its_alert_alone(stage: AlertStage) -> None:
    stage.system.whatsapp.faults.add("delay", "send", seconds=0.5)
    alert_id = await stage.ask("hello", announced=False)

    await asyncio.gather(*(stage.system.tick(alert_id) for _ in range(3)))
    await stage.run()

    assert len(stage.texts) == 1


async def test_thirty_waiting_and_an_urgent_one_comes_next(stage: AlertStage) -> None:
    stage.system.whatsapp.trouble = "throttled"
    for number in range(30):
        await stage.ask(f"ordinary {number}", person=f"7{number:02}")
    await stage.run()
    stage.system.whatsapp.trouble = None
    stage.system.clock.forward(400)

    urgent = await stage.ask("ring 999", "urgent", announced=False)
    await stage.system.tick(urgent)

    assert [text.partition(": ")[2] for text in stage.texts] == ["ring 999"]
    await stage.pass_seconds(1_200)
    assert all(sum(f"ordinary {n}\n" in f"{text}\n" for text in stage.texts) == 1 for n in range(30))


async def test_a_wait_that_whatsapp_asks_for_is_kept_though_the_alarm_comes_first(
    stage: AlertStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.system.whatsapp.faults.add("throttle", "send", wait_minutes=50)
    await stage.ask("hello")
    await stage.run()

    await stage.pass_seconds(45 * 60)

    assert (stage.calls, [alarm["reason"] for alarm in alarms(capsys)]) == (1, ["undelivered"])
    await stage.pass_seconds(10 * 60)
    assert len(stage.texts) == 1


async def test_a_failure_that_comes_before_the_answer_of_its_call_is_not_lost(stage: AlertStage) -> None:
    await stage.status_was_seen()
    whatsapp = stage.system.whatsapp
    whatsapp.windows_open, whatsapp.finds_out_late = False, True
    whatsapp.faults.add("stall_after", "send", seconds=0.3)
    alert_id = await stage.ask("hello")

    await stage.run()

    alert = await stage.alert(alert_id)
    assert [sent.template for sent in whatsapp.alerts] == ["dm_alert"]
    assert (alert.calls, alert.arrived) == (2, True)


async def test_a_failure_of_a_message_nobody_knew_has_its_consequence_once(stage: AlertStage) -> None:
    """The text's answer was lost, so its id is known from its failure only."""
    await stage.status_was_seen()
    whatsapp = stage.system.whatsapp
    whatsapp.windows_open, whatsapp.finds_out_late = False, True
    whatsapp.faults.add("stall_after", "send", seconds=0.3)
    alert_id = await stage.ask("hello")
    await stage.run()
    whatsapp.statuses.manner = "never"
    other = await stage.system.store.get_alert(alert_id)
    assert other is not None
    unconfirmed = replace(other.alert, delivered_at=None, read_at=None)
    await stage.system.store.save_alert(unconfirmed, other.version)

    again = whatsapp.statuses.item("failed", whatsapp.accepted[0].id, "1", alert_id, 131047)
    assert await stage.system.whatsapp_says(whatsapp.statuses.payload(statuses=[again])) == 200
    await stage.run()

    assert (await stage.alert(alert_id)).state is AlertState.SENT
