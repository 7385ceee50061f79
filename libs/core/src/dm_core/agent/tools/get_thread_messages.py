"""Earlier messages of the run's own thread: our store first, the Conversations API for what is older."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from dm_core.agent.render import message_fields
from dm_core.agent.sources import LookUp
from dm_core.agent.tools.arguments import whole_argument
from dm_core.agent.tools.declare import DataTool, Example
from dm_core.clients.port import PlatformMessage
from dm_core.errors import PlatformError
from dm_core.messages import Content, Direction, Message, Status
from dm_core.threads import Thread

MAX_RESULT_CHARS: Final = 12_000
"""Longest list of messages given to the model, in characters; the newest are kept."""


@dataclass(frozen=True, slots=True)
class GetThreadMessages:
    """Read the newest messages of this conversation, further back than those you were shown. Use it when the person
    refers to something you can't see."""

    limit: int = whole_argument("How many messages, counted from the newest.", minimum=1, maximum=50, default=30)


async def read(arguments: GetThreadMessages, look_up: LookUp) -> Mapping[str, object]:
    """The newest ``limit`` messages, oldest first. DMs that wait for a later run are left out.

    Raises StoreUnavailable.
    """
    situation, limit = look_up.situation, arguments.limit
    own = situation.own_ids
    stored = await look_up.sources.store.history(situation.thread.id, limit)
    shown = [message for message in stored if message.status is not Status.PENDING or message.id in own]
    notice = None
    if len(stored) < limit:
        try:
            older = await _older(look_up, stored)
            shown = [*older, *shown][-limit:]
        except PlatformError:
            notice = "older messages could not be read just now"
    by_mid = {mid: handle for handle, mid in situation.run.handles.items()}
    lines, omitted = _newest([message_fields(message, by_mid, look_up.sources.zone) for message in shown])
    result: dict[str, object] = {"messages": lines}
    if omitted:
        result["omitted_older"] = omitted
    if notice:
        result["notice"] = notice
    return result


async def _older(look_up: LookUp, stored: Collection[Message]) -> list[Message]:
    """What the platform still has from before our oldest message."""
    thread = look_up.situation.thread
    seen = await look_up.sources.conversations.newest(thread, look_up.situation.now)
    mids = {message.mid for message in stored}
    oldest = min((message.sent_at for message in stored), default=None)
    older = [m for m in seen if m.mid not in mids and (oldest is None or m.created_at < oldest)]
    return [_as_message(thread, m) for m in sorted(older, key=lambda m: m.created_at)]


def _as_message(thread: Thread, seen: PlatformMessage) -> Message:
    """A message of the Conversations API; who on our side wrote it is not told there."""
    inbound = seen.from_id == thread.user_id
    return Message(
        id=seen.mid,
        thread_id=thread.id,
        mid=seen.mid,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        status=Status.PROCESSED,
        content=Content(text=seen.text or None, unsupported=not seen.text),
        sent_at=seen.created_at,
        created_at=seen.created_at,
        updated_at=seen.created_at,
    )


def _newest(lines: list[dict[str, object]]) -> tuple[list[dict[str, object]], int]:
    """The newest that fit, and how many did not."""
    used, start = 0, len(lines)
    while start and used + len(str(lines[start - 1])) <= MAX_RESULT_CHARS:
        start -= 1
        used += len(str(lines[start]))
    return lines[start:], start


def _counted(output: Mapping[str, object]) -> str:
    messages = output.get("messages")
    count = len(messages) if isinstance(messages, list) else 0  # pyright: ignore[reportUnknownArgumentType]
    return f"I can see {count} messages of ours."


TOOL = DataTool(
    name="get_thread_messages",
    arguments=GetThreadMessages,
    read=read,
    examples=(Example(r"\bwhat did (?:i|we|you) (?:say|write|ask)\b", {"limit": 30}, _counted),),
    prompt="- If the person refers to something you can't see, read further back with `get_thread_messages`.",
)
