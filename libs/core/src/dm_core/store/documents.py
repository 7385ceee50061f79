"""Values as documents and back, in the one shape both adapters store (docs/architecture.md#what-is-stored).

Keys are camelCase, times are ms since 1970, statuses are the enums' words. ``expireAt`` is ms here as well; the
Firestore adapter turns it into a timestamp, which is what a TTL policy needs; 0 means never and is stored as None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from dm_core.alerts import AlertCount
from dm_core.messages import DAY_MS, Attachment, Content, Direction, Disposition, EventKind, Message, Status
from dm_core.runs import ActionKind, ActionState, Run
from dm_core.store.alert_documents import count_document, parse_count
from dm_core.store.plain import (
    Document,
    as_map,
    document,
    flag,
    is_document_id,
    maps,
    optional,
    text,
    text_or_none,
    texts,
    whole,
    whole_or_none,
    word,
)
from dm_core.store.port import BRIEF_MS, UNSET, Deletion, MessageChange, NewText, ThreadChange, ThreadEvents
from dm_core.store.run_documents import parse_run, run_document
from dm_core.threads import Allowance, Lease, Note, Profile, Thread, Unconfirmed
from dm_core.usage import DayRuns, parse_spent

MAX_RAW_CHARS: Final = 200_000
"""Longest raw item kept in quarantine, in characters."""

ALLOWANCE_MS: Final = 2 * DAY_MS
"""How long a person's counters are kept after they were last written."""


def parse_thread_id(thread_id: str) -> tuple[str, str] | None:
    """Account and person of a thread id, or None if it is not one (the account holds no underscore)."""
    account_id, _, user_id = thread_id.partition("_")
    valid = account_id and user_id and is_document_id(thread_id) and is_document_id(user_id)
    return (account_id, user_id) if valid else None


def message_document(message: Message) -> Document:
    """A whole message."""
    return document(
        id=message.id,
        conversationId=message.thread_id,
        message=content_document(message.content),
        status=message.status,
        createdAt=message.created_at,
        updatedAt=message.updated_at,
        processedAt=message.processed_at,
        error=message.error,
        direction=message.direction,
        disposition=message.disposition,
        attempts=message.attempts,
        expireAt=message.expire_at or None,
        mid=message.mid,
        sentAt=message.sent_at,
        runId=message.run_id,
        unsentAt=message.unsent_at,
        editedAt=message.edited_at,
        editNumber=message.edit_number,
    )


def content_document(content: Content) -> Document:
    return document(
        kind=content.kind,
        text=content.text,
        attachments=[{"type": a.type, "url": a.url, "title": a.title, "words": a.words} for a in content.attachments],
        quickReply=content.quick_reply,
        postback=content.postback,
        referral=content.referral,
        replyToMid=content.reply_to_mid,
        replyToStory=content.reply_to_story,
        unsupported=content.unsupported,
        words=content.words,
    )


def parse_message(doc: Mapping[str, object]) -> Message:
    """A message from its document. Words this version does not know read as those nobody acts on."""
    disposition = doc.get("disposition")
    return Message(
        id=text(doc, "id"),
        thread_id=text(doc, "conversationId"),
        mid=text(doc, "mid"),
        direction=word(doc, "direction", Direction.HUMAN),
        status=word(doc, "status", Status.PROCESSED),
        content=_parse_content(as_map(doc.get("message"))),
        sent_at=whole(doc, "sentAt"),
        created_at=whole(doc, "createdAt"),
        updated_at=whole(doc, "updatedAt"),
        processed_at=whole_or_none(doc, "processedAt"),
        error=text_or_none(doc, "error"),
        disposition=next((known for known in Disposition if known.value == disposition), None),
        attempts=whole(doc, "attempts"),
        run_id=text_or_none(doc, "runId"),
        unsent_at=whole_or_none(doc, "unsentAt"),
        edited_at=whole_or_none(doc, "editedAt"),
        edit_number=whole(doc, "editNumber"),
        expire_at=whole(doc, "expireAt"),
    )


def _parse_content(doc: Mapping[str, object]) -> Content:
    return Content(
        kind=word(doc, "kind", EventKind.MESSAGE),
        text=text_or_none(doc, "text"),
        attachments=tuple(
            Attachment(text(a, "type"), text_or_none(a, "url"), text_or_none(a, "title"), texts(a, "words"))
            for a in maps(doc, "attachments")
        ),
        quick_reply=text_or_none(doc, "quickReply"),
        postback=text_or_none(doc, "postback"),
        referral=text_or_none(doc, "referral"),
        reply_to_mid=text_or_none(doc, "replyToMid"),
        reply_to_story=text_or_none(doc, "replyToStory"),
        unsupported=flag(doc, "unsupported"),
        words=texts(doc, "words"),
    )


