"""What the model is told: the system prompt from files, and the conversation as marked data.

    system   = prompts/system.md (ours), in its marked places the tools' words and the deployer's profile, and a canary
    opening  = context, history and new messages, each a block of JSON lines

The system prompt is the same for every run of a deployment (so that the model's prompt cache works); the time and the
person are in the opening. Everything a person wrote is inside a JSON string of one line.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from dm_core.agent.hours import Hours, local, told
from dm_core.agent.profile import BusinessProfile
from dm_core.agent.render import data_line, from_ms, message_fields
from dm_core.agent.tools.declare import Kind, Tool
from dm_core.agent.tools.registry import TOOLS
from dm_core.errors import Misconfigured
from dm_core.messages import Message
from dm_core.plain_text import shown
from dm_core.threads import Thread

OPENING_LIMIT: Final = 30_000
"""Longest opening, in characters; the oldest messages are left out of a longer one, and counted."""
_NEW_SHARE: Final = 26_000
_OVERHEAD: Final = 1_500
_PLACE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")

_NEW: Final = "new_messages"
_ASK: Final = "Decide now what to do about the new messages and call the tools for it. Answer them together."
_HOURS: Final = (
    "The context says when a human of the business can be expected. When you pass something on, promise no answer"
    " before that time, and none by a certain time after it."
)
_HANDED_OVER: Final = (
    "This conversation was passed on to a human of the business, and nobody has answered yet. Answer other things as"
    " usual. On what was passed on say only that somebody will answer here; don't pass the same on again."
)
_ASK_MORE: Final = (
    "These messages arrived while you were working. What was sent stays sent, the rest of what you wanted was not."
    " Decide again, for all messages that are still unanswered, and call the tools for it."
)
_ASK_AGAIN: Final = (
    "What was sent stays sent, the rest of what you wanted was not: in the meantime it has become too old. Decide again"
    " what is left to do, and call the tools for it."
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A text for the model, and the short ids of every message shown so far in the run, mapped to platform ids.

    ``mids``: the messages whose files are shown behind the text.
    """

    text: str
    handles: Mapping[str, str]
    mids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """The finished system prompt, the hash of all it was made from, and what must never be quoted: its marker, and its
    ``instructions``, which are the text without what the business wants known."""

    text: str
    hash: str
    canary: str
    instructions: str


def tool_words(tools: Iterable[Tool]) -> dict[str, str]:
    """What the tools add to the template, by place: list items of either sort of tool, and sections."""
    words: dict[str, list[str]] = {"tools_that_act": [], "tools_that_look_up": [], "tool_sections": []}
    for tool in tools:
        if tool.prompt.startswith("#"):
            words["tool_sections"].append(f"{tool.prompt}\n")
        elif tool.prompt:
            words["tools_that_look_up" if tool.kind is Kind.DATA else "tools_that_act"].append(tool.prompt)
    return {place: "\n".join(lines).rstrip("\n") for place, lines in words.items()}


_TOLD: Final = frozenset(("persona", "knowledge", "links", "contacts"))
"""The places whose words are for people."""
_TOOL_WORDS: Final[Mapping[str, str]] = tool_words(TOOLS.values())


def with_tool_words(template: str) -> str:
    """The template as it is hashed and compared: it changes with the tools' words, not with the profile's."""
    return _PLACE.sub(lambda match: _TOOL_WORDS.get(match.group(1), match.group()), template)


def system_prompt(template: str, profile: BusinessProfile) -> SystemPrompt:
    """Fill the template's ``{{places}}``. Raises Misconfigured naming a place that is missing or unknown."""
    digest = prompt_hash(template, profile)
    canary = f"mk-{hashlib.sha256(f'canary {digest}'.encode()).hexdigest()[:20]}"
    values = {
        "business": profile.name,
        "persona": profile.persona,
        "knowledge": profile.knowledge,
        "links": _listed(profile.links, "none: send no links"),
        "contacts": _listed((*profile.emails, *profile.phones, *profile.names), "none"),
        "languages": ", ".join(profile.languages) or "any",
        "time_zone": profile.time_zone.key,
        "canary": canary,
    }
    places = {*values, *_TOOL_WORDS}
    for name in sorted(set(_PLACE.findall(template)) ^ places):
        what = "is missing" if name in places else "is no known place"
        raise Misconfigured(f"prompts/system.md: {{{{{name}}}}} {what}")
    whole = with_tool_words(template)
    instructions = _PLACE.sub(lambda match: "" if match.group(1) in _TOLD else values[match.group(1)], whole)
    return SystemPrompt(_PLACE.sub(lambda match: values[match.group(1)], whole), digest, canary, instructions)


def prompt_hash(template: str, profile: BusinessProfile) -> str:
    """sha256 over system.md with the tools' words and every profile file, names and contents, in hex."""
    digest = hashlib.sha256()
    for name, content in (("system.md", with_tool_words(template)), *profile.files):
        for part in (name.encode(), content.encode("utf-8", "surrogatepass")):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _listed(items: Sequence[str], empty: str) -> str:
    return "\n".join(f"- {item}" for item in items) or f"({empty})"


