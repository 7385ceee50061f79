"""Threads: which ones need somebody, and one of them whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dm_admin.reads import LOOKED_THROUGH, Reads
from dm_admin.views.alerts import AlertView, alert_view
from dm_admin.views.messages import MessageView, message_view, with_switch
from dm_admin.views.runs import RunView, drafted, run_view
from dm_core.clock import system_clock
from dm_core.durations import DAY_MS
from dm_core.messages import WINDOW_MS, Disposition
from dm_core.outbox import AuditLine
from dm_core.processing.switches import SwitchReader
from dm_core.steering import Mode, Switches
from dm_core.store.thread_documents import parse_thread_id
from dm_core.threads import Note, Thread

RELEASE_MS: Final = DAY_MS
"""How long a handover holds unless HANDOVER_HOURS says another time."""
DEFAULT_LIMIT: Final = 50


class ThreadState(StrEnum):
    """What can be true of a thread, in the order of urgency."""

    FAILED = "failed"  # DMs of it were given up
    HANDED_OVER = "handed over"  # a human must answer, and nobody has
    WAITING = "waiting"  # DMs are open, or a service is down
    RUNNING = "running"  # a run has it
    PAUSED = "paused"  # left to humans until somebody resumes it
    TAKEN_OVER = "taken over"  # left to humans for a while, because one wrote
    OFF = "off"  # its own mode: nobody is answered
    DRAFT = "draft"  # its own mode: the manager decides of each reply
    STOPPED = "stopped"  # its person used a stop word


@dataclass(frozen=True, slots=True)
class ThreadLine:
    """A thread on one line. ``window_until``: when Instagram takes no more replies; ``usd`` None: a price is unknown.

    ``mode`` empty: the deployment's. ``who`` is the @username, else the name, else the end of the person's id.
    """

    id: str
    account_id: str
    user_id: str
    who: str
    name: str | None
    username: str | None
    states: tuple[ThreadState, ...]
    mode: str
    pending: int
    last_inbound_at: int
    window_until: int
    model_calls: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread whole. ``messages`` are its newest, in their order; ``run``: the live one, and ``draft_waits`` whether
    what it would send waits for the manager.

    ``handed_over_at``, ``paused_by`` and the like are of now; ``audit`` says what humans changed before.
    """

    line: ThreadLine
    created_at: int
    due_at: int | None
    not_before: int | None
    wait_count: int
    lease_until: int | None
    paused_by: str
    paused_at: int | None
    paused_until: int | None
    handed_over_at: int | None
    human_at: int | None
    stopped_at: int | None
    disclosed_at: int | None
    notes: tuple[Note, ...]
    messages: tuple[MessageView, ...]
    alerts: tuple[AlertView, ...]
    audit: tuple[AuditLine, ...]
    run: RunView | None
    draft_waits: bool


@dataclass(frozen=True, slots=True)
class Everywhere:
    """What holds in the whole deployment."""

    mode: Mode
    paused_by: str
    paused_at: int | None
    resumed_at: int | None


async def everywhere(reads: Reads) -> Everywhere:
    """The deployment's switches. One document read."""
    return everywhere_view(await SwitchReader(reads.store, system_clock).current())


def everywhere_view(switches: Switches) -> Everywhere:
    """The switches as an operator sees them."""
    pause = switches.pause
    return Everywhere(switches.mode, pause.by if pause else "", pause.since if pause else None, switches.resumed_at)


async def list_threads(
    reads: Reads,
    now: int,
    states: Sequence[ThreadState] = (),
    search: str = "",
    limit: int = DEFAULT_LIMIT,
    release_ms: int = RELEASE_MS,
) -> tuple[ThreadLine, ...]:
    """Threads by their newest DM, the latest first: all of them, or those with one of these states.

    ``search``: part of a @username, of a name or of an id; a whole @username or id is found however old its thread is,
    the rest among the newest 1,000. ``now`` in ms since 1970.
    """
    failed = await reads.failed(limit) if not states or ThreadState.FAILED in states else ()
    if search:
        threads = await _searched(reads, search, limit)
    elif states:
        others = [state for state in dict.fromkeys(states) if state is not ThreadState.FAILED]
        threads = (*failed, *[thread for state in others for thread in await _with(reads, state, now, limit)])
    else:
        threads = await reads.store.newest_threads(limit)
    given_up = {thread.id for thread in failed}
    lines = [thread_line(thread, now, release_ms, failed=thread.id in given_up) for thread in _once(threads)]
    chosen = [line for line in lines if not states or set(states) & set(line.states)]
    return tuple(sorted(chosen, key=lambda line: -line.last_inbound_at)[:limit])


