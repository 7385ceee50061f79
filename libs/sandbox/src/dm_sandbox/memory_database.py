"""A database in this process's memory: what ``memory_store`` keeps its promises with.

It keeps values instead of documents, so that a read costs no parsing; only what a document could not hold as it is
(lone surrogates, numbers above 64 bits) takes the way through one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dm_core.messages import Content, Disposition, Message, Status
from dm_core.runs import ModelTurn, Run, ToolTurn, Turn, UserTurn
from dm_core.store.document_values import MAX_INT, clean_text, from_json, to_json
from dm_core.store.message_documents import briefly, message_document, parse_message, since_erased
from dm_core.store.port import (
    CONFLICT,
    MAX_CLAIM,
    PAGE_SIZE,
    UNSET,
    Conflict,
    Deletion,
    EchoView,
    MessageChange,
    NewText,
    Recorded,
    Revision,
    Snapshot,
    ThreadChange,
    ThreadEvents,
    Version,
    sorted_messages,
)
from dm_core.store.run_documents import emptied_fields, parse_run, run_document
from dm_core.store.thread_documents import parse_thread_id, texts_on_their_way
from dm_core.store.thread_documents import platform_ids as recorded_ids
from dm_core.threads import Allowance, Note, Thread, Unconfirmed
from dm_core.usage import day_of
from dm_sandbox.memory_alerts import MemoryAlerts


@dataclass(slots=True)
class StoredThread:
    """A thread and its version."""

    thread: Thread
    version: int


@dataclass(slots=True)
class MemoryDatabase:
    """What several stores share, as several instances share a database. Every method is one step that is applied whole.

    ``messages`` (in the order of arrival) and ``runs`` (archived) are by thread, which need not exist itself;
    ``erased`` is when threads were erased, ``people`` who is named in a quarantined item, ``day_runs`` counts by the
    start of the day. Whoever checks on the database may read all of it; only these methods write.
    """

    threads: dict[str, StoredThread] = field(default_factory=dict[str, StoredThread])
    messages: dict[str, dict[str, Message]] = field(default_factory=dict[str, dict[str, Message]])
    runs: dict[str, dict[str, Run]] = field(default_factory=dict[str, dict[str, Run]])
    allowances: dict[str, Allowance] = field(default_factory=dict[str, Allowance])
    day_runs: Counter[int] = field(default_factory=Counter[int])
    erased: dict[str, int] = field(default_factory=dict[str, int])
    deletions: dict[str, Deletion] = field(default_factory=dict[str, Deletion])
    people: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    quarantined: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    documents: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    early_edits: dict[tuple[str, str], NewText] = field(default_factory=dict[tuple[str, str], NewText])
    outbox: MemoryAlerts = field(default_factory=MemoryAlerts)
    last_version: int = 0

    def _next(self) -> int:
        """Versions come from one counter, so that a thread made anew never repeats one."""
        self.last_version += 1
        return self.last_version

    # -- what a run needs

    def thread(self, thread_id: str) -> tuple[Thread, Version, Allowance] | None:
        """The first half of a snapshot: the document and its version."""
        parts = parse_thread_id(thread_id)
        stored = self.threads.get(thread_id)
        if parts is None or stored is None:
            return None
        return stored.thread, Version(stored.version), self.allowances.get(parts[1], Allowance())

    def newest(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        """The newest messages by arrival, in the order of a thread."""
        messages = self.messages.get(thread_id)
        if messages is None or limit < 1:
            return ()
        found = tuple(messages.values())
        if len(found) > limit:
            found = tuple(sorted(found, key=lambda message: message.created_at)[-limit:])
        return sorted_messages(found)

    def unprocessed(self, thread_id: str) -> tuple[Message, ...]:
        """All that nobody has ended, the oldest arrivals first taken."""
        found = [message for message in self.messages.get(thread_id, {}).values() if message.is_unprocessed]
        return sorted_messages(sorted(found, key=lambda message: message.created_at)[:MAX_CLAIM])

    def snapshot(self, head: tuple[Thread, Version, Allowance]) -> Snapshot:
        """The second half: the messages as they are now, which is no earlier than the version."""
        thread, version, allowance = head
        recent = self.newest(thread.id, PAGE_SIZE)
        unprocessed = tuple(message for message in recent if message.is_unprocessed)
        if len(unprocessed) < thread.pending_count and len(recent) == PAGE_SIZE:
            unprocessed = self.unprocessed(thread.id)
        return Snapshot(thread, version, unprocessed, recent, allowance)

    def commit(self, change: ThreadChange) -> Version | Conflict:
        stored = self.threads.get(change.thread_id)
        if stored is None or stored.version != change.version.mark:
            return CONFLICT
        messages = self.messages.setdefault(change.thread_id, {})
        if any(message.id not in messages for message in change.messages):
            return CONFLICT
        stored.thread = _changed(stored.thread, change)
        stored.version = self._next()
        for message in change.messages:
            messages[message.id] = _changed_message(messages[message.id], message)
        for upsert in change.upserts:
            messages[upsert.id] = replace(_plain_message(upsert), thread_id=change.thread_id)
        if change.archive is not None:
            archive = _without_words(_plain_run(change.archive))
            self.runs.setdefault(change.thread_id, {})[archive.id] = archive
        parts = parse_thread_id(change.thread_id)
        if change.allowance is not UNSET and parts is not None:
            self.allowances[parts[1]] = change.allowance
        if change.counts_run:
            self.day_runs[day_of(change.now)] += 1
        for alert in change.alerts:
            self.outbox.create(alert)
        return Version(stored.version)

    def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        due = [(s.thread.due_at, id_) for id_, s in self.threads.items() if s.thread.due_at is not None]
        return tuple(id_ for at, id_ in sorted(due) if at < before)[:limit]

    # -- what the webhook needs

    def record(self, events: ThreadEvents) -> Recorded:
        """Pure duplicates leave the thread alone, but for a pause."""
        if not events.starts_thread:
            since = since_erased(events.messages, self.erased.get(events.thread_id))
            if self._is_erased(events.thread_id) or (events.messages and not since):
                return Recorded()
            if events.thread_id not in self.threads or not events.lasting:
                since = tuple(briefly(message, events.now) for message in since)
            events = replace(events, messages=since)
        known = self.messages.setdefault(events.thread_id, {})
        unique = {message.id: message for message in reversed(events.messages)}
        arrived = {id_: self._taken_over(message) for id_, message in unique.items()}
        existing = {id_: known[id_].status for id_ in unique if arrived[id_] is None}
        created = [message for message in reversed(arrived.values()) if message is not None]
        if existing and not created:
            events = replace(events, messages=(), due_at=None, last_inbound_at=None)
            if events.paused_until is None:
                return Recorded((), existing)
        for message in created:
            known.pop(message.id, None)  # what takes over a part of it arrives now
            known[message.id] = replace(_plain_message(message), thread_id=events.thread_id)
        stored = self.threads.get(events.thread_id)
        if stored is None and (created or events.touch_thread):
            stored = self.threads[events.thread_id] = StoredThread(_new_thread(events), self._next())
        if stored is not None and events.touch_thread:
            pending = sum(message.status is Status.PENDING for message in created)
            stored.thread = _merged(stored.thread, events, pending)
            stored.version = self._next()
        return Recorded(tuple(message.id for message in created), existing)

    def _taken_over(self, message: Message) -> Message | None:
        """The message with what came of it before, None if it came itself."""
        early = self.early_edits.pop((message.thread_id, message.id), None)
        if early is not None:
            return _edited(message, early)
        copy = self.messages.get(message.thread_id, {}).get(message.id)
        if copy is None:
            return message
        if not _is_standby_copy(copy) or message.disposition is Disposition.STANDBY:
            return None
        new = NewText(copy.content.text or "", copy.edit_number, copy.edited_at or 0)
        return message if copy.edited_at is None else _edited(message, new)

    def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        message = self.messages.get(thread_id, {}).get(message_id)
        known = message is not None and not _is_standby_copy(message)
        stored = self.threads.get(thread_id)
        if stored is None:
            return EchoView(known=known or self._is_erased(thread_id), ours=(), mids=())
        thread = stored.thread
        ours = texts_on_their_way(thread.run, thread.unconfirmed)
        return EchoView(known, ours, recorded_ids(thread.run), thread.paused_until, thread.last_inbound_at)

    def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        if self._is_erased(events.thread_id):
            return False
        messages = self.messages.setdefault(events.thread_id, {})
        self.early_edits.pop((events.thread_id, message_id), None)
        message = messages.get(message_id)
        if message is not None:
            messages[message_id] = _emptied(message, events.now)
            self._empty_runs(events.thread_id, message.mid)
        elif events.messages:
            tombstone = replace(events.messages[0], id=message_id, thread_id=events.thread_id)
            stored = self.threads.setdefault(events.thread_id, StoredThread(_new_thread(events), self._next()))
            lasting = bool(stored.thread.last_inbound_at)
            messages[message_id] = _plain_message(tombstone if lasting else briefly(tombstone, events.now))
        self._move(events.thread_id)
        return message is not None

    def _empty_runs(self, thread_id: str, mid: str) -> None:
        """Take the words out of the archived runs that were shown a message, and the notes they saved."""
        runs, stored = self.runs.get(thread_id, {}), self.threads.get(thread_id)
        shown = [run for run in runs.values() if mid in run.handles.values()]
        ids, told = {run.id for run in shown}, {note for run in shown for note in run.notes}
        for run in shown:
            runs[run.id] = parse_run(run_document(run) | emptied_fields(run_document(run), 0))
        if stored is None:
            return
        live = stored.thread.run
        ids |= {live.id} if live is not None and mid in live.handles.values() else set[str]()
        notes = stored.thread.notes
        kept = tuple(n for n in notes if not (n.run_id in ids if n.run_id else n.text in told))
        stored.thread = replace(stored.thread, notes=kept)

    def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        if self._is_erased(events.thread_id):
            return False
        new = replace(new, text=clean_text(new.text))
        messages, place = self.messages.get(events.thread_id, {}), (events.thread_id, message_id)
        message = messages.get(message_id)
        if message is None:
            early = self.early_edits.get(place)
            if early is not None and (new.number, new.at) <= (early.number, early.at):
                return False
            self.early_edits[place] = new
            if events.thread_id not in self.threads:
                self.threads[events.thread_id] = StoredThread(_new_thread(events), self._next())
        elif message.unsent_at is not None or (new.number, new.at) <= (message.edit_number, message.edited_at or 0):
            return True
        else:
            messages[message_id] = replace(_edited(message, new), updated_at=events.now)
        self._move(events.thread_id)
        return message is not None

    def lift_pause(self, thread_id: str, paused_until: int, before: int | None) -> bool:
        stored = self.threads.get(thread_id)
        if stored is None or stored.thread.paused_until != paused_until:
            return False
        stored.thread = replace(stored.thread, paused_until=before)
        self._move(thread_id)
        return True

    def _move(self, thread_id: str) -> None:
        """Move the version and revision of a thread that exists."""
        stored = self.threads.get(thread_id)
        if stored is not None:
            stored.thread = replace(stored.thread, revision=stored.thread.revision + 1)
            stored.version = self._next()

    def _is_erased(self, thread_id: str) -> bool:
        return thread_id in self.erased and thread_id not in self.threads

    def erase_person(self, user_id: str, limit: int | None = None, code: str = "", now: int = 0) -> int:
        user_id = clean_text(user_id)
        found = [i for i, s in self.threads.items() if user_id in (s.thread.user_id, s.thread.account_id)][:limit]
        for thread_id in found:
            self.allowances.pop(self.threads.pop(thread_id).thread.user_id, None)
            self.messages.pop(thread_id, None)
            self.runs.pop(thread_id, None)
            for place in [place for place in self.early_edits if place[0] == thread_id]:
                del self.early_edits[place]
            self.outbox.erase(thread_id)
            self.erased[thread_id] = now
        if code in self.deletions:
            deletion = self.deletions[code]
            self.deletions[code] = replace(deletion, threads=deletion.threads + len(found))
        if limit is None or len(found) < limit:
            self.allowances.pop(user_id, None)
            self.quarantined = {
                id_: item for id_, item in self.quarantined.items() if user_id not in self.people.get(id_, ())
            }
        return len(found)

    def create_deletion(self, deletion: Deletion) -> bool:
        return self.deletions.setdefault(deletion.code, deletion) is deletion

    def quarantine(self, item_id: str, raw: str, reason: str, user_ids: Sequence[str]) -> None:
        self.quarantined.setdefault(item_id, (raw, reason))
        self.people.setdefault(item_id, tuple(map(clean_text, user_ids)))

    # -- beside the threads

    def revise_document(self, collection: str, key: str, revise: Revision) -> Mapping[str, object]:
        place = (collection, clean_text(key))
        before = from_json(self.documents.get(place, "null"))
        after = revise(before)
        if after is not None:
            self.documents[place] = to_json(after)
        return before if after is None else after

    def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        found = (deletion for deletion in self.deletions.values() if deletion.completed_at is None)
        return tuple(found)[:limit]

    def last_inbound_at(self) -> int | None:
        return max(filter(None, (stored.thread.last_inbound_at for stored in self.threads.values())), default=None)


# -- changes of values


def _new_thread(events: ThreadEvents) -> Thread:
    return Thread(events.thread_id, clean_text(events.account_id), clean_text(events.user_id))


def _merged(thread: Thread, events: ThreadEvents, pending: int) -> Thread:
    """What the webhook merges without having read it."""
    return replace(
        thread,
        account_id=clean_text(events.account_id),
        user_id=clean_text(events.user_id),
        created_at=min(thread.created_at or events.now, events.now),
        pending_count=thread.pending_count + pending,
        revision=thread.revision + 1,
        last_inbound_at=max(thread.last_inbound_at, events.last_inbound_at or 0),
        due_at=thread.due_at if events.due_at is None else max(thread.due_at or events.due_at, events.due_at),
        paused_until=thread.paused_until if events.paused_until is None else events.paused_until,
    )


def _changed(thread: Thread, change: ThreadChange) -> Thread:
    """The thread after a conditional commit."""
    return replace(
        thread,
        lease=thread.lease if change.lease is UNSET else change.lease,
        run=thread.run if change.run is UNSET else change.run and _plain_run(change.run),
        due_at=thread.due_at if change.due_at is UNSET else change.due_at,
        not_before=thread.not_before if change.not_before is UNSET else change.not_before,
        wait_count=thread.wait_count if change.wait_count is UNSET else change.wait_count,
        paused_until=thread.paused_until if change.paused_until is UNSET else change.paused_until,
        pending_count=thread.pending_count if change.pending_count is UNSET else change.pending_count,
        profile=thread.profile if change.profile is UNSET else change.profile,
        notes=thread.notes if change.notes is UNSET else _plain_each(change.notes),
        unconfirmed=thread.unconfirmed if change.unconfirmed is UNSET else _plain_each(change.unconfirmed),
        alert_count=thread.alert_count if change.alert_count is UNSET else change.alert_count,
        spent=thread.spent if change.spent is UNSET else change.spent,
        commit_token=change.token,
    )


def _changed_message(message: Message, change: MessageChange) -> Message:
    return replace(
        message,
        status=change.status,
        updated_at=change.updated_at,
        processed_at=message.processed_at if change.processed_at is UNSET else change.processed_at,
        error=message.error if change.error is UNSET else change.error,
        disposition=message.disposition if change.disposition is UNSET else change.disposition,
        attempts=message.attempts if change.attempts is UNSET else change.attempts,
        run_id=message.run_id if change.run_id is UNSET else change.run_id,
    )


def _edited(message: Message, new: NewText) -> Message:
    content = replace(message.content, text=new.text, unsupported=False)
    return replace(message, content=content, edited_at=new.at, edit_number=new.number)


def _is_standby_copy(message: Message) -> bool:
    return message.disposition is Disposition.STANDBY and message.unsent_at is None


def _emptied(message: Message, now: int) -> Message:
    """A known message after its writer took it back: ended, if no run has it yet."""
    emptied = replace(message, content=Content(kind=message.content.kind), unsent_at=now, updated_at=now)
    if message.status is not Status.PENDING:
        return emptied
    return replace(emptied, status=Status.PROCESSED, processed_at=now, disposition=Disposition.UNSENT)


def _without_words(run: Run) -> Run:
    """An archived run keeps no words of people."""
    return replace(run, turns=tuple(UserTurn("") if isinstance(turn, UserTurn) else turn for turn in run.turns))


# -- what a document could not hold as it is


def _is_plain(texts: Iterable[str | None]) -> bool:
    return all(text is None or text.isascii() or clean_text(text) == text for text in texts)


def _plain_each[T: (Note, Unconfirmed)](values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(replace(value, text=clean_text(value.text)) for value in values)


def _plain_message(message: Message) -> Message:
    content = message.content
    own = (message.id, message.mid, message.error, content.text, content.quick_reply, content.postback)
    rest = (content.referral, content.reply_to_mid, content.reply_to_story, *content.words)
    attached = (text for a in content.attachments for text in (a.type, a.url, a.title, *a.words))
    if _is_plain(own) and _is_plain(rest) and _is_plain(attached):
        return message
    return parse_message(message_document(message))


def _plain_run(run: Run) -> Run:
    numbers_fit = all(-MAX_INT <= number <= MAX_INT for number in run.timings.values())
    if numbers_fit and _is_plain(_texts_of(run)):
        return run
    return parse_run(run_document(run))


def _texts_of(run: Run) -> Iterable[str | None]:
    yield from (run.ending, run.error, *run.guards, *run.notes, *run.handles, *run.handles.values())
    for action in run.actions:
        yield from (action.text, action.target, action.platform_id, action.error)
    for turn in run.turns:
        yield from _texts_in(turn)


def _texts_in(turn: Turn) -> Iterable[str | None]:
    match turn:
        case UserTurn():
            return (turn.text,)
        case ModelTurn():
            return (turn.content, turn.text, turn.detail, *(call.name for call in turn.calls))
        case ToolTurn():
            return tuple(text for result in turn.results for text in (result.name, result.error))
