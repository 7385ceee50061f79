"""One action goes out, or is found out about.

    started ──▶ POST ──▶ answer ──▶ done | refused
                  └─ timeout, 5xx, unknown code, crash ──▶ in doubt ──▶ look up: echo webhook, Conversations API

The platform has no idempotency key, so an action in doubt is looked up before anything else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dm_core.clients.owners import DEAD_TOKEN
from dm_core.clients.port import Instagram, InstagramAccounts, tried_again_if
from dm_core.clock import Clock
from dm_core.durations import MINUTE_MS
from dm_core.errors import (
    AccountStopped,
    DmAgentError,
    Owner,
    PlatformError,
    RetryLater,
    StoreUnavailable,
    Uncertain,
    Unreachable,
    described,
)
from dm_core.messages import Direction, Message
from dm_core.runs import Action, ActionKind, ActionState, Run
from dm_core.same_text import normal_form
from dm_core.settings import RunLimits
from dm_core.store.port import PAGE_SIZE, ThreadStore
from dm_core.telemetry import emit
from dm_core.threads import Thread

SKEW_MS = 15_000
"""How much earlier than the recorded start a platform, or our webhook, may date our message: clocks that are off by 5 s
either way, and whole seconds. What another run sent in this time is known by its id."""
LOOK_AGAIN_MS = MINUTE_MS
"""Between two look-ups that found nothing, before a send counts as not found."""
OUR_WORDS: Final = frozenset({Direction.OUTBOUND})
"""As whose words an echo of a run's send is stored."""
HISTORY = 300
"""Messages looked through for an echo: more than anybody writes while a send is in doubt."""


