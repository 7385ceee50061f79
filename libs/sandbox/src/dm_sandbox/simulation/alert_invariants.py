"""What must be true of alerts in the end, held against the manager's phone and the alarms that were raised."""

from typing import Final

from dm_core.alerts import DIGEST, Alert, AlertState
from dm_core.durations import HOUR_MS
from dm_core.store.port import StoredAlert
from dm_sandbox.simulation.instances import deployment
from dm_sandbox.simulation.manager_invariants import is_explained
from dm_sandbox.simulation.monitor import SKEW_MS
from dm_sandbox.simulation.outbox import MAX_CALLS
from dm_sandbox.simulation.world import World

URGENT: Final = 0.3
"""An urgent alert raises the alarm after this share of an ordinary one's time."""
ALLOWANCE_MS: Final = 420_000
"""How much later than promised an alarm may be: a claim (60 s), the sweep's grace and minute (120 s), a queue's backoff
and six seconds for each alert before it."""


def judge_alerts(world: World) -> None:
    """Each alert reached the phone or raised the alarm in time, by at most three calls; each status is kept."""
    stored = world.database.alerts
    for alert in world.outbox.alerts.values():
        world.journal.states[f"alert_state:{alert.state}"] += 1
        if alert.thread_id not in world.monitor.erased_at:
            _judge(world, alert, stored.get(alert.id))
    for reference, calls in world.phone.processed.items():
        if calls > MAX_CALLS:
            world.journal.wrong("calls", f"WhatsApp processed {calls} calls for the alert {reference[:12]}")
    for reference, kinds in world.meta.statuses.items():
        found = stored.get(reference)
        if found is not None and "delivered" in kinds and found.alert.delivered_at is None:
            world.journal.wrong("status", f"the alert {reference[:12]} was delivered, and that is not kept")


def _judge(world: World, alert: Alert, stored: StoredAlert | None) -> None:
    wrong, name = world.journal.wrong, f"{alert.cause} alert {alert.text[:40]!r}"
    if stored is None:
        wrong("outbox", f"the {name} is gone")
        return
    now = stored.alert
    if now.due_at is not None:
        wrong("rest", f"the {name} is still due, {now.state}, at {world.loop.time():.0f} s")
    if alert.cause == DIGEST or is_explained(world, now):
        return
    begins = now.created_at if now.is_urgent else min(now.first_due_at, now.created_at + HOUR_MS)
    alarm = deployment().processor.alerts.alarm_ms
    by = begins + alarm * (URGENT if now.is_urgent else 1) + ALLOWANCE_MS
    told_at = min((at for at in (_reached_at(world, now), _alarmed_at(world, now)) if at is not None), default=None)
    if told_at is not None and told_at <= by:
        return
    if _believed(world, now):
        world.journal.states["alert_state:believed"] += 1
    elif told_at is None:
        wrong("told", f"the {name} neither reached the phone nor raised the alarm ({now.state})")
    else:
        wrong("late", f"the {name} reached the phone, or raised the alarm, after {(told_at - begins) // 1000} s")


def _believed(world: World, alert: Alert) -> bool:
    """WhatsApp took it before any status had ever come, and no failure came since: where no statuses are subscribed
    to, its 200 has to do."""
    first = world.epoch_ms + min(world.meta.first_status_at, 10**9) * 1000
    silent = alert.state is AlertState.DELIVERED and not alert.arrived and alert.failed_at is None
    return silent and (alert.called_at or 0) < first + SKEW_MS


def _reached_at(world: World, alert: Alert) -> int | None:
    """When its words were on the phone, by themselves or in a digest; ms since 1970."""
    times = [
        world.phone.reached_at[reference]
        for reference, texts in world.phone.texts.items()
        if any(alert.text in text for text in texts)
    ]
    return min(times, default=None)


def _alarmed_at(world: World, alert: Alert) -> int | None:
    """When it, or the digest that it travels in, raised the alarm."""
    ids = [alert.id, *([alert.digest_id] if alert.state is AlertState.DIGESTED and alert.digest_id else [])]
    times = [world.journal.alarms[id_[:12]] for id_ in ids if id_[:12] in world.journal.alarms]
    return world.epoch_ms + round(min(times) * 1000) if times else None
