"""Remember one fact about the person, with the run's next commit."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.agent.guards import Refusal
from dm_core.agent.plan import PlannedCall
from dm_core.agent.tools.arguments import text_argument
from dm_core.agent.tools.declare import Example, Kind, PlannedTool


@dataclass(frozen=True, slots=True)
class SaveNote:
    """Remember one fact about this person for later conversations, such as "daughter Mia plays U11". Only what helps to
    serve them, nothing sensitive such as health or money."""

    text: str = text_argument("The fact, in one sentence.", max_chars=500)


def plan(arguments: SaveNote, call: PlannedCall) -> Refusal | None:
    call.turn.notes.append(arguments.text)
    call.answer({"status": "saved"})
    return None


def _noted(_: Mapping[str, object]) -> str:
    return "I've made a note of that."


TOOL = PlannedTool(
    name="save_note",
    kind=Kind.NOTE,
    arguments=SaveNote,
    plan=plan,
    examples=(Example(r"\b(?:please )?remember that\b", {"text": "They said: {words}"}, _noted),),
)
