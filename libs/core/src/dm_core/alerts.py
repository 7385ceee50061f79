"""Alerts to the manager as values: what a human must know, stored before anything else depends on it.

    asked ─▶ WAITING ─claim▶ SENDING ─▶ SENT ─▶ DELIVERED      a status says so; 200 does while none was ever seen
                ▲               ├─▶ UNCERTAIN ─ 60 s without a status ─▶ (sent again)
                └── throttled ──┤
                                ├─▶ REFUSED                    for good: the alarm
                                └─▶ GIVEN_UP                   24 h of waiting are over: the alarm
    WAITING ─▶ DIGESTED                                        it travels in the digest that ``digest_id`` names

``due_at`` says when somebody must look at an alert again, None when nobody must.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from dm_core.durations import HOUR_MS, MINUTE_MS

Urgency = Literal["normal", "urgent"]

MAX_ALERT_CHARS: Final = 3_500
"""Longest text kept of one alert, in characters; with a person's name before it, it fits one WhatsApp message."""

MODEL: Final = "model"
"""The cause of an alert that the model asked for."""

DIGEST: Final = "digest"
"""The cause of an alert that tells several others in one."""

HANDOVER_REMINDER: Final = "handover_reminder"
"""The cause of an alert that is stored with a handover, and sent only if nobody has answered by then."""

DRAFT: Final = "draft"
"""The cause of an alert that shows what the agent would send, and asks for the manager's word. It travels alone, and
is never held back."""

JOINT_CAUSES: Final = frozenset({"expired", "failed"})
"""What an outage causes in many threads within a minute."""
JOINT_DELAY_MS: Final = MINUTE_MS
"""How long an ordinary alert of such a cause waits for the others, so that they become one digest."""


class AlertState(StrEnum):
    """How far an alert is."""

    WAITING = "waiting"  # nothing of it is under way; sent when it is due
    SENDING = "sending"  # claimed; after a crash it may have gone out
    SENT = "sent"  # WhatsApp accepted it, no status says that it arrived
    UNCERTAIN = "uncertain"  # the call may have been processed
    DELIVERED = "delivered"  # on the phone
    DIGESTED = "digested"  # part of a digest, which has the further story
    REFUSED = "refused"  # WhatsApp refused it for good
    GIVEN_UP = "given_up"  # tried for as long as it makes sense
    WITHDRAWN = "withdrawn"  # a reminder of what was done by then
    DISSOLVED = "dissolved"  # a digest that could not be sent whole; its members go on by themselves


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times in ms since 1970.

    ``thread_id`` is empty for what concerns no thread (causes, digests). ``calls`` counts the calls that WhatsApp
    processed, or may have, ``used_template`` says that one of them was the template; the last began at ``called_at``.
    ``template_next``: WhatsApp said that the window is closed; ``not_before``: no call is made earlier, though it may
    be due for its alarm. ``first_due_at`` is where the
    alarm's time begins. ``failed_wamid`` is the message a ``failed`` status was about; those in ``handled_wamids``
    have had their consequence, so that the same status twice has none.
    """

    id: str
    thread_id: str
    urgency: Urgency
    cause: str
    text: str
    created_at: int
    first_due_at: int
    due_at: int | None
    expire_at: int
    state: AlertState = AlertState.WAITING
    calls: int = 0
    used_template: bool = False
    template_next: bool = False
    not_before: int | None = None
    wamids: tuple[str, ...] = ()
    handled_wamids: tuple[str, ...] = ()
    claim_until: int | None = None
    called_at: int | None = None
    sent_at: int | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    failed_at: int | None = None
    failed_code: int | None = None
    failed_wamid: str | None = None
    alarmed_at: int | None = None
    digest_id: str | None = None

    @property
    def is_urgent(self) -> bool:
        return self.urgency == "urgent"

    @property
    def arrived(self) -> bool:
        """A status said that it is on the phone; one that says it was read implies that."""
        return self.delivered_at is not None or self.read_at is not None

    @property
    def texts(self) -> int:
        """Calls as free text that WhatsApp processed, or may have."""
        return self.calls - self.used_template

    @property
    def held_back(self) -> bool:
        """It waited for the end of its person's hour."""
        return self.cause != HANDOVER_REMINDER and self.first_due_at > self.created_at + _joint_delay(self.cause)


