"""A conversation the API refuses to take back, told anew: what was said and done in it, in words of ours.

A history can be refused although it is kept byte for byte (a thought signature that expired, a part of a newer kind).
Repeating it would fail for ever. So the model's own turns stay in the run (limits, keys and the archive count on
them) but are no longer sent, and one plain turn says what came of them.
"""

from dataclasses import replace
from typing import Final

from dm_core.agent.render import data_line
from dm_core.agent.texts import cut
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, Run, ToolTurn, Turn, UserTurn

MAX_LINE_CHARS: Final = 6_000
_OPENS: Final = "<done_so_far>"
_GO_ON: Final = (
    "Above is what you did so far about these messages, and what came of it. Go on from there: repeat nothing that was"
    " sent, and call the tools for what is left."
)
_WORDS: Final = {
    ActionState.DONE: "sent",
    ActionState.UNCERTAIN: "uncertain, do not send again",
    ActionState.REFUSED: "refused",
    ActionState.DROPPED: "not sent",
    ActionState.PLANNED: "not sent yet",
}


def said_and_done(run: Run) -> tuple[Turn, ...] | None:
    """The turns to go on with after the API refused ``run.turns``; None where the model said nothing since it was told
    anew, or at all.

    ``run = replace(run, turns=said_and_done(run))``, and ask again.
    """
    if not any(turn.content for turn in run.model_turns):
        return None
    kept = tuple(replace(turn, content="") if isinstance(turn, ModelTurn) else turn for turn in run.turns)
    return (*kept, done_so_far(run))


def done_so_far(run: Run) -> UserTurn:
    """What came of a run so far, for a model that is shown its conversation anew."""
    lines = [
        *_turn_lines(run),
        *(_action_line(action) for action in run.actions if action.kind in (ActionKind.SEND, ActionKind.REACT)),
        *({"alert": alert.text, "became": "stored; the manager will be told"} for alert in run.alerts),
    ]
    text = "\n".join((_OPENS, *(cut(data_line(line), MAX_LINE_CHARS) for line in lines), "</done_so_far>", "", _GO_ON))
    return UserTurn(text)


def _turn_lines(run: Run) -> list[dict[str, object]]:
    """What the model wrote and asked, with the answers it was given."""
    lines: list[dict[str, object]] = []
    for turn in run.turns:
        match turn:
            case ModelTurn(text=text, calls=calls) if text.strip() and not calls:
                lines.append({"you_wrote": text, "seen_by_the_person": False})
            case ToolTurn(results=results):
                lines.extend({"tool": r.name, "result": r.error or dict(r.output)} for r in results)
            case _:
                pass
    return lines


def _action_line(action: Action) -> dict[str, object]:
    return {"action": action.kind.value, "text": action.text, "became": _WORDS[action.state]}
