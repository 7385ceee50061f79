"""An agent as data: what it does otherwise than a recording. The same for strangers' agents and for our own mutants.

- name: half_price
  scenario: price_student
  wrong: invents a discount
  says: "Students join at half price this month."
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import field_validator, model_validator

from dm_core.agent.tools.registry import NOTE, NOTIFY, REACT, SEND
from dm_evals.judge import Vote
from dm_evals.reading import Strict, Unusable, text_of, yaml_list
from dm_evals.replay.author import ScriptedTurn, WrittenTurn
from dm_evals.replay.recordings import Recording
from dm_evals.replay.replay_server import said_in
from dm_evals.scenarios.scenario import Event, Expectations, Scenario

Turns = tuple[ScriptedTurn, ...]
Call = tuple[str, Mapping[str, object]]


class Case(Strict):
    """``wrong`` is what is wrong with a bad agent, ``why`` what might mislead about a harmless one.

    ``says`` replaces the last reply; ``reacts``, ``notes`` and ``alerts`` the last such call, or are one more; ``adds``
    sends one more message. ``turns`` are all turns instead, as ``author`` reads them. ``code`` names a defect of
    ``code.yaml`` that is planted besides. ``dm``: the person writes this instead (one DM or several), ``says`` answers
    whatever run comes of it, and only the rules of every scenario judge. ``judge``: code cannot see it.
    ``caught_by``: the check that is meant for it. ``votes``: the judge's, by rubric item, as nobody recorded them.
    """

    name: str
    scenario: str
    wrong: str = ""
    why: str = ""
    judge: bool = False
    dm: tuple[str, ...] = ()
    says: str = ""
    adds: str = ""
    reacts: str = ""
    notes: str = ""
    alerts: str = ""
    turns: tuple[WrittenTurn, ...] = ()
    code: str = ""
    caught_by: str = ""
    votes: Mapping[str, Vote] = {}

    @field_validator("dm", mode="before")
    @classmethod
    def _one_or_several(cls, dm: object) -> object:
        return (dm,) if isinstance(dm, str) else dm

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if not (self.wrong or self.why).strip():
            raise ValueError(f"{self.name} gives no reason: say in `wrong` (or `why`) what is wrong with it")
        if not any((self.says, self.adds, self.reacts, self.notes, self.alerts, self.turns, self.code)):
            raise ValueError(f"{self.name} does nothing: give it says, adds, reacts, notes, alerts, turns or code")
        return self

    def answers(self, recording: Recording, handle: str) -> Turns:
        """The model's turns; ``handle``: the DM that an added reaction is on."""
        if self.turns:
            return tuple(written.turn for written in self.turns)
        turns = [_turn(turn.response) for turn in recording.turns]
        if not turns:
            return ()
        sends = [place for place, turn in enumerate(turns) if any(name == SEND for name, _ in turn.calls)]
        last = sends[-1] if sends else len(turns) - 1
        calls = [list(turn.calls) for turn in turns]
        as_text = self.says if not sends and turns[last].text else ""
        for place in {last, *sends} if self.dm else {last}:
            if self.says:
                calls[place] = [call for call in calls[place] if call[0] != SEND]
                calls[place] += [] if as_text else [(SEND, {"text": self.says})]
        calls[last] += [(SEND, {"text": self.adds})] if self.adds else []
        for name, arguments in self._other_calls(handle):
            _put(calls, last, name, arguments)
        return tuple(
            _written(turn, each, as_text if place == last else "")
            for place, (turn, each) in enumerate(zip(turns, calls, strict=True))
        )

    def _other_calls(self, handle: str) -> Iterator[Call]:
        if self.reacts:
            yield REACT, {"message_id": handle, "reaction": self.reacts}
        if self.notes:
            yield NOTE, {"text": self.notes}
        if self.alerts:
            yield NOTIFY, {"text": self.alerts}

    def played_in(self, scenario: Scenario) -> Scenario:
        """The scenario, with other DMs and then without its expectations."""
        if not self.dm:
            return scenario
        events = tuple(Event(text=text, at=f"{3 * place}s") for place, text in enumerate(self.dm))
        expect = Expectations(changed=scenario.expect.changed)
        return scenario.model_copy(update={"events": events, "expect": expect, "tags": ("held_out",)})


def _put(calls: Sequence[list[Call]], last: int, name: str, arguments: Mapping[str, object]) -> None:
    """In place of the last call of that name, whose other arguments it keeps; else in the last turn."""
    for each in reversed(calls):
        for place, (other, before) in enumerate(each):
            if other == name:
                each[place] = name, {**before, **arguments}
                return
    calls[last].append((name, arguments))


def _written(turn: ScriptedTurn, calls: Sequence[Call], as_text: str) -> ScriptedTurn:
    return ScriptedTurn(tuple(calls), as_text or turn.text, None if calls or as_text else turn.body)


def _turn(body: Mapping[str, object]) -> ScriptedTurn:
    """A recorded answer. What is neither text nor call (a blocked answer) stays the body it is."""
    calls, text = said_in(body)
    return ScriptedTurn(calls, text) if calls or text else ScriptedTurn(body=dict(body))


def load_cases(path: Path) -> tuple[Case, ...]:
    """Raises Unusable: a line each with the file and the line."""
    cases = yaml_list(text_of(path), Case, path)
    for name, number in Counter(case.name for case in cases).items():
        if number > 1:
            raise Unusable(f'{path}: "{name}" stands there {number} times: give each a name of its own')
    return cases
