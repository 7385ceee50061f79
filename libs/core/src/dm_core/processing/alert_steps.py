"""What is to be done about an alert, and what a call's outcome makes of it: decisions only, no call is made here.

                 due              claim               outcome
    WAITING ─────────▶ next_step ───────▶ SENDING ──────────────▶ SENT, DELIVERED   due for the alarm, or never again
       ▲                                     │  throttled, stopped ▶ WAITING        due after the wait; the call is
       │                                     │                                      taken off the count
       │                                     │  may have happened  ▶ UNCERTAIN      due when a status should be there
       └─── a window found closed ◀──────────┘  refused for good   ▶ REFUSED        and the alarm

A crash in SENDING leaves ``due_at`` at the claim's end: then it may have gone out, and is looked at as UNCERTAIN is.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dm_core.alerts import Alert, AlertState, ManagerContact
from dm_core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from dm_core.errors import AccountStopped, Owner, PlatformError, RetryLater, Unreachable
from dm_core.messages import WINDOW_MS

CLAIM_MS: Final = MINUTE_MS
"""How long a claim holds: longer than a tick may take, and as long as an uncertain call waits for a status."""
STATUS_MS: Final = MINUTE_MS
"""An uncertain call that no status has confirmed after this time is made again."""
GIVE_UP_MS: Final = DAY_MS
"""How long an alert is tried, from when it was first due."""
MAX_TEXTS: Final = 2
"""Most calls as free text that WhatsApp may have processed. Of the template there is one."""
OUTSIDE_WINDOW: Final = 131047

_URGENT_ALARM: Final = 0.3
"""An urgent alert raises the alarm after this share of an ordinary one's time: 3 minutes of 10."""
_SHORTEST_WAIT_MS: Final = 15_000
_LONGEST_WAIT_MS: Final = 300_000
_LONGEST_TOLD_WAIT_MS: Final = HOUR_MS
_CLOSED_MS: Final = 6 * HOUR_MS
"""For so long a closed window is believed to be closed, unless the manager is heard."""
_CLOCK_MS: Final = 5_000
"""WhatsApp's times are whole seconds of another clock."""
_TRANSIENT: Final = frozenset({1, 2, 4, 613, 80007, 130429, 131000, 131016, 131056, 131057})
"""Codes of a ``failed`` status that the same message may overcome (docs/platforms/whatsapp.md#codes)."""


class Kind(StrEnum):
    """What to do."""

    TEXT = "text"
    TEMPLATE = "template"
    REST = "rest"  # no call: store the alert as the step has it


