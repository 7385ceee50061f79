"""Whether this is the first contact with the person, by our own records and by Instagram's."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.agent.sources import LookUp, known_before
from dm_core.agent.tools.declare import DataTool, Example
from dm_core.errors import PlatformError


@dataclass(frozen=True, slots=True)
class IsNewThread:
    """Find out whether this is the first contact with this person."""


async def read(_: IsNewThread, look_up: LookUp) -> Mapping[str, object]:
    """Whether nothing passed between account and person before the run's own DMs."""
    thread, recent = look_up.situation.thread, look_up.situation.recent
    own = look_up.situation.own_ids
    if known_before(thread, own, recent):
        return {"is_new_thread": False}
    first = min((message.sent_at for message in recent if message.id in own), default=None)
    if first is None:  # a burst larger than the page
        return {"is_new_thread": False}
    mids = {message.mid for message in recent}
    try:
        seen = await look_up.sources.conversations.newest(thread, look_up.situation.now)
    except PlatformError:
        return {"is_new_thread": True, "notice": "by our own records; Instagram's could not be read just now"}
    earlier = any(m.mid not in mids and m.created_at < first - first % 1000 for m in seen)
    return {"is_new_thread": not earlier}


def _met(output: Mapping[str, object]) -> str:
    return (
        "I think this is the first time you write to us." if output.get("is_new_thread") else "You wrote to us before."
    )


TOOL = DataTool(
    name="is_new_thread",
    arguments=IsNewThread,
    read=read,
    examples=(Example(r"\bhave (?:i|we) (?:ever )?(?:written|talked|spoken)\b.*\bbefore\b", says=_met),),
)
