"""What humans send and change, as documents and back (docs/architecture.md#what-is-stored)."""

from collections.abc import Mapping

from dm_core.outbox import AuditLine, OutboxItem, OutboxState
from dm_core.store.document_values import Document, document, maps, text, whole, whole_or_none, word
from dm_core.store.run_documents import action_document, parse_action


def outbox_document(item: OutboxItem) -> Document:
    return document(
        sender=item.sender,
        text=item.text,
        createdAt=item.created_at,
        expireAt=item.expire_at or None,
        sentAt=item.sent_at,
        quoted=item.quoted,
        button=item.button,
        origin=item.origin,
        threadId=item.thread_id,
        state=item.state,
        actions=[action_document(action) for action in item.actions],
        claimUntil=item.claim_until,
        claimId=item.claim_id,
        dueAt=item.due_at,
        answer=item.answer,
        toldAt=item.told_at,
    )


def parse_outbox(item_id: str, doc: Mapping[str, object]) -> OutboxItem:
    """A state that this version does not know reads as refused: nothing of it is sent."""
    return OutboxItem(
        id=item_id,
        sender=text(doc, "sender"),
        text=text(doc, "text"),
        created_at=whole(doc, "createdAt"),
        expire_at=whole(doc, "expireAt"),
        sent_at=whole(doc, "sentAt"),
        quoted=text(doc, "quoted"),
        button=text(doc, "button"),
        origin=text(doc, "origin"),
        thread_id=text(doc, "threadId"),
        state=word(doc, "state", OutboxState.REFUSED),
        actions=tuple(parse_action(each) for each in maps(doc, "actions")),
        claim_until=whole_or_none(doc, "claimUntil"),
        claim_id=text(doc, "claimId"),
        answer=text(doc, "answer"),
        told_at=whole_or_none(doc, "toldAt"),
    )


def parse_audit(line_id: str, doc: Mapping[str, object]) -> AuditLine:
    return AuditLine(
        line_id,
        whole(doc, "at"),
        text(doc, "who"),
        text(doc, "what"),
        whole(doc, "expireAt"),
        text(doc, "why"),
        text(doc, "threadId"),
    )


def audit_document(line: AuditLine) -> Document:
    return document(
        at=line.at, who=line.who, what=line.what, why=line.why, threadId=line.thread_id, expireAt=line.expire_at or None
    )
