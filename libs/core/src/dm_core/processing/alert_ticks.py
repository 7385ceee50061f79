"""A tick: the most urgent alert that is due is sent, whichever alert the task was made for.

    due ─┬─ only looked at (arrived, alarm, given up) ── saved
         ├─ urgent, or up to three ordinary ones ─────── claim ─ call ─ save ─ task for its next look
         └─ more ordinary ones ── a digest of its own ── claim ─ call ─ save ─       "

Every save is conditional. What a crash leaves behind is due again at the claim's end, and the sweep finds it.
"""

import asyncio
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from dm_core.alerts import DIGEST, DRAFT, HANDOVER_REMINDER, Alert, AlertState, ManagerContact, alert_id
from dm_core.clients.port import MAX_BUTTONS_TEXT, InstagramAccounts, WhatsApp
from dm_core.clock import Clock, Ids
from dm_core.errors import PlatformError, Service, StoreUnavailable, Unavailable, Uncertain, described
from dm_core.processing import alert_steps as steps
from dm_core.processing import alert_texts as texts
from dm_core.processing.alert_steps import AlertRules, Kind, Step
from dm_core.processing.drafts import is_shown_in
from dm_core.processing.saves import Unsettled, settled
from dm_core.processing.steering import reminder_key
from dm_core.queue.port import AlertQueue
from dm_core.settings import AlertSettings, HandoverSettings
from dm_core.settings.table import utf16_length
from dm_core.store.port import AlertStore, Conflict, StoredAlert, Version
from dm_core.telemetry import emit
from dm_core.threads import Thread, thread_owner

ALERT_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
"""The cause of a digest."""

PAGE: Final = 40
"""Most alerts of either urgency that one tick looks at."""
MAX_SINGLE: Final = 3
"""More ordinary alerts than these, due together, become a digest."""
ROUNDS: Final = 3
"""How often a tick that lost a claim looks again."""
SEND_SECONDS: Final = 15.0
"""Longest call; with the rest of a tick it stays below the 30 s that the queue waits."""
EARLY_MS: Final = 1_000
"""So much earlier than an alert is due its task may come: the queue's clock is another one."""
SOON_MS: Final = 90_000
"""A task that comes earlier than that is followed by another, so that the alert need not wait for the sweep."""
NAME_SECONDS: Final = 2.0
"""Longest wait for names that no thread has kept."""

Claim = tuple[StoredAlert, Kind, str]
"""A claimed alert, how it is sent, and its words."""


@dataclass(frozen=True, slots=True)
class Left:
    """An alert as it may be stored, claimed by a tick that is over, and as it is in truth."""

    stored: Alert
    true: Alert