@dataclass(frozen=True, slots=True)
class AlertRules:
    """``alarm_ms``: after how long an ordinary alert raises the alarm. ``template``: one is configured."""

    alarm_ms: int
    template: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about an alert, and the alert as it is from here on.

    ``alarm``: why an alarm is due (it is raised before ``alarmed_at`` is stored), None when none is.
    """

    kind: Kind
    alert: Alert
    alarm: str | None = None


def is_held(alert: Alert, now: int) -> bool:
    """Another tick has it."""
    return alert.claim_until is not None and now < alert.claim_until


def window_is_open(contact: ManagerContact, now: int) -> bool:
    """It is known that the manager can be written to freely."""
    last, closed = contact.last_inbound_at, contact.closed_at
    return last is not None and now - last < WINDOW_MS and (closed is None or closed < last)


def window_is_closed(contact: ManagerContact, now: int) -> bool:
    """It is known that only the template can reach the manager."""
    last, closed = contact.last_inbound_at, contact.closed_at
    if last is not None and now - last < WINDOW_MS:
        return closed is not None and closed >= last
    return last is not None or (closed is not None and now - closed < _CLOSED_MS)


def next_step(alert: Alert, contact: ManagerContact, now: int, rules: AlertRules) -> Step:
    """What a tick does about an alert that is due and that nobody holds."""
    alert = _settled(_with_failure(alert, now, rules), now)
    if alert.state in (AlertState.WAITING, AlertState.UNCERTAIN):
        if now - alert.first_due_at >= GIVE_UP_MS:
            alert = replace(alert, state=AlertState.GIVEN_UP)
        elif (kind := _call(alert, contact, now, rules)) is not None:
            alarm = _alarm(alert, now, rules)
            if alert.not_before is None or now >= alert.not_before:
                return Step(kind, alert, alarm)
            told = alarm is not None or alert.alarmed_at is not None
            due_at = alert.not_before if told else min(alert.not_before, alarm_at(alert, rules))
            return Step(Kind.REST, replace(alert, due_at=due_at, claim_until=None), alarm)
    return Step(Kind.REST, _rested(alert, now, rules), _alarm(alert, now, rules))


def claimed(alert: Alert, kind: Kind, now: int) -> Alert:
    """The alert as it is stored before the call; the call counts from here on, whatever becomes of this instance."""
    return replace(
        alert,
        state=AlertState.SENDING,
        calls=alert.calls + 1,
        used_template=alert.used_template or kind is Kind.TEMPLATE,
        called_at=now,
        not_before=None,
        claim_until=now + CLAIM_MS,
        due_at=now + CLAIM_MS,
    )


def accepted(alert: Alert, wamid: str, contact: ManagerContact, now: int, rules: AlertRules) -> Step:
    """WhatsApp answered 200. Until a status has ever come, that has to do for a delivery."""
    awaited = contact.status_seen_at is not None and not alert.arrived
    state = AlertState.SENT if awaited else AlertState.DELIVERED
    alert = replace(alert, state=state, wamids=(*alert.wamids, wamid), template_next=False)
    return _left(alert, now, rules)


def failed(alert: Alert, kind: Kind, error: Exception, now: int, rules: AlertRules) -> Step:
    """A call that did not succeed; ``error`` says whose fault it was."""
    if is_outside_window(error):
        return _closed_window(alert, kind, now, rules)
    if isinstance(error, RetryLater | AccountStopped):
        alert = replace(alert, calls=alert.calls - 1, used_template=alert.used_template and kind is not Kind.TEMPLATE)
        step = _left(replace(alert, state=AlertState.WAITING), now, rules, now + _wait_ms(alert, error, now))
        stopped = isinstance(error, AccountStopped) and alert.alarmed_at is None
        return replace(step, alarm="stopped") if stopped else step
    if isinstance(error, PlatformError) and _is_refusal(error):
        if kind is Kind.TEMPLATE and alert.texts == 0:  # the template is at fault, the window may be open after all
            return _left(replace(alert, state=AlertState.WAITING, template_next=False), now, rules, now)
        if kind is Kind.TEXT and error.owner is Owner.REQUEST and rules.template and not alert.used_template:
            return _left(replace(alert, state=AlertState.WAITING, template_next=True), now, rules, now)
        return _left(replace(alert, state=AlertState.REFUSED, failed_code=error.code), now, rules)
    return _left(replace(alert, state=AlertState.UNCERTAIN), now, rules, now + STATUS_MS)


def is_outside_window(error: BaseException) -> bool:
    """The manager has not written for 24 hours."""
    if isinstance(error, Unreachable) and error.window:
        return True
    return isinstance(error, PlatformError) and error.code == OUTSIDE_WINDOW


def alarm_at(alert: Alert, rules: AlertRules) -> int:
    """When an alert that has not arrived raises the alarm, in ms since 1970."""
    return alert.first_due_at + round(rules.alarm_ms * (_URGENT_ALARM if alert.is_urgent else 1))


def _has_failure(alert: Alert) -> bool:
    """A ``failed`` status has come that has had no consequence."""
    unhandled = alert.failed_at is not None and alert.failed_wamid not in (None, *alert.handled_wamids)
    return unhandled and not alert.arrived


def _with_failure(alert: Alert, now: int, rules: AlertRules) -> Alert:
    """The consequence of a ``failed`` status; one of an earlier message has none."""
    if not _has_failure(alert):
        return alert
    wamid = alert.failed_wamid or ""
    alert = replace(alert, handled_wamids=(*alert.handled_wamids, wamid))
    if alert.state is AlertState.DIGESTED or (wamid in alert.wamids and wamid != alert.wamids[-1]):
        return alert
    if alert.failed_code == OUTSIDE_WINDOW and rules.template and not alert.used_template:
        return replace(alert, state=AlertState.WAITING, template_next=True, not_before=None)
    if alert.failed_code in _TRANSIENT and alert.texts < MAX_TEXTS:
        return replace(alert, state=AlertState.WAITING, not_before=now + STATUS_MS)
    return replace(alert, state=AlertState.REFUSED)


def _settled(alert: Alert, now: int) -> Alert:
    """The state that the statuses and the clock make of the stored one."""
    if alert.arrived and alert.state is not AlertState.DIGESTED:
        return replace(alert, state=AlertState.DELIVERED)
    if alert.state is AlertState.SENDING:  # whoever claimed it did not come back
        alert = replace(alert, state=AlertState.UNCERTAIN)
    confirmed = alert.sent_at is not None and alert.sent_at >= (alert.called_at or now) - _CLOCK_MS
    return replace(alert, state=AlertState.SENT) if alert.state is AlertState.UNCERTAIN and confirmed else alert


def _call(alert: Alert, contact: ManagerContact, now: int, rules: AlertRules) -> Kind | None:
    """The next call, if one is left."""
    text, template = alert.texts < MAX_TEXTS, rules.template and not alert.used_template
    if template and (alert.template_next or window_is_closed(contact, now) or not text):
        return Kind.TEMPLATE
    return Kind.TEXT if text else None


def _closed_window(alert: Alert, kind: Kind, now: int, rules: AlertRules) -> Step:
    if rules.template and not alert.used_template and kind is Kind.TEXT:
        return _left(replace(alert, state=AlertState.WAITING, template_next=True), now, rules, now)
    return _left(replace(alert, state=AlertState.REFUSED, failed_code=OUTSIDE_WINDOW), now, rules)


def _is_refusal(error: PlatformError) -> bool:
    return error.owner.value in ("person", "request")


def _wait_ms(alert: Alert, error: PlatformError, now: int) -> int:
    """A quarter of the time since the alert was first due, so that it doubles in three steps, or the service's own wait
    if that is longer."""
    own = min(max((now - alert.first_due_at) // 4, _SHORTEST_WAIT_MS), _LONGEST_WAIT_MS)
    told = round(1000 * (error.wait_seconds or 0)) if isinstance(error, RetryLater) else 0
    return max(own, min(told, _LONGEST_WAIT_MS if alert.is_urgent else _LONGEST_TOLD_WAIT_MS))


def _left(alert: Alert, now: int, rules: AlertRules, due_at: int | None = None) -> Step:
    """The alert as it is stored after a call: nobody holds it, and it is due for its next try or its alarm."""
    alert = replace(alert, claim_until=None, not_before=due_at)
    if _has_failure(alert):
        alert = replace(alert, due_at=now)
    elif due_at is None:
        alert = _rested(alert, now, rules)
    else:
        alert = replace(alert, due_at=due_at if alert.alarmed_at else min(due_at, max(now, alarm_at(alert, rules))))
    return Step(Kind.REST, alert, _alarm(alert, now, rules))


def _rested(alert: Alert, now: int, rules: AlertRules) -> Alert:
    """Nothing is left to be done, but perhaps an alarm for what has not arrived."""
    awaited = alert.state in (AlertState.SENT, AlertState.UNCERTAIN, AlertState.WAITING)
    if not awaited:
        return replace(alert, due_at=None, claim_until=None)
    at = alarm_at(alert, rules)
    if alert.alarmed_at is None and now < at:
        return replace(alert, due_at=at, claim_until=None)
    state = AlertState.SENT if alert.state is AlertState.SENT else AlertState.GIVEN_UP
    return replace(alert, state=state, due_at=None, claim_until=None)


def _alarm(alert: Alert, now: int, rules: AlertRules) -> str | None:
    """Why the alarm must be raised now, if it must and was not."""
    over = (AlertState.DELIVERED, AlertState.DIGESTED, AlertState.DISSOLVED)
    if alert.alarmed_at is not None or alert.arrived or alert.state in over:
        return None
    if alert.state in (AlertState.REFUSED, AlertState.GIVEN_UP):
        return alert.state.value
    return "undelivered" if now >= alarm_at(alert, rules) else None