def opening_text(
    thread: Thread,
    *,
    now: int,
    zone: ZoneInfo,
    new: Sequence[Message],
    history: Sequence[Message],
    first_contact: bool,
    notes: int,
    release_ms: int = 0,
    hours: Hours | None = None,
) -> Opening:
    """The first user turn. Handles count up from m1 over the messages that are shown, in order of time."""
    fields = _context(thread, now, zone, first_contact=first_contact, notes=notes)
    handover = _handover(thread, now, zone, release_ms)
    humans = {"humans": told(hours, local(now, zone))} if hours else {}
    context = _block("context", [data_line({**fields, **handover, **humans})])
    budget = OPENING_LIMIT - _OVERHEAD - len(context)
    shown_new = _newest(new, min(_NEW_SHARE, budget), zone)
    used = sum(len(data_line(message_fields(m, _HANDLE_ROOM, zone))) + _LINE_ROOM for m in shown_new)
    shown_old = _newest(history, budget - used, zone)
    handles = _numbered((*shown_old, *shown_new), {})
    lines = _lines(handles, zone)
    blocks = (
        context,
        _block("history", lines(shown_old), len(history) - len(shown_old)),
        _block(_NEW, lines(shown_new), len(new) - len(shown_new)),
        _HOURS if hours else "",
        _HANDED_OVER if thread.handed_over(now, release_ms) else "",
        _ASK,
    )
    return Opening("\n\n".join(block for block in blocks if block), handles)


def more_text(new: Sequence[Message], handles: Mapping[str, str], *, now: int, zone: ZoneInfo) -> Opening:
    """A run goes on: the time, and the DMs that came since, with handles that go on where ``handles`` end."""
    shown_new = _newest(new, _NEW_SHARE, zone)
    merged = _numbered(shown_new, handles)
    blocks = (
        _block("context", [data_line(_clock(now, zone))]),
        _block(_NEW, _lines(merged, zone)(shown_new), len(new) - len(shown_new)),
        _ASK_MORE if new else _ASK_AGAIN,
    )
    return Opening("\n\n".join(block for block in blocks if block), merged)


def _clock(now: int, zone: ZoneInfo) -> dict[str, object]:
    return {"now": from_ms(now, zone).strftime("%A %-d %B %Y, %H:%M"), "time_zone": zone.key}


def _context(thread: Thread, now: int, zone: ZoneInfo, *, first_contact: bool, notes: int) -> dict[str, object]:
    context = {**_clock(now, zone), "first_contact": first_contact, "saved_notes": notes}
    names = (("name", thread.profile.name), ("username", thread.profile.username)) if thread.profile else ()
    person = {key: shown(value, 80) for key, value in names if value}
    return {**context, "person": person} if person else context


def _handover(thread: Thread, now: int, zone: ZoneInfo, release_ms: int) -> dict[str, object]:
    """Since when the thread is with a human, and whether one has answered; nothing once that is over."""
    handover = thread.steering.handover
    if handover is None or now - handover.since >= release_ms:
        return {}
    since, answered = from_ms(handover.since, zone), thread.human_at_least(handover.since)
    return {"passed_on": {"since": since.strftime("%A %-d %B %Y, %H:%M"), "a_human_has_answered": answered}}


def _block(name: str, lines: Sequence[str], omitted: int = 0) -> str:
    """Lines between tags; empty without any."""
    if not lines and not omitted:
        return ""
    counted = [data_line({"omitted_older_messages": omitted})] if omitted else []
    return "\n".join((f"<{name}>", *counted, *lines, f"</{name}>"))


_HANDLE_ROOM: Final[Mapping[str, str]] = {}
_LINE_ROOM: Final = 60
"""Characters a line may grow by its handle, and by that of the message it replies to."""


def _newest(messages: Sequence[Message], budget: int, zone: ZoneInfo) -> tuple[Message, ...]:
    """The newest that fit (a single one always fits into the share of the new)."""
    kept: list[Message] = []
    for message in reversed(messages):
        budget -= len(data_line(message_fields(message, _HANDLE_ROOM, zone))) + _LINE_ROOM
        if budget < 0:
            break
        kept.append(message)
    return tuple(reversed(kept))


def _numbered(messages: Sequence[Message], known: Mapping[str, str]) -> dict[str, str]:
    """Known handles and one for each message that has a platform id and none yet."""
    handles = dict(known)
    seen = set(known.values())
    number = max((int(handle[1:]) for handle in known), default=0)
    for message in messages:
        if message.mid and message.mid not in seen:
            number += 1
            handles[f"m{number}"] = message.mid
            seen.add(message.mid)
    return handles


def _lines(handles: Mapping[str, str], zone: ZoneInfo) -> Callable[[Sequence[Message]], list[str]]:
    by_mid = {mid: handle for handle, mid in handles.items()}
    return lambda messages: [data_line(message_fields(message, by_mid, zone)) for message in messages]
