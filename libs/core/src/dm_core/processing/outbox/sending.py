"""A human's words go out: the same checkpoint, look-up and never-twice as for the agent's replies.

    planned ──saved as started──▶ POST ──▶ done | refused | in doubt ──look-ups, a minute apart──▶ done | uncertain

What is stored as started was perhaps sent: whoever comes next looks it up before anything else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dm_core.errors import AccountStopped, DmAgentError, Owner, Refused, RetryLater, Unreachable, described
from dm_core.messages import Content, Direction, EventKind, Message, Status, message_id
from dm_core.outbox import OutboxItem, OutboxState
from dm_core.processing.delivery import Delivery
from dm_core.processing.saves import settled
from dm_core.runs import Action, ActionState, Run
from dm_core.store.port import Conflict, OutboxStore, StoredOutbox, Version
from dm_core.threads import Thread

CLOSED = "Not sent: Instagram lets us write only within 24 hours of the person's last message."
GONE = "Not sent: this conversation does not exist any more."
REFUSED = "Not sent: Instagram refused it."
UNCERTAIN = "I can't tell whether this arrived, and did not send it again. Please look into Instagram."
STOPPED = "Not sent: Instagram could not be used for too long."
PARTLY = "Only the beginning was sent: Instagram could not be used for too long."
SENT = "Sent."


class ItemLost(DmAgentError):
    """Another process holds the item, or it was erased: stop, write nothing."""

    owner = Owner.OUTAGE


@dataclass(slots=True)
class HeldItem:
    """An item as last read, with every write on the version last seen."""

    store: OutboxStore
    item: OutboxItem
    version: Version

    @classmethod
    def of(cls, store: OutboxStore, stored: StoredOutbox) -> "HeldItem":
        return cls(store, stored.item, stored.version)

    async def save(self, item: OutboxItem) -> None:
        """Raises ItemLost, StoreUnavailable. Each claim has its own id, so no other task's item looks like ours."""
        version = await settled(lambda: self.store.save_outbox(item, self.version), lambda: self._applied(item))
        if isinstance(version, Conflict):
            raise ItemLost("the item was moved by another")
        self.item, self.version = item, version

    async def _applied(self, item: OutboxItem) -> Version | None:
        found = await self.store.get_outbox(item.id)
        return found.version if found is not None and found.item == item else None

    async def end(self, state: OutboxState, answer: str) -> None:
        await self.save(replace(self.item, state=state, answer=answer))


@dataclass(slots=True)
class _Conversation:
    """What ``Delivery`` needs to know of where it sends."""

    thread: Thread
    run: Run


@dataclass(frozen=True, slots=True)
class Sending:
    """Sends the parts of one held item. ``deadline`` in ms since 1970. ``take_over`` comes before each part."""

    held: HeldItem
    delivery: Delivery
    deadline: int
    take_over: Callable[[], Awaitable[None]]

    async def send(self, thread: Thread) -> None:
        """To the item's end. Raises LookAgain, RetryLater, AccountStopped, ItemLost, StoreUnavailable."""
        item = self.held.item
        run = Run(f"outbox-{item.id[:20]}", "", item.created_at, (), "", actions=item.actions)
        leased = _Conversation(thread, run)
        for key in [action.key for action in item.actions if action.is_open]:
            action = next(action for action in leased.run.actions if action.key == key)
            if not await self._bring_to_end(leased, action):
                return
        await self.held.end(OutboxState.DONE, SENT)

    async def _bring_to_end(self, leased: _Conversation, action: Action) -> bool:
        """One part; False when it ended the item."""
        if action.in_doubt:
            action = await self._settled(leased, action, wait=False)
        elif action.error is not None:  # it was throttled, and may be there all the same
            action = await self._keep(leased, await self.delivery.echoed(leased, action))
        if action.is_open:
            action = await self._performed(leased, action)
        if action.state is ActionState.UNCERTAIN:
            await self.held.end(OutboxState.UNCERTAIN, UNCERTAIN)
        if action.state is ActionState.REFUSED:
            await self.held.end(OutboxState.REFUSED, action.error or REFUSED)
        return action.state is ActionState.DONE

    async def _performed(self, leased: _Conversation, action: Action) -> Action:
        await self.take_over()
        action = await self._keep(leased, replace(action, started_at=self.delivery.clock()))
        if self.delivery.clock() >= self.deadline:
            await self._keep(leased, replace(action, started_at=None))
            raise RetryLater("no time left to send")
        try:
            action = await self.delivery.perform(leased, action, self.deadline)
        except (RetryLater, AccountStopped) as error:
            await self._keep(leased, replace(action, started_at=None, error=described(error)))  # held not to be out
            raise
        except (Unreachable, Refused) as error:
            action = await self.delivery.settle_refused(leased, action, error)
            words = CLOSED if isinstance(error, Unreachable) and error.window else REFUSED
            return await self._keep(leased, replace(action, error=words) if not action.went_out else action)
        await self._keep(leased, action)
        return await self._settled(leased, action, wait=True) if action.in_doubt else action

    async def _settled(self, leased: _Conversation, action: Action, *, wait: bool) -> Action:
        try:
            action = await self.delivery.settle(leased, action, self.deadline, wait=wait)
        except DmAgentError:
            await self.held.save(replace(self.held.item, actions=leased.run.actions))  # when it was first looked up
            raise
        return await self._keep(leased, action)

    async def _keep(self, leased: _Conversation, action: Action) -> Action:
        leased.run = leased.run.with_action(action)
        await self.held.save(replace(self.held.item, actions=leased.run.actions))
        return action


async def give_up(held: HeldItem) -> None:
    """End an item that was tried for as long as it makes sense. Raises ItemLost, StoreUnavailable."""
    if any(action.in_doubt for action in held.item.actions):
        await held.end(OutboxState.UNCERTAIN, UNCERTAIN)
    else:
        await held.end(OutboxState.REFUSED, PARTLY if any(a.went_out for a in held.item.actions) else STOPPED)


def sent_messages(item: OutboxItem, expire_at: int, now: int) -> tuple[Message, ...]:
    """The parts that went out as messages of the thread, in a human's name, under the platform's ids."""
    return tuple(
        Message(
            id=message_id(EventKind.MESSAGE, action.platform_id),
            thread_id=item.thread_id,
            mid=action.platform_id,
            direction=Direction.HUMAN,
            status=Status.PROCESSED,
            content=Content(text=action.text),
            sent_at=action.ended_at or now,
            created_at=action.ended_at or now,
            updated_at=now,
            processed_at=now,
            expire_at=expire_at,
        )
        for action in item.actions
        if action.state is ActionState.DONE and action.platform_id
    )
