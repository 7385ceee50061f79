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
from typing import Final, cast

import yaml

from dm_core.agent.tools.registry import TOOLS
from dm_evals.observation import ModelCall, Observation
from dm_evals.replay.digests import Prompt
from dm_evals.replay.recordings import RecordedTurn, Recording, nearest
from dm_evals.replay.replay_server import Against, Asked, ModelServer, tokens
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import Body, blocked_prompt, finished, no_candidates
from dm_sandbox.platforms.server import Reply, as_list, as_object

__all__ = ["AuthoredTurn", "BadTurns", "Played", "Script", "author", "parse_turns"]

AUTHORED: Final = "authored"
_KEYS: Final = ("calls", "text", "finish", "empty", "malformed", "blocked", "response", "invented")
_ALONE: Final = ("finish", "empty", "malformed", "blocked", "response")
_FINISH_WORDS: Final = """STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII
MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE
CONTINUATION"""
_FINISHES: Final = tuple(_FINISH_WORDS.split())


class BadTurns(Exception):
    """The hand-written turns can't be used, or don't fit the scenario; each argument is one line that says why."""


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
    """Play the scenario with these turns. ``date`` is today's, ISO. Raises BadTurns where they don't fit it."""
    script = Script(scenario.name, trial, turns, date, prompt)
    observation = await against(scenario, trial, script)
    if script.missing:
        asked = script.asked[-1].request.contents
        last = asked[-1]["text"] if asked else "nothing"
        raise BadTurns(f"{scenario.name}: {script.ended}; the model was asked after:", last)
    if observation.crash is not None:
        raise BadTurns(f"{scenario.name}: can't be played: {observation.crash}")
    if script.unused:
        listed = ", ".join(map(str, script.unused))
        raise BadTurns(
            f"{scenario.name}: nobody asked for turn {listed}; the model was asked {len(script.calls)} times"
        )
    return Played(script.recording, observation)


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: what looks like a date stays the text it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_turns(text: str) -> tuple[AuthoredTurn, ...]:
    """The turns of a YAML list; an empty text is no turn. Raises BadTurns naming the turn."""
    try:
        value: object = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise BadTurns(f"not valid YAML: {' '.join(str(error).split())}") from None
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadTurns("the turns must be a YAML list: - calls: [{tool: {argument: value}}]")
    return tuple(_parsed(item, f"turn {number}") for number, item in enumerate(cast("list[object]", value), start=1))


def _parsed(item: object, where: str) -> AuthoredTurn:
    if not isinstance(item, dict) or not item:
        raise BadTurns(f"{where}: must have {', '.join(_KEYS[:-1])} (one of them)")
    fields = cast("Mapping[str, object]", item)
    for key in fields:
        if key not in _KEYS:
            raise BadTurns(f'{where}: unknown key "{key}"{nearest(str(key), _KEYS)}')
    odd = [key for key in _ALONE if key in fields]
    if odd:
        if len(fields) > 1:
            raise BadTurns(f"{where}: {odd[0]} stands alone")
        return AuthoredTurn(body=_odd(odd[0], fields[odd[0]], where))
    calls = tuple(_call(call, where, invented=bool(fields.get("invented"))) for call in _listed(fields, where))
    text = fields.get("text", "")
    if not isinstance(text, str):
        raise BadTurns(f"{where}: text must be a text")
    if not calls and not text:
        raise BadTurns(f"{where}: neither a call nor a text (an empty answer is written empty: true)")
    return AuthoredTurn(calls, text)


def _odd(key: str, value: object, where: str) -> Body:
    match key, value:
        case "finish", str():
            if value not in _FINISHES:
                raise BadTurns(f'{where}: unknown finish "{value}"{nearest(value, _FINISHES)}')
            return finished(value)
        case "empty", True:
            return no_candidates()
        case "malformed", True:
            return finished("MALFORMED_FUNCTION_CALL", "Malformed function call")
        case "blocked", str():
            return blocked_prompt(value)
        case "response", dict():
            return cast("Body", value)
        case _:
            raise BadTurns(f"{where}: {key} can't be {value!r}")


def _listed(fields: Mapping[str, object], where: str) -> list[object]:
    calls = fields.get("calls", [])
    if not isinstance(calls, list):
        raise BadTurns(f"{where}: calls must be a list, such as [{{no_reply: {{reason: …}}}}]")
    return as_list(cast("object", calls))


def _call(value: object, where: str, *, invented: bool) -> tuple[str, Mapping[str, object]]:
    """``{tool: {argument: value}}``; a tool without arguments may be a bare name."""
    call: Mapping[str, object] = {value: None} if isinstance(value, str) else as_object(value)
    if len(call) != 1:
        raise BadTurns(f"{where}: each call is one tool with its arguments, such as {{no_reply: {{reason: …}}}}")
    name, arguments = next(iter(call.items()))
    if name not in TOOLS and not invented:
        raise BadTurns(f'{where}: unknown tool "{name}"{nearest(name, sorted(TOOLS))} (or say invented: true)')
    if not (arguments is None or isinstance(arguments, dict)):
        raise BadTurns(f"{where}: the arguments of {name} must be a mapping")
    return name, as_object(cast("object", arguments))
