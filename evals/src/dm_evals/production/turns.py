"""The model turns of archived runs, to be played again.

What the archive does not keep are answers that were thrown away: one that a new DM, an unsend or a human overtook, and
one that could not be used. In the place of such a turn stands one by hand, with the actions and alerts that the run
kept of it; it is overtaken again, or unusable again, so that the turns around it are asked for as they were. Thought
signatures are made up: what the real ones hold nobody can read, so nobody could clean it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, cast

from dm_core.agent.tools.registry import NOTIFY, SEND
from dm_core.runs import ActionKind, ModelTurn, Run, Usage, UserTurn
from dm_evals.production.anonymous import Anonymous
from dm_evals.replay.author import AUTHORED, AuthoredTurn, TurnsInOrder
from dm_evals.replay.recordings import RecordedTurn
from dm_evals.replay.replay_server import Asked
from dm_sandbox.platforms.answers import Body, blocked_prompt, finished, no_candidates

OVERTAKEN: Final = "(the archive keeps no answer that was overtaken; nobody saw it)"
_ENDED_BY_SOMETHING: Final = ("human", "unsent")
_UNUSABLE: Final[Mapping[str, Body]] = {
    "model_malformed": finished("MALFORMED_FUNCTION_CALL", "Malformed function call"),
    "model_truncated": finished("MAX_TOKENS"),
    "model_empty": no_candidates(),
}


@dataclass(frozen=True, slots=True)
class PlayedTurn:
    """One answer of the model. ``turn`` is None for one by hand. ``overtaken``: something came while it was made."""

    said: AuthoredTurn
    date: str
    turn: ModelTurn | None = None
    overtaken: bool = False

    @property
    def origin(self) -> Literal["authored", "recorded"]:
        return "recorded" if self.turn is not None else AUTHORED


def played_turns(run: Run, anonymous: Anonymous) -> list[PlayedTurn]:
    """The turns of a run in the order in which they were asked for, the lost ones in their places as far as known."""
    date = datetime.fromtimestamp(run.started_at / 1000, UTC).date().isoformat()
    unusable = [_UNUSABLE[guard] for guard in run.guards if guard in _UNUSABLE]
    overtaken = PlayedTurn(AuthoredTurn(((SEND, {"text": OVERTAKEN}),)), date, overtaken=True)
    dropped = [_dropped(run, number, anonymous) or overtaken for number in range(run.dropped_turns)]
    turns: list[PlayedTurn] = []
    for place, turn in enumerate(run.turns):
        if isinstance(turn, ModelTurn):
            turns.append(PlayedTurn(_cleaned(turn, anonymous), date, turn))
        elif isinstance(turn, UserTurn) and place > 0 and not isinstance(run.turns[place - 1], ModelTurn):
            turns.append(PlayedTurn(AuthoredTurn(body=unusable.pop(0)), date) if unusable else overtaken)
    lost = max(0, calls_of(run) - len(dropped) - len(turns))
    if lost and run.ending == "handed_over":  # the model withheld its answer
        turns.append(PlayedTurn(AuthoredTurn(body=blocked_prompt()), date))
        lost -= 1
    if run.ending in _ENDED_BY_SOMETHING:
        return [*dropped, *turns, *[overtaken] * lost]
    return [*dropped, *[overtaken] * lost, *turns]


def calls_of(run: Run) -> int:
    """Every answer of the model's to this run; one that older code archived counts those it kept."""
    return max(run.model_calls, run.spent.calls)


def _dropped(run: Run, number: int, anonymous: Anonymous) -> PlayedTurn | None:
    """A turn that is no longer among the run's, from what the run kept of it; None where that is nothing."""
    sent: dict[int, list[str]] = {}
    for action in run.actions:
        if action.turn == number and action.kind is ActionKind.SEND:
            sent.setdefault(action.call_index, []).append(action.text)
    prefix = f"{run.id}/{number}/"
    asked = [alert for alert in run.alerts if alert.key.startswith(prefix)]
    calls: list[tuple[str, Mapping[str, object]]] = [
        *((NOTIFY, {"text": anonymous.text(alert.text), "urgency": alert.urgency}) for alert in asked),
        *((SEND, {"text": anonymous.text(" ".join(texts))}) for _, texts in sorted(sent.items())),
    ]
    if not calls:
        return None
    if not sent:
        calls.append((SEND, {"text": OVERTAKEN}))
    date = datetime.fromtimestamp(run.started_at / 1000, UTC).date().isoformat()
    return PlayedTurn(AuthoredTurn(tuple(calls)), date, overtaken=not sent)


def _cleaned(turn: ModelTurn, anonymous: Anonymous) -> AuthoredTurn:
    calls = tuple((call.name, cast("Mapping[str, object]", anonymous.value(call.arguments))) for call in turn.calls)
    return AuthoredTurn(calls, anonymous.text(turn.text))


class ArchiveServer(TurnsInOrder):
    """Answers with these turns of the archive."""

    def __init__(self, scenario: str, turns: list[PlayedTurn]) -> None:
        super().__init__(scenario, 1, len(turns), "in the archive")
        self._turns = turns

    def recorded(self, asked: Asked) -> RecordedTurn:
        played = self._turns[asked.turn - 1]
        body = played.said.response(self.scenario, 1, asked.turn)
        by_hand = self.by_hand(asked, body, played.date)
        turn = played.turn
        if turn is None:
            return by_hand
        model, usage = turn.model_version or "unknown", _usage(turn.usage)
        response = {**body, "modelVersion": model} | ({"usageMetadata": usage} if usage else {})
        said = {"origin": "recorded", "model": model, "latency_ms": turn.latency_ms, "usage": usage}
        return by_hand.model_copy(update={**said, "response": response})


def _usage(usage: Usage) -> Mapping[str, object] | None:
    """As on the wire."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "candidatesTokenCount": usage.output_tokens,
        "thoughtsTokenCount": usage.thought_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None} or None
