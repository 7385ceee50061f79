"""What is known of a run, a thread and the queue: from the events and the store, as JSON values for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from dm_admin.views import Reads, as_json, explain, view_thread
from dm_core.alerts import Alert
from dm_core.durations import DAY_MS
from dm_core.messages import Message, Status
from dm_core.runs import Run
from dm_core.store.port import Store
from dm_core.threads import Thread, thread_id
from dm_sandbox.events import Entry, EventLog
from dm_sandbox.studio.bubbles import Phone
from dm_sandbox.studio.phones import Phones
from dm_sandbox.world import Sandbox

PAGE: Final = 200
YEAR_MS: Final = 365 * DAY_MS
RELEASE_MS: Final = DAY_MS


class Inspector:
    """Reads only."""

    def __init__(self, sandbox: Sandbox, phones: Phones, store: Store) -> None:
        self.sandbox, self.phones, self.store = sandbox, phones, store
        self._reads = Reads(store)

    def thread_id(self, phone: Phone) -> str:
        return thread_id(self.sandbox.instagram.account_id, phone.user_id)

    async def messages(self, phone: Phone) -> dict[str, Message]:
        """The stored messages, by the platform's id. Raises StoreUnavailable."""
        return {message.mid: message for message in await self.store.history(self.thread_id(phone), PAGE)}

    async def runs(self, phone: Phone, since: int) -> dict[str, Run]:
        """The archived runs of this person that began since, by id. Raises StoreUnavailable."""
        return {each.run.id: each.run for each in await self._reads.runs_since(self.thread_id(phone), since)}

    async def people(self) -> list[dict[str, object]]:
        """Everybody, with the newest words and how their thread stands. Raises StoreUnavailable."""
        return [await self._person(phone) for phone in list(self.phones.phones.values())]

    async def phone(self, phone: Phone) -> dict[str, object]:
        """The bubbles with what the store says of each, and the thread's state. Raises StoreUnavailable."""
        stored = await self.messages(phone)
        thread = await self.store.get_thread(self.thread_id(phone))
        now = self.sandbox.clock()
        return {
            "userId": phone.user_id,
            "name": phone.name,
            "language": phone.language,
            "typing": phone.typing_until > now,
            "bubbles": [asdict(bubble) | _stored(stored.get(bubble.id)) for bubble in phone.bubbles],
            "thread": _thread_state(thread, now),
        }

    async def thread(self, phone: Phone) -> object:
        """The thread as the operator's tool shows it, and its whole document. Raises StoreUnavailable."""
        thread = await self.store.get_thread(self.thread_id(phone))
        if thread is None:
            return {}
        view = await view_thread(self._reads, thread.id, self.sandbox.clock())
        return {"view": as_json(view), "document": as_json(thread)}

    async def why(self, run: Mapping[str, object]) -> object:
        """Why a run went as it did, as the operator's tool explains its newest message. Raises StoreUnavailable."""
        phone = self.phones.phones.get(str(run.get("person")))
        stored = (await self.messages(phone)).values() if phone else ()
        newest = max((m for m in stored if m.run_id == run["run"]), key=lambda m: m.order, default=None)
        return as_json(await explain(self._reads, newest)) if newest else None

    async def waiting(self) -> dict[str, object]:
        """The tasks of both queues and the alerts that somebody must look at. Raises StoreUnavailable."""
        now = self.sandbox.clock()
        tasks = [
            {
                "queue": task.queue.rpartition("/")[2],
                "name": task.short_name,
                "dueAt": task.schedule_at,
                "attempts": task.dispatch_count,
                "path": task.url.rpartition("/")[2] or "/",
            }
            for task in self.sandbox.queue.tasks()[:PAGE]
        ]
        alerts = [_alert(stored.alert) for stored in await self.store.due_alerts(now + YEAR_MS, PAGE)]
        return {"now": now, "tasks": tasks, "alerts": alerts}

    async def _person(self, phone: Phone) -> dict[str, object]:
        thread = await self.store.get_thread(self.thread_id(phone))
        newest = phone.bubbles[-1] if phone.bubbles else None
        return {
            "userId": phone.user_id,
            "name": phone.name,
            "language": phone.language,
            "at": newest.at if newest else phone.made_at,
            "last": ("unsent" if newest.unsent else newest.text or newest.kind) if newest else "",
            "theirs": sum(bubble.by != "person" for bubble in phone.bubbles),
            "thread": _thread_state(thread, self.sandbox.clock()),
            "failed": any(m.status is Status.FAILED for m in (await self.messages(phone)).values()),
        }


