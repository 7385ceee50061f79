"""A quarantined item, given to the webhook's own parsing and storing once more, as if it had just come."""

import json
from collections.abc import Sequence
from typing import Final, cast

from dm_admin.desk import Desk, Plan, Refused
from dm_admin.reads import Quarantined
from dm_core.store.port import Store
from dm_core.webhook.events import Event, Ignored, Unknown
from dm_core.webhook.fields import people_in
from dm_core.webhook.learnt import LearntAlerts
from dm_core.webhook.payload import parse
from dm_core.webhook.receiver import Receiver
from dm_core.webhook.work import ReceiverPolicy

NO_QUEUE: Final = "no queue is configured, so what is stored would not be woken: use make admin STACK=…"


async def replay(desk: Desk, item_id: str, account_id: str, why: str) -> Plan:
    """Store what an item holds, if it is understood now, and take it out of quarantine. Raises Refused."""
    item = await desk.reads.quarantined(item_id)
    if item is None:
        raise Refused(f"no quarantined item {item_id}: `dm-admin quarantine list` lists them")
    events = tuple(parse(_body(item, account_id or _account(desk, item)), desk.clock()))
    if odd := [event.reason for event in events if isinstance(event, Unknown)]:
        raise Refused(f"{item_id[:12]} is still not understood ({odd[0]}): it stays where it is")
    kinds = ", ".join(_kind(event) for event in events) or "nothing"

    async def act() -> str:
        await _store(desk, events)
        if not await desk.store.drop_quarantined(item.id, item.version, (desk.line("replay", why),)):
            return f"replayed {item.id[:12]} ({kinds}); it was taken out of quarantine by somebody else"
        return f"replayed {item.id[:12]}: {kinds}"

    return Plan(f"store {item.id[:12]} as if it had just come ({kinds}), and take it out of quarantine", act)


async def _store(desk: Desk, events: Sequence[Event]) -> None:
    """As the webhook does; a second time stores nothing new. Raises Refused, StoreUnavailable."""
    settings = desk.settings
    if desk.queue is None or desk.alert_queue is None:
        raise Refused(NO_QUEUE)
    policy = ReceiverPolicy(
        settings.debounce_min,
        settings.debounce_max,
        settings.takeover_minutes,
        settings.store.retention_days,
        settings.account_ids,
    )
    store: Store = desk.store
    learnt = LearntAlerts(store, desk.alert_queue.get(), desk.clock, settings.store.retention_days)
    receipt = await Receiver(store, desk.queue.get(), desk.clock, policy, learnt).receive(events)
    if receipt.counts["other_account"]:
        raise Refused("it is about an account that is not this deployment's: choose the right STACK")
    if receipt.failures:
        raise receipt.failures[0]


def _account(desk: Desk, item: Quarantined) -> str:
    """Our account in an item: who is named in it besides its people, else the deployment's only one."""
    others = [who for who in people_in(_value(item)) if who not in item.user_ids] or sorted(desk.settings.account_ids)
    if len(others) != 1:
        raise Refused(f"it can't be told whose item {item.id[:12]} is: say --account ID")
    return others[0]


def _value(item: Quarantined) -> object:
    try:
        return cast("object", json.loads(item.raw))
    except ValueError:
        raise Refused(f"{item.id[:12]} was cut where it was stored, so it can't be replayed") from None


def _body(item: Quarantined, account_id: str) -> bytes:
    """The item inside what stood around it when it came."""
    value = _value(item)
    parts = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if "entry" in parts or isinstance(value, list):
        return json.dumps(value).encode()
    around: dict[str, object] = {"id": account_id, "changes" if "field" in parts else "messaging": [parts]}
    entry = parts if {"messaging", "changes", "standby"} & set(parts) else around
    return json.dumps({"object": "instagram", "entry": [entry]}).encode()


def _kind(event: Event) -> str:
    return f"ignored {event.kind}" if isinstance(event, Ignored) else type(event).__name__
