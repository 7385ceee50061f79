"""What must be true of the manager's messages, of drafts and of handovers in the end."""

from collections import defaultdict
from itertools import pairwise

from dm_core.alerts import HANDOVER_REMINDER, Alert, AlertState, alert_id
from dm_core.durations import MINUTE_MS
from dm_core.outbox import OutboxItem, OutboxState
from dm_core.processing.outbox.drafts import RELEASED
from dm_core.processing.outbox.order import UNREAD_MS
from dm_core.processing.steering import reminder_key
from dm_core.runs import ActionState
from dm_sandbox.simulation.instances import TAKEOVER_MINUTES
from dm_sandbox.simulation.manager import Wrote
from dm_sandbox.simulation.monitor import SKEW_MS
from dm_sandbox.simulation.schedule import FaultKind as D
from dm_sandbox.simulation.world import World

_BAD_NEWS = ("draft_not_sent", "uncertain", "expired", "failed", "refused", "handed_over")


def judge_manager(world: World) -> None:
    """Each message was kept, seen to, answered, and what it sends went out as often as its sender was told."""
    for wrote in world.manager.wrote:
        if wrote.acknowledged_at is None:
            continue
        item = world.database.outbox.get(wrote.item_id)
        if item is None:
            if not world.monitor.erased_at:
                world.journal.wrong("lost", f"{wrote.text!r} of the manager was acknowledged and is gone")
            continue
        world.journal.states[f"item:{wrote.kind}:{item.state}"] += 1
        _judge(world, wrote, item)
    _in_order(world)
    _handed_over(world)
    for thread_id, handovers in world.monitor.handovers.items():
        if thread_id not in world.monitor.erased_at:
            for key, since in handovers.items():
                _reminded(world, thread_id, key, since)


def _judge(world: World, wrote: Wrote, item: OutboxItem) -> None:
    wrong = world.journal.wrong
    if item.due_at is not None:
        wrong("rest", f"{wrote.text!r} of the manager is still {item.state} at {world.loop.time():.0f} s")
        return
    heard = item.id in world.phone.answers or item.id[:12] in world.journal.alarms
    if (item.answer or not item.thread_id) and not heard:  # what belongs to no thread is forgotten once it is told
        wrong("told", f"the manager was never told what became of {wrote.text!r}")
    if wrote.kind == "reply":
        judge_reply(world, wrote.text, item)
    elif item.answer == RELEASED and item.thread_id not in world.monitor.erased_at:
        _released(world, wrote, item)


def judge_reply(world: World, text: str, item: OutboxItem) -> None:
    """A reply goes out once where the manager is told so, never where not; of an uncertain one nobody knows."""
    happened = sum(effect.text == text for effect in world.platforms.effects)
    if item.state is OutboxState.DONE and item.actions and happened != 1:
        world.journal.wrong("sent", f"{text!r} is told as sent and went out {happened} times")
    erased = not item.thread_id and bool(world.monitor.erased_at)  # with its item: delivered again, it is new
    if item.state is OutboxState.REFUSED and happened and not world.journal.faults[D.DENIED] and not erased:
        world.journal.wrong("sent", f"{text!r} is told as not sent ({item.answer}) and went out")
    if item.state is OutboxState.DONE and item.actions and item.thread_id not in world.monitor.erased_at:
        _takes_over(world, item)
    if happened > 1:
        world.journal.wrong("twice", f"{text!r} of the manager went out {happened} times")


def _in_order(world: World) -> None:
    """What the manager writes to a person reaches them after what they had written before, once that was here."""
    sent: dict[str, list[tuple[Wrote, int]]] = defaultdict(list)
    for wrote in world.manager.wrote:
        item = world.database.outbox.get(wrote.item_id)
        at = next((effect.at for effect in world.platforms.effects if effect.text == wrote.text), None)
        if wrote.kind == "reply" and item is not None and item.state is OutboxState.DONE and at is not None:
            sent[item.thread_id].append((wrote, at))
    for replies in sent.values():
        for (wrote, at), (after, later) in pairwise(replies):
            here = wrote.acknowledged_at is not None and wrote.acknowledged_at <= after.at
            if here and later < at < wrote.at + UNREAD_MS and after.at // 1000 > wrote.at // 1000:
                world.journal.wrong("order", f"{after.text!r} of the manager went out before {wrote.text!r}")


