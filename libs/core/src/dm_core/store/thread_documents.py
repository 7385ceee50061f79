"""Threads as documents and back, in the one shape every adapter stores.

Keys are camelCase, times are ms since 1970, statuses are the enums' words. ``expireAt`` is ms here as well; the
Firestore adapter turns it into a timestamp, which is what a TTL policy needs; 0 means never and is stored as None.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from dm_core.alerts import AlertCount
from dm_core.runs import ActionKind, ActionState, Run
from dm_core.store.alert_documents import count_document, parse_count
from dm_core.store.document_values import (
    Document,
    as_map,
    document,
    is_document_id,
    maps,
    optional,
    text,
    text_or_none,
    texts,
    whole,
    whole_or_none,
)
from dm_core.store.port import BRIEF_MS, UNSET, ThreadChange, ThreadEvents
from dm_core.store.run_documents import parse_run, run_document
from dm_core.store.steering_documents import parse_steering, steering_document
from dm_core.threads import Lease, Note, Profile, Thread, Unconfirmed, thread_owner
from dm_core.usage import parse_spent


def parse_thread_id(thread_id: str) -> tuple[str, str] | None:
    """Account and person of a thread id, or None if it is not one (the account holds no underscore)."""
    account_id, user_id = thread_owner(thread_id)
    valid = account_id and user_id and is_document_id(thread_id) and is_document_id(user_id)
    return (account_id, user_id) if valid else None


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
        steering=parse_steering(doc.get("steering")),
        human_at=whole_or_none(doc, "humanAt"),
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
        fields["username"] = profile.username and profile.username.casefold()
    if change.notes is not UNSET:
        fields["notes"] = [{"text": n.text, "createdAt": n.created_at, "runId": n.run_id} for n in change.notes]
    if change.unconfirmed is not UNSET:
        fields["unconfirmed"] = [{"text": sent.text, "at": sent.at} for sent in change.unconfirmed]
    if change.alert_count is not UNSET:
        fields["alertCount"] = count_document(change.alert_count)
    if change.spent is not UNSET:
        fields |= {"cost": change.spent.cost, "tokens": change.spent.tokens}
    if change.steering is not UNSET:
        fields["steering"] = steering_document(change.steering)
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

    A refused one counts: platforms were seen to deliver what they had refused. What a draft shows does not while it
    waits: whoever sends the same is a human who copied it.
    """
    actions = () if run is None else run.actions
    if run is not None and run.waits_for_manager and run.draft is not None:
        actions = tuple(action for action in actions if action.turn != run.draft.turn)
    sends = [a.text for a in actions if a.kind is ActionKind.SEND and a.state is not ActionState.DROPPED]
    return (*sends, *(sent.text for sent in unconfirmed))


def platform_ids(run: Run | None) -> tuple[str, ...]:
    """The platform's ids a live run recorded."""
    return () if run is None else tuple(action.platform_id for action in run.actions if action.platform_id)