async def _with(reads: Reads, state: ThreadState, now: int, limit: int) -> tuple[Thread, ...]:
    match state:
        case ThreadState.HANDED_OVER:
            return await reads.handed_over(limit)
        case ThreadState.WAITING | ThreadState.RUNNING:
            return await reads.waiting(limit)
        case ThreadState.PAUSED | ThreadState.TAKEN_OVER:
            return await reads.paused(now, limit)
        case ThreadState.OFF | ThreadState.DRAFT:
            return await reads.off_or_draft(limit)
        case _:
            return await reads.stopped(limit)


async def _searched(reads: Reads, search: str, limit: int) -> tuple[Thread, ...]:
    exact = [*await reads.named(search), *(await reads.of_person(search) if search.isdecimal() else ())]
    if parse_thread_id(search) is not None and (thread := await reads.store.get_thread(search)) is not None:
        exact.append(thread)
    word = search.removeprefix("@").casefold()
    newest = await reads.store.newest_threads(max(limit, LOOKED_THROUGH))
    return (*exact, *(thread for thread in newest if word in _searchable(thread)))


def _searchable(thread: Thread) -> str:
    profile = thread.profile
    words = (profile.name or "", profile.username or "") if profile else ()
    return "\n".join((thread.id, *words)).casefold()


def _once(threads: Iterable[Thread]) -> Iterable[Thread]:
    return {thread.id: thread for thread in threads}.values()


def thread_line(thread: Thread, now: int, release_ms: int = RELEASE_MS, *, failed: bool = False) -> ThreadLine:
    """A thread on one line; ``failed``: DMs of it were given up, which its own document does not say."""
    profile, mode = thread.profile, thread.steering.mode
    name, username = (profile.name, profile.username) if profile else (None, None)
    return ThreadLine(
        id=thread.id,
        account_id=thread.account_id,
        user_id=thread.user_id,
        who=f"@{username}" if username else name or f"…{thread.user_id[-6:]}",
        name=name,
        username=username,
        states=_states(thread, now, release_ms, failed=failed),
        mode=mode.value if mode else "",
        pending=thread.pending_count,
        last_inbound_at=thread.last_inbound_at,
        window_until=thread.last_inbound_at + WINDOW_MS,
        model_calls=thread.spent.calls,
        usd=thread.spent.usd,
    )


def _states(thread: Thread, now: int, release_ms: int, *, failed: bool) -> tuple[ThreadState, ...]:
    steering = thread.steering
    running = thread.lease is not None and thread.lease.is_live(now)
    holds = {
        ThreadState.FAILED: failed,
        ThreadState.HANDED_OVER: thread.handed_over(now, release_ms) is not None,
        ThreadState.WAITING: not running and (thread.pending_count > 0 or thread.run is not None),
        ThreadState.RUNNING: running,
        ThreadState.PAUSED: steering.pause is not None,
        ThreadState.TAKEN_OVER: thread.paused_until is not None and now < thread.paused_until,
        ThreadState.OFF: steering.mode is Mode.OFF,
        ThreadState.DRAFT: steering.mode is Mode.DRAFT,
        ThreadState.STOPPED: steering.stopped_at is not None,
    }
    return tuple(state for state, true in holds.items() if true)


async def view_thread(
    reads: Reads, thread_id: str, now: int, messages: int = 20, release_ms: int = RELEASE_MS
) -> ThreadView | None:
    """One thread with its newest messages, its alerts and what humans changed; None if there is none."""
    thread = await reads.store.get_thread(thread_id)
    if thread is None:
        return None
    newest = await reads.store.history(thread_id, messages)
    audit = await reads.audit_of(thread_id)
    for_all = await reads.audit_of("") if any(m.disposition is Disposition.OFF for m in newest) else ()
    failed = any(message.status == "failed" for message in newest)
    steering = thread.steering
    handover = thread.handed_over(now, release_ms)
    return ThreadView(
        line=thread_line(thread, now, release_ms, failed=failed),
        created_at=thread.created_at,
        due_at=thread.due_at,
        not_before=thread.not_before,
        wait_count=thread.wait_count,
        lease_until=thread.lease.expires_at if thread.lease else None,
        paused_by=steering.pause.by if steering.pause else "",
        paused_at=steering.pause.since if steering.pause else None,
        paused_until=thread.paused_until,
        handed_over_at=handover.since if handover else None,
        human_at=thread.human_at,
        stopped_at=steering.stopped_at,
        disclosed_at=steering.disclosed_at,
        notes=thread.notes,
        messages=tuple(with_switch(message_view(message), (*for_all, *audit)) for message in newest),
        alerts=tuple(map(alert_view, await reads.alerts_of(thread_id))),
        audit=audit,
        run=run_view(thread.run) if thread.run else None,
        draft_waits=drafted(thread.run),
    )
