"""Every read that is more than "these documents by their ids", once for both adapters.

Each fills in a ``Query``. Adapters compile it and nothing else, so the code, the indexes declared in ``infra`` and the
indexes of the SQLite file cannot drift apart.
"""

from collections.abc import Sequence

from dm_core.messages import Status
from dm_core.store.port import MAX_CLAIM
from dm_core.store.selections import Query, Selection


def newest(thread_id: str, limit: int) -> Selection:
    """The newest messages of a thread by arrival."""
    return Selection(Query.RECENT, limit, thread_id)


def newest_since(thread_id: str, limit: int, since: int) -> Selection:
    """The newest messages of a thread that arrived at or after ``since`` (ms since 1970)."""
    return Selection(Query.RECENT, limit, thread_id, ">=", since)


def unprocessed(thread_id: str) -> Selection:
    """Pending and processing messages of a thread, the oldest arrivals first."""
    statuses = [Status.PENDING.value, Status.PROCESSING.value]
    return Selection(Query.UNPROCESSED, MAX_CLAIM, thread_id, "in", statuses)


def overdue(before: int, limit: int) -> Selection:
    """Threads somebody should have looked at, the longest overdue first."""
    return Selection(Query.OVERDUE, limit, operator="<", operand=before)


def last_inbound() -> Selection:
    """The thread with the newest DM."""
    return Selection(Query.LAST_INBOUND, 1)


def newest_threads(limit: int, before: int | None) -> Selection:
    """Threads by their newest DM, the latest first."""
    return Selection(Query.LAST_INBOUND, limit, operator=None if before is None else "<", operand=before)


def active(since: int, limit: int, before: int | None) -> Selection:
    """Threads whose newest DM came at or after ``since`` and before ``before`` (ms since 1970), the latest first."""
    return Selection(Query.LAST_INBOUND, limit, operator=">=", operand=since, below=before)


def alert_of_message(wamid: str) -> Selection:
    """The alert that went out as this WhatsApp message."""
    return Selection(Query.ALERT_OF_MESSAGE, 1, operator="contains", operand=wamid)


def waiting(limit: int) -> Selection:
    """Threads at which somebody must look again, whenever that is."""
    return Selection(Query.OVERDUE, limit, operator=">=", operand=0)


def steered_since(query: Query, limit: int, since: int = 0) -> Selection:
    """Threads with a time of this query's field at or after ``since`` (ms since 1970), the latest first."""
    return Selection(query, limit, operator=">=", operand=since)


def of_modes(modes: Sequence[str], limit: int) -> Selection:
    """Threads with a mode of their own that is one of these."""
    return Selection(Query.BY_MODE, limit, operator="in", operand=list(modes))


def named(username: str, limit: int) -> Selection:
    """Threads of the people with this @username, written in small letters."""
    return Selection(Query.BY_USERNAME, limit, operator="==", operand=username)


def of_person(user_id: str, limit: int) -> Selection:
    return Selection(Query.BY_PERSON, limit, operator="==", operand=user_id)


def of_account(account_id: str, limit: int) -> Selection:
    return Selection(Query.BY_ACCOUNT, limit, operator="==", operand=account_id)


def open_deletions(limit: int) -> Selection:
    """Requests that are not completed."""
    return Selection(Query.OPEN_DELETIONS, limit, operator="==", operand=None)


def due_alerts(urgency: str, before: int, limit: int) -> Selection:
    """Alerts of one urgency that somebody should send or look at, the longest due first."""
    return Selection(Query.DUE_ALERTS, limit, operator="==", operand=urgency, below=before)


def alerts_of(thread_id: str, limit: int) -> Selection:
    return Selection(Query.ALERTS_OF_THREAD, limit, operator="==", operand=thread_id)


def due_outbox(before: int, limit: int) -> Selection:
    """What humans wrote and nobody has seen to, the longest due first."""
    return Selection(Query.DUE_OUTBOX, limit, operator="<", operand=before)


def newest_alerts(limit: int) -> Selection:
    """Alerts, the latest first."""
    return Selection(Query.NEWEST_ALERTS, limit)


def alerts_of_cause(cause: str, limit: int) -> Selection:
    """Alerts of one cause, the latest first."""
    return Selection(Query.ALERTS_OF_CAUSE, limit, operator="==", operand=cause)


def audit_of(thread_id: str, limit: int) -> Selection:
    """What humans changed in a thread."""
    return Selection(Query.AUDIT_OF_THREAD, limit, operator="==", operand=thread_id)


def outbox_of(thread_id: str, limit: int) -> Selection:
    """Outgoing messages of a thread that are not the agent's."""
    return Selection(Query.OUTBOX_OF_THREAD, limit, operator="==", operand=thread_id)


def quarantine_of(user_id: str, limit: int) -> Selection:
    """Quarantined items that name a person."""
    return Selection(Query.QUARANTINE_OF_PERSON, limit, operator="contains", operand=user_id)


def automatic_of(thread_id: str, limit: int) -> Selection:
    """Texts, not learnt yet, that paused a thread."""
    return Selection(Query.AUTOMATIC_OF_THREAD, limit, operator="contains", operand=thread_id)


def newest_quarantined(limit: int) -> Selection:
    """Quarantined items, the latest first."""
    return Selection(Query.NEWEST_QUARANTINED, limit)


def failed(thread_id: str) -> Selection:
    """Messages of a thread that were given up, the oldest arrivals first."""
    return Selection(Query.UNPROCESSED, MAX_CLAIM, thread_id, "in", [Status.FAILED.value])


def messages_by_id(ids: Sequence[str]) -> Selection:
    """Messages of any thread with one of these ids."""
    return Selection(Query.MESSAGE_BY_ID, len(ids), operator="in", operand=list(ids))


def messages_by_beginning(beginning: str, limit: int) -> Selection:
    """Messages of any thread whose id, hex digits, begins so."""
    return Selection(Query.MESSAGE_BY_ID, limit, operator=">=", operand=beginning, below=f"{beginning}g")


def newest_runs(thread_id: str, limit: int, since: int = 0) -> Selection:
    """Archived runs of a thread that started at or after ``since`` (ms since 1970), the latest first."""
    return Selection(Query.NEWEST_RUNS, limit, thread_id, ">=", since)


def runs_of_message(thread_id: str, mid: str, limit: int) -> Selection:
    """Archived runs of a thread that were shown a message and still have words."""
    return Selection(Query.RUNS_OF_MESSAGE, limit, thread_id, "contains", mid)


def digest_members(digest_id: str, limit: int) -> Selection:
    return Selection(Query.DIGEST_MEMBERS, limit, operator="==", operand=digest_id)