@dataclass(frozen=True, slots=True)
class AlertCount:
    """Ordinary alerts of a thread in the current hour. ``hour_start`` in ms since 1970."""

    hour_start: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """``per_hour``: ordinary alerts of one person. ``retention_ms``: how long an alert is kept."""

    per_hour: int = 3
    retention_ms: int = 90 * 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class AskedAlert:
    """What a run, or its end, wants the manager to know. ``key`` is stable over retries (``runId/turn/index``).

    ``hand_over``: a human must go on with the conversation. ``delay_ms``: it is due so much later, whatever the limit
    of its person's hour, in which it does not count.
    """

    key: str
    text: str
    cause: str = MODEL
    urgency: Urgency = "normal"
    hand_over: bool = False
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """One status of WhatsApp's webhook. ``kind`` decides which field is written; ``at`` in ms since 1970."""

    alert_id: str
    kind: Literal["sent", "delivered", "read", "failed"]
    at: int
    wamid: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class ManagerContact:
    """What is known of the way to the manager's phone. Times in ms since 1970, None for never.

    ``last_inbound_at``: when the manager last wrote. ``closed_at``: when WhatsApp last said that his window is closed.
    ``status_seen_at``: when a status last came, of any alert.
    """

    last_inbound_at: int | None = None
    closed_at: int | None = None
    status_seen_at: int | None = None


def alert_id(key: str) -> str:
    """The document id of the alert under this key: 64 hex digits."""
    return hashlib.sha256(f"alert/{key}".encode("utf-8", "replace")).hexdigest()


def new_alerts(
    asked: Iterable[AskedAlert], thread_id: str, count: AlertCount, now: int, limits: AlertLimits
) -> tuple[tuple[Alert, ...], AlertCount]:
    """The alerts to store with a commit of this thread, and the thread's new count.

    Ordinary ones above the limit of an hour are stored all the same, due at the hour's end; urgent ones neither wait
    nor count.
    """
    alerts: list[Alert] = []
    for each in asked:
        due_at = now + _joint_delay(each.cause)
        if each.delay_ms:
            due_at = now + each.delay_ms
        elif each.urgency == "urgent" or each.cause == DRAFT:
            due_at = now
        else:
            count = _counted(count, now)
            if count.count > limits.per_hour:
                due_at = count.hour_start + HOUR_MS + _joint_delay(each.cause)
        alerts.append(_new(each, thread_id, now, due_at, limits))
    return tuple(alerts), count


def _joint_delay(cause: str) -> int:
    return JOINT_DELAY_MS if cause in JOINT_CAUSES else 0


def cause_key(service: str, account_id: str, code: str, day: str) -> str:
    """The key of the one alert a cause raises a day; ``day`` as ``2026-11-29``."""
    return f"cause/{service}/{account_id}/{code}/{day}"


def cause_alert(asked: AskedAlert, now: int, limits: AlertLimits) -> Alert:
    """An alert that belongs to no thread and is due at once."""
    return _new(asked, "", now, now, limits)


def _new(asked: AskedAlert, thread_id: str, now: int, due_at: int, limits: AlertLimits) -> Alert:
    return Alert(
        id=alert_id(asked.key),
        thread_id=thread_id,
        urgency=asked.urgency,
        cause=asked.cause,
        text=asked.text[:MAX_ALERT_CHARS],
        created_at=now,
        first_due_at=due_at,
        due_at=due_at,
        expire_at=now + limits.retention_ms,
    )


def _counted(count: AlertCount, now: int) -> AlertCount:
    if now - count.hour_start >= HOUR_MS:
        return AlertCount(now, 1)
    return replace(count, count=count.count + 1)
