"""The manager's word on a draft: *send*, *edit* or *drop*, by button or by quoting it, and the text of an edit.

A word is one conditional commit on the thread, which must not be held by a run; the thread's next run then acts on it,
with the checkpoint, look-up and never-twice of every send. An edit waits ``EDIT_MS`` for the manager's next message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_core.alerts import DRAFT
from dm_core.clock import Clock, Ids
from dm_core.durations import MINUTE_MS
from dm_core.errors import RetryLater
from dm_core.outbox import AuditLine, OutboxItem, OutboxState, outbox_id
from dm_core.processing.drafts import expires_at, rewritten
from dm_core.processing.leased_thread import TooManyConflicts, settle
from dm_core.processing.outbox.commands import Command
from dm_core.processing.outbox.sending import GONE, HeldItem
from dm_core.processing.switches import SwitchReader
from dm_core.queue.port import WakeUpQueue
from dm_core.queue.wakeup import plan_at_once
from dm_core.runs import Draft, DraftState, Run
from dm_core.steering import Mode
from dm_core.store.document_values import text, whole
from dm_core.store.port import Conflict, Snapshot, Store, ThreadChange

EDIT_MS: Final = 30 * MINUTE_MS
"""How long after *edit* the manager's next message is taken for the text."""
RELEASED: Final = "It goes out now. If it can't, I tell you."
DROPPED: Final = "Dropped: nothing is sent."
WRITE: Final = "Write the text now: your next message goes to that person as it is."
NO_DRAFT: Final = "Nothing was changed: that message is no draft."
WITHDRAWN: Final = "Nothing was changed: that draft is not open any more (decided, withdrawn, or too late)."
CAME: Final = "Nothing was sent: something came meanwhile, so that draft is withdrawn. I look again."
HUMAN: Final = "Nothing was sent: that conversation is left to humans, or switched off."
STATES: Final = {
    Command.SEND: DraftState.SEND,
    Command.EDIT: DraftState.EDIT,
    Command.DROP: DraftState.DROP,
}
_TEXT: Final = "text"
_BUSY_SECONDS: Final = 10.0
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Tapped:
    """What a button stands for: a word, or None for the text of an edit; and the draft's alert."""

    word: Command | None
    alert_id: str


@dataclass(frozen=True, slots=True)
class OpenEdit:
    """A draft by its alert, and the WhatsApp message that asked for its text (empty: not sent yet)."""

    alert_id: str
    line: str


def tapped(button: str) -> Tapped | None:
    """The meaning of ``send:ID`` and its like; None for a button that is none of a draft's."""
    word, _, alert_id = button.partition(":")
    if not alert_id:
        return None
    if word == _TEXT:
        return Tapped(None, alert_id)
    return next((Tapped(known, alert_id) for known in STATES if known.value == word), None)