class LookAgain(DmAgentError):
    """A send in doubt was not found yet, or could not be looked up: the run waits, the send stays in doubt."""

    owner = Owner.OUTAGE

    def __init__(self, message: str, wait_seconds: float | None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Conversation(Protocol):
    """Where something is sent, and whose actions are told apart: a thread under its lease, or a human's message."""

    thread: Thread
    run: Run


@dataclass(frozen=True, slots=True)
class Delivery:
    """Performs actions of one thread. Knows the store only to look up echoes.

    ``said_by``: as whose words an echo of ours may have been stored; a human's, where a human wrote them. ``stopped``:
    told, with the account, of a dead token that only a reaction met, for which nothing waits.
    """

    store: ThreadStore
    instagram: InstagramAccounts
    clock: Clock
    limits: RunLimits
    said_by: frozenset[Direction] = OUR_WORDS
    stopped: Callable[[PlatformError, str], Awaitable[None]] | None = None

    async def perform(self, leased: Conversation, action: Action, deadline: int) -> Action:
        """Do one started action; done, refused, or still in doubt with the reason.

        Never later than ``deadline`` (ms since 1970). A send that did not go out raises whose fault that is:
        RetryLater, AccountStopped, Unreachable, Refused. A reaction is best effort: it is refused instead.
        """
        try:
            if action.kind is ActionKind.SEND and not leased.thread.window_open(self.clock()):
                raise Unreachable("the 24 hour window is closed", window=True)
            async with asyncio.timeout(max(0.0, (deadline - self.clock()) / 1000)):
                platform_id = await self._call(leased, action)
        except (Uncertain, TimeoutError) as error:
            emit("action_uncertain", "WARNING", thread_id=leased.thread.id, kind=action.kind, reason=described(error))
            return replace(action, error=described(error))
        except PlatformError as error:
            emit("action_refused", "WARNING", thread_id=leased.thread.id, kind=action.kind, reason=described(error))
            if action.kind is ActionKind.SEND:
                return await self._rejected(leased, action, error)
            if error.code == DEAD_TOKEN and self.stopped is not None:
                with suppress(StoreUnavailable):
                    await self.stopped(error, leased.thread.account_id)
            return self.ended(action, ActionState.REFUSED, described(error))
        return replace(self.ended(action, ActionState.DONE, None), platform_id=platform_id)

    async def settle(self, leased: Conversation, action: Action, deadline: int, *, wait: bool) -> Action:
        """Find out about an action in doubt: done, uncertain for good, or planned again (sent once more, one of a run).

        A reaction can't be looked up and is never repeated. With ``wait`` an echo gets its time first. Raises LookAgain
        until two look-ups that worked, a minute apart, did not find it, and AccountStopped where a person must act
        before one can work.
        """
        if action.kind is not ActionKind.SEND:
            return self.ended(action, ActionState.UNCERTAIN, action.error or "its fate is unknown")
        mid = await self._look_up(leased, action, deadline, wait=wait)
        emit("send_looked_up", "WARNING", thread_id=leased.thread.id, found=mid is not None)
        if mid is not None:
            return replace(self.ended(action, ActionState.DONE, None), platform_id=mid)
        now = self.clock()
        first = action.looked_at if action.looked_at is not None else now
        if now - first < LOOK_AGAIN_MS:
            leased.run = leased.run.with_action(replace(action, looked_at=first))
            raise LookAgain("a send in doubt was not found yet", (first + LOOK_AGAIN_MS - now) / 1000)
        if self.limits.uncertain_sends == "hold" or any(each.resent for each in leased.run.actions):
            return self.ended(action, ActionState.UNCERTAIN, action.error or "its fate is unknown")
        return replace(action, started_at=None, looked_at=None, resent=True)

    async def came_back(self, leased: Conversation, action: Action, recent: Sequence[Message]) -> Action:
        """The same as ``echoed``, by the newest page of the thread, and by more where that may hide an echo."""
        action = self.confirmed(leased, action, recent)
        return await self.echoed(leased, action) if action.is_open and len(recent) >= PAGE_SIZE else action

    async def echoed(self, leased: Conversation, action: Action) -> Action:
        """The action, done if its text came back since it was started, or decided on: it went out, whatever we were
        told. Raises StoreUnavailable.
        """
        return self.confirmed(leased, action, await self.store.history(leased.thread.id, HISTORY))

    def confirmed(self, leased: Conversation, action: Action, history: Sequence[Message]) -> Action:
        """The same, by messages that were read already."""
        mid = echo_of(history, leased.run, action, self.said_by)
        return action if mid is None else replace(self.ended(action, ActionState.DONE, None), platform_id=mid)

    async def settle_refused(self, leased: Conversation, action: Action, error: PlatformError) -> Action:
        """A refused send, once more looked at: platforms were seen to deliver what they had refused."""
        await asyncio.sleep(self.limits.echo_wait)
        action = await self.echoed(leased, action)
        return self.ended(action, ActionState.REFUSED, described(error)) if action.is_open else action

    def ended(self, action: Action, state: ActionState, error: str | None) -> Action:
        """The action in its last state, now."""
        return replace(action, state=state, ended_at=self.clock(), error=error)

    async def _call(self, leased: Conversation, action: Action) -> str | None:
        account: Instagram = self.instagram.of(leased.thread.account_id)
        if action.kind is ActionKind.SEND:

            async def still_unsent() -> bool:
                return (await self._heard(leased, action)).is_open

            with tried_again_if(still_unsent):
                return await account.send_text(leased.thread.user_id, action.text)
        await account.react(leased.thread.user_id, action.target or "", action.text)
        return None

    async def _rejected(self, leased: Conversation, action: Action, error: PlatformError) -> Action:
        """A send that was rejected before it was processed, done if it came back all the same. Raises ``error``."""
        if isinstance(error, (RetryLater, AccountStopped)):
            action = await self._heard(leased, action)
        if action.is_open:
            raise error
        return action

    async def _heard(self, leased: Conversation, action: Action) -> Action:
        """A rejected send, done if its echo is there all the same; as it is where the store can't tell."""
        with suppress(StoreUnavailable):
            return await self.echoed(leased, action)
        return action

    async def _look_up(self, leased: Conversation, action: Action, deadline: int, *, wait: bool) -> str | None:
        """Several looks a short while apart, because an echo may still be on its way; None when it is not there.

        Raises LookAgain, AccountStopped when none of them could be made.
        """
        looked, failure = False, None
        try:
            async with asyncio.timeout(max(0.0, (deadline - self.clock()) / 1000)):
                for attempt in range(self.limits.look_ups):
                    if wait or attempt:
                        await asyncio.sleep(self.limits.echo_wait)
                    asks = not isinstance(failure, PlatformError)
                    try:
                        mid = await self._find(leased, action, asks=asks)
                    except (PlatformError, StoreUnavailable) as error:
                        emit("look_up_failed", "WARNING", thread_id=leased.thread.id, reason=described(error))
                        failure = error
                        continue
                    if mid is not None:
                        return mid
                    looked = looked or asks
        except TimeoutError:
            emit("look_up_failed", "WARNING", thread_id=leased.thread.id, reason="the run's time is over")
        if looked:
            return None
        if isinstance(failure, AccountStopped):
            raise failure
        told = failure.wait_seconds if isinstance(failure, RetryLater) else None
        raise LookAgain("a send in doubt could not be looked up", told)

    async def _find(self, leased: Conversation, action: Action, *, asks: bool) -> str | None:
        """In our own store, else (if it ``asks``) in the platform's list; never a message that another action or run
        sent. A platform that does not answer is not asked again by the same look-up, but the echo may still come."""
        history = await self.store.history(leased.thread.id, HISTORY)
        if (mid := echo_of(history, leased.run, action, self.said_by)) is not None or not asks:
            return mid
        taken = _taken(leased.run) | {m.mid for m in history if m.run_id not in (None, leased.run.id)}
        listed = await self.instagram.of(leased.thread.account_id).recent_messages(leased.thread.user_id, 20)
        for message in listed:
            ours = message.from_id != leased.thread.user_id and message.mid not in taken
            if ours and _same(message.text, action) and message.created_at >= _since(leased.run, action):
                return message.mid
        return None


def echo_of(
    history: Sequence[Message], run: Run, action: Action, said_by: frozenset[Direction] = OUR_WORDS
) -> str | None:
    """The id of the echo of a send, stored since it was started, or decided on; None where there is none. Pure."""
    if action.kind is not ActionKind.SEND:
        return None
    taken = _taken(run)
    for message in history:
        ours = message.direction in said_by and message.run_id in (None, run.id)
        fresh = message.mid not in taken and message.created_at >= _since(run, action)
        if ours and fresh and _same(message.content.text or "", action):
            return message.mid
    return None


def heard(run: Run, history: Sequence[Message], now: int) -> Run:
    """The run with every send done whose echo is there, although its result was not recorded, or was a rejection. Pure.

    ``now`` in ms since 1970.
    """
    for action in run.actions:
        if action.is_open and (mid := echo_of(history, run, action)) is not None:
            run = run.with_action(replace(action, state=ActionState.DONE, platform_id=mid, ended_at=now))
    return run


def _taken(run: Run) -> set[str]:
    """Ids that belong to other actions of the run."""
    return {action.platform_id for action in run.actions if action.platform_id}


def _same(text: str, action: Action) -> bool:
    return normal_form(text) == normal_form(action.text)


def _since(run: Run, action: Action) -> int:
    decided_at = (run.asked.at if run.asked else 0) or run.started_at
    return (action.started_at or decided_at) - SKEW_MS
