"""Changes of threads and of everything: each one conditional commit, with its line of the audit."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from dm_admin.desk import ALL, Desk, Plan, Refused
from dm_core.errors import QueueUnavailable
from dm_core.messages import Message, Status
from dm_core.outbox import ADMIN
from dm_core.processing.leased_thread import TooManyConflicts, settle
from dm_core.processing.switches import READ_MS, SwitchReader
from dm_core.queue.wakeup import plan_wake_up
from dm_core.steering import Mode, Pause, Steering, Switches, still_silent
from dm_core.store.port import Conflict, MessageChange, ThreadChange, Version
from dm_core.threads import Thread

_TRIES: Final = 5
SWEPT: Final = "the sweep wakes it within two minutes"
SOON: Final = f"every instance knows within {READ_MS // 1000} seconds"

ANSWERING: Final = frozenset(("resume", "mode auto", "mode draft"))
"""Changes after which one expects the agent to answer."""

type Steer = Callable[[Thread, ThreadChange], ThreadChange]
"""What to change of a thread as it was read; the change's id, version, token, time and audit are filled in."""


async def commit(
    desk: Desk, thread_id: str, what: str, why: str, steer: Steer, look: Callable[[], Awaitable[None]] | None = None
) -> ThreadChange:
    """Change a thread as it is now, whatever came meanwhile; the change. Raises Refused, StoreUnavailable.

    ``look`` reads what ``steer`` needs besides the thread, each time after it: the change rests on both.
    """
    for _ in range(_TRIES):
        snapshot = await desk.store.open(thread_id)
        if snapshot is None:
            raise Refused(f"thread {thread_id} does not exist any more: nothing was changed")
        if look is not None:
            await look()
        line = desk.line(what, why, thread_id)
        empty = ThreadChange(thread_id, snapshot.version, desk.ids(), line.at, audit=(line,))
        change = steer(snapshot.thread, empty)
        if not isinstance(await settle(desk.store, change), Conflict):
            return change
    raise TooManyConflicts("the thread kept moving: nothing was changed, try again")


async def pause(desk: Desk, reference: str, why: str) -> Plan:
    """Leave a thread, or everything, to humans until somebody resumes it."""
    now = desk.clock()
    if reference == ALL:
        return await _everywhere(
            desk, "pause", why, "leave all conversations to humans", lambda s: replace(s, pause=Pause(ADMIN, now))
        )
    thread = await desk.thread(reference)
    return await _in_thread(
        desk,
        thread,
        "pause",
        why,
        "leave it to humans until it is resumed",
        lambda thread, change: replace(change, steering=replace(thread.steering, pause=Pause(ADMIN, change.now))),
    )


async def resume(desk: Desk, reference: str, why: str) -> Plan:
    """Let the agent answer what comes from now on: ends pause and takeover, and releases what was handed over."""
    now = desk.clock()
    if reference == ALL:
        would = "answer what comes from now on, in all conversations that are not paused by themselves"
        return await _everywhere(desk, "resume", why, would, lambda switches: switches.resumed(now))
    thread = await desk.thread(reference)
    return await _in_thread(
        desk,
        thread,
        "resume",
        why,
        "answer what comes from now on; what came while it was paused is a human's",
        _resumed,
    )


def _resumed(thread: Thread, change: ThreadChange) -> ThreadChange:
    change = replace(change, steering=replace(thread.steering, pause=None, handover=None))
    return replace(change, paused_until=change.now) if thread.is_left_to_humans(change.now) else change


def _in_mode[S: (Steering, Switches)](steered: S, mode: Mode) -> S:
    """Switched off, it knows what it was, for whoever says ``on`` by WhatsApp."""
    return steered.switched_off() if mode is Mode.OFF else replace(steered, mode=mode)


async def mode(desk: Desk, reference: str, word: str, why: str) -> Plan:
    """Who decides what is sent, in a thread or everywhere. Raises Refused for a word that is no mode."""
    known = next((mode for mode in Mode if mode.value == word), None)
    if known is None:
        raise Refused(f"{word!r} is no mode: type {', '.join(Mode)}")
    would, what = f"set the mode to {known}", f"mode {known}"
    if reference == ALL:
        return await _everywhere(desk, what, why, would, lambda switches: _in_mode(switches, known))
    thread = await desk.thread(reference)
    return await _in_thread(
        desk,
        thread,
        what,
        why,
        would,
        lambda thread, change: replace(change, steering=_in_mode(thread.steering, known)),
    )