def _takes_over(world: World, item: OutboxItem) -> None:
    """The agent keeps quiet after it, unless somebody said ``resume``."""
    thread = world.database.threads.get(item.thread_id)
    began = min((action.started_at or action.ended_at or 0) for action in item.actions)
    until = (thread.paused_until if thread is not None else None) or 0
    resumed = any(each.text.strip().lower() == "resume" for each in world.manager.wrote)
    if until < began + TAKEOVER_MINUTES * MINUTE_MS - 2 * SKEW_MS - 600_000 * _slept(world) and not resumed:
        world.journal.wrong("pause", "the manager wrote to a person, and the agent does not pause")


def _slept(world: World) -> bool:
    return any(world.journal.faults[kind] for kind in (D.FREEZE_BEFORE, D.FREEZE_AFTER, D.SLOW, D.LATE))


def _released(world: World, wrote: Wrote, item: OutboxItem) -> None:
    """A released draft went out, or the manager was told that it did not, or may not have."""
    runs = [run for run in world.monitor.archives.values() if run.draft and run.draft.item_id == item.id]
    sends = [a for run in runs for a in run.actions if run.draft and a.turn == run.draft.turn and a.target is None]
    if runs and all(action.state is ActionState.DONE for action in sends):
        return
    if not runs and _went_out(world, wrote, item):
        return  # its run went on, and knows its newest draft only
    news = (a for a in world.outbox.alerts.values() if a.thread_id == item.thread_id and a.created_at >= wrote.at)
    if not any(alert.cause in _BAD_NEWS for alert in news):
        world.journal.wrong("released", f"{wrote.text!r}: the draft was released, did not go out, and nobody was told")


def _went_out(world: World, wrote: Wrote, item: OutboxItem) -> bool:
    """The very words that the manager was shown, or wrote in their place, reached that person afterwards."""
    person, draft = world.ledger.person_of(item.thread_id), world.outbox.alerts.get(wrote.alert_id)
    shown = draft.text if draft is not None else ""
    return any(
        effect.user_id == person.user_id
        and effect.at >= wrote.at
        and (effect.text == wrote.text or f"“{effect.text}”" in shown)
        for effect in world.platforms.effects
    )


def _handed_over(world: World) -> None:
    """What the model passed on is handed over once its run has ended, unless a human was there by then."""
    known = {key for handovers in world.monitor.handovers.values() for key in handovers}
    for run in world.monitor.archives.values():
        asked = [alert.key for alert in run.alerts if alert.hand_over]
        if asked and run.ending not in (None, "human", "dropped") and run.script is None and not known & set(asked):
            closed = run.ending in ("off", "stopped", "expired", "unsent", "failed")
            if not closed:
                world.journal.wrong("handover", f"run {run.id} passed its person on, and that is not kept")


def _reminded(world: World, thread_id: str, key: str, since: int) -> None:
    """Every handover is reminded of, or was released before: by a human's words, by ``done``, or by a later one."""
    reminder = world.outbox.alerts.get(alert_id(reminder_key(key)))
    if reminder is None:
        world.journal.wrong("handover", f"{thread_id} was handed over, and nobody will be reminded of it")
    elif reminder.state is AlertState.WITHDRAWN and not was_released(world, thread_id, key, since):
        world.journal.wrong("handover", f"the reminder of {thread_id} was withdrawn, and nobody had seen to it")


def was_released(world: World, thread_id: str, key: str, since: int) -> bool:
    """Somebody answered the person, or said that it is done; or another handover came, which has its own reminder."""
    thread = world.database.threads.get(thread_id)
    now = thread.steering.handover if thread is not None else None
    person = world.ledger.person_of(thread_id)
    sent = (effect.at for effect in world.platforms.effects if effect.text in person.human_texts)
    answered = any(at >= since - 5_000 for at in (*person.human_at, *sent))
    return answered or now is None or now.key != key


def is_explained(world: World, alert: Alert) -> bool:
    """An alert that ended unsent, as it should."""
    if alert.state is not AlertState.WITHDRAWN:
        return False
    return alert.cause == HANDOVER_REMINDER or not world.is_shown_draft(alert)
