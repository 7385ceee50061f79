"""The webhook's side: what came in for a thread, and what is looked at before an echo is recorded."""

from dataclasses import replace

from dm_core.messages import Message, Status
from dm_core.store.document_values import whole, word
from dm_core.store.message_documents import briefly, is_message, is_standby_copy, since_erased, taken_over
from dm_core.store.port import EchoView, Recorded, ThreadEvents
from dm_core.store.thread_documents import (
    brief_thread,
    erased_at,
    is_erased,
    merged_fields,
    parse_thread,
    platform_ids,
    texts_on_their_way,
)
from dm_core.store.transactional.database import Transaction
from dm_core.store.transactional.threads import put_message


def record(tx: Transaction, events: ThreadEvents) -> Recorded:
    """Create what is missing; pure duplicates leave the thread alone, but for a pause."""
    thread = tx.get("conversations", events.thread_id)
    if not events.starts_thread and (thread is None or not events.lasting):
        events = replace(events, messages=tuple(briefly(m, events.now) for m in events.messages))
    if not events.starts_thread and thread is not None:
        since = since_erased(events.messages, erased_at(thread.doc))
        if is_erased(thread.doc) or (events.messages and not since):
            return Recorded()
        events = replace(events, messages=since)
    created, existing = _sorted_out(tx, events)
    for message in created:
        put_message(tx, message)
    if existing and not created:
        events = replace(events, messages=(), due_at=None, last_inbound_at=None)
        if events.paused_until is None:
            return Recorded((), existing)
    if events.touch_thread:
        _merge_thread(tx, events, sum(message.status is Status.PENDING for message in created))
    elif created and thread is None:
        # Whose thread it is, so that an erasure finds messages stored alone.
        tx.put("conversations", events.thread_id, brief_thread(events))
    return Recorded(tuple(message.id for message in created), existing)


def _sorted_out(tx: Transaction, events: ThreadEvents) -> tuple[list[Message], dict[str, Status]]:
    """What is to be stored, and the statuses of what is there already."""
    created: list[Message] = []
    existing: dict[str, Status] = {}
    for message in {message.id: message for message in reversed(events.messages)}.values():
        stored = tx.get("messages", message.id, events.thread_id)
        arrived = message if stored is None else taken_over(stored.doc, message)
        if stored is None or arrived is not None:
            created.append(replace(arrived or message, thread_id=events.thread_id))
        else:
            existing[message.id] = word(stored.doc, "status", Status.PROCESSED)
    created.reverse()
    return created, existing


def _merge_thread(tx: Transaction, events: ThreadEvents, pending: int) -> None:
    found = tx.get("conversations", events.thread_id)
    old = found.doc if found else {} if events.starts_thread else brief_thread(events)
    merged = old | merged_fields(events)
    merged["createdAt"] = min(whole(old, "createdAt", events.now), events.now)
    merged["pendingCount"] = whole(old, "pendingCount") + pending
    merged["revision"] = whole(old, "revision") + 1
    if events.last_inbound_at is not None:
        merged["lastInboundAt"] = max(whole(old, "lastInboundAt", events.last_inbound_at), events.last_inbound_at)
    if events.due_at is not None:
        merged["dueAt"] = max(whole(old, "dueAt", events.due_at), events.due_at)
    if events.human_at is not None:
        merged["humanAt"] = max(whole(old, "humanAt", events.human_at), events.human_at)
    tx.put("conversations", events.thread_id, merged)


def echo_view(tx: Transaction, thread_id: str, message_id: str) -> EchoView:
    """What is known of a message, and of what may be on its way to its thread."""
    found = tx.get("conversations", thread_id)
    thread = parse_thread(thread_id, found.doc if found else {})
    message = tx.get("messages", message_id, thread_id)
    stored = message is not None and is_message(message.doc) and not is_standby_copy(message.doc)
    return EchoView(
        known=stored or is_erased(found.doc if found else None),
        ours=texts_on_their_way(thread.run, thread.unconfirmed),
        mids=platform_ids(thread.run),
        paused_until=thread.paused_until,
        last_inbound_at=thread.last_inbound_at,
    )
