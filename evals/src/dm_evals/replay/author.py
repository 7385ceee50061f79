"""Recordings from hand-written model turns: the scenario is played, the turns answer it, the requests are noted.

    - calls: [{get_net_session_dates: {}}]
    - calls:
        - send_instagram_message: {text: "Nets are on Tuesday at 18:30."}
    - text: "plain words beside or in place of calls"
    - finish: SAFETY          # any of Gemini's finish reasons, without content
    - empty: true             # no candidates
    - malformed: true         # a function call that could not be parsed
    - blocked: PROHIBITED_CONTENT   # the prompt was withheld
    - response: {candidates: […]}   # any body, exactly
    - calls: [{no_such_tool: {}}]
      invented: true          # the tool's name is meant to be wrong

Calls get ids and thought signatures as Gemini 3 sends them: made up, and the same each time. No usage, no latency: no
model made these turns, and the recording says so (``origin: authored``).
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import model_validator

from dm_core.agent.tools.registry import TOOLS
from dm_evals.observation import Observation
from dm_evals.reading import Strict, Unusable, nearest, yaml_list
from dm_evals.replay.digests import Prompt
from dm_evals.replay.recordings import RecordedTurn, Recording
from dm_evals.replay.replay_server import Against, Asked, RecordingServer
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import Body, blocked_prompt, finished, no_candidates
from dm_sandbox.platforms.server import Reply

AUTHORED: Final = "authored"
_ALONE: Final = ("finish", "empty", "malformed", "blocked", "response")
_FINISHES: Final = """STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII
MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE
CONTINUATION""".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class ScriptedTurn:
    """One model turn that is given: calls (name and arguments) and a text, or a whole body.

    ``date`` is when it was made (ISO; empty: the script's). ``model``, ``latency_ms`` and ``usage`` are of the model
    that made it; by hand there is none.
    """

    calls: tuple[tuple[str, Mapping[str, object]], ...] = ()
    text: str = ""
    body: Body | None = None
    date: str = ""
    model: str = AUTHORED
    latency_ms: int | None = None
    usage: Mapping[str, object] | None = None

    def response(self, scenario: str, trial: int, turn: int) -> Body:
        """The body on the wire; ids and signatures come from the turn's address."""
        if self.body is not None:
            return self.body
        parts: list[Mapping[str, object]] = [{"text": self.text}] if self.text else []
        for index, (name, arguments) in enumerate(self.calls):
            mark = hashlib.sha512(f"signature {scenario} {trial} {turn} {index}".encode()).digest()
            call = {"id": f"call_{mark.hex()[:12]}", "name": name, "args": dict(arguments)}
            parts.append({"functionCall": call, "thoughtSignature": base64.b64encode(mark).decode()})
        content = {"role": "model", "parts": parts}
        said = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "modelVersion": self.model}
        return said | ({"usageMetadata": self.usage} if self.usage else {})


class WrittenTurn(Strict):
    """A turn as a person writes it. A tool without arguments may be a bare name."""

    calls: tuple[dict[str, dict[str, object] | None] | str, ...] = ()
    text: str = ""
    finish: str | None = None
    empty: Literal[True] | None = None
    malformed: Literal[True] | None = None
    blocked: str | None = None
    response: dict[str, object] | None = None
    invented: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        odd = [name for name in _ALONE if getattr(self, name) is not None]
        if odd and len(self.model_fields_set) > 1:
            raise ValueError(f"{odd[0]} stands alone")
        if self.finish is not None and self.finish not in _FINISHES:
            raise ValueError(f'unknown finish "{self.finish}"{nearest(self.finish, _FINISHES)}')
        if not (odd or self.calls or self.text):
            raise ValueError("neither a call nor a text (an empty answer is written empty: true)")
        if any(len(call) != 1 for call in self.calls if not isinstance(call, str)):
            raise ValueError("each call is one tool with its arguments, such as {no_reply: {reason: …}}")
        for name, _ in self._calls:
            if name not in TOOLS and not self.invented:
                raise ValueError(f'unknown tool "{name}"{nearest(name, TOOLS)} (or say invented: true)')
        return self

    @property
    def _calls(self) -> tuple[tuple[str, Mapping[str, object]], ...]:
        each = ({call: None} if isinstance(call, str) else call for call in self.calls)
        return tuple((name, arguments or {}) for call in each for name, arguments in call.items())

    @property
    def turn(self) -> ScriptedTurn:
        body = self.response
        if self.finish is not None:
            body = finished(self.finish)
        elif self.empty:
            body = no_candidates()
        elif self.malformed:
            body = finished("MALFORMED_FUNCTION_CALL", "Malformed function call")
        elif self.blocked is not None:
            body = blocked_prompt(self.blocked)
        return ScriptedTurn(self._calls, self.text, body)


@dataclass(frozen=True, slots=True)
class Played:
    """What authoring made: the recording, and the trial that was played for it."""

    recording: Recording
    observation: Observation


class Script(RecordingServer):
    """Answers with given turns by their position, whatever is asked; a recorded one keeps its answer.

    ``date`` is of the turns that have none, ``where`` they stand.
    """

    def __init__(
        self,
        scenario: str,
        trial: int,
        turns: Sequence[ScriptedTurn | RecordedTurn],
        date: str,
        prompt: Prompt | None = None,
        where: str = "written",
    ) -> None:
        super().__init__(scenario, trial, prompt)
        self._turns, self._date, self._where = tuple(turns), date, where

    @property
    def unused(self) -> tuple[int, ...]:
        return tuple(range(len(self.calls) + 1, len(self._turns) + 1))

    async def answer(self, asked: Asked) -> Reply | None:
        if asked.turn > len(self._turns):
            self.missing.append(asked.turn)
            self.ended = f"turn {asked.turn} is not {self._where} (there are {len(self._turns)})"
            return None
        turn = self._turns[asked.turn - 1]
        return self.keep(turn.asked_by(asked.request) if isinstance(turn, RecordedTurn) else self._made(turn, asked))

    def _made(self, turn: ScriptedTurn, asked: Asked) -> RecordedTurn:
        return RecordedTurn(
            scenario=self.scenario,
            trial=self.trial,
            turn=asked.turn,
            origin="authored" if turn.model == AUTHORED else "recorded",
            model=turn.model,
            date=turn.date or self._date,
            latency_ms=turn.latency_ms,
            usage=turn.usage,
            request=asked.request,
            response=turn.response(self.scenario, self.trial, asked.turn),
        )


async def author(scenario: Scenario, trial: int, turns: Sequence[ScriptedTurn], against: Against, date: str) -> Played:
    """Play the scenario with these turns. ``date`` is today's, ISO. Raises Unusable where they don't fit it."""
    script = Script(scenario.name, trial, turns, date)
    observation = await against(scenario, trial, script)
    if script.missing:
        asked = script.asked[-1].request.contents
        last = asked[-1]["text"] if asked else "nothing"
        raise Unusable(f"{scenario.name}: {script.ended}; the model was asked after:", last)
    if observation.crash is not None:
        raise Unusable(f"{scenario.name}: can't be played: {observation.crash}")
    if script.unused:
        listed = ", ".join(map(str, script.unused))
        raise Unusable(
            f"{scenario.name}: nobody asked for turn {listed}; the model was asked {len(script.calls)} times"
        )
    return Played(script.recording, observation)


def parse_turns(text: str, where: object = "the turns") -> tuple[ScriptedTurn, ...]:
    """The turns of a YAML list; an empty text is no turn. Raises Unusable with the line."""
    return tuple(written.turn for written in yaml_list(text, WrittenTurn, where))
