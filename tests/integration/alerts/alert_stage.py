"""Alerts in a real store, a real local WhatsApp, and the events that were logged."""

import json
from dataclasses import dataclass, field
from typing import cast

import pytest

from dm_core.alerts import Alert, AlertCount, AlertLimits, AskedAlert, Urgency, new_alerts
from dm_core.durations import DAY_MS
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.inprocess import InProcess

PERSON = "9001"
LIMITS = AlertLimits(3, 90 * DAY_MS)


@dataclass(slots=True)
class AlertStage:
    """``number`` makes keys."""

    system: InProcess
    number: int = 0
    counts: dict[str, AlertCount] = field(default_factory=dict[str, AlertCount])

    async def ask(
        self,
        text: str,
        urgency: Urgency = "normal",
        person: str = PERSON,
        cause: str = "model",
        *,
        announced: bool = True,
    ) -> str:
        """Store an alert as a run's commit would, and announce it; its id."""
        self.number += 1
        thread = f"{self.system.instagram.account_id}_{person}"
        asked = AskedAlert(f"run/{self.number}/0", text, cause, urgency)
        count = self.counts.get(thread, AlertCount())
        (made,), self.counts[thread] = new_alerts([asked], thread, count, self.system.clock(), LIMITS)
        assert await self.system.store.create_alert(made)
        assert made.due_at is not None
        if announced:
            await self.system.alert_queue.schedule(made.id, made.due_at)
        return made.id

    async def alert(self, id_: str) -> Alert:
        found = await self.system.store.get_alert(id_)
        assert found is not None
        return found.alert

    async def status_was_seen(self) -> None:
        """As in a deployment whose WhatsApp webhook is subscribed."""
        self.system.tell_statuses()
        first = await self.ask("the first of all", "urgent", person="1")
        await self.run()
        assert (await self.alert(first)).arrived
        self.system.whatsapp.accepted.clear()

    async def run(self) -> int:
        """Deliver what is due, and the statuses that come of it, until nothing is left; how many ticks."""
        ticks = 0
        while delivered := await self.system.ticks():
            ticks += delivered
            await self.system.whatsapp.statuses.told()
        return ticks

    async def pass_seconds(self, seconds: float, step: float = 60) -> None:
        """Let time go by, with the scheduler's sweep each minute."""
        while seconds > 0:
            self.system.clock.forward(min(step, seconds))
            seconds -= step
            status, _ = await self.system.job("/sweep")
            assert status == 200
            await self.run()

    @property
    def texts(self) -> list[str]:
        """What reached the phone."""
        return [alert.text for alert in self.system.whatsapp.alerts]

    @property
    def calls(self) -> int:
        """Sends that WhatsApp saw."""
        return self.system.whatsapp.count("send") + self.system.whatsapp.count("template")

    def hear_manager(self) -> None:
        self.system.whatsapp.hear(MANAGER_NUMBER)


def alarms(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The alarms raised since this was last asked."""
    lines = capsys.readouterr().out.splitlines()
    parsed = [cast("dict[str, object]", json.loads(line)) for line in lines if line.startswith("{")]
    return [line for line in parsed if line.get("message") == "alert_undelivered"]
