"""Deliberate defects of alerts; see ``defects_of_commits``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dm_core import alerts
from dm_core.alerts import Alert, AlertState, AlertStatus
from dm_core.processing import alert_steps, alert_texts
from dm_core.processing.alert_ticks import AlertTicks, raise_alarm
from dm_core.processing.alerts import Alerts
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.run_loop import RunLoop
from dm_core.runs import Run
from dm_core.store.port import ThreadChange, Version
from dm_core.store.transactional import TransactionalStore
from dm_core.store.transactional import alerts as stored_alerts
from tests.simulation.planting import Defect, Patch, always


def alert_written_after_the_act(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def with_alerts(self: LeasedThread, change: ThreadChange) -> ThreadChange:
            acts = isinstance(change.run, Run) and any(action.in_doubt for action in change.run.actions)
            return change if acts else original(self, change)

        return with_alerts

    patch(LeasedThread, "_with_alerts", make)


def alerts_forgotten_at_a_start_over(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def reopen(self: RunLoop, *rest: Any) -> Any:
            stored = self.leased._stored_alerts  # pyright: ignore[reportPrivateUsage]
            kept = tuple(alert for alert in self.leased.run.alerts if alert.key in stored)
            self.leased.run = replace(self.leased.run, alerts=kept)
            return await original(self, *rest)

        return reopen

    patch(RunLoop, "reopen", make)


def alerts_never_swept(patch: Patch) -> None:
    async def sweep(_: Alerts) -> int:
        return 0

    patch(Alerts, "sweep", lambda _: sweep)


def alarm_stored_before_it_is_raised(patch: Patch) -> None:
    async def save(self: AlertTicks, step: Any, version: Version) -> Any:
        alert = step.alert if step.alarm is None else replace(step.alert, alarmed_at=self.clock())
        saved = await self.store.save_alert(alert, version)
        if step.alarm is not None:
            raise_alarm(alert, step.alarm, self.clock())
        return saved

    patch(AlertTicks, "_save", lambda _: save)


def statuses_overwrite_each_other(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def fields(status: AlertStatus) -> Any:
            others = dict.fromkeys(("sentAt", "deliveredAt", "readAt", "failedAt"))
            return {**others, **original(status)}

        return fields

    patch(stored_alerts, "status_fields", make)


def claim_without_its_condition(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def save_alert(self: TransactionalStore, alert: Alert, version: Version) -> Any:
            known = await self.get_alert(alert.id)
            if known is not None and alert.state is AlertState.SENDING:
                version = known.version
            return await original(self, alert, version)

        return save_alert

    patch(TransactionalStore, "save_alert", make)


def outcome_saved_over_a_status(patch: Patch) -> None:
    def make(original: Any) -> Any:
        async def save_alert(self: TransactionalStore, alert: Alert, version: Version) -> Any:
            known = await self.get_alert(alert.id)
            if known is not None and alert.state in (AlertState.SENT, AlertState.DELIVERED):
                version = known.version
            return await original(self, alert, version)

        return save_alert

    patch(TransactionalStore, "save_alert", make)


def digest_loses_one(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def digest(lines: Sequence[str]) -> str:
            return original(lines[:-1])

        return digest

    patch(alert_texts, "digest", make)


def limit_drops_what_is_above_it(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def new_alerts(*rest: Any) -> Any:
            made, count = original(*rest)
            return tuple(alert for alert in made if not alert.held_back), count

        return new_alerts

    patch(alerts, "new_alerts", make)


def limit_holds_urgent_ones_back(patch: Patch) -> None:
    def make(original: Any) -> Any:
        def new_alerts(asked: Any, *rest: Any) -> Any:
            asked = tuple(asked)
            made, count = original((replace(each, urgency="normal") for each in asked), *rest)
            return tuple(replace(a, urgency=each.urgency) for a, each in zip(made, asked, strict=True)), count

        return new_alerts

    patch(alerts, "new_alerts", make)


def alert_sent_without_end(patch: Patch) -> None:
    patch(alert_steps, "MAX_TEXTS", lambda _: 99)


def late_refusal_ignored(patch: Patch) -> None:
    def unchanged(alert: Alert, *_: Any) -> Alert:
        return alert

    patch(alert_steps, "_with_failure", lambda _: unchanged)
    patch(alert_steps, "_has_failure", lambda _: always(False))


def alert_under_another_id_each_time(patch: Patch) -> None:
    made: list[int] = []

    def make(original: Any) -> Any:
        def alert_id(key: str) -> str:
            made.append(1)
            return original(f"{key} {len(made)}")

        return alert_id

    patch(alerts, "alert_id", make)


DEFECTS_OF_ALERTS: Final[Mapping[str, Defect]] = {
    defect.__name__: defect
    for defect in (
        alert_written_after_the_act,
        alerts_forgotten_at_a_start_over,
        alerts_never_swept,
        alarm_stored_before_it_is_raised,
        statuses_overwrite_each_other,
        claim_without_its_condition,
        outcome_saved_over_a_status,
        digest_loses_one,
        limit_drops_what_is_above_it,
        limit_holds_urgent_ones_back,
        alert_sent_without_end,
        late_refusal_ignored,
        alert_under_another_id_each_time,
    )
}
"""Every defect by its name."""
