"""The operator's command beside a running system, over both stores: it sees, explains, and changes only with --yes."""

import json
from pathlib import Path

import pytest

from dm_admin.reads import Reads
from dm_core.clock import system_clock
from dm_core.durations import DAY_MS
from dm_core.messages import Direction, Status
from dm_core.processing.switches import SwitchReader
from dm_core.steering import Mode
from dm_core.store.port import Conflict, MessageChange, Store, ThreadChange
from dm_sandbox.platforms.answers import call, turn
from tests.integration.admin.operator_stage import Operator, answered, settled

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


async def fail_newest_dm(store: Store, thread_id: str) -> None:
    """Leave the thread's newest DM as its last attempt would, had it failed."""
    snapshot = await store.open(thread_id)
    assert snapshot is not None
    dm = next(message for message in reversed(snapshot.recent) if message.direction is Direction.INBOUND)
    given_up = MessageChange(dm.id, Status.FAILED, dm.updated_at + 1, error="ValueError", attempts=1)
    change = ThreadChange(thread_id, snapshot.version, "test", dm.updated_at + 1, messages=(given_up,))
    assert not isinstance(await store.commit(change), Conflict)


async def test_an_operator_sees_and_explains_and_reads_no_more_than_that_takes(operator: Operator) -> None:
    sandbox = operator.sandbox
    sam = sandbox.person("Sam Jones")
    reply = await answered(sandbox, sam, "when are the next nets?")

    threads = await operator.types("threads", "--search", "@SAM.jones", "--json")
    assert [line["id"] for line in threads.json["threads"]] == [sam.thread_id]
    assert threads.reads <= 4

    shown = await operator.types("show", "@sam.jones", "--json")
    messages = shown.json["thread"]["messages"]
    assert [(message["by"], message["outcome"]) for message in messages] == [
        ("person", "processed"),
        ("agent", "processed"),
    ]
    assert messages[1]["said"] == reply
    assert shown.reads <= 7

    why = await operator.types("why", messages[1]["id"][:12])
    assert why.code == 0
    assert "calls get_net_session_dates" in why.out
    assert "when are the next nets?" in why.out
    assert "as in this checkout" in why.out or "this is no checkout" in why.out
    assert why.reads <= 3
    by_mid = await operator.sees("why", sam.mids[0])
    assert by_mid["answer"]["run"]["messageIds"] == [messages[0]["id"]]
    assert by_mid["answer"]["run"]["usd"] > 0


async def test_figures_and_costs_read_the_active_threads_and_what_they_hold(operator: Operator) -> None:
    sandbox = operator.sandbox
    await answered(sandbox, sandbox.person("Pat Stone"), "when are the next nets?")

    figures = await operator.types("stats", "--json")
    assert figures.json["answered"] >= 1
    assert figures.json["medianAnswerSeconds"] > 0
    assert figures.reads <= figures.json["threads"] + 2 * figures.json["dms"]
    costs = await operator.types("costs", "--json")
    (today,) = costs.json["costs"]
    assert today["usd"] > 0
    assert costs.reads <= figures.json["threads"] + today["runs"]


