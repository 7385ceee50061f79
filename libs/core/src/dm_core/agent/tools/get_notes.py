"""What was remembered about the person: notes of earlier runs and of this one."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.agent.render import local_time
from dm_core.agent.sources import LookUp
from dm_core.agent.tools.declare import DataTool, Example


@dataclass(frozen=True, slots=True)
class GetNotes:
    """Read what was remembered about this person. Worth it when the context says that there are saved notes."""


async def read(_: GetNotes, look_up: LookUp) -> Mapping[str, object]:
    """Notes of earlier runs with their time, then those of this run."""
    saved, fresh = look_up.situation.thread.notes, look_up.situation.run.notes
    earlier = [{"text": note.text, "saved": local_time(note.created_at, look_up.sources.zone)} for note in saved]
    known = {note.text for note in saved}
    return {"notes": [*earlier, *({"text": text, "saved": "just now"} for text in fresh if text not in known)]}


def _remembered(output: Mapping[str, object]) -> str:
    return "Here is what I remember." if output.get("notes") else "I have no notes about you."


TOOL = DataTool(
    name="get_notes",
    arguments=GetNotes,
    read=read,
    examples=(Example(r"\bdo you (?:still )?(?:remember|know about) me\b", says=_remembered),),
    prompt="""\
- If the context shows saved notes that could matter, read them with `get_notes`. Save with `save_note` only what will
  help this person next time ("plays for the second team"), never anything about health, money, beliefs or family
  troubles. Don't announce that you saved it.""",
)
