"""What a person takes back or writes anew, and a pause that is lifted."""

from dataclasses import replace

from dm_core.store import queries
from dm_core.store.document_values import text, whole
from dm_core.store.message_documents import briefly, early_edit_document, edit_fields, is_message, unsent_fields
from dm_core.store.port import NewText, ThreadEvents
from dm_core.store.record_documents import QUARANTINED_OF_ONE, holds_message
from dm_core.store.run_documents import emptied_fields
from dm_core.store.thread_documents import brief_thread, is_erased, kept_notes
from dm_core.store.transactional.database import Stored, Transaction
from dm_core.store.transactional.threads import move, put_message

ALL_RUNS = 10_000
"""More archived runs than were ever shown one message."""


def edit(tx: Transaction, events: ThreadEvents, message_id: str, new: NewText) -> bool:
    found, thread = tx.get("messages", message_id, events.thread_id), tx.get("conversations", events.thread_id)
    known = found is not None and is_message(found.doc)
    if thread is not None and is_erased(thread.doc):
        return known
    if found is None:
        waiting = early_edit_document(message_id, events.thread_id, new, events.now)
        tx.put("messages", message_id, waiting, events.thread_id)
        _make_briefly(tx, events, thread)
    elif (fields := edit_fields(found.doc, new, events.now)) is not None:
        tx.put("messages", message_id, found.doc | fields, events.thread_id)
    else:
        return known
    move(tx, events.thread_id, events.now)
    return known


def unsend(tx: Transaction, events: ThreadEvents, message_id: str) -> bool:
    found, thread = tx.get("messages", message_id, events.thread_id), tx.get("conversations", events.thread_id)
    known = found is not None and is_message(found.doc)
    if thread is not None and is_erased(thread.doc):
        return known
    if found is not None and known:
        tx.put("messages", message_id, found.doc | unsent_fields(found.doc, events.now), events.thread_id)
        _empty_runs(tx, events, text(found.doc, "mid"))
    elif events.messages:
        mark = replace(events.messages[0], id=message_id, thread_id=events.thread_id)
        lasting = thread is not None and whole(thread.doc, "lastInboundAt")
        put_message(tx, mark if lasting else briefly(mark, events.now))
        _make_briefly(tx, events, thread)
    _forget_quarantined(tx, events, text(found.doc, "mid") if found is not None and known else "")
    move(tx, events.thread_id, events.now)
    return known


def _forget_quarantined(tx: Transaction, events: ThreadEvents, mid: str) -> None:
    """Delete what of a message was not understood when it came."""
    mid = mid or next((message.mid for message in events.messages), "")
    for each in tx.select(queries.quarantine_of(events.user_id, QUARANTINED_OF_ONE)) if mid else []:
        if holds_message(each.doc, mid):
            tx.delete("quarantine", each.id)


def _make_briefly(tx: Transaction, events: ThreadEvents, thread: Stored | None) -> None:
    """A thread for what came alone, if there is none."""
    if thread is None:
        tx.put("conversations", events.thread_id, brief_thread(events))


def _empty_runs(tx: Transaction, events: ThreadEvents, mid: str) -> None:
    """Take the words out of the archived runs that were shown a message, and the notes they saved."""
    runs = tx.select(queries.runs_of_message(events.thread_id, mid, ALL_RUNS)) if mid else []
    thread = tx.get("conversations", events.thread_id)
    if thread is not None:
        notes = kept_notes(thread.doc, [run.doc for run in runs], mid)
        if notes is not None:
            tx.put("conversations", events.thread_id, thread.doc | {"notes": notes})
    for run in runs:
        tx.put("runs", run.id, run.doc | emptied_fields(run.doc, events.now), events.thread_id)


def lift_pause(tx: Transaction, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
    """Give a thread back the pause it had, if it is still paused until then."""
    found = tx.get("conversations", thread_id)
    if found is None or found.doc.get("pausedUntil") != paused_until:
        return False
    tx.put("conversations", thread_id, found.doc | {"pausedUntil": before})
    move(tx, thread_id, now)
    return True
