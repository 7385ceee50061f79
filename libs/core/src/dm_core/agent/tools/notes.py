"""What to remember about a person, and ending a run on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dm_core.agent.render import local_time
from dm_core.agent.tools.declare import text_argument
from dm_core.threads import Note


@dataclass(frozen=True, slots=True)
class SaveNote:
    """Remember one fact about this person for later conversations, such as "daughter Mia plays U11". Only what helps to
    serve them, nothing sensitive such as health or money."""

    text: str = text_argument("The fact, in one sentence.", max_chars=500)


@dataclass(frozen=True, slots=True)
class GetNotes:
    """Read what was remembered about this person. Worth it when the context says that there are saved notes."""


@dataclass(frozen=True, slots=True)
class NoReply:
    """End without (further) answer, on purpose: the messages need none, such as a lone "ok thanks" or spam."""

    reason: str = text_argument("Why no answer is needed, in a few words.", max_chars=500)


def notes_result(saved: Sequence[Note], fresh: Sequence[str], zone: ZoneInfo) -> dict[str, object]:
    """Notes of earlier runs with their time, then those of this run."""
    earlier = [{"text": note.text, "saved": local_time(note.created_at, zone)} for note in saved]
    known = {note.text for note in saved}
    return {"notes": [*earlier, *({"text": text, "saved": "just now"} for text in fresh if text not in known)]}
