"""One action goes out, or is found out about.

    checkpoint ──▶ planned, started ──▶ POST ──▶ answer ──▶ done | refused
                          │               └─ timeout, 5xx, crash ──▶ in doubt ──▶ look up
                          └─ RetryLater: certain not to have gone; not started any more

The platforms have no idempotency key (facts/meta.md section 3.6), so an action in doubt is looked up before
anything else: our own store first (an echo webhook brought the same text), then the Conversations API.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from dm_core.clients.port import Instagram, InstagramAccounts, WhatsApp
from dm_core.clock import Clock
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, StoreUnavailable, Uncertain, described
from dm_core.messages import Direction, Message
from dm_core.processing.live import LiveThread
from dm_core.runs import Action, ActionKind, ActionState
from dm_core.settings import RunLimits
from dm_core.store.port import ThreadStore
from dm_core.telemetry import emit

SKEW_MS = 5_000
"""How much earlier than the recorded start a platform may date our message: its whole seconds and clock skew."""

WINDOW_ERROR = "the 24 hour window is closed"


class Fate(Enum):
    """What a look-up found."""

    FOUND = "it went out"
    ABSENT = "looked, and it is not there"
    UNKNOWN = "could not look"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Performs actions of one thread. Knows no store but for looking up echoes."""

    store: ThreadStore
    instagram: InstagramAccounts
    whatsapp: WhatsApp
    clock: Clock
    limits: RunLimits

    async def perform(self, live: LiveThread, action: Action, deadline: int) -> Action:
        """Do one started action; the action with its result, still in doubt if its fate is unknown.

        Never later than ``deadline`` (ms since 1970). Raises RetryLater when it certainly did not happen but may
        work later, AccountStopped when no send will work until a person acts.
        """
        if action.kind is ActionKind.SEND and not live.thread.window_open(self.clock()):
            return self._ended(action, ActionState.DROPPED, WINDOW_ERROR)
        try:
            async with asyncio.timeout(max(0.0, (deadline - self.clock()) / 1000)):
                platform_id = await self._call(live, action)
        except (Uncertain, TimeoutError) as error:
            emit("action_uncertain", "WARNING", thread_id=live.thread.id, kind=action.kind, reason=described(error))
            return replace(action, error=described(error))
        except Refused as error:
            if isinstance(error, AccountStopped) and action.kind is ActionKind.SEND:
                raise
            emit("action_refused", "WARNING", thread_id=live.thread.id, kind=action.kind, reason=described(error))
            return self._ended(action, ActionState.REFUSED, described(error))
        except RetryLater:
            if action.kind is ActionKind.REACT:  # best effort: a reaction is not worth a wait
                return self._ended(action, ActionState.REFUSED, "throttled")
            raise
        return replace(self._ended(action, ActionState.DONE, None), platform_id=platform_id)

    async def _call(self, live: LiveThread, action: Action) -> str | None:
        user_id = live.thread.user_id
        match action.kind:
            case ActionKind.SEND:
                return await self._account(live).send_text(user_id, action.text)
            case ActionKind.REACT:
                await self._account(live).react(user_id, action.target or "", action.text)
                return None
            case ActionKind.NOTIFY:
                urgent = "URGENT, " if action.urgency == "urgent" else ""
                return await self.whatsapp.notify(f"{urgent}{await self._who(live)}: {action.text}", action.key)

    def _account(self, live: LiveThread) -> Instagram:
        """The API of the account that was written to. Raises AccountStopped."""
        return self.instagram.of(live.thread.account_id)

    async def _who(self, live: LiveThread) -> str:
        """The person in words the manager can use; untrusted text, flattened and cut.

        The profile is asked for once a thread, and only here: an ordinary answer needs no name.
        """
        if live.profile is None:
            with suppress(PlatformError):
                live.profile = await self._account(live).profile(live.thread.user_id, self.clock())
        profile = live.profile
        name = (f"@{profile.username}" if profile.username else profile.name) if profile else None
        return f"Instagram {' '.join(name.split())[:60] if name else f'…{live.thread.user_id[-6:]}'}"

    async def resolve(self, live: LiveThread, action: Action, *, wait: bool) -> Action:
        """Settle an action in doubt: DONE if it is found, UNCERTAIN if not, or planned again (to be resent).

        A reaction or a notification can't be looked up and is never repeated. With ``wait`` an echo gets its time
        first. Raises Uncertain when resending is allowed but nothing could be looked up.
        """
        if action.kind is not ActionKind.SEND:
            return self._ended(action, ActionState.UNCERTAIN, action.error or "its fate is unknown")
        fate, mid = await self._look_up(live, action, wait=wait)
        emit("send_looked_up", "WARNING", thread_id=live.thread.id, fate=fate.name.lower())
        if fate is Fate.FOUND:
            return replace(self._ended(action, ActionState.DONE, None), platform_id=mid)
        if self.limits.uncertain_sends == "hold":
            return self._ended(action, ActionState.UNCERTAIN, action.error or "its fate is unknown")
        if fate is Fate.UNKNOWN:
            raise Uncertain("a send in doubt could not be looked up")
        return replace(action, started_at=None)

    async def _look_up(self, live: LiveThread, action: Action, *, wait: bool) -> tuple[Fate, str | None]:
        taken = {a.platform_id for a in live.run.actions if a.platform_id}
        looked = False
        for attempt in range(self.limits.look_ups):
            if wait or attempt:
                await asyncio.sleep(self.limits.echo_wait)
            try:
                history = await self.store.history(live.thread.id, 40)
                taken |= {m.mid for m in history if m.run_id not in (None, live.run.id)}
                if (mid := _echoed(history, action, taken)) is not None:
                    return Fate.FOUND, mid
                if (mid := await self._listed(live, action, taken)) is not None:
                    return Fate.FOUND, mid
                looked = True
            except (PlatformError, StoreUnavailable) as error:
                emit("look_up_failed", "WARNING", thread_id=live.thread.id, reason=described(error))
        return (Fate.ABSENT if looked else Fate.UNKNOWN), None

    async def _listed(self, live: LiveThread, action: Action, taken: set[str]) -> str | None:
        """The platform's own list: exact text, not from the person, not before the action started."""
        for message in await self._account(live).recent_messages(live.thread.user_id, 20):
            ours = message.from_id != live.thread.user_id and message.mid not in taken
            if ours and message.text == action.text and message.created_at >= (action.started_at or 0) - SKEW_MS:
                return message.mid
        return None

    def _ended(self, action: Action, state: ActionState, error: str | None) -> Action:
        return replace(action, state=state, ended_at=self.clock(), error=error)


def _echoed(history: tuple[Message, ...], action: Action, taken: set[str]) -> str | None:
    """An echo webhook that was stored since the action started."""
    for message in history:
        if (
            message.direction is Direction.OUTBOUND
            and message.mid not in taken
            and message.content.text == action.text
            and message.created_at >= (action.started_at or 0) - SKEW_MS
        ):
            return message.mid
    return None