@dataclass(frozen=True, slots=True)
class DraftWords:
    """Applies the manager's words on drafts."""

    store: Store
    queue: WakeUpQueue
    switches: SwitchReader
    clock: Clock
    ids: Ids
    retention_ms: int

    async def say(self, held: HeldItem, word: Command, alert_id: str) -> None:
        """Decide the draft that this alert shows; the item ends.

        Raises StoreUnavailable, QueueUnavailable, RetryLater.
        """
        found = await self.store.get_alert(alert_id)
        if found is None or found.alert.cause != DRAFT:
            await held.end(OutboxState.REFUSED, NO_DRAFT)
            return
        await held.save(replace(held.item, thread_id=found.alert.thread_id))
        if word is not Command.EDIT:
            await self._decide(held, alert_id, STATES[word])
            return
        snapshot = await self.store.open(held.item.thread_id)
        if (refusal := await self._refusal(snapshot, alert_id)) is None:
            await self._open_edit(held.item.sender, alert_id)
        await held.end(OutboxState.REFUSED if refusal else OutboxState.DONE, refusal or WRITE)

    async def open_edit(self, sender: str) -> OpenEdit | None:
        """The draft whose text this sender's next message is. Raises StoreUnavailable."""
        doc = dict(await self.store.get_document("maintenance", _key(sender)) or {})
        is_open = self.clock() - whole(doc, "at") < EDIT_MS
        return OpenEdit(text(doc, "alertId"), text(doc, "line")) if is_open and text(doc, "alertId") else None

    async def asked(self, item: OutboxItem, line: str) -> None:
        """The line that asks for the text went out as this WhatsApp message. Raises StoreUnavailable."""
        doc = dict(await self.store.get_document("maintenance", _key(item.sender)) or {})
        if item.answer == WRITE and doc:
            await self.store.put_document("maintenance", _key(item.sender), {**doc, "line": line})

    async def rewrite(self, held: HeldItem, alert_id: str, parts: Sequence[str]) -> None:
        """The item's words go out in the draft's place. Raises StoreUnavailable, QueueUnavailable, RetryLater."""
        found = await self.store.get_alert(alert_id)
        thread_id = found.alert.thread_id if found is not None else ""
        await held.save(replace(held.item, thread_id=thread_id, button=f"{_TEXT}:{alert_id}"))
        await self._decide(held, alert_id, DraftState.EDIT, parts)
        await self._close_edit(held.item.sender, alert_id)

    async def _decide(self, held: HeldItem, alert_id: str, state: DraftState, parts: Sequence[str] = ()) -> None:
        for _ in range(_TRIES):
            snapshot = await self.store.open(held.item.thread_id) if held.item.thread_id else None
            run = snapshot.thread.run if snapshot is not None else None
            draft = run.draft if run is not None else None
            done = draft is not None and draft.item_id == held.item.id
            refusal = None if done else await self._refusal(snapshot, alert_id)
            if refusal is not None:
                if refusal == CAME:
                    await self._wake(snapshot, held.item.thread_id)
                await held.end(OutboxState.REFUSED, refusal)
                return
            if done or await self._committed(snapshot, run, draft, held.item, state, parts):
                await self._wake(snapshot, held.item.thread_id)
                await held.end(OutboxState.DONE, DROPPED if state is DraftState.DROP else RELEASED)
                return
        raise TooManyConflicts("the thread kept moving")

    async def _refusal(self, snapshot: Snapshot | None, alert_id: str) -> str | None:
        """Why the draft can't be decided (any more). Raises RetryLater while a run holds the thread."""
        if snapshot is None:
            return GONE
        thread, now = snapshot.thread, self.clock()
        run, draft = thread.run, thread.run.draft if thread.run else None
        if run is None or draft is None or draft.alert_id != alert_id or not run.waits_for_manager:
            return WITHDRAWN
        if run.asked is None or run.asked.revision != thread.revision:
            return CAME
        if now >= expires_at(thread):
            return WITHDRAWN
        switches, own = await self.switches.current(), [m for m in snapshot.unprocessed if m.id in run.message_ids]
        if switches.mode_of(thread.steering) is Mode.OFF:
            return HUMAN
        if any(thread.taken_over(m) or switches.leaves_to_humans(m.created_at) for m in own):
            return HUMAN
        if thread.lease is not None and thread.lease.is_live(now):
            raise RetryLater("a run holds the thread", wait_seconds=_BUSY_SECONDS)
        return None

    async def _committed(
        self,
        snapshot: Snapshot | None,
        run: Run | None,
        draft: Draft | None,
        item: OutboxItem,
        state: DraftState,
        parts: Sequence[str],
    ) -> bool:
        """The word is stored with the run; False if the condition was lost."""
        if snapshot is None or run is None or draft is None:
            return False
        now = self.clock()
        by = f"{item.origin}:{item.sender}"
        decided = replace(draft, state=state, by=by, at=now, item_id=item.id)
        run = rewritten(run, decided, parts) if parts else replace(run, draft=decided)
        what = f"draft {state.value}"
        line = AuditLine(f"{item.id}-draft", now, by, what, now + self.retention_ms, thread_id=item.thread_id)
        change = ThreadChange(item.thread_id, snapshot.version, self.ids(), now, run=run, due_at=now, audit=(line,))
        return not isinstance(await settle(self.store, change), Conflict)

    async def _wake(self, snapshot: Snapshot | None, thread_id: str) -> None:
        """At once; where a run has tried since and the thread waits, when that wait is over."""
        not_before = snapshot.thread.not_before if snapshot is not None else None
        await self.queue.schedule(plan_at_once(thread_id, max(self.clock(), not_before or 0)))

    async def _open_edit(self, sender: str, alert_id: str) -> None:
        await self.store.put_document("maintenance", _key(sender), {"alertId": alert_id, "at": self.clock()})

    async def _close_edit(self, sender: str, alert_id: str) -> None:
        edit = await self.open_edit(sender)
        if edit is not None and edit.alert_id == alert_id:
            await self.store.put_document("maintenance", _key(sender), {})


def _key(sender: str) -> str:
    return f"edit-{outbox_id('edit', sender)[:32]}"