async def test_nothing_changes_without_yes_and_each_change_is_one_line_of_the_audit(operator: Operator) -> None:
    sandbox = operator.sandbox
    bea = sandbox.person("Bea Hill")
    await answered(sandbox, bea, "when are the next nets?")

    said = await operator.does("pause", "@bea.hill", "--why", "asked by phone")
    assert said == (
        f"would {bea.thread_id}: leave it to humans until it is resumed. Nothing was changed. "
        "Type the same with --yes to do it."
    )
    view = (await operator.sees("show", bea.thread_id))["thread"]
    assert (view["pausedBy"], view["audit"]) == ("", [])

    await operator.does("pause", "@bea.hill", "--why", "asked by phone", "--yes")
    await bea.says("hello?")
    await settled(sandbox)
    assert await operator.does("reply", "@bea.hill", "pause", "--yes") == f"reply to {bea.thread_id}: Sent."
    assert sandbox.instagram.sent_to(bea.user_id)[-1] == "pause"
    await operator.does("resume", "@bea.hill", "--yes")
    assert "car park" in await answered(sandbox, bea, "where do I park?")

    view = (await operator.sees("show", bea.thread_id))["thread"]
    outcomes = [message["outcome"] for message in view["messages"] if message["by"] == "person"]
    assert outcomes == ["processed", "human", "processed"]
    assert [line["what"] for line in view["audit"]] == ["pause", "reply asked for", "reply", "resume"]
    assert view["audit"][0]["why"] == "asked by phone"
    assert view["audit"][0]["who"].startswith("admin:")
    assert all(line["expireAt"] - line["at"] == 90 * DAY_MS for line in view["audit"])


async def test_what_holds_everywhere_is_said_first_and_audited(operator: Operator) -> None:
    await operator.does("pause", "all", "--yes", "--why", "a fire")
    await operator.does("mode", "all", "off", "--yes")
    first = (await operator.does("threads", "--limit", "1")).splitlines()[:2]
    await operator.does("resume", "all", "--yes")
    await operator.does("mode", "all", "auto", "--yes")

    assert first[0].startswith("EVERYTHING is paused by admin since ")
    assert first[1] == "EVERYTHING has the mode off"
    store = operator.store()
    try:
        switches = await SwitchReader(store, system_clock).current()
        lines = await Reads(store).audit_of("")
    finally:
        await store.close()
    assert (switches.mode, switches.pause) == (Mode.AUTO, None)
    assert [(line.what, line.why) for line in lines] == [
        ("pause", "a fire"),
        ("mode off", ""),
        ("resume", ""),
        ("mode auto", ""),
    ]


async def test_what_failed_is_retried_and_answered(operator: Operator) -> None:
    sandbox = operator.sandbox
    tom = sandbox.person("Tom Reed")
    await answered(sandbox, tom, "when are the next nets?")
    store = operator.store()
    try:
        await fail_newest_dm(store, tom.thread_id)
    finally:
        await store.close()

    would = await operator.does("retry", "@tom.reed")
    assert would.startswith(f"would {tom.thread_id}: make 1 failed DMs pending again")
    assert (await operator.sees("show", tom.thread_id))["thread"]["line"]["states"] == ["failed"]

    before = len(sandbox.instagram.sent_to(tom.user_id))
    await operator.does("retry", "@tom.reed", "--yes")
    await sandbox.wait_for(lambda: len(sandbox.instagram.sent_to(tom.user_id)) > before, 60, "the answer")
    await settled(sandbox)

    assert (await operator.sees("show", tom.thread_id))["thread"]["line"]["states"] == []
    assert "nothing to retry" in await operator.is_refused("retry", "@tom.reed", "--yes")


async def test_a_handover_is_listed_until_it_is_resumed_and_its_alert_too(operator: Operator) -> None:
    sandbox = operator.sandbox
    lee = sandbox.person("Lee Park")
    handed = call("send_manager_notification", text="Wants a refund.", urgency="urgent", hand_over=True)
    sandbox.gemini.script([turn(handed, call("send_instagram_message", text="I passed that on."))])
    await answered(sandbox, lee, "I want my money back")

    listed = (await operator.sees("threads", "--handed-over"))["threads"]
    assert [(line["id"], line["states"]) for line in listed] == [(lee.thread_id, ["handed over"])]
    alerts = [each for each in (await operator.sees("alerts"))["alerts"] if each["threadId"] == lee.thread_id]
    assert {alert["cause"] for alert in alerts} == {"model", "handover_reminder"}

    await operator.does("resume", "@lee.park", "--yes")
    assert (await operator.sees("threads", "--handed-over"))["threads"] == []


