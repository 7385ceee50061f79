"""Alerts to the manager and quarantined items, as an operator sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dm_admin.reads import Quarantined, Reads
from dm_core.alerts import Alert, AlertState

OVER: Final = frozenset(
    {AlertState.DELIVERED, AlertState.DIGESTED, AlertState.WITHDRAWN, AlertState.DISSOLVED, AlertState.SENT}
)
"""Nobody has to do anything about an alert that is one of these."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """``cause``: the model, what gave up, or the service and code that a person must mend. ``open``: it has not reached
    the manager. ``thread_id`` empty: it is about no conversation."""

    id: str
    thread_id: str
    urgency: str
    cause: str
    text: str
    state: str
    open: bool
    created_at: int
    due_at: int | None
    calls: int
    sent_at: int | None
    delivered_at: int | None
    read_at: int | None
    failed_at: int | None
    failed_code: int | None
    alarmed_at: int | None
    digest_id: str | None


@dataclass(frozen=True, slots=True)
class QuarantinedView:
    """A piece of a webhook that was not understood. ``raw`` as it came, cut where it was long."""

    id: str
    created_at: int
    reason: str
    chars: int
    user_ids: tuple[str, ...]
    raw: str


def alert_view(alert: Alert) -> AlertView:
    """One alert."""
    return AlertView(
        id=alert.id,
        thread_id=alert.thread_id,
        urgency=alert.urgency,
        cause=alert.cause,
        text=alert.text,
        state=alert.state,
        open=alert.state not in OVER and not alert.arrived,
        created_at=alert.created_at,
        due_at=alert.due_at,
        calls=alert.calls,
        sent_at=alert.sent_at,
        delivered_at=alert.delivered_at,
        read_at=alert.read_at,
        failed_at=alert.failed_at,
        failed_code=alert.failed_code,
        alarmed_at=alert.alarmed_at,
        digest_id=alert.digest_id,
    )


async def alerts(reads: Reads, limit: int = 30) -> tuple[AlertView, ...]:
    """The newest alerts, the latest first. As many documents read."""
    return tuple(map(alert_view, await reads.newest_alerts(limit)))


async def quarantined(reads: Reads, limit: int = 30) -> tuple[QuarantinedView, ...]:
    """The newest quarantined items, the latest first. As many documents read."""
    return _views(await reads.newest_quarantined(limit))


def _views(items: Sequence[Quarantined]) -> tuple[QuarantinedView, ...]:
    return tuple(
        QuarantinedView(item.id, item.created_at, item.reason, len(item.raw), item.user_ids, item.raw) for item in items
    )
