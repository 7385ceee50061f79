"""Messages as documents and back, in the one shape every adapter stores, and what an unsend or an edit writes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from dm_core.durations import DAY_MS
from dm_core.messages import Attachment, Content, Direction, Disposition, EventKind, Message, Status
from dm_core.store.document_values import (
    Document,
    as_map,
    document,
    flag,
    maps,
    moment,
    text,
    text_or_none,
    texts,
    whole,
    whole_or_none,
    word,
)
from dm_core.store.port import BRIEF_MS, UNSET, MessageChange, NewText


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
    """A message from its document. Words this version does not know read as those nobody acts on.

    Whoever read it puts the document's own name under ``id``: what is written by another would be another document.
    """
    disposition = doc.get("disposition")
    return Message(
        id=text(doc, "id"),
        thread_id=text(doc, "conversationId"),
        mid=text(doc, "mid"),
        direction=word(doc, "direction", Direction.HUMAN),
        status=word(doc, "status", Status.PROCESSED),
        content=_parse_content(as_map(doc.get("message"))),
        sent_at=moment(doc, "sentAt"),
        created_at=moment(doc, "createdAt"),
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


def since_erased(messages: Sequence[Message], erased: int | None) -> tuple[Message, ...]:
    """Without what was said before the thread was erased: a late echo of a reply is no human's word in a fresh one."""
    return tuple(message for message in messages if erased is None or message.sent_at > erased)


def briefly(message: Message, now: int) -> Message:
    """A message of a thread without a DM: kept for a day at most."""
    return replace(message, expire_at=min(message.expire_at or now + BRIEF_MS, now + BRIEF_MS))