async def _in_thread(desk: Desk, thread: Thread, what: str, why: str, would: str, steer: Steer) -> Plan:
    async def but(change: ThreadChange) -> str:
        if what not in ANSWERING:
            return ""
        steering = change.steering if isinstance(change.steering, Steering) else thread.steering
        switches = await SwitchReader(desk.store, desk.clock).current()
        return _but(what, still_silent(switches, steering))

    async def act() -> str:
        return f"{what}: {thread.id}{await but(await commit(desk, thread.id, what, why, steer))}"

    imagined = steer(thread, ThreadChange(thread.id, Version(None), "", desk.clock()))
    return Plan(f"{thread.id}: {would}{await but(imagined)}", act)


def _but(what: str, silent: str) -> str:
    """Whoever lets the agent answer is told what still keeps it from that."""
    return f"; it stays silent, because {silent}" if silent and what in ANSWERING else ""


async def _everywhere(desk: Desk, what: str, why: str, would: str, make: Callable[[Switches], Switches]) -> Plan:
    reader = SwitchReader(desk.store, desk.clock)

    async def act() -> str:
        switches = await reader.change(make, (desk.line(what, why),))
        return f"{what}: everything; {SOON}{_but(what, still_silent(switches))}"

    return Plan(f"everything: {would}{_but(what, still_silent(make(await reader.current())))}", act)


async def retry(desk: Desk, reference: str, why: str) -> Plan:
    """Make a thread's failed DMs pending again and wake it. Raises Refused where nobody would be answered."""
    thread = await desk.thread(reference)
    failed = await desk.reads.failed_messages(thread.id)
    switches = await SwitchReader(desk.store, desk.clock).current()
    if problem := _pointless(thread, failed, switches, desk.clock()):
        raise Refused(f"{thread.id}: {problem}")

    async def act() -> str:
        now = desk.clock()
        wake_up = plan_wake_up(thread.id, now, desk.settings.debounce_min, desk.settings.debounce_max)
        still = list(failed)

        async def look() -> None:
            still[:] = await desk.reads.failed_messages(thread.id)

        def steer(thread: Thread, change: ThreadChange) -> ThreadChange:
            if not still:
                raise Refused(f"{thread.id}: its failed DMs were retried by somebody else meanwhile")
            again = tuple(_again(message, now) for message in still)
            return replace(
                change,
                messages=again,
                pending_count=thread.pending_count + len(again),
                due_at=wake_up.fire_at,
                not_before=None,
                wait_count=0,
                steering=replace(thread.steering, handover=None),
            )

        await commit(desk, thread.id, "retry", why, steer, look)
        done = f"retry: {len(still)} failed DMs of {thread.id} are pending again"
        try:
            if desk.queue is None:
                return f"{done}; {SWEPT}"
            await desk.queue.get().schedule(wake_up)
        except QueueUnavailable:
            return f"{done}; {SWEPT}, for no task could be made"
        return f"{done}; it wakes within {max(1, round((wake_up.fire_at - now) / 1000))} seconds"

    return Plan(
        f"{thread.id}: make {len(failed)} failed DMs pending again, wake it, and release what was handed over", act
    )


def _again(message: Message, now: int) -> MessageChange:
    return MessageChange(
        message.id, Status.PENDING, now, processed_at=None, error=None, disposition=None, attempts=0, run_id=None
    )


def _pointless(thread: Thread, failed: Sequence[Message], switches: Switches, now: int) -> str | None:
    """Why a retry would answer nobody, and what would."""
    if not failed:
        return "no DM of it failed, so there is nothing to retry"
    if not thread.window_open(now):
        return "Instagram takes no reply any more, for the person's last DM is over 24 hours old: wait for the next one"
    if any(thread.taken_over(message) or switches.leaves_to_humans(message.created_at) for message in failed):
        return "its failed DMs are a human's, for the conversation was paused when they came: use `dm-admin reply`"
    if switches.mode_of(thread.steering) is Mode.OFF:
        return "the agent is switched off: first `dm-admin mode`"
    if thread.steering.stopped_at is not None:
        return "its person used a stop word: use `dm-admin reply`"
    return None
