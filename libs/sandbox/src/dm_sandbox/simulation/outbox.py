"""Invariants of alerts: what is asked for is stored, and what is stored reaches the phone or raises the alarm.

asked ──▶ stored by the next commit ──▶ claimed by one tick at a time ──▶ at most three calls ──▶ phone, or alarm
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dm_core.alerts import MODEL, Alert, AlertState
from dm_core.runs import ModelTurn, Run
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.model import NOTIFY

MAX_CALLS: Final = 3
"""Two texts and one template."""
_SKEW_MS: Final = 2_500
_OVER: Final = (AlertState.SENT, AlertState.DELIVERED, AlertState.DIGESTED, AlertState.DISSOLVED)


@dataclass(slots=True)
class Outbox:
    """``alerts``: all that were ever stored, as they were stored last."""

    journal: Journal
    alerts: dict[str, Alert] = field(default_factory=dict[str, Alert])
    _asked: set[str] = field(default_factory=set[str])

    def asked(self, turn: ModelTurn, run_id: str) -> list[str]:
        """Texts that this turn wants the manager to read; a run may ask for one."""
        texts = [str(call.arguments.get("text", "")) for call in turn.calls[:8] if call.name == NOTIFY]
        return [] if run_id in self._asked else texts[:1]

    def noted(self, run: Run) -> None:
        """A commit has stored this run."""
        if any(alert.cause == MODEL for alert in run.alerts):
            self._asked.add(run.id)

    def created(self, alerts: Iterable[Alert]) -> None:
        """Stored with a thread's commit, or by itself; what exists already stays as it is."""
        for alert in alerts:
            if alert.id in self.alerts:
                continue
            self.journal.states[f"alert:{alert.cause if alert.cause in _CAUSES else 'cause'}"] += 1
            same = (a for a in self.alerts.values() if (a.thread_id, a.text) == (alert.thread_id, alert.text))
            if alert.cause == MODEL and any(same):
                self.journal.wrong("doubled", f"{alert.text[:40]!r} was asked for once and is two alerts")
            self.alerts[alert.id] = alert
            if alert.is_urgent and alert.first_due_at > alert.created_at:
                self.journal.wrong("urgent", f"the urgent alert {alert.text[:40]!r} is held back")

    def told(self, alerts: Iterable[Alert]) -> None:
        """A status of WhatsApp's was written into them."""
        self.alerts |= {alert.id: alert for alert in alerts}

    def saved(self, alerts: Sequence[Alert], now: int) -> None:
        """Written on its condition."""
        for alert in alerts:
            before = self.alerts.get(alert.id)
            if alert.state is AlertState.SENDING and before is not None:
                self._check_claim(before, alert, now)
            if alert.alarmed_at is not None and alert.id[:12] not in self.journal.alarms:
                self.journal.wrong("alarm", f"the alarm of {alert.text[:40]!r} is stored and was never raised")
            self.journal.note("outbox", f"{alert.id[:6]} {alert.state} calls={alert.calls}")
            self.alerts[alert.id] = alert

    def _check_claim(self, before: Alert, alert: Alert, now: int) -> None:
        held = before.claim_until is not None and before.claim_until > now + _SKEW_MS
        # After the call its own tick may claim once more, for the template; the stored claim is gone by then.
        if held and before.state is AlertState.SENDING:
            self.journal.wrong("claim", f"{alert.text[:40]!r} was claimed while another tick held it")
        if before.state in _OVER and before.failed_at is None:
            self.journal.wrong("claim", f"{alert.text[:40]!r} was claimed again after it had been {before.state}")

    def calls(self, reference: str) -> None:
        """WhatsApp is called: the alert must be claimed."""
        stored = self.alerts.get(reference)
        if stored is None or stored.state is not AlertState.SENDING:
            self.journal.wrong("claim", f"WhatsApp is called for {reference[:12]}, which nobody has claimed")


_CAUSES: Final = (MODEL, "expired", "failed", "refused", "uncertain", "handed_over", "out_of_turns", "digest")
