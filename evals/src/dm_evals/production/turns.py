"""The model turns of archived runs, to be played again.

What the archive does not keep are answers that were thrown away: one that a new DM, an unsend or a human overtook, and
one that could not be used. In the place of such a turn stands one by hand, with the actions and alerts that the run
kept of it; it is overtaken again, or unusable again, so that the turns around it are asked for as they were. Thought
signatures are made up: what the real ones hold nobody can read, so nobody could clean it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, cast

from dm_core.agent.tools.registry import NOTIFY, SEND
from dm_core.runs import ActionKind, ModelTurn, Run, Usage, UserTurn
from dm_evals.production.anonymous import Anonymous
from dm_evals.replay.author import ScriptedTurn
from dm_sandbox.platforms.answers import Body, blocked_prompt, finished, no_candidates

_SENT_IN_PLACE: Final = (SEND, {"text": "(the archive keeps no answer that was overtaken; nobody saw it)"})
_ENDED_BY_SOMETHING: Final = ("human", "unsent")
_UNUSABLE: Final[Mapping[str, Body]] = {
    "model_malformed": finished("MALFORMED_FUNCTION_CALL", "Malformed function call"),
    "model_truncated": finished("MAX_TOKENS"),
    "model_empty": no_candidates(),
}


def played_turns(run: Run, anonymous: Anonymous) -> list[ScriptedTurn]:
    """The turns of a run in the order in which they were asked for, the lost ones in their places as far as known."""
    unusable = [_UNUSABLE[guard] for guard in run.guards if guard in _UNUSABLE]
    overtaken = ScriptedTurn((_SENT_IN_PLACE,))
    dropped = [_dropped(run, number, anonymous) or overtaken for number in range(run.dropped_turns)]
    turns: list[ScriptedTurn] = []
    for place, turn in enumerate(run.turns):
        if isinstance(turn, ModelTurn):
            turns.append(_cleaned(turn, anonymous))
        elif isinstance(turn, UserTurn) and place > 0 and not isinstance(run.turns[place - 1], ModelTurn):
            turns.append(ScriptedTurn(body=unusable.pop(0)) if unusable else overtaken)
    lost = max(0, calls_of(run) - len(dropped) - len(turns))
    if lost and run.ending == "handed_over":  # the model withheld its answer
        turns.append(ScriptedTurn(body=blocked_prompt()))
        lost -= 1
    after = [overtaken] * lost
    played = [*dropped, *turns, *after] if run.ending in _ENDED_BY_SOMETHING else [*dropped, *after, *turns]
    date = datetime.fromtimestamp(run.started_at / 1000, UTC).date().isoformat()
    return [replace(turn, date=date) for turn in played]


def is_overtaken(turn: ScriptedTurn) -> bool:
    """Something came while it was made, and nothing of it is known."""
    return _SENT_IN_PLACE in turn.calls


def calls_of(run: Run) -> int:
    """Every answer of the model's to this run; one that older code archived counts those it kept."""
    return max(run.model_calls, run.spent.calls)


def _dropped(run: Run, number: int, anonymous: Anonymous) -> ScriptedTurn | None:
    """A turn that is no longer among the run's, from what the run kept of it; None where that is nothing."""
    sent: dict[int, list[str]] = {}
    for action in run.actions:
        if action.turn == number and action.kind is ActionKind.SEND:
            sent.setdefault(action.call_index, []).append(action.text)
    asked = [alert for alert in run.alerts if alert.key.startswith(f"{run.id}/{number}/")]
    if not asked and not sent:
        return None
    told = [(NOTIFY, {"text": anonymous.text(alert.text), "urgency": alert.urgency}) for alert in asked]
    said = [(SEND, {"text": anonymous.text(" ".join(texts))}) for _, texts in sorted(sent.items())]
    return ScriptedTurn((*told, *(said or [_SENT_IN_PLACE])))


def _cleaned(turn: ModelTurn, anonymous: Anonymous) -> ScriptedTurn:
    calls = tuple((call.name, cast("Mapping[str, object]", anonymous.value(call.arguments))) for call in turn.calls)
    return ScriptedTurn(
        calls,
        anonymous.text(turn.text),
        model=turn.model_version or "unknown",
        latency_ms=turn.latency_ms,
        usage=_usage(turn.usage),
    )


def _usage(usage: Usage) -> Mapping[str, object] | None:
    """As on the wire."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "candidatesTokenCount": usage.output_tokens,
        "thoughtsTokenCount": usage.thought_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None} or None