async def test_a_person_is_exported_and_erased_with_a_certificate(operator: Operator, tmp_path: Path) -> None:
    sandbox = operator.sandbox
    ana, eve = sandbox.person("Ana Bell"), sandbox.person("Eve Bell")
    await answered(sandbox, ana, "when are the next nets?")
    await answered(sandbox, eve, "where do I park?")
    await operator.does("pause", "@ana.bell", "--yes")

    file = tmp_path / "ana.json"
    await operator.does("export", "@ana.bell", "--into", str(file))
    exported = json.loads(file.read_text())
    assert file.stat().st_mode & 0o077 == 0
    assert {doc["conversationId"] for doc in exported["documents"]["messages"]} == {ana.thread_id}

    dry = await operator.sees("erase", ana.user_id)
    assert dry == exported["counts"]
    assert [dry[kind] for kind in ("conversations", "messages", "runs", "audit", "limits")] == [1, 2, 1, 1, 1]
    certificate = await operator.sees("erase", ana.user_id, "--yes", "--why", "asked by DM")
    assert certificate["erased"] == dry
    assert set(certificate["left"].values()) == {0}

    assert "no thread is known" in await operator.is_refused("show", "@ana.bell")
    store = operator.store()
    try:
        deletion = await store.get_deletion(certificate["code"])
        assert await store.get_thread(eve.thread_id) is not None
    finally:
        await store.close()
    assert deletion is not None
    assert (deletion.completed_at, deletion.threads) == (certificate["completedAt"], 1)


async def test_a_quarantined_item_is_replayed_once_it_is_understood(operator: Operator) -> None:
    sandbox = operator.sandbox
    joe = sandbox.person("Joe Ward")
    now = sandbox.clock()
    parties = {"sender": {"id": joe.user_id}, "recipient": {"id": joe.account_id}, "timestamp": now}
    understood = {**parties, "message": {"mid": "m_quarantined_1", "text": "when are the next nets?"}}
    store = operator.store()
    try:
        for key, item in (("understood", understood), ("odd", {**parties, "never_seen": {"a": 1}})):
            await store.quarantine(key, json.dumps(item), "as of an older version", now, now + DAY_MS, (joe.user_id,))
    finally:
        await store.close()

    refused = await operator.is_refused("quarantine", "replay", "odd", "--yes")
    assert "still not understood (no known kind of event)" in refused
    would = await operator.does("quarantine", "replay", "understood")
    assert would.startswith("would store understood as if it had just come (InboundMessage)")
    assert sandbox.pending_wake_ups == 0

    await operator.does("quarantine", "replay", "understood", "--yes")
    await sandbox.wait_for(lambda: sandbox.instagram.sent_to(joe.user_id), 60, "the answer")
    await settled(sandbox)
    assert [item["id"] for item in (await operator.sees("quarantine", "list"))["quarantine"]] == ["odd"]


async def test_an_ambiguous_name_and_another_account_are_one_line_and_change_nothing(operator: Operator) -> None:
    sandbox = operator.sandbox
    one, two = sandbox.person("Max One", username="max"), sandbox.person("Max Two", username="max")
    await answered(sandbox, one, "when are the next nets?")
    await answered(sandbox, two, "where do I park?")

    ambiguous = await operator.is_refused("pause", "@max", "--yes")
    assert all(thread_id in ambiguous for thread_id in (one.thread_id, two.thread_id))
    elsewhere = {"INSTAGRAM_ACCOUNT_IDS": "99999999"}
    assert "not this deployment's" in await operator.is_refused("pause", one.thread_id, "--yes", extra=elsewhere)
    no_queue = {"PROCESS_MESSAGE_URL": ""}
    assert "no queue is configured" in await operator.is_refused("reply", one.thread_id, "Hi", "--yes", extra=no_queue)

    for person in (one, two):
        view = (await operator.sees("show", person.thread_id))["thread"]
        assert (view["audit"], view["line"]["states"]) == ([], [])
