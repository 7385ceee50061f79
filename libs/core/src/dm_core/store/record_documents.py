"""The documents beside the threads: limits, counts, deletion requests and quarantined items."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from dm_core.durations import DAY_MS
from dm_core.store.document_values import Document, document, text, to_json, whole, whole_or_none
from dm_core.store.port import Deletion
from dm_core.threads import Allowance
from dm_core.usage import DayRuns

MAX_RAW_CHARS: Final = 200_000
"""Longest raw item kept in quarantine, in characters."""


ALLOWANCE_MS: Final = 2 * DAY_MS
"""How long a person's counters are kept after they were last written."""


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


def json_document(value: Mapping[str, object], expire_at: int | None, **more: object) -> Document:
    """A document of plain JSON values, as text: their shape is not ours. None: it never expires.

    The threads that the value names stand beside the text as well, for their erasure to find it.
    """
    expiry = {} if expire_at is None else {"expireAt": expire_at}
    named = {"threadIds": value["threadIds"]} if "threadIds" in value else {}
    return document(json=to_json(value), **named, **more, **expiry)


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


QUARANTINED_OF_ONE: Final = 400
"""Most quarantined items of one person that are looked through for a message they took back."""


def holds_message(doc: Mapping[str, object], mid: str) -> bool:
    """Whether a quarantined item names a message of this id, in whatever place."""
    return json.dumps(mid) in text(doc, "raw")


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
