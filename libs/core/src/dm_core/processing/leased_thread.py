"""What one process holds of a thread while it runs it: the last version read, the lease, the run.

Every write goes through ``commit`` on the version last seen: what is to be written is made from what was read, and
made anew when the condition was lost. A lost answer is settled by the commit token. ``Superseded`` as soon as the lease
is no longer exactly ours. (The lease is compared whole: a resumed run keeps its run id, but never its expiry.)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from dm_core.alerts import AskedAlert
from dm_core.clock import Clock, Ids
from dm_core.errors import DmAgentError, Owner
from dm_core.messages import Message
from dm_core.processing.alerts import Alerts
from dm_core.processing.drafts import asked_of
from dm_core.processing.saves import settled
from dm_core.runs import Run
from dm_core.store.port import (
    UNKNOWN_VERSION,
    UNSET,
    Conflict,
    MessageChange,
    Snapshot,
    ThreadChange,
    ThreadStore,
    Version,
)
from dm_core.threads import Lease, Profile, Thread

MAX_CONFLICTS = 10
"""Lost conditions in a row before the thread is left for later."""


class Superseded(DmAgentError):
    """The lease is not ours any more, or the thread was erased: stop, write nothing."""


class TooManyConflicts(DmAgentError):
    """The thread kept moving under the run."""

    owner = Owner.OUTAGE


async def settle(store: ThreadStore, change: ThreadChange) -> Version | Conflict:
    """Commit, and find out what happened if the answer was lost.

    An applied commit whose answer was lost gives ``UNKNOWN_VERSION``: events may have been merged since, so the next
    conditional commit must conflict and read again. Raises StoreUnavailable when the store can't be read either.
    """

    async def applied() -> Version | None:
        snapshot = await store.open(change.thread_id)
        is_ours = snapshot is not None and snapshot.thread.commit_token == change.token
        return UNKNOWN_VERSION if is_ours else None

    return await settled(lambda: store.commit(change), applied)


def with_alerts(alerts: Alerts, change: ThreadChange, thread: Thread, asked: Sequence[AskedAlert]) -> ThreadChange:
    """The change that creates these alerts too; the same alert in a repeated commit is one document."""
    if not asked:
        return change
    created, count = alerts.new(asked, thread.id, thread.alert_count)
    return replace(change, alerts=created, alert_count=count)


def with_ended(change: ThreadChange, thread: Thread, run: Run, expire_at: int) -> ThreadChange:
    """The change that ends or drops a run too: it leaves the thread for the archive, and its cost stays."""
    return replace(change, run=None, archive=run, archive_expire_at=expire_at, spent=thread.spent + run.spent)


class LeasedThread:
    """The thread under our lease. ``run`` is the newest state, which may be ahead of what is stored.

    ``aside``: alerts that the next commit stores, and that are none of the run's own.
    """

    def __init__(
        self,
        store: ThreadStore,
        alerts: Alerts,
        clock: Clock,
        ids: Ids,
        *,
        snapshot: Snapshot,
        run: Run,
        lease: Lease,
        resumed: bool,
    ) -> None:
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._ids = ids
        stored = snapshot.thread.run if resumed else None
        self._stored_alerts = frozenset(alert.key for alert in stored.alerts) if stored else frozenset[str]()
        self.run = run
        self.lease = lease
        self.resumed = resumed
        self.thread: Thread = snapshot.thread
        self.version: Version = snapshot.version
        self.recent: tuple[Message, ...] = snapshot.recent
        self.own: tuple[Message, ...] = ()
        self.others: tuple[Message, ...] = ()
        self.aside: tuple[AskedAlert, ...] = ()
        self._met: Profile | None = None
        self._take(snapshot)

    def met(self, profile: Profile | None) -> None:
        """Who the person is, as was just read: the next commit stores it."""
        if profile is not None:
            self._met = profile

    @property
    def shows_unsent(self) -> bool:
        """The model was shown a DM that was taken back since."""
        return any(message.unsent_at is not None and message.mid in self.run.handles.values() for message in self.own)

    def change(self) -> ThreadChange:
        """An empty change on the version last seen; fill it with ``dataclasses.replace``."""
        return ThreadChange(self.thread.id, self.version, self._ids(), self._clock())

    async def commit[T](self, make: Callable[[], ThreadChange | T]) -> T | None:
        """Write what ``make`` makes of the thread as last read; on a lost condition read again and make it anew.

        When ``make`` gives anything but a change, nothing is written and that is the outcome; None: written. What the
        run wants the manager to know is stored with it. Raises Superseded, StoreUnavailable, TooManyConflicts.
        """
        for _ in range(MAX_CONFLICTS):
            made = make()
            if not isinstance(made, ThreadChange):
                return cast("T", made)
            if await self._apply(self._with_alerts(made)):
                return None
            await self._refresh()
        raise TooManyConflicts(f"{MAX_CONFLICTS} conditions lost in a row")

    async def _apply(self, change: ThreadChange) -> bool:
        """Commit a change; False if the condition was lost."""
        outcome = await settle(self._store, change)
        if isinstance(outcome, Conflict):
            self.version = UNKNOWN_VERSION  # a lost write may not have moved it: read again before anything else
            return False
        self.version = outcome
        changed = {message.id: message for message in change.messages}
        own = (*self.own, *(message for message in self.others if message.id in changed))
        self.own = tuple(_changed(message, changed.get(message.id)) for message in own)
        self.others = tuple(message for message in self.others if message.id not in changed)
        if isinstance(change.run, Run):
            self.run = change.run
        if change.profile is not UNSET:
            self.thread, self._met = replace(self.thread, profile=change.profile), None
        if change.notes is not UNSET:
            self.thread = replace(self.thread, notes=change.notes)
        if change.alert_count is not UNSET:
            self.thread = replace(self.thread, alert_count=change.alert_count)
            self._stored_alerts, self.aside = frozenset(alert.key for alert in self.run.alerts), ()
            await self._alerts.announce(change.alerts)
        return True

    def _with_alerts(self, change: ThreadChange) -> ThreadChange:
        run = change.run if isinstance(change.run, Run) else change.archive
        asked = self.aside
        if run is not None:
            asked += tuple(a for a in run.alerts if a.key not in self._stored_alerts)
        if isinstance(change.run, Run):
            asked += asked_of(change.run)
        if self._met is not None:
            change = replace(change, profile=self._met)
        return with_alerts(self._alerts, change, self.thread, asked)

    async def _refresh(self) -> None:
        """Read the thread again; raises Superseded if it is no longer ours."""
        snapshot = await self._store.open(self.thread.id)
        if snapshot is None or snapshot.thread.lease != self.lease:
            raise Superseded("the lease of this run is gone")
        self._take(snapshot)

    def _take(self, snapshot: Snapshot) -> None:
        self.thread, self.version, self.recent = snapshot.thread, snapshot.version, snapshot.recent
        mine = frozenset(self.run.message_ids)
        self.own = tuple(message for message in snapshot.unprocessed if message.id in mine)
        self.others = tuple(message for message in snapshot.unprocessed if message.id not in mine)


def _changed(message: Message, change: MessageChange | None) -> Message:
    if change is None:
        return message
    attempts = message.attempts if change.attempts is UNSET else change.attempts
    return replace(message, status=change.status, attempts=attempts)
