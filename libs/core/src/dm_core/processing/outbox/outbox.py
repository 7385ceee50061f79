"""``POST /outbox``: what a human wrote is read by rules, done or sent, and answered with one line.

RECEIVED ─ quotes an alert of a conversation ─┬─ a command ─▶ that conversation is steered
         │                                    └─ words ─────▶ takeover, then to the person
         ├ taps or quotes a draft: send, edit, drop ────────▶ the draft is decided
         ├ is the text of an edit ──────────────────────────▶ goes out in the draft's place
         ├ quotes a digest, a cause, the unknown ───────────▶ nothing; why
         └ quotes nothing ─ a command ─▶ everything is steered;  else ─▶ help
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from dm_core.agent.guards import MAX_PARTS
from dm_core.agent.texts import split_text, without_controls
from dm_core.alerts import DIGEST
from dm_core.clients.port import WhatsApp
from dm_core.clock import Clock, Ids
from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.errors import AccountStopped, DmAgentError, PlatformError, Refused, RetryLater, Unreachable, described
from dm_core.outbox import ADMIN, OutboxItem, OutboxState
from dm_core.processing.alerts import Alerts
from dm_core.processing.delivery import Delivery, LookAgain
from dm_core.processing.outbox.commands import Command, Commands
from dm_core.processing.outbox.drafts import STATES, DraftWords, tapped
from dm_core.processing.outbox.order import Order
from dm_core.processing.outbox.sending import CLOSED, GONE, HeldItem, ItemLost, Sending, give_up, sent_messages
from dm_core.processing.outbox.steps import Steps
from dm_core.processing.recovery import tell_cause
from dm_core.processing.saves import Unsettled
from dm_core.processing.waits import LONGEST_MS, LONGEST_TOLD_MS
from dm_core.queue.port import WakeUpQueue
from dm_core.queue.wakeup import plan_at_once, plan_outbox
from dm_core.runs import Action, ActionKind
from dm_core.store.port import Store, ThreadEvents
from dm_core.telemetry import emit
from dm_core.threads import Thread, thread_owner

UNKNOWN_QUOTE: Final = "Nothing was sent: I don't know the message you quoted (it may be too old)."
JOINT_QUOTE: Final = "Nothing was sent: that message is about several conversations. Quote the alert of one."
CAUSE_QUOTE: Final = "Nothing was sent: that alert is about no conversation."
TOO_LONG: Final = "Nothing was sent: this is too long for Instagram."
NO_WORDS: Final = "Nothing was sent: only words can be passed on."
QUOTE_DRAFT: Final = "Nothing was sent: tap a button of the draft, or quote it with that word."
RETRY_MS: Final = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Outbox:
    """Answers the tasks that name an item. Times in ms; ``run_ms``: how long a task may begin things; ``wait_ms``: how
    long Instagram is waited for, from when the words were written. ``left``: ids of claims that are over here."""

    store: Store
    queue: WakeUpQueue
    delivery: Delivery
    whatsapp: WhatsApp
    steps: Steps
    commands: Commands
    drafts: DraftWords
    order: Order
    alerts: Alerts
    clock: Clock
    ids: Ids
    takeover_ms: int
    retention_ms: int
    run_ms: int
    claim_ms: int
    wait_ms: int
    left: Unsettled[str] = field(default_factory=Unsettled[str])

    async def handle(self, item_id: str) -> str:
        """One word for what was done. Raises StoreUnavailable, QueueUnavailable, PlatformError: try again."""
        stored = await self.store.get_outbox(item_id)
        if stored is None:
            return "ignored"
        now, item = self.clock(), stored.item
        if item.due_at is None:
            return "nothing_to_do"
        if item.claim_until is not None and now < item.claim_until and not self._is_left(item):
            return "conflict"
        held = HeldItem.of(self.store, stored)
        claimed = replace(item, claim_until=now + self.claim_ms, claim_id=self.ids())
        try:
            await held.save(claimed)
            return await self._work(held, now + self.run_ms)
        except Exception as error:
            self.left.keep(item.id, claimed.claim_id, now + self.claim_ms, self.clock())
            await self._let_go(held)
            if isinstance(error, ItemLost):
                return "conflict"
            raise

    def _is_left(self, item: OutboxItem) -> bool:
        """Its claim is one of this process, whose work on it is over: the claim could not be given back."""
        return bool(item.claim_id) and self.left.get(item.id) == item.claim_id

    async def _work(self, held: HeldItem, deadline: int) -> str:
        try:
            if held.item.state is OutboxState.RECEIVED:
                await self.order.wait(held.item)
                await self._read(held)
            if held.item.state is OutboxState.PLANNED:
                await self.order.wait(held.item)
                await self._send(held, deadline)
        except (LookAgain, RetryLater, AccountStopped) as error:
            if isinstance(error, AccountStopped):
                await tell_cause(self.alerts, error, thread_owner(held.item.thread_id)[0])
            if self.clock() < self._last_try(held.item):
                return await self._later(held, getattr(error, "wait_seconds", None))
            await give_up(held)
        await self._note_sent(held.item)
        await self._answer(held)
        return held.item.state.value

    def _last_try(self, item: OutboxItem) -> int:
        """From when on an item that still can't be brought to its end is given up, in ms since 1970."""
        return item.created_at + self.wait_ms

    async def _later(self, held: HeldItem, wait_seconds: float | None) -> str:
        """Come back when the wait is over, within an hour, and for the last try. Nobody looks at it earlier, nor all
        the time where it is said again and again that a moment is enough."""
        now = self.clock()
        age = now - held.item.created_at
        least = min(max(age // 4, RETRY_MS), LONGEST_MS) if wait_seconds is None else min(age // 4, RETRY_MS)
        wait = max(1_000, least, min(round((wait_seconds or 0) * 1000), LONGEST_TOLD_MS))
        at = min(now + wait, max(self._last_try(held.item), now + 1_000))
        await held.save(replace(held.item, claim_until=at))
        await self.queue.schedule(plan_outbox(held.item.id, at + 1_000))
        return "retry_later"

    async def _let_go(self, held: HeldItem) -> None:
        """Whoever comes next need not wait for the end of the claim; best effort."""
        with suppress(DmAgentError):
            await held.save(replace(held.item, claim_until=None))

    # -- reading

    async def _read(self, held: HeldItem) -> None:
        item = held.item
        if item.origin == ADMIN:
            await self._plan(held, item.thread_id)
            return
        if (tap := tapped(item.button)) is not None:
            await (
                self._rewrite(held, tap.alert_id) if tap.word is None else self.drafts.say(held, tap.word, tap.alert_id)
            )
            return
        command = self.commands.find(item.text)
        edit = await self.drafts.open_edit(item.sender) if command is None else None
        if edit is not None and item.quoted in ("", edit.line):
            await self._rewrite(held, edit.alert_id)
        elif not item.quoted and command in STATES:
            await held.end(OutboxState.REFUSED, QUOTE_DRAFT)
        elif not item.quoted:
            answer = await self.steps.everywhere(command or Command.HELP, item)
            await held.end(OutboxState.DONE, answer)
        else:
            await self._read_quote(held, command, edit.alert_id if edit is not None else "")

    async def _read_quote(self, held: HeldItem, command: Command | None, edited: str) -> None:
        item = held.item
        alert = await self.store.alert_of_message(item.quoted)
        if alert is None or not alert.thread_id:
            why = UNKNOWN_QUOTE if alert is None else JOINT_QUOTE if alert.cause == DIGEST else CAUSE_QUOTE
            await held.end(OutboxState.REFUSED, why)
        elif command is not None and command in STATES:
            await self.drafts.say(held, command, alert.id)
        elif edited == alert.id:
            await self._rewrite(held, alert.id)
        elif command is Command.LIST or command is Command.HELP:
            await held.end(OutboxState.DONE, await self.steps.everywhere(command, item))
        elif command is not None:
            await held.save(replace(item, thread_id=alert.thread_id))
            await held.end(OutboxState.DONE, await self.steps.in_thread(command, held.item))
        else:
            await self._plan(held, alert.thread_id)

    async def _rewrite(self, held: HeldItem, alert_id: str) -> None:
        if (parts := await self._parts(held)) is not None:
            await self.drafts.rewrite(held, alert_id, parts)

    async def _parts(self, held: HeldItem) -> list[str] | None:
        """The words as parts that fit; None, and the item ends, where they don't."""
        parts = split_text(without_controls(held.item.text))
        if parts and len(parts) <= MAX_PARTS:
            return list(parts)
        await held.end(OutboxState.REFUSED, TOO_LONG if parts else NO_WORDS)
        return None

    async def _plan(self, held: HeldItem, thread_id: str) -> None:
        """The words as parts that fit, to be sent; nothing has gone out yet."""
        item = replace(held.item, thread_id=thread_id)
        if (parts := await self._parts(held)) is None:
            return
        actions = tuple(
            Action(f"outbox-{item.id[:20]}/0/0.{number}", ActionKind.SEND, part, 0, 0)
            for number, part in enumerate(parts)
        )
        await held.save(replace(item, state=OutboxState.PLANNED, actions=actions))

    # -- sending

    async def _send(self, held: HeldItem, deadline: int) -> None:
        thread = await self.store.get_thread(held.item.thread_id)
        begun = any(action.went_out for action in held.item.actions)
        if thread is None:
            await held.end(OutboxState.REFUSED, GONE)
            return
        if not begun and not thread.window_open(self.clock()):
            await held.end(OutboxState.REFUSED, CLOSED)
            return
        await Sending(held, self.delivery, deadline, partial(self._take_over, thread)).send(thread)
        emit("human_reply_sent", thread_id=thread.id, origin=held.item.origin, state=held.item.state)

    async def _take_over(self, thread: Thread) -> None:
        """The agent keeps quiet from now on, and drops what it was about to say."""
        now = self.clock()
        events = ThreadEvents(thread.id, thread.account_id, thread.user_id, now)
        await self.store.record(replace(events, paused_until=now + self.takeover_ms))
        if thread.run is not None and thread.run.waits_for_manager:  # a draft that these words take the place of
            await self.queue.schedule(plan_at_once(thread.id, now))

    async def _note_sent(self, item: OutboxItem) -> None:
        """What went out of an ended item, as a human's messages of its thread; doing it again changes nothing."""
        if not item.actions or not item.thread_id:
            return
        now = self.clock()
        if messages := sent_messages(item, now + self.retention_ms, now):
            account_id, user_id = thread_owner(item.thread_id)
            events = ThreadEvents(item.thread_id, account_id, user_id, now, messages)
            await self.store.record(replace(events, human_at=messages[-1].sent_at))
        await self.steps.audit(item, "reply")

    async def _answer(self, held: HeldItem) -> None:
        """Tell the sender, at least once, what became of it. Raises PlatformError: the task comes again for this, until
        WhatsApp refuses it for good or a day is over: then the alarm."""
        item = held.item
        if item.origin == "whatsapp" and item.answer and item.told_at is None:
            if self.clock() >= (item.claim_until or 0):
                raise ItemLost("slept past the claim: another task may have told it")
            try:
                line = await self.whatsapp.answer(item.sender, item.answer, item.id)
                await self.drafts.asked(item, line)
            except PlatformError as error:
                if not isinstance(error, (Refused, Unreachable)) and self.clock() - item.created_at < DAY_MS:
                    raise
                emit("alert_undelivered", "CRITICAL", cause="outbox", alert=item.id[:12], reason=described(error))
        # What belongs to no thread may name anybody, and no erasure would find it.
        kept = item if item.thread_id else replace(item, text="", answer="")
        await held.save(replace(kept, told_at=self.clock(), claim_until=None))
