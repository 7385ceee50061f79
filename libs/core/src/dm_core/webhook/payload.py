"""A webhook's body to events: every envelope, entry and item of every known shape (docs/architecture.md#whose-message).

    [ envelope, … ]  or  envelope = {"object": "instagram", "entry": [entry, …]}
    entry = {"id", "time", "messaging": [item, …], "standby": [item, …], "changes": [{"field", "value": item}, …]}
    or {"id", "time", "field", "value": item}

What is not understood becomes ``Unknown``, as small a piece as possible, and leaves the rest alone.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, cast

from dm_core.webhook.events import Event, Ignored, IgnoredKind
from dm_core.webhook.fields import JsonObject, as_list, as_object, identifier
from dm_core.webhook.items import Context, is_item, parse_item, unknown

INSTAGRAM: Final = "instagram"
"""What a delivery says it is about."""

_OTHER_FIELDS: Final = frozenset(
    {
        "comments",
        "live_comments",
        "mentions",
        "story_insights",
        "story_reactions",
        "share_to_feed",
        "follow",
        "likes",
        "message_reactions",
        "messaging_reactions",
        "messaging_seen",
        "messaging_optins",
        "messaging_handover",
        "messaging_handovers",
        "messaging_policy_enforcement",
        "response_feedback",
        "creator_marketplace_projects",
        "creator_marketplace_invited_creator_onboarding",
    }
)
_MAX_DEPTH: Final = 64
"""Nesting kept when a body nests too deeply to be read whole; real items need 9."""

_MAX_INT_DIGITS: Final = 20
_BRACKETS_AND_STRINGS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)


class NotJson(ValueError):
    """The body is not JSON."""


def parse(body: bytes, now: int) -> Iterator[Event]:
    """The events of a body, one at a time; ``now`` (ms since 1970) bounds their times. Raises NotJson, at once."""
    return events_of(load(body), now)


def load(body: bytes) -> object:
    """A body as JSON values, also when some of it nests too deeply. Raises NotJson."""
    try:
        body_text = body.decode(json.detect_encoding(body), "surrogatepass")
        try:
            return _loads(body_text)
        except RecursionError:
            return _loads(_without_depths(body_text))
    except (ValueError, RecursionError) as error:
        raise NotJson from error


def _loads(body_text: str) -> object:
    return cast("object", json.loads(body_text.removeprefix("\ufeff"), parse_int=_int))


def _int(digits: str) -> int | str:
    """Python refuses to convert thousands of digits, for the whole body; kept as text they only spoil their item."""
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else digits


def _without_depths(body_text: str) -> str:
    """The same JSON with null for whatever is nested too deeply: that spoils one item, not the whole body."""
    kept: list[str] = []
    depth = start = 0
    for match in _BRACKETS_AND_STRINGS.finditer(body_text):
        bracket = match[0]
        if bracket in "[{":
            if depth == _MAX_DEPTH:
                kept.append(body_text[start : match.start()])
            depth += 1
        elif bracket in "]}":
            depth -= 1
            if depth == _MAX_DEPTH:
                kept.append("null")
                start = match.end()
    return "".join((*kept, body_text[start:]))


def _envelopes(payload: object) -> Sequence[object]:
    listed = as_list(payload)
    return (payload,) if listed is None else listed


def subject(payload: object) -> object:
    """What the first envelope says it is about: one delivery is of one product."""
    return (as_object(next(iter(_envelopes(payload)), None)) or {}).get("object")


def events_of(payload: object, now: int) -> Iterator[Event]:
    """The events of a loaded body; see ``parse``."""
    for envelope in _envelopes(payload):
        yield from _entries(envelope, now)


def _entries(value: object, now: int) -> Iterator[Event]:
    envelope = as_object(value)
    if envelope is None:
        yield unknown(value, "envelope is not an object")
    elif envelope.get("object", INSTAGRAM) != INSTAGRAM:
        yield unknown(value, "object is not instagram")
    elif (entries := as_list(envelope.get("entry"))) is None:
        yield unknown(value, "entry is not a list")
    else:
        for entry in entries:
            yield from _items(entry, now)


def _items(value: object, now: int) -> Iterator[Event]:
    entry = as_object(value)
    if entry is None:
        yield unknown(value, "entry is not an object")
        return
    context = Context(identifier(entry.get("id")), entry.get("time"), now)
    understood = False
    for key in ("messaging", "standby", "changes"):
        if entry.get(key) is None:
            continue
        understood = True
        yield from _list(entry, key, context)
    if "field" in entry:
        yield _change(entry, context)
    elif not understood:
        yield unknown(value, "entry holds no events")


def _list(entry: JsonObject, key: str, context: Context) -> Iterator[Event]:
    items = as_list(entry[key])
    if items is None:
        yield unknown({"id": entry.get("id"), key: entry[key]}, f"{key} is not a list")
        return
    for item in items:
        if key == "changes":
            yield _change(item, context)
        else:
            yield parse_item(item, replace(context, standby=key == "standby"))


def _change(value: object, context: Context) -> Event:
    change = as_object(value)
    if change is None:
        return unknown(value, "change is not an object")
    field, item = change.get("field"), change.get("value")
    known = isinstance(field, str) and field in _OTHER_FIELDS
    if known and not is_item(item):
        return Ignored(IgnoredKind.OTHER_FIELD)
    if not is_item(item):
        return unknown(value, "change of an unknown field", context)
    where = replace(context, change=True, standby=field == "standby", echo=field == "message_echoes")
    return parse_item(item, where)