def run_view(log: EventLog, run_id: str) -> dict[str, object]:
    """One run as its events tell it: the prompt and each model turn as sent, what it did, what it cost, and when."""
    own = log.of_run(run_id)
    if not own:
        return {}
    ended = next((e for e in reversed(own) if e.kind in ("run_finished", "run_dropped")), None)
    calls = [entry for entry in own if entry.kind == "model_called"]
    hashes = {str(entry.record.get("prompt")) for entry in calls}
    prompts = [e.record for e in log.entries if e.kind == "prompt_shown" and str(e.record.get("prompt")) in hashes]
    return {
        "run": run_id,
        "person": next((entry.person for entry in own if entry.person), ""),
        "calls": [{"number": entry.number, "at": entry.at, **entry.record} for entry in calls],
        "prompts": {str(prompt["prompt"]): prompt for prompt in prompts},
        "effects": [entry.row for entry in own if entry.source in ("instagram", "spond")],
        "figures": dict(ended.record) if ended else {},
        "ended": ended is not None,
        "spans": _spans(log, own),
        "rows": [entry.row for entry in own],
    }


def _spans(log: EventLog, own: Sequence[Entry]) -> list[dict[str, object]]:
    """Who was at work when, in ms since 1970: from the first DM's webhook to the end."""
    claimed = next((entry for entry in own if entry.kind == "run_claimed"), own[0])
    before = [e for e in log.entries if e.person == claimed.person and e.number < claimed.number]
    fired = next((e for e in reversed(before) if e.kind == "dispatched"), None)
    came = _first_dm(before)
    spans: list[dict[str, object]] = []
    if came and fired:
        spans.append({"name": "waits for the rest of the burst", "kind": "wait", "from": came.at, "to": fired.at})
    if fired:
        spans.append({"name": "wake-up and claim", "kind": "ours", "from": fired.at, "to": claimed.at})
    for entry in own:
        if entry.kind == "model_called":
            took = int(str(entry.record.get("ms") or 0))
            spans.append({"name": "model", "kind": "model", "from": entry.at - took, "to": entry.at})
        elif entry.source == "instagram" and entry.kind in ("send", "react", "conversations"):
            spans.append({"name": entry.kind, "kind": "platform", "from": entry.at, "to": entry.at})
        elif entry.kind in ("run_finished", "run_dropped"):
            spans.append({"name": "finished", "kind": "ours", "from": entry.at, "to": entry.at})
    return spans


def _first_dm(before: Sequence[Entry]) -> Entry | None:
    """The webhook that began what this run answers: the first since the last run ended."""
    first = None
    for entry in reversed(before):
        if entry.kind in ("run_finished", "run_dropped", "messages_closed"):
            break
        if entry.kind == "webhook_received":
            first = entry
    return first


def _stored(message: Message | None) -> dict[str, object]:
    if message is None:
        return {"stored": False}
    return {
        "stored": True,
        "status": message.status.value,
        "disposition": message.disposition.value if message.disposition else "",
        "error": message.error or "",
        "run": message.run_id or "",
        "direction": message.direction.value,
    }


def _thread_state(thread: Thread | None, now: int) -> dict[str, object]:
    """What the page says of a thread in a word, and until when."""
    if thread is None:
        return {}
    steering = thread.steering
    handover = thread.handed_over(now, RELEASE_MS)
    return {
        "running": thread.lease is not None and thread.lease.is_live(now),
        "leaseUntil": thread.lease.expires_at if thread.lease and thread.run else None,
        "pending": thread.pending_count,
        "waitsUntil": thread.not_before if thread.not_before and thread.not_before > now else None,
        "pausedUntil": thread.paused_until if thread.paused_until and thread.paused_until > now else None,
        "paused": steering.pause is not None,
        "handedOver": handover.since if handover else None,
        "stopped": steering.stopped_at is not None,
        "mode": steering.mode.value if steering.mode else "",
        "run": thread.run.id if thread.run else "",
        "now": now,
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id[:12],
        "text": alert.text,
        "urgency": alert.urgency,
        "state": alert.state.value,
        "dueAt": alert.due_at,
        "createdAt": alert.created_at,
        "cause": alert.cause,
    }