def parse_thread(thread_id: str, doc: Mapping[str, object]) -> Thread:
    """A thread from its document; what the id says wins over missing fields."""
    account_id, user_id = parse_thread_id(thread_id) or ("", "")
    return Thread(
        id=thread_id,
        account_id=text(doc, "accountId", account_id),
        user_id=text(doc, "userId", user_id),
        created_at=whole(doc, "createdAt"),
        last_inbound_at=whole(doc, "lastInboundAt"),
        pending_count=whole(doc, "pendingCount"),
        due_at=whole_or_none(doc, "dueAt"),
        not_before=whole_or_none(doc, "notBefore"),
        wait_count=whole(doc, "waitCount"),
        revision=whole(doc, "revision"),
        lease=optional(doc, "lease", _parse_lease),
        run=optional(doc, "run", parse_run),
        paused_until=whole_or_none(doc, "pausedUntil"),
        profile=optional(doc, "profile", _parse_profile),
        notes=tuple(Note(text(n, "text"), whole(n, "createdAt"), text(n, "runId")) for n in maps(doc, "notes")),
        unconfirmed=tuple(Unconfirmed(text(u, "text"), whole(u, "at")) for u in maps(doc, "unconfirmed")),
        alert_count=optional(doc, "alertCount", parse_count) or AlertCount(),
        spent=parse_spent(as_map(doc.get("cost")), as_map(doc.get("tokens"))),
        commit_token=text_or_none(doc, "commitToken"),
    )


def _parse_lease(doc: dict[str, object]) -> Lease:
    return Lease(text(doc, "runId"), text(doc, "taskName"), whole(doc, "expiresAt"))


def _parse_profile(doc: dict[str, object]) -> Profile:
    return Profile(text_or_none(doc, "name"), text_or_none(doc, "username"), whole(doc, "fetchedAt"))


def merged_fields(events: ThreadEvents) -> Document:
    """The plain fields a webhook merges into its thread; counters and maxima are the adapters' own."""
    fields: dict[str, object | None] = {
        "pausedUntil": events.paused_until,
        "expireAt": latest_end(events) if events.lasting else None,
    }
    named = {key: value for key, value in fields.items() if value is not None}
    if events.starts_thread:
        named["expireAt"] = latest_end(events)
    return document(accountId=events.account_id, userId=events.user_id, updatedAt=events.now, **named)


def latest_end(events: ThreadEvents) -> int | None:
    """When the last of these messages expires, None for never."""
    return max((message.expire_at for message in events.messages), default=0) or None


def thread_fields(change: ThreadChange) -> Document:
    """The fields of a thread that a conditional commit writes; always its token and time."""
    fields: Document = {}
    if change.lease is not UNSET:
        fields["lease"] = _lease_document(change.lease)
    if change.run is not UNSET:
        fields["run"] = None if change.run is None else run_document(change.run)
    if change.profile is not UNSET:
        profile = change.profile
        fields["profile"] = {"name": profile.name, "username": profile.username, "fetchedAt": profile.fetched_at}
    if change.notes is not UNSET:
        fields["notes"] = [{"text": n.text, "createdAt": n.created_at, "runId": n.run_id} for n in change.notes]
    if change.unconfirmed is not UNSET:
        fields["unconfirmed"] = [{"text": sent.text, "at": sent.at} for sent in change.unconfirmed]
    if change.alert_count is not UNSET:
        fields["alertCount"] = count_document(change.alert_count)
    if change.spent is not UNSET:
        fields |= {"cost": change.spent.cost, "tokens": change.spent.tokens}
    numbers = {
        "dueAt": change.due_at,
        "notBefore": change.not_before,
        "waitCount": change.wait_count,
        "pausedUntil": change.paused_until,
        "pendingCount": change.pending_count,
    }
    fields |= {key: value for key, value in numbers.items() if value is not UNSET}
    return document(**fields, commitToken=change.token, updatedAt=change.now)


def _lease_document(lease: Lease | None) -> Document | None:
    return None if lease is None else document(runId=lease.run_id, taskName=lease.task_name, expiresAt=lease.expires_at)


