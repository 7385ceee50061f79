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
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from dm_core.agent.tools.registry import TOOLS
from dm_evals.observation import ModelCall, Observation
from dm_evals.reading import Unusable, nearest, yaml_list
from dm_evals.replay.digests import Prompt
from dm_evals.replay.recordings import RecordedTurn, Recording
from dm_evals.replay.replay_server import Against, Asked, ModelServer, tokens
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import Body, blocked_prompt, finished, no_candidates
from dm_sandbox.platforms.server import Reply

__all__ = ["AuthoredTurn", "Played", "Script", "author", "parse_turns"]

AUTHORED: Final = "authored"
_ALONE: Final = ("finish", "empty", "malformed", "blocked", "response")
_FINISHES: Final = """STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII
MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE
CONTINUATION""".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class AuthoredTurn:
    """One model turn by hand: calls (name and arguments) and a text, or a whole body."""

    calls: tuple[tuple[str, Mapping[str, object]], ...] = ()
    text: str = ""
    body: Body | None = None

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
        return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "modelVersion": AUTHORED}


class WrittenTurn(BaseModel):
    """A turn as a person writes it. A tool without arguments may be a bare name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
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
    def turn(self) -> AuthoredTurn:
        if self.finish is not None:
            return AuthoredTurn(body=finished(self.finish))
        if self.empty:
            return AuthoredTurn(body=no_candidates())
        if self.malformed:
            return AuthoredTurn(body=finished("MALFORMED_FUNCTION_CALL", "Malformed function call"))
        if self.blocked is not None:
            return AuthoredTurn(body=blocked_prompt(self.blocked))
        return AuthoredTurn(self._calls, self.text, self.response)


@dataclass(frozen=True, slots=True)
class Played:
    """What authoring made: the recording, and the trial that was played for it."""

    recording: Recording
    observation: Observation


class TurnsInOrder(ModelServer):
    """Answers with given turns by their position, whatever is asked; ``recording`` is what came of it."""

    def __init__(self, scenario: str, trial: int, number: int, where: str, prompt: Prompt | None = None) -> None:
        super().__init__(prompt=prompt)
        self.scenario, self.trial = scenario, trial
        self._number, self._where = number, where
        self._made: list[RecordedTurn] = []

    @property
    def unused(self) -> tuple[int, ...]:
        return tuple(range(len(self._made) + 1, self._number + 1))

    @property
    def recording(self) -> Recording:
        return Recording(self.scenario, self.trial, tuple(self._made))

    @abstractmethod
    def recorded(self, asked: Asked) -> RecordedTurn:
        """The turn that answers this request, as it is kept."""

    async def answer(self, asked: Asked) -> Reply | None:
        if asked.turn > self._number:
            self.missing.append(asked.turn)
            self.ended = f"turn {asked.turn} is not {self._where} (there are {self._number})"
            return None
        made = self.recorded(asked)
        self._made.append(made)
        self.calls.append(ModelCall(asked.turn, made.origin, made.model, *tokens(made.usage), made.latency_ms))
        await self.on_turn(asked.turn)
        return Reply(made.response)

    def by_hand(self, asked: Asked, body: Body, date: str) -> RecordedTurn:
        """A turn that no model made."""
        return RecordedTurn(
            scenario=self.scenario,
            trial=self.trial,
            turn=asked.turn,
            origin=AUTHORED,
            model=AUTHORED,
            date=date,
            latency_ms=None,
            usage=None,
            request=asked.request,
            response=body,
        )


class Script(TurnsInOrder):
    """Answers with hand-written turns."""

    def __init__(
        self, scenario: str, trial: int, turns: Sequence[AuthoredTurn], date: str, prompt: Prompt | None = None
    ) -> None:
        super().__init__(scenario, trial, len(turns), "written", prompt)
        self._turns, self._date = tuple(turns), date

    def recorded(self, asked: Asked) -> RecordedTurn:
        body = self._turns[asked.turn - 1].response(self.scenario, self.trial, asked.turn)
        return self.by_hand(asked, body, self._date)


async def author(
    scenario: Scenario,
    trial: int,
    turns: Sequence[AuthoredTurn],
    against: Against,
    date: str,
    prompt: Prompt | None = None,
) -> Played:
    """Play the scenario with these turns. ``date`` is today's, ISO. Raises Unusable where they don't fit it."""
    script = Script(scenario.name, trial, turns, date, prompt)
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


def parse_turns(text: str, where: object = "the turns") -> tuple[AuthoredTurn, ...]:
    """The turns of a YAML list; an empty text is no turn. Raises Unusable with the line."""
    return tuple(written.turn for written in yaml_list(text, WrittenTurn, where))
