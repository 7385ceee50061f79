"""One item of a payload, of whichever shape, to one event."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dm_core.messages import MAX_TEXT_CHARS, Content
from dm_core.webhook.content import NotAMessage, message_content, postback_content, referral_content
from dm_core.webhook.events import Echo, Edit, Event, Ignored, IgnoredKind, InboundMessage, ThreadKey, Unknown, Unsend
from dm_core.webhook.fields import (
    JsonObject,
    as_object,
    flag,
    identifier_of,
    message_mid,
    number,
    people_in,
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
    "response_feedback": IgnoredKind.OTHER_FIELD,
}


@dataclass(frozen=True, slots=True)
class Context:
    """Where an item stood. ``entry_id`` is our account in real traffic, and anything in the dashboard's samples, which
    stand under ``changes`` (``change``)."""

    entry_id: str | None
    entry_time: object
    now: int
    standby: bool = False
    echo: bool = False
    change: bool = False

    def sent_at(self, item: JsonObject) -> int:
        """When an item came about, in ms since 1970: without a time of its own it is as old as its entry, so that a
        backlog is not taken for news."""
        return time_ms(item.get("timestamp"), self.now, self.entry_time)


def parse_item(value: object, context: Context) -> Event:
    """The event of one item; Unknown, and never an exception, for what is not understood."""
    try:
        item = as_object(value)
        return _event(item, context) if item is not None else unknown(value, "item is not an object")
    except NotAMessage as error:
        return unknown(value, str(error), context)
    except Exception as error:  # one poison item must not block the others, whatever it does to us
        return unknown(value, f"parsing failed: {type(error).__name__}", context)


def is_item(value: object) -> bool:
    """Whether a value under ``changes`` has the shape of a messaging item."""
    item = as_object(value)
    return item is not None and any(as_object(item.get(key)) is not None for key in (*_PARSERS, *_IGNORED))


def unknown(value: object, reason: str, context: Context | None = None) -> Unknown:
    """Keep what can be kept of a value as ASCII JSON, with the people in it, so that their erasure finds it."""
    try:
        raw = json.dumps(value)
    except (ValueError, RecursionError):
        raw = '"[too deeply nested to keep]"'
    account_id = context.entry_id if context else None
    return Unknown(raw[:MAX_RAW_CHARS], reason, tuple(who for who in people_in(value) if who != account_id))


def _event(item: JsonObject, context: Context) -> Event:
    """By its first part that says something; an empty one beside it is none."""
    parts = [key for key in (*_PARSERS, *_IGNORED) if item.get(key) is not None]
    key = next((key for key in parts if item[key] != {}), next(iter(parts), None))
    if key is not None and (parser := _PARSERS.get(key)) is not None:
        part = as_object(item[key])
        return parser(item, part, context) if part is not None else unknown(item, f"{key} is not an object", context)
    kind = next((kind for key, kind in _IGNORED.items() if key in item), None)
    return Ignored(kind) if kind is not None else unknown(item, "no known kind of event", context)


@dataclass(frozen=True, slots=True)
class _Parties:
    """Whose thread an item belongs to, and whether the account is the one who acted."""

    thread_key: ThreadKey
    from_account: bool


def _parties(item: JsonObject, context: Context, *, says_echo: bool = False) -> _Parties | None:
    """Who wrote to whom, by both parties against ``entry.id``: a flag alone decides nothing.

    Where neither is the entry (the dashboard's samples), the account is the recipient, or the sender of what calls
    itself an echo. A missing recipient is the account, and so is the missing sender of what calls itself an echo. None
    when it cannot be told, and for an account with an underscore: the first underscore of a thread id ends the account.
    """
    entry = context.entry_id
    sender, recipient = identifier_of(item.get("sender")), identifier_of(item.get("recipient"))
    if sender and recipient and entry not in (sender, recipient):
        if not context.change:
            return None
        entry = sender if says_echo else recipient
    if item.get("recipient") is None:
        recipient = entry
    if item.get("sender") is None and says_echo:
        sender = entry
    if not entry or not sender or not recipient or sender == recipient or "_" in entry:
        return None
    from_account = sender == entry
    return _Parties(ThreadKey(entry, recipient if from_account else sender), from_account)


def _message(item: JsonObject, message: JsonObject, context: Context) -> Event:
    sender = identifier_of(item.get("sender"))
    to_itself = sender is not None and sender == identifier_of(item.get("recipient"))
    if to_itself or flag(message.get("is_self")) or flag(item.get("is_self")):
        return Ignored(IgnoredKind.SELF)
    parties = _parties(item, context, says_echo=context.echo or flag(message.get("is_echo")))
    mid = message_mid(message.get("mid"))
    if parties is None or mid is None:
        return unknown(item, "no usable sender, recipient or mid", context)
    thread_key, sent_at = parties.thread_key, context.sent_at(item)
    if flag(message.get("is_deleted")):
        return Unsend(thread_key, mid, sent_at, by_account=parties.from_account)
    kind = Echo if parties.from_account else InboundMessage
    return kind(thread_key, mid, message_content(message, item), sent_at, context.standby)


def _postback(item: JsonObject, postback: JsonObject, context: Context) -> Event:
    return _tap(item, postback, postback_content(postback, item), context)


def _referral(item: JsonObject, referral: JsonObject, context: Context) -> Event:
    return _tap(item, referral, referral_content(referral, item), context)


def _tap(item: JsonObject, part: JsonObject, content: Content, context: Context) -> Event:
    if flag(item.get("is_self")) or flag(part.get("is_self")):
        return Ignored(IgnoredKind.SELF)
    parties = _parties(item, context)
    if parties is None:
        return unknown(item, "no usable sender or recipient", context)
    if parties.from_account:
        return unknown(item, "a tap by the account", context)
    mid = message_mid(part.get("mid"))
    if mid is None and part.get("mid") is not None:
        return unknown(item, "mid is not usable", context)
    thread_key, sent_at = parties.thread_key, context.sent_at(item)
    return InboundMessage(
        thread_key, mid or _derived_mid(thread_key, item, content, context), content, sent_at, context.standby
    )


def _derived_mid(thread_key: ThreadKey, item: JsonObject, content: Content, context: Context) -> str:
    """An identity for what came without one: the same for every delivery of the same event.

    From the raw timestamp, not from our reading of it, because that falls back to now.
    """
    when = number(item.get("timestamp"))
    when = number(context.entry_time) if when is None else when
    parts = (thread_key.account_id, thread_key.user_id, when, content.text, content.postback, content.referral)
    return "derived:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _edit(item: JsonObject, edit: JsonObject, context: Context) -> Event:
    """Edits with ``num_edit`` 0, often without text and people, come with ordinary messages."""
    given, count = edit.get("text"), edit.get("num_edit")
    edit_number = 1 if count is None else int(number(count) or 0)
    parties = _parties(item, context)
    if not given or not edit_number or parties is None:
        return Ignored(IgnoredKind.EDIT)
    new_text, mid = text(given, MAX_TEXT_CHARS), message_mid(edit.get("mid"))
    if new_text is None or mid is None:
        return unknown(item, "an edit without a usable text or mid", context)
    return Edit(parties.thread_key, mid, new_text, context.sent_at(item), edit_number)


_Parser = Callable[[JsonObject, JsonObject, Context], Event]

_PARSERS: Final[Mapping[str, _Parser]] = {
    "message": _message,
    "postback": _postback,
    "message_edit": _edit,
    "referral": _referral,
}