@dataclass(frozen=True, slots=True)
class AlertTicks:
    """Answers the tasks of the alerts' queue."""

    store: AlertStore
    queue: AlertQueue
    whatsapp: WhatsApp
    instagram: InstagramAccounts
    clock: Clock
    ids: Ids
    settings: AlertSettings
    handover: HandoverSettings
    left: Unsettled[Left] = field(default_factory=Unsettled[Left])

    @property
    def _rules(self) -> AlertRules:
        return AlertRules(self.settings.alarm_ms, self.whatsapp.template_room is not None)

    async def tick(self, named: str) -> str:
        """One word for what was done. ``named`` is the alert the task was made for.

        Raises StoreUnavailable, QueueUnavailable: the queue then tries the task again.
        """
        await self._go_on()
        contact = await self.store.manager_contact()
        handled: set[str] = set()
        claim: Claim | None = None
        waiting: list[StoredAlert] = []
        for _ in range(ROUNDS):
            due = await self._due(handled)
            waiting = await self._looked_at(due, contact, handled)
            claim = await self._claim(waiting, contact, handled)
            if claim is not None or not waiting:
                break
        status = await self._send(claim, contact) if claim else ("busy" if waiting else "nothing_to_do")
        if any(stored.alert.id == named and named not in handled for stored in waiting):
            await self.queue.schedule(named, self.clock())
        elif claim is None and not await self._seen_to(named, handled):
            status = "ignored"
        return status

    async def _seen_to(self, named: str, handled: set[str]) -> bool:
        """There is such an alert; if it is held or due in a moment, it gets another tick."""
        found = await self.store.get_alert(named)
        if found is not None and named not in handled:
            due_at = found.alert.due_at
            if due_at is not None and due_at < self.clock() + SOON_MS:
                await self._schedule(found.alert)
        return found is not None

    async def _schedule(self, alert: Alert) -> None:
        """The next tick of an alert that is to be looked at again. The name of one for this very moment may be used.

        So may that of one for when it is due, if it came to an instance whose clock is behind: then another comes later
        by as much as the clock is behind at most.
        """
        if alert.due_at is not None:
            now = self.clock()
            at = max(alert.due_at, now + EARLY_MS)
            if not await self.queue.schedule(alert.id, at):
                await self.queue.schedule(alert.id, at + (at - now))

    async def _due(self, handled: set[str]) -> list[StoredAlert]:
        """What is due and nobody holds."""
        now = self.clock()
        found = await self.store.due_alerts(now + EARLY_MS, PAGE)
        free = [s for s in found if s.alert.id not in handled and not steps.is_held(s.alert, now)]
        return [stored for stored in free if not await self._withdrawn(stored, handled)]

    async def _withdrawn(self, stored: StoredAlert, handled: set[str]) -> bool:
        """A reminder of a handover that somebody saw to, or whose time is over, and a draft that does not wait any
        more, end as they are."""
        alert = stored.alert
        if alert.cause != DRAFT and (alert.cause != HANDOVER_REMINDER or alert.calls):
            return False
        thread = await self.store.get_thread(alert.thread_id)
        if is_shown_in(alert, thread) if alert.cause == DRAFT else self._is_due_for(alert, thread):
            return False
        over = replace(alert, state=AlertState.WITHDRAWN, due_at=None, claim_until=None)
        handled.add(alert.id)
        await self.store.save_alert(over, stored.version)
        return True

    def _is_due_for(self, reminder: Alert, thread: Thread | None) -> bool:
        """The handover it reminds of still holds."""
        handover = thread.handed_over(self.clock(), self.handover.release_ms) if thread else None
        return handover is not None and reminder.id == alert_id(reminder_key(handover.key))

    async def _looked_at(
        self, due: Sequence[StoredAlert], contact: ManagerContact, handled: set[str]
    ) -> list[StoredAlert]:
        """Raise the alarms and store what needs no call; what is left needs one."""
        waiting: list[StoredAlert] = []
        for stored in due:
            step = steps.next_step(stored.alert, contact, self.clock(), self._rules)
            if step.kind is Kind.REST:
                saved = await self._save(step, stored.version)
                handled.add(stored.alert.id)
                if not isinstance(saved, Conflict):
                    await self._schedule(step.alert)
            elif step.alarm is None:
                waiting.append(StoredAlert(step.alert, stored.version))
            else:
                saved = await self._save(step, stored.version)
                if not isinstance(saved, Conflict):
                    waiting.append(StoredAlert(replace(step.alert, alarmed_at=self.clock()), saved))
        return waiting

    async def _save(self, step: Step, version: Version) -> Version | Conflict:
        """Store an alert; its alarm, if there is one, is raised before it is stored as raised."""
        alert = step.alert
        if step.alarm is not None:
            raise_alarm(alert, step.alarm, self.clock())
            alert = replace(alert, alarmed_at=self.clock())
        return await self._saved(alert, version)

    async def _saved(self, alert: Alert, version: Version) -> Version | Conflict:
        """Store an alert on this version. Raises StoreUnavailable."""
        return await settled(lambda: self.store.save_alert(alert, version), lambda: self._applied(alert))

    async def _applied(self, alert: Alert) -> Version | None:
        found = await self.store.get_alert(alert.id)
        return found.version if found is not None and found.alert == alert else None

    @contextmanager
    def _keeping(self, stored: Alert, true: Alert) -> Generator[None]:
        """Should the store go away: the alert may be stored as claimed, and only this process knows what is true."""
        try:
            yield
        except StoreUnavailable:
            self.left.keep(stored.id, Left(stored, true), stored.claim_until or 0, self.clock())
            raise

    async def _go_on(self) -> None:
        """Store what is true of alerts that this process left claimed, unless something has changed them since.

        Raises StoreUnavailable, QueueUnavailable.
        """
        for left in self.left.values():
            found = await self.store.get_alert(left.stored.id)
            if found is not None and found.alert == left.stored:
                await self._saved(left.true, found.version)
            await self._schedule(left.true)
            self.left.forget(left.stored.id)

    # -- choosing and claiming

    async def _claim(self, waiting: Sequence[StoredAlert], contact: ManagerContact, handled: set[str]) -> Claim | None:
        """Claim the first, or a digest of several; None when there is nothing, or another tick was faster."""
        if not waiting:
            return None
        first = waiting[0]
        joint = [] if first.alert.is_urgent else _joint(waiting)
        if joint:
            claim = await self._claim_digest(joint, contact, handled)
            if claim is not None:
                return claim
        step = steps.next_step(first.alert, contact, self.clock(), self._rules)
        if step.kind is Kind.REST:
            return None
        words = await self._words(first.alert)
        if first.alert.cause == DIGEST and not self._fits(step.kind, words):
            await self._dissolve(first)
            return None
        claimed = steps.claimed(step.alert, step.kind, self.clock())
        with self._keeping(claimed, step.alert):
            version = await self._saved(claimed, first.version)
        if isinstance(version, Conflict):
            return None
        handled.add(first.alert.id)
        return StoredAlert(claimed, version), step.kind, words

    async def _claim_digest(
        self, joint: Sequence[StoredAlert], contact: ManagerContact, handled: set[str]
    ) -> Claim | None:
        """Make a digest of as many as fit, claimed at once; None if fewer than two do, or the claim was lost."""
        now = self.clock()
        lines = await self._lines([stored.alert for stored in joint])
        room = texts.room_for(self.whatsapp, window_open=steps.window_is_open(contact, now))
        members = joint[: texts.fitting(lines, room)]
        if len(members) < 2:
            return None
        digest = _digest_of([stored.alert for stored in members], alert_id(f"{DIGEST}/{self.ids()}"), now)
        step = steps.next_step(digest, contact, now, self._rules)
        if step.kind is Kind.REST:
            return None
        claimed = steps.claimed(digest, step.kind, now)
        joined = [
            replace(m, alert=replace(m.alert, state=AlertState.DIGESTED, digest_id=digest.id, due_at=None))
            for m in members
        ]
        with self._keeping(claimed, digest):
            version = await settled(lambda: self.store.create_digest(claimed, joined), lambda: self._applied(claimed))
        if isinstance(version, Conflict):
            return None
        handled.update(m.alert.id for m in members)
        emit("digest_made", alert=digest.id[:12], members=len(members))
        return StoredAlert(claimed, version), step.kind, texts.digest(lines[: len(members)])

    def _fits(self, kind: Kind, words: str) -> bool:
        """A digest has something to say, and the template could carry all of it."""
        room = self.whatsapp.template_room
        return bool(words) and (kind is not Kind.TEMPLATE or room is None or utf16_length(words) <= room)

    async def _dissolve(self, digest: StoredAlert) -> None:
        """Take a digest apart: its alerts go on by themselves, at once. What an erasure left empty just ends."""
        now = self.clock()
        members = [
            replace(m, alert=replace(m.alert, state=AlertState.WAITING, digest_id=None, due_at=now))
            for m in await self.store.digest_members(digest.alert.id)
        ]
        over = replace(digest.alert, state=AlertState.DISSOLVED, due_at=None, claim_until=None)
        await self.store.dissolve_digest(replace(digest, alert=over), members)

    # -- the call and what becomes of it

    async def _send(self, claim: Claim, contact: ManagerContact) -> str:
        """Call, store the outcome, and call once more if WhatsApp says at once that it must be the template."""
        stored, kind, words = claim
        while True:
            saved = await self._called(stored, kind, words, contact)
            if saved is None:
                return "ignored"
            again = steps.next_step(saved.alert, contact, self.clock(), self._rules)
            whole = saved.alert.cause != DIGEST or self._fits(Kind.TEMPLATE, words)
            if not saved.alert.template_next or again.kind is not Kind.TEMPLATE or not whole:
                break
            kind = Kind.TEMPLATE
            claimed = steps.claimed(again.alert, kind, self.clock())
            with self._keeping(claimed, again.alert):
                version = await self._saved(claimed, saved.version)
            if isinstance(version, Conflict):
                break
            stored = StoredAlert(claimed, version)
        await self._schedule(saved.alert)
        emit("alert_tried", alert=saved.alert.id[:12], state=saved.alert.state, calls=saved.alert.calls, kind=kind)
        return saved.alert.state.value

    async def _called(
        self, claimed: StoredAlert, kind: Kind, words: str, contact: ManagerContact
    ) -> StoredAlert | None:
        """One call and its outcome, stored; None if the alert was erased meanwhile, or if we slept past the claim:
        then another tick may be calling."""
        if self.clock() >= (claimed.alert.claim_until or 0):
            return None
        outcome = await self._call(claimed.alert, kind, words)
        if isinstance(outcome, Exception) and steps.is_outside_window(outcome):
            with suppress(Unavailable):
                await self.store.note_manager_contact(ManagerContact(closed_at=self.clock()))
        current: StoredAlert | None = claimed
        alarmed = False
        while current is not None and current.alert.called_at == claimed.alert.called_at:
            step = self._outcome(current.alert, kind, outcome, contact)
            if step.alarm is not None:
                if not alarmed:
                    raise_alarm(step.alert, step.alarm, self.clock())
                alarmed = True
                step = replace(step, alert=replace(step.alert, alarmed_at=self.clock()), alarm=None)
            with self._keeping(current.alert, step.alert):
                version = await self._saved(step.alert, current.version)
                if not isinstance(version, Conflict):
                    return StoredAlert(step.alert, version)
                current = await self.store.get_alert(claimed.alert.id)  # a status came meanwhile
        return None

    async def _call(self, alert: Alert, kind: Kind, words: str) -> str | Exception:
        """The message's id, or what went wrong. What is not understood may have happened."""
        whatsapp = self.whatsapp
        send = whatsapp.send_template if kind is Kind.TEMPLATE else whatsapp.send_text
        if alert.cause == DRAFT and kind is Kind.TEXT and utf16_length(words) <= MAX_BUTTONS_TEXT:
            send = whatsapp.send_draft
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await send(words, alert.id)
        except PlatformError as error:
            outcome: Exception = error
        except Exception as error:
            outcome = Uncertain(f"WhatsApp: {type(error).__name__}", service=Service.WHATSAPP)
        emit("alert_not_accepted", "WARNING", alert=alert.id[:12], kind=kind, error=described(outcome))
        return outcome

    def _outcome(self, alert: Alert, kind: Kind, outcome: str | Exception, contact: ManagerContact) -> Step:
        now = self.clock()
        if isinstance(outcome, Exception):
            return steps.failed(alert, kind, outcome, now, self._rules)
        return steps.accepted(alert, outcome, contact, now, self._rules)

    # -- words

    async def _words(self, alert: Alert) -> str:
        """An alert as it is sent; empty for a digest whose alerts were all erased."""
        if alert.cause != DIGEST:
            return (await self._lines([alert]))[0]
        members = [stored.alert for stored in await self.store.digest_members(alert.id)]
        return texts.digest(await self._lines(members)) if members else ""

    async def _lines(self, found: Sequence[Alert]) -> list[str]:
        """Each alert as it is sent; a name that can't be had in time is left out."""
        threads = dict.fromkeys(alert.thread_id for alert in found if alert.thread_id)
        people = dict(zip(threads, await asyncio.gather(*map(self._who, threads)), strict=True))
        return [texts.single(alert, people.get(alert.thread_id, "")) for alert in found]

    async def _who(self, thread_id: str) -> str:
        profile = None
        with suppress(PlatformError, Unavailable, TimeoutError):
            async with asyncio.timeout(NAME_SECONDS):
                profile = await self.store.thread_profile(thread_id)
                if profile is None:
                    account_id, user_id = thread_owner(thread_id)
                    profile = await self.instagram.of(account_id).profile(user_id, self.clock())
        return texts.who(profile, thread_id)


