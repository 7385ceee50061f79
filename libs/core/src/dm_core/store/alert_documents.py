"""Alerts as documents and back, in the one shape every adapter stores."""

from collections.abc import Mapping
from typing import Final

from dm_core.alerts import Alert, AlertCount, AlertState, AlertStatus, ManagerContact
from dm_core.store.document_values import (
    Document,
    document,
    flag,
    text,
    text_or_none,
    texts,
    whole,
    whole_or_none,
    word,
)

MANAGER: Final = ("maintenance", "manager")
"""Where the way to the manager's phone is kept."""

_STATUS_FIELDS: Final = {"sent": "sentAt", "delivered": "deliveredAt", "read": "readAt", "failed": "failedAt"}


def alert_document(alert: Alert) -> Document:
    """A whole alert."""
    return document(
        id=alert.id,
        threadId=alert.thread_id,
        urgency=alert.urgency,
        cause=alert.cause,
        text=alert.text,
        state=alert.state,
        calls=alert.calls,
        usedTemplate=alert.used_template,
        templateNext=alert.template_next,
        wamids=list(alert.wamids),
        handledWamids=list(alert.handled_wamids),
        createdAt=alert.created_at,
        firstDueAt=alert.first_due_at,
        dueAt=alert.due_at,
        notBefore=alert.not_before,
        claimUntil=alert.claim_until,
        calledAt=alert.called_at,
        sentAt=alert.sent_at,
        deliveredAt=alert.delivered_at,
        readAt=alert.read_at,
        failedAt=alert.failed_at,
        failedCode=alert.failed_code,
        failedWamid=alert.failed_wamid,
        alarmedAt=alert.alarmed_at,
        digestId=alert.digest_id,
        expireAt=alert.expire_at,
    )


def parse_alert(doc: Mapping[str, object]) -> Alert:
    """An alert from its document. A state this version does not know reads as one that may have gone out."""
    created_at = whole(doc, "createdAt")
    return Alert(
        id=text(doc, "id"),
        thread_id=text(doc, "threadId"),
        urgency="urgent" if doc.get("urgency") == "urgent" else "normal",
        cause=text(doc, "cause"),
        text=text(doc, "text"),
        state=word(doc, "state", AlertState.UNCERTAIN),
        calls=whole(doc, "calls"),
        used_template=flag(doc, "usedTemplate"),
        template_next=flag(doc, "templateNext"),
        wamids=texts(doc, "wamids"),
        handled_wamids=texts(doc, "handledWamids"),
        created_at=created_at,
        first_due_at=whole(doc, "firstDueAt", created_at),
        due_at=whole_or_none(doc, "dueAt"),
        not_before=whole_or_none(doc, "notBefore"),
        claim_until=whole_or_none(doc, "claimUntil"),
        called_at=whole_or_none(doc, "calledAt"),
        sent_at=whole_or_none(doc, "sentAt"),
        delivered_at=whole_or_none(doc, "deliveredAt"),
        read_at=whole_or_none(doc, "readAt"),
        failed_at=whole_or_none(doc, "failedAt"),
        failed_code=whole_or_none(doc, "failedCode"),
        failed_wamid=text_or_none(doc, "failedWamid"),
        alarmed_at=whole_or_none(doc, "alarmedAt"),
        digest_id=text_or_none(doc, "digestId"),
        expire_at=whole(doc, "expireAt"),
    )


def status_fields(status: AlertStatus) -> Document:
    """The fields a status writes: those of its kind, and with a failure when somebody must look."""
    fields: dict[str, object] = {_STATUS_FIELDS[status.kind]: status.at}
    if status.kind == "failed":
        fields |= {"failedCode": status.code, "failedWamid": status.wamid, "dueAt": status.at}
    return document(**fields)


def contact_fields(contact: ManagerContact) -> dict[str, int]:
    """The times that are known."""
    fields = {
        "lastInboundAt": contact.last_inbound_at,
        "closedAt": contact.closed_at,
        "statusSeenAt": contact.status_seen_at,
    }
    return {key: value for key, value in fields.items() if value is not None}


def parse_contact(doc: Mapping[str, object]) -> ManagerContact:
    return ManagerContact(
        whole_or_none(doc, "lastInboundAt"), whole_or_none(doc, "closedAt"), whole_or_none(doc, "statusSeenAt")
    )


def count_document(count: AlertCount) -> Document:
    return document(hourStart=count.hour_start, count=count.count)


def parse_count(doc: Mapping[str, object]) -> AlertCount:
    return AlertCount(whole(doc, "hourStart"), whole(doc, "count"))