def message_fields(change: MessageChange) -> Document:
    """The fields of a message that a run writes; never its content."""
    fields = {
        "processedAt": change.processed_at,
        "error": change.error,
        "disposition": change.disposition,
        "attempts": change.attempts,
        "runId": change.run_id,
    }
    named = {key: value for key, value in fields.items() if value is not UNSET}
    return document(status=change.status, updatedAt=change.updated_at, **named)


def unsent_fields(doc: Mapping[str, object], now: int) -> Document:
    """What an unsend writes into a known message: empty content, and the end of it if no run has it yet."""
    kind = word(as_map(doc.get("message")), "kind", EventKind.MESSAGE)
    fields = document(message=content_document(Content(kind=kind)), unsentAt=now, updatedAt=now)
    if doc.get("status") == Status.PENDING:
        fields |= document(status=Status.PROCESSED, processedAt=now, disposition=Disposition.UNSENT)
    return fields


EARLY_EDIT: Final = "earlyEdit"
"""The field of a document that waits for its message. Such a document has neither ``status`` nor ``createdAt``, so no
query finds it."""

EARLY_EDIT_MS: Final = DAY_MS
"""How long the text of an edit waits for its message."""


def early_edit_document(message_id: str, thread_id: str, new: NewText, now: int) -> Document:
    """What an edit leaves that came before its message."""
    early = {"text": new.text, "number": new.number, "at": new.at}
    expire_at = now + EARLY_EDIT_MS
    return document(id=message_id, conversationId=thread_id, earlyEdit=early, updatedAt=now, expireAt=expire_at)


def is_message(doc: Mapping[str, object] | None) -> bool:
    """Whether a document is a message, and not only an edit that waits for one."""
    return doc is not None and "status" in doc


def is_standby_copy(doc: Mapping[str, object]) -> bool:
    """Whether this is only what another app was given; an unsent one is nothing any more."""
    return doc.get("disposition") == Disposition.STANDBY and doc.get("unsentAt") is None


def taken_over(doc: Mapping[str, object], message: Message) -> Message | None:
    """The message as it is stored where something of it was stored before it came; None if it itself was."""
    if not is_message(doc):
        early = as_map(doc.get(EARLY_EDIT))
        content = replace(message.content, text=text(early, "text"), unsupported=False)
        return replace(message, content=content, edited_at=whole(early, "at"), edit_number=whole(early, "number"))
    if not is_standby_copy(doc) or message.disposition is Disposition.STANDBY:
        return None
    copy = parse_message(doc)
    if copy.edited_at is None:
        return message
    content = replace(message.content, text=copy.content.text)
    return replace(message, content=content, edited_at=copy.edited_at, edit_number=copy.edit_number)


def edit_fields(doc: Mapping[str, object], new: NewText, now: int) -> Document | None:
    """What an edit writes into a known message, or into a waiting edit; None if it has no effect."""
    if not is_message(doc):
        early = as_map(doc.get(EARLY_EDIT))
        if (new.number, new.at) <= (whole(early, "number"), whole(early, "at")):
            return None
        return document(earlyEdit={"text": new.text, "number": new.number, "at": new.at}, updatedAt=now)
    if doc.get("unsentAt") is not None or (new.number, new.at) <= (whole(doc, "editNumber"), whole(doc, "editedAt")):
        return None
    content = as_map(doc.get("message")) | {"text": new.text, "unsupported": False}
    return document(message=content, editedAt=new.at, editNumber=new.number, updatedAt=now)


ERASING_MS: Final = 300_000
"""How long an erasure holds the lease of a thread; one that died is gone on with by the next sweep."""


def erasing_document(account_id: str, user_id: str, now: int) -> Document:
    """What a thread is while its messages are deleted: nothing but whose it is, and held by the erasure.

    A live run finds its lease gone. A DM that comes meanwhile waits for the lease, and is erased as well.
    """
    lease = Lease("erasure", "", now + ERASING_MS)
    return document(accountId=account_id, userId=user_id, lease=_lease_document(lease), erasedAt=now, updatedAt=now)


def tombstone_document(now: int) -> Document:
    """What is left of an erased thread, for a day: that it was erased. No query for the person finds it."""
    return document(erasedAt=now, updatedAt=now, expireAt=now + BRIEF_MS)


def is_erased(doc: Mapping[str, object] | None) -> bool:
    """Whether a thread was erased, or is just being erased, and its person has not written since."""
    return doc is not None and erased_at(doc) is not None and not whole(doc, "lastInboundAt")


