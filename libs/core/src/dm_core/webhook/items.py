"""One item of a payload, of whichever shape, to one event."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dm_core.messages import MAX_TEXT_CHARS, Content
from dm_core.webhook.content import NotAMessage, message_content, postback_content, referral_content
from dm_core.webhook.events import Echo, Edit, Event, Ignored, IgnoredKind, InboundMessage, Place, Unknown, Unsend
from dm_core.webhook.fields import (
    JsonObject,
    as_object,
    flag,
    identifier_of,
    message_mid,
    number,
    text,
    time_ms,
)

MAX_RAW_CHARS: Final = 200_000
"""Most kept of an item that was not understood: far below a document's 1 MiB."""

_IGNORED: Final[Mapping[str, IgnoredKind]] = {
    "reaction": IgnoredKind.REACTION,
    "read": IgnoredKind.READ,
    "delivery": IgnoredKind.DELIVERY,
    "optin": IgnoredKind.OPTIN,
    "pass_thread_control": IgnoredKind.HANDOVER,
    "take_thread_control": IgnoredKind.HANDOVER,
    "request_thread_control": IgnoredKind.HANDOVER,
    "app_roles": IgnoredKind.HANDOVER,
}


@dataclass(frozen=True, slots=True)
class Context:
    """Where an item stood. ``entry_id`` is our account in real traffic, and anything in samples."""

    entry_id: str | None
    entry_time: object
    now: int
    standby: bool = False
    echo: bool = False


def parse_item(value: object, context: Context) -> Event:
    """The event of one item; Unknown, and never an exception, for what is not understood."""
    try:
        item = as_object(value)
        return _event(item, context) if item is not None else unknown(value, "item is not an object")
    except NotAMessage as error:
        return unknown(value, str(error))
    except Exception as error:  # one poison item must not block the others, whatever it does to us
        return unknown(value, f"parsing failed: {type(error).__name__}")


def is_item(value: object) -> bool:
    """Whether a value under ``changes`` has the shape of a messaging item."""
    item = as_object(value)
    return item is not None and any(as_object(item.get(key)) is not None for key in (*_PARSERS, *_IGNORED))


def unknown(value: object, reason: str) -> Unknown:
    """Keep what can be kept of a value as ASCII JSON."""
    try:
        raw = json.dumps(value)
    except (ValueError, RecursionError):
        raw = '"[too deeply nested to keep]"'
    return Unknown(raw[:MAX_RAW_CHARS], reason)


def _event(item: JsonObject, context: Context) -> Event:
    for key, parser in _PARSERS.items():
        part = as_object(item.get(key))
        if part is not None:
            return parser(item, part, context)
        if item.get(key) is not None:
            return unknown(item, f"{key} is not an object")
    for key, kind in _IGNORED.items():
        if key in item:
            return Ignored(kind)
    return unknown(item, "no known kind of event")


def _message(item: JsonObject, message: JsonObject, context: Context) -> Event:
    sender = identifier_of(item.get("sender"))
    to_itself = sender is not None and sender == identifier_of(item.get("recipient"))
    if to_itself or flag(message.get("is_self")) or flag(item.get("is_self")):
        return Ignored(IgnoredKind.SELF)
    echo = context.echo or flag(message.get("is_echo")) or (sender is not None and sender == context.entry_id)
    place, mid = _place(item, context, from_account=echo), message_mid(message.get("mid"))
    if place is None or mid is None:
        return unknown(item, "no usable sender, recipient or mid")
    sent_at = time_ms(item.get("timestamp"), context.now)
    if flag(message.get("is_deleted")):
        return Unsend(place, mid, sent_at, by_account=echo)
    kind = Echo if echo else InboundMessage
    return kind(place, mid, message_content(message), sent_at, context.standby)


def _postback(item: JsonObject, postback: JsonObject, context: Context) -> Event:
    return _tap(item, postback, postback_content(postback), context)


def _referral(item: JsonObject, referral: JsonObject, context: Context) -> Event:
    return _tap(item, referral, referral_content(referral), context)


def _tap(item: JsonObject, part: JsonObject, content: Content, context: Context) -> Event:
    if flag(item.get("is_self")) or flag(part.get("is_self")):
        return Ignored(IgnoredKind.SELF)
    place = _place(item, context, from_account=False)
    if place is None:
        return unknown(item, "no usable sender or recipient")
    mid = message_mid(part.get("mid"))
    if mid is None and part.get("mid") is not None:
        return unknown(item, "mid is not usable")
    sent_at = time_ms(item.get("timestamp"), context.now)
    return InboundMessage(place, mid or _derived_mid(place, item, content, context), content, sent_at, context.standby)


def _derived_mid(place: Place, item: JsonObject, content: Content, context: Context) -> str:
    """An identity for what came without one: the same for every delivery of the same event.

    From the raw timestamp, not from our reading of it, because that falls back to now.
    """
    when = number(item.get("timestamp"))
    when = number(context.entry_time) if when is None else when
    parts = (place.account_id, place.user_id, when, content.text, content.postback, content.referral)
    return "derived:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _edit(item: JsonObject, edit: JsonObject, context: Context) -> Event:
    """Edits with num_edit 0, often without text and people, come with ordinary messages (facts 1.7)."""
    new_text, mid = text(edit.get("text"), MAX_TEXT_CHARS), message_mid(edit.get("mid"))
    revision = number(edit.get("num_edit", 1))
    from_account = identifier_of(item.get("sender")) == context.entry_id and context.entry_id is not None
    place = _place(item, context, from_account=from_account)
    if not new_text or not revision or mid is None or place is None:
        return Ignored(IgnoredKind.EDIT)
    return Edit(place, mid, new_text, time_ms(item.get("timestamp"), context.now), int(revision))


def _place(item: JsonObject, context: Context, *, from_account: bool) -> Place | None:
    """Account and person: the account receives a DM and sends an echo; ``entry.id`` stands in for it.

    An account with an underscore is not understood: the first underscore of a thread id ends the account.
    """
    sender, recipient = identifier_of(item.get("sender")), identifier_of(item.get("recipient"))
    account, person = (sender, recipient) if from_account else (recipient, sender)
    account = account or context.entry_id
    if not account or not person or account == person or "_" in account:
        return None
    return Place(account, person)


_Parser = Callable[[JsonObject, JsonObject, Context], Event]

_PARSERS: Final[Mapping[str, _Parser]] = {
    "message": _message,
    "postback": _postback,
    "message_edit": _edit,
    "referral": _referral,
}
