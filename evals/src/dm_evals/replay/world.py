"""What is there before the first DM: the calendar, what was said before, notes, and the platforms' faults.

Messages of a human go in by the real way (an echo at the webhook, at their time, so a fresh one still pauses the bot).
The person's and the bot's go into the store and the mailbox: by the real way each would need a model turn.
Whoever has a history or notes has a profile in the thread too, as after an earlier look-up.
"""

import hashlib
from dataclasses import replace
from datetime import UTC
from typing import Final

from dm_core.durations import DAY_MS
from dm_core.messages import Content, Direction, EventKind, Message, Status, message_id
from dm_core.store.port import Conflict, ThreadChange, ThreadEvents
from dm_core.threads import Note, Profile
from dm_evals.replay.trial_environment import TrialEnvironment
from dm_evals.scenarios.clock import milliseconds
from dm_evals.scenarios.scenario import Past, PlatformFault, Session
from dm_sandbox.platforms.faults import FaultKind
from dm_sandbox.platforms.server import Platform
from dm_sandbox.platforms.spond import Event

EARLIER_MS: Final = 30 * DAY_MS
"""How old the thread and the notes of a person without history are."""
PATIENCE: Final = {"instagram": 15.0, "whatsapp": 15.0, "spond": 8.0, "gemini": 60.0}
"""Seconds each client waits for an answer. A longer delay is one whose answer nobody hears: processed, then cut."""


async def set_up(environment: TrialEnvironment) -> frozenset[str]:
    """Fill the empty environment; the ids of the messages that were there before the scenario begins."""
    world = environment.scenario.world
    environment.spond.events = [_event(number, session) for number, session in enumerate(world.sessions or ())]
    oldest_first = sorted(world.history, key=lambda past: -milliseconds(past.ago))  # of one age: as in the file
    for place, past in enumerate(oldest_first):
        await _past(environment, past, environment.now - milliseconds(past.ago) + place)
    if world.notes and not world.history:
        await environment.store.record(_touch(environment, environment.now - EARLIER_MS))
    if world.notes or world.history:
        await _thread(environment)
    for fault in world.faults:
        _fault(environment, fault)
    environment.clock.now = environment.now
    environment.person.sender.deliveries.clear()
    return frozenset(message.id for message in await environment.store.history(environment.person.thread_id, 1_000))


def _event(number: int, session: Session) -> Event:
    mark = f"{number}/{session.title}/{session.starts.isoformat()}"
    return Event(
        id=hashlib.sha256(mark.encode()).hexdigest()[:32].upper(),
        heading=session.title,
        starts_at=session.starts.astimezone(UTC),
        ends_at=session.ends.astimezone(UTC),
        **session.model_dump(include={"place", "accepted", "capacity", "cancelled"}),
    )


async def _past(environment: TrialEnvironment, past: Past, at: int) -> None:
    environment.clock.now = at
    if past.by == "human":
        await environment.person.human_replies(past.text)
        return
    by_person = past.by == "person"
    if by_person:
        mid = environment.instagram.mids.next(environment.instagram.account_id, environment.person.user_id)
        environment.instagram.hear(environment.person.user_id, mid, past.text)
    else:
        mid = environment.instagram.human_sends(environment.person.user_id, past.text, echo=False).mid
    message = Message(
        id=message_id(EventKind.MESSAGE, mid),
        thread_id=environment.person.thread_id,
        mid=mid,
        direction=Direction.INBOUND if by_person else Direction.OUTBOUND,
        status=Status.PROCESSED,
        content=Content(text=past.text),
        sent_at=at,
        created_at=at,
        updated_at=at,
        processed_at=at,
        expire_at=at + 90 * DAY_MS,
    )
    events = _touch(environment, at)
    await environment.store.record(replace(events, messages=(message,), last_inbound_at=at if by_person else None))


def _touch(environment: TrialEnvironment, at: int) -> ThreadEvents:
    return ThreadEvents(environment.person.thread_id, environment.instagram.account_id, environment.person.user_id, at)


async def _thread(environment: TrialEnvironment) -> None:
    """Notes and profile of somebody known."""
    snapshot = await environment.store.open(environment.person.thread_id)
    assert snapshot is not None, "the thread was just made"  # noqa: S101
    who, at = environment.scenario.person, max(snapshot.thread.created_at, environment.now - EARLIER_MS)
    change = ThreadChange(snapshot.thread.id, snapshot.version, "set up", environment.now)
    notes = tuple(Note(text, at) for text in environment.scenario.world.notes)
    if who.name or who.username:
        change = replace(change, profile=Profile(who.name, who.username, at))
    if isinstance(await environment.store.commit(replace(change, notes=notes)), Conflict):
        raise RuntimeError("the world could not be set up: the thread moved")


def _fault(environment: TrialEnvironment, fault: PlatformFault) -> None:
    platforms: dict[str, Platform] = {
        "instagram": environment.instagram,
        "whatsapp": environment.whatsapp,
        "spond": environment.spond,
        "gemini": environment.runtime.gateway,
    }
    kind = fault.kind
    if kind is FaultKind.DELAY and fault.seconds >= PATIENCE[fault.platform]:
        kind = FaultKind.STALL_AFTER
    platforms[fault.platform].faults.add(kind, **fault.model_dump(exclude={"platform", "kind"}))