def raise_alarm(alert: Alert, reason: str, now: int) -> None:
    """The event that another channel must ring on. Twice rather than never."""
    emit(
        "alert_undelivered",
        "CRITICAL",
        thread_id=alert.thread_id or None,
        alert=alert.id[:12],
        urgency=alert.urgency,
        cause=alert.cause,
        reason=reason,
        code=alert.failed_code,
        calls=alert.calls,
        ageSeconds=(now - alert.first_due_at) // 1000,
    )


def _joint(waiting: Sequence[StoredAlert]) -> list[StoredAlert]:
    """Ordinary alerts that go as a digest: more than three, or several held back of one person."""
    fresh = [
        stored
        for stored in waiting
        if not stored.alert.is_urgent
        and stored.alert.state is AlertState.WAITING
        and stored.alert.calls == 0
        and stored.alert.cause not in (DIGEST, DRAFT)
    ]
    held = [stored.alert.thread_id for stored in fresh if stored.alert.held_back]
    return fresh if len(fresh) > MAX_SINGLE or len(set(held)) < len(held) else []


def _digest_of(members: Sequence[Alert], digest_id: str, now: int) -> Alert:
    """A digest keeps no words: they are put together from its members, so that an erasure reaches all of them."""
    return Alert(
        id=digest_id,
        thread_id="",
        urgency="normal",
        cause=DIGEST,
        text=f"{len(members)} alerts",
        created_at=now,
        first_due_at=min(member.first_due_at for member in members),
        due_at=now,
        expire_at=max(member.expire_at for member in members),
        alarmed_at=min((m.alarmed_at or 0 for m in members), default=0) or None,
    )