def erased_at(doc: Mapping[str, object]) -> int | None:
    """When a thread was last erased (ms since 1970); it stays known while the person writes afresh."""
    return whole_or_none(doc, "erasedAt")


def since_erased(messages: Sequence[Message], erased: int | None) -> tuple[Message, ...]:
    """Without what was said before the thread was erased: a late echo of a reply is no human's word in a fresh one."""
    return tuple(message for message in messages if erased is None or message.sent_at > erased)


def briefly(message: Message, now: int) -> Message:
    """A message of a thread without a DM: kept for a day at most."""
    return replace(message, expire_at=min(message.expire_at or now + BRIEF_MS, now + BRIEF_MS))


def brief_thread(events: ThreadEvents) -> Document:
    """A thread of which no DM is known: it says whose it is, so that an erasure finds what is stored below it."""
    fields = document(accountId=events.account_id, userId=events.user_id, updatedAt=events.now)
    return fields | document(expireAt=events.now + BRIEF_MS)


def kept_notes(doc: Mapping[str, object], runs: Sequence[Mapping[str, object]], mid: str) -> list[Document] | None:
    """A thread's notes without those that these runs saved, or its live run if it was shown this message.

    None if that is all of them. Notes that don't say their run are told by their text.
    """
    live = parse_run(as_map(doc.get("run")))
    ids = {text(run, "id") for run in runs} | ({live.id} if mid in live.handles.values() else set[str]())
    told = {note for run in runs for note in texts(run, "notes")}
    notes = maps(doc, "notes")
    kept = [n for n in notes if not (text(n, "runId") in ids if text(n, "runId") else text(n, "text") in told)]
    return None if len(kept) == len(notes) else kept


def texts_on_their_way(run: Run | None, unconfirmed: tuple[Unconfirmed, ...]) -> tuple[str, ...]:
    """Texts whose echo is ours: sends of the live run, and unconfirmed ones of ended runs.

    A refused one counts: platforms were seen to deliver what they had refused.
    """
    actions = () if run is None else run.actions
    sends = [a.text for a in actions if a.kind is ActionKind.SEND and a.state is not ActionState.DROPPED]
    return (*sends, *(sent.text for sent in unconfirmed))


def platform_ids(run: Run | None) -> tuple[str, ...]:
    """The platform's ids a live run recorded."""
    return () if run is None else tuple(action.platform_id for action in run.actions if action.platform_id)


def allowance_document(allowance: Allowance, now: int) -> Document:
    return document(
        hourStart=allowance.hour_start,
        hourRuns=allowance.hour_runs,
        dayStart=allowance.day_start,
        dayRuns=allowance.day_runs,
        expireAt=now + ALLOWANCE_MS,
    )


def parse_allowance(doc: Mapping[str, object]) -> Allowance:
    return Allowance(whole(doc, "hourStart"), whole(doc, "hourRuns"), whole(doc, "dayStart"), whole(doc, "dayRuns"))


def day_runs_id(day_start: int) -> str:
    """The document in ``limits`` that counts the runs of the day (UTC) that begins then: ``total-2026-11-29``."""
    return datetime.fromtimestamp(day_start / 1000, UTC).strftime("total-%Y-%m-%d")


def day_runs_fields(day_start: int) -> Document:
    """The plain fields of that document; ``runs`` is counted up by the database."""
    return document(dayStart=day_start, expireAt=day_start + ALLOWANCE_MS)


def parse_day_runs(doc: Mapping[str, object], day_start: int) -> DayRuns:
    return DayRuns(day_start, whole(doc, "runs"))


def deletion_document(deletion: Deletion) -> Document:
    return document(
        code=deletion.code,
        userId=deletion.user_id,
        requestedAt=deletion.requested_at,
        completedAt=deletion.completed_at,
        threads=deletion.threads,
        expireAt=deletion.expire_at or None,
    )


def parse_deletion(doc: Mapping[str, object]) -> Deletion:
    return Deletion(
        code=text(doc, "code"),
        user_id=text(doc, "userId"),
        requested_at=whole(doc, "requestedAt"),
        completed_at=whole_or_none(doc, "completedAt"),
        threads=whole(doc, "threads"),
        expire_at=whole(doc, "expireAt"),
    )


def quarantine_document(raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str]) -> Document:
    """``userId`` is the first of the people in it, ``userIds`` all of them."""
    return document(
        raw=raw[:MAX_RAW_CHARS],
        reason=reason,
        userId=next(iter(user_ids), None),
        userIds=user_ids,
        createdAt=now,
        expireAt=expire_at or None,
    )
